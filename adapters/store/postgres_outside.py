"""The store from outside on PostgreSQL: a connection of its own that says goodbye at once, and waits patiently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.store.outside import Work
from adapters.store.postgres_pool import Timeouts, make_engine, translated
from adapters.store.postgres_statements import READ_CLOCK, WAKE
from domain.errors import StoreUnavailable

Result = TypeVar("Result")

PATIENCE = 120.0  # seconds: what is asked about one number reads a whole table


class PostgresOutside:
    """Implements adapters.store.outside.Outside. `clock` takes the place of the database's in tests only."""

    def __init__(self, url: str | URL, timeouts: Timeouts, *, clock: Callable[[], int] | None = None) -> None:
        self._url = url
        self._clock = clock
        self._timeouts = replace(timeouts, statement=max(timeouts.statement, PATIENCE))

    async def reading(self, work: Work[Result]) -> Result:
        engine = self._engine()
        try:
            with translated(in_doubt=StoreUnavailable):
                async with engine.connect() as connection:
                    return await connection.run_sync(lambda c: work(c, self._now(c)))
        finally:
            await engine.dispose()

    async def writing(self, work: Work[Result]) -> Result:
        def write(connection: Connection) -> Result:
            result = work(connection, self._now(connection))
            connection.exec_driver_sql(WAKE)  # something may be claimed; heard when this is committed
            return result

        engine = self._engine()
        try:
            with translated():
                async with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
                    return await connection.run_sync(write)
        finally:
            await engine.dispose()

    def _engine(self) -> AsyncEngine:
        return make_engine(self._url, self._timeouts, "tracuu operator")

    def _now(self, connection: Connection) -> int:
        if self._clock is not None:
            return self._clock()
        now: int = connection.exec_driver_sql(READ_CLOCK).scalar_one()
        return now
