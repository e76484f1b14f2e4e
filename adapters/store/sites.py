"""The sites that carry the widget and how much they are used, on both engines: each method is one statement.

The serving processes read and write over the store's own connections; an operator's commands reach the same rows from
outside (adapters.store.outside).
"""

# ruff: noqa: S608 - put together from the constants of this module, never from data

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import msgspec

from adapters.store.outside import Outside
from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps, Values, carry_out_anywhere
from channels.web.ports import UseKey
from domain.sites import Site, SiteUse, Used

Result = TypeVar("Result")

COLUMNS = "key, name, agency, origins, secret_digest, created_at, revoked_at"
SITES = f"SELECT {COLUMNS} FROM site_key ORDER BY created_at, key"
ADD = f"""INSERT INTO site_key ({COLUMNS})
VALUES (:key, :name, :agency, :origins, :secret_digest, :created_at, :revoked_at)
ON CONFLICT (key) DO NOTHING RETURNING 1"""
CHANGE = """UPDATE site_key SET name = :name, agency = :agency, origins = :origins, secret_digest = :secret_digest
WHERE key = :key AND revoked_at IS NULL RETURNING 1"""
REVOKE = "UPDATE site_key SET revoked_at = :at WHERE key = :key AND revoked_at IS NULL RETURNING 1"
USED = "SELECT day, use, count FROM site_use WHERE site = :site AND day >= :since"
# The rows travel as one JSON text. All processes write them in the same order, so that none waits for another in a ring.
_GIVEN = {
    "sqlite": "json_each(:uses)",
    "postgresql": "jsonb_array_elements(CAST(:uses AS jsonb))",
}
_COUNT = """INSERT INTO site_use (site, day, use, count)
SELECT value ->> 0, value ->> 1, value ->> 2, CAST(value ->> 3 AS bigint) FROM {given} WHERE true ORDER BY 1, 2, 3
ON CONFLICT (site, day, use) DO UPDATE SET count = site_use.count + excluded.count RETURNING 1"""
COUNT = {engine: _COUNT.format(given=given) for engine, given in _GIVEN.items()}
_USES: Mapping[str, SiteUse] = {each.value: each for each in SiteUse}


def _sites() -> Steps[Sequence[Site]]:
    rows = yield SITES, {}
    return [_site(row) for row in rows]


def _site(row: Sequence[Any]) -> Site:
    key, name, agency, origins, secret_digest, created_at, revoked_at = row
    return Site(
        key=key,
        name=name,
        agency=agency,
        origins=tuple(msgspec.json.decode(origins, type=list[str])),
        secret_digest=secret_digest,
        created_at=from_ms(created_at),
        revoked_at=None if revoked_at is None else from_ms(revoked_at),
    )


def _changed(statement: str, values: Values) -> Steps[bool]:
    """Whether there was a row to be changed."""
    return bool((yield statement, values))


def _used(values: Values) -> Steps[Sequence[Used]]:
    """What a newer version counts is left out."""
    rows = yield USED, values
    known = [(day, _USES[use], count) for day, use, count in rows if use in _USES]
    return [Used(day=date.fromisoformat(day), use=use, count=count) for day, use, count in sorted(known)]


def _origins(origins: Sequence[str]) -> str:
    return msgspec.json.encode(list(origins)).decode()


class StoreSites:
    """Implements channels.web.ports.SiteBook. `read` runs steps that only read, `write` runs them in one transaction;
    `engine` is sqlite or postgresql. Raises StoreUnavailable when nothing was done, StoreUncertain when that is not known.
    """

    def __init__(self, *, read: Runner, write: Runner, engine: str) -> None:
        self._read = read
        self._write = write
        self._count = COUNT[engine]

    async def sites(self) -> Sequence[Site]:
        return await self._read(_sites())

    async def add(self, site: Site) -> None:
        values: Values = {
            "key": site.key,
            "name": site.name,
            "agency": site.agency,
            "origins": _origins(site.origins),
            "secret_digest": site.secret_digest,
            "created_at": to_ms(site.created_at),
            "revoked_at": None if site.revoked_at is None else to_ms(site.revoked_at),
        }
        await self._write(_changed(ADD, values))

    async def change(self, key: str, *, name: str, agency: str, origins: Sequence[str], secret_digest: str) -> bool:
        values: Values = {
            "key": key,
            "name": name,
            "agency": agency,
            "origins": _origins(origins),
            "secret_digest": secret_digest,
        }
        return await self._write(_changed(CHANGE, values))

    async def revoke(self, key: str, at: datetime) -> bool:
        return await self._write(_changed(REVOKE, {"key": key, "at": to_ms(at)}))

    async def count(self, uses: Mapping[UseKey, int]) -> None:
        if not uses:
            return
        rows = [(each.site, each.day.isoformat(), each.use.value, count) for each, count in uses.items()]
        await self._write(_changed(self._count, {"uses": msgspec.json.encode(rows).decode()}))

    async def used(self, key: str, since: date) -> Sequence[Used]:
        return await self._read(_used({"site": key, "since": since.isoformat()}))


class OutsideSites(StoreSites):
    """The same from outside: what `tracuu site` changes is seen by those who serve when they next look."""

    def __init__(self, store: Outside, *, engine: str) -> None:
        async def read(steps: Steps[Result]) -> Result:
            return await store.reading(lambda connection, _: carry_out_anywhere(connection, steps))

        async def write(steps: Steps[Result]) -> Result:
            return await store.writing(lambda connection, _: carry_out_anywhere(connection, steps))

        super().__init__(read=read, write=write, engine=engine)
