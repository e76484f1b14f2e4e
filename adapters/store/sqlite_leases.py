"""Leases on SQLite. One process serves a file (adapters.store.lockfile), so each is free for it; the rows tell others
who look into the store, and what a process says of itself stands beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection

from adapters.store.lane import Lane, transaction
from adapters.store.rows import encode, to_ms

# Parameters: owner, now, until, names. WHERE true: SQLite would read ON as the condition of a join.
TAKE = """
INSERT INTO lease (name, owner, taken_at, lease_until) SELECT value, ?, ?, ? FROM json_each(?) WHERE true
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until,
    taken_at = CASE WHEN lease.owner = excluded.owner THEN lease.taken_at ELSE excluded.taken_at END"""
GIVE_BACK = "DELETE FROM lease WHERE owner = ? AND name IN (SELECT value FROM json_each(?))"
INTRODUCE = """
INSERT INTO process_about (number, host, pid, version, roles) SELECT number, ?, ?, ?, ? FROM process
WHERE owner = ? ON CONFLICT (number) DO NOTHING"""


class SqliteLeases:
    """Implements gateway.leases.Leases."""

    def __init__(self, writer: Lane, owner: int, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._owner = owner
        self._clock = clock

    async def take(self, names: Collection[str], length: timedelta) -> frozenset[str]:
        now = self._clock()
        wanted = frozenset(names)
        if wanted:
            await self._write(TAKE, self._owner, to_ms(now), to_ms(now + length), encode(sorted(wanted)))
        return wanted

    async def give_back(self, names: Collection[str]) -> None:
        if names:
            await self._write(GIVE_BACK, self._owner, encode(sorted(set(names))))

    async def introduce(self, *, host: str, pid: int, version: str, roles: Collection[str]) -> None:
        await self._write(INTRODUCE, host, pid, version, ",".join(roles), self._owner)

    async def _write(self, statement: str, *parameters: object) -> None:
        def write(connection: Connection) -> None:
            with transaction(connection):
                connection.exec_driver_sql(statement, parameters)

        await self._writer.run(write)
