"""Who is signed in to the console, on both engines."""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapters.store.audit import noting
from adapters.store.officers import ACCOUNT_COLUMNS, read_account
from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps
from console.accounts.ports import Account, AuditEntry, Session, SessionEnd

COLUMNS = ("digest", "officer_id", "created_at", "seen_at", "address", "agent")
_OF_SESSION = ", ".join(f"s.{name}" for name in COLUMNS)
_OF_OFFICER = ", ".join(f"o.{name}" for name in ACCOUNT_COLUMNS)

FIND = f"""SELECT {_OF_SESSION}, {_OF_OFFICER} FROM officer_session AS s JOIN officer AS o ON o.id = s.officer_id
WHERE s.digest = :digest AND s.ended_at IS NULL"""
TOUCH = "UPDATE officer_session SET seen_at = :seen_at WHERE digest = :digest AND seen_at < :seen_at"
OF_ONE = f"""SELECT {_OF_SESSION} FROM officer_session AS s
WHERE s.officer_id = :officer_id AND s.ended_at IS NULL ORDER BY s.seen_at DESC, s.digest"""
END = """UPDATE officer_session SET ended_at = :now, end_reason = :reason
WHERE digest = :digest AND officer_id = :officer_id AND ended_at IS NULL RETURNING 1"""


def find(digest: str) -> Steps[tuple[Account, Session] | None]:
    rows = yield FIND, {"digest": digest}
    if not rows:
        return None
    cells = tuple(rows[0])
    return read_account(cells[len(COLUMNS) :]), _read(cells[: len(COLUMNS)])


def touch(digest: str, seen_at: datetime) -> Steps[None]:
    yield TOUCH, {"digest": digest, "seen_at": to_ms(seen_at)}


def of(officer_id: int) -> Steps[Sequence[Session]]:
    return [_read(row) for row in (yield OF_ONE, {"officer_id": officer_id})]


def end(officer_id: int, digest: str, reason: SessionEnd, now: datetime, noted: AuditEntry | None) -> Steps[bool]:
    ended = yield END, {"officer_id": officer_id, "digest": digest, "reason": str(reason), "now": to_ms(now)}
    if ended:
        yield from noting(noted)
    return bool(ended)


def _read(row: Sequence[Any]) -> Session:
    values = dict(zip(COLUMNS, row, strict=True))
    moments = {name: from_ms(values[name]) for name in ("created_at", "seen_at")}
    return Session(**values | moments)


class StoreSessions:
    """Implements console.accounts.ports.Sessions. `run` writes, `look` only reads."""

    def __init__(self, run: Runner, look: Runner) -> None:
        self._run = run
        self._look = look

    async def find(self, digest: str) -> tuple[Account, Session] | None:
        return await self._look(find(digest))

    async def touch(self, digest: str, seen_at: datetime) -> None:
        await self._run(touch(digest, seen_at))

    async def of(self, officer_id: int) -> Sequence[Session]:
        return await self._look(of(officer_id))

    async def end(
        self, officer_id: int, digest: str, reason: SessionEnd, now: datetime, noted: AuditEntry | None = None
    ) -> bool:
        return await self._run(end(officer_id, digest, reason, now, noted))
