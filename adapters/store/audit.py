"""What officers did, on both engines: rows are added, and found by an index whichever way they are asked for."""

# ruff: noqa: S608 - put together from the column names of this module, never from data

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from adapters.store.housekeeping import first_id
from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps, Values
from console.accounts.ports import AuditEntry, AuditSearch

COLUMNS = ("id", "at", "officer_id", "login", "agency", "action", "about", "detail", "address")
_NAMES = ", ".join(COLUMNS)
NOTE = f"INSERT INTO audit ({_NAMES}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"


def noting(*entries: AuditEntry | None) -> Steps[None]:
    """Keep them, in the transaction of what they tell of."""
    for entry in entries:
        if entry is not None:
            yield NOTE, _cells(entry)


def find(search: AuditSearch, limit: int) -> Steps[Sequence[AuditEntry]]:
    """The newest of each agency, of which the newest are taken: each part is a walk back along an index."""
    if search.agencies is not None and not search.agencies:
        return []
    conditions, values = _conditions(search)
    parts = [None] if search.agencies is None else sorted(search.agencies)
    selects = []
    for number, agency in enumerate(parts):
        name = f"agency_{number}_"
        of_agency = () if agency is None else (f"agency = :{name}",)
        values |= {} if agency is None else {name: agency}
        selects.append(_select((*of_agency, *conditions), f"part_{number}"))
    rows = yield f"{' UNION ALL '.join(selects)} ORDER BY id DESC LIMIT :limit", values | {"limit": limit}
    return [_read(row) for row in rows]


def _select(conditions: Sequence[str], name: str) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT * FROM (SELECT {_NAMES} FROM audit{where} ORDER BY id DESC LIMIT :limit) AS {name}"


def _conditions(search: AuditSearch) -> tuple[Sequence[str], dict[str, int | str | None]]:
    """Ids rise with time, so that a span of time is a span of ids."""
    given: dict[str, tuple[str, int | str]] = {
        name: (f"{name} = :{name}", value)
        for name, value in (("login", search.login), ("action", search.action), ("about", search.about))
        if value
    }
    if search.since is not None:
        given["since"] = ("id >= :since", first_id(search.since))
    if search.until is not None:
        given["until"] = ("id < :until", first_id(search.until))
    if search.before is not None:
        given["before"] = ("id < :before", search.before)
    return [condition for condition, _ in given.values()], {name: value for name, (_, value) in given.items()}


def _cells(entry: AuditEntry) -> Values:
    return {
        "id": entry.id,
        "at": to_ms(entry.at),
        "officer_id": entry.officer_id,
        "login": entry.login,
        "agency": entry.agency,
        "action": entry.action,
        "about": entry.about,
        "detail": json.dumps(entry.detail, ensure_ascii=False, sort_keys=True),
        "address": entry.address,
    }


def _read(row: Sequence[Any]) -> AuditEntry:
    values = dict(zip(COLUMNS, row, strict=True))
    return AuditEntry(**values | {"at": from_ms(values["at"]), "detail": json.loads(values["detail"])})


class StoreAudit:
    """Implements console.accounts.ports.AuditLog. `run` writes, `look` only reads."""

    def __init__(self, run: Runner, look: Runner) -> None:
        self._run = run
        self._look = look

    async def note(self, entries: Sequence[AuditEntry]) -> None:
        await self._run(noting(*entries))

    async def find(self, search: AuditSearch, *, limit: int) -> Sequence[AuditEntry]:
        return await self._look(find(search, limit))
