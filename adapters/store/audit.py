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
_LAST = 2**63 - 1  # no id is larger
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
    selects, values = [], _values(search)
    for number, agency in enumerate([None] if search.agencies is None else sorted(search.agencies)):
        name = f"agency_{number}_"
        values |= {} if agency is None else {name: agency}
        selects.append(_select(search, None if agency is None else name, f"part_{number}"))
    rows = yield f"{' UNION ALL '.join(selects)} ORDER BY id DESC LIMIT :limit", values | {"limit": limit}
    return [_read(row) for row in rows]


def _select(search: AuditSearch, agency: str | None, name: str) -> str:
    """A walk back along the index of what tells most. That column stands in the order and in no equation: else the key
    would give the same order, and of an agency that did nothing it would be walked to its end.
    """
    asked = {column: column for column in ("about", "login") if getattr(search, column)}
    asked |= {} if agency is None else {"agency": agency}
    asked |= {"action": "action"} if search.action else {}
    span = "id >= :since AND id < :before"
    order, conditions = "id DESC", [f"{column} = :{value}" for column, value in asked.items()]
    if asked:
        column, value = next(iter(asked.items()))
        span = f"({column}, id) >= (:{value}, :since) AND ({column}, id) < (:{value}, :before)"
        order = f"{column} DESC, id DESC"
        conditions = conditions[1:]
    where = " AND ".join([span, *conditions])
    return f"SELECT * FROM (SELECT {_NAMES} FROM audit WHERE {where} ORDER BY {order} LIMIT :limit) AS {name}"


def _values(search: AuditSearch) -> dict[str, int | str | None]:
    """Ids rise with time, so that a span of time is a span of ids."""
    until = _LAST if search.until is None else first_id(search.until)
    given = {name: value for name in ("login", "action", "about") if (value := getattr(search, name))}
    since = 0 if search.since is None else first_id(search.since)
    return {**given, "since": since, "before": until if search.before is None else min(until, search.before)}


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
