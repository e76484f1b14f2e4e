"""Notices on SQLite: one thread writes, another reads (adapters.store.lane)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from adapters.store.lane import Lane, transaction
from adapters.store.notices_dialect import SqliteDialect
from adapters.store.notices_sql import StoredNotices
from adapters.store.steps import Steps, Values, carry_out

Result = TypeVar("Result")


class SqliteNotices(StoredNotices):
    """Implements notifications.ports.Notices. `written` is called when something was written."""

    def __init__(self, writer: Lane, reader: Lane, clock: Callable[[], datetime], written: Callable[[], None]) -> None:
        super().__init__(SqliteDialect(), clock)
        self._writer = writer
        self._reader = reader
        self._written = written

    async def _read(self, statement: str, values: Values) -> Sequence[Any]:
        return await self._reader.run(lambda c: c.exec_driver_sql(statement, dict(values)).fetchall())

    async def _write(self, work: Callable[[], Steps[Result]]) -> Result:
        def write(connection: Connection) -> Result:
            with transaction(connection):
                return carry_out(connection, work())

        result = await self._writer.run(write)
        self._written()
        return result
