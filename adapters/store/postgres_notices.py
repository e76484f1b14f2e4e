"""Notices on PostgreSQL, over the connections for what is bulk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from adapters.store.notices_dialect import PostgresDialect
from adapters.store.notices_recording import NotAsExpectedError
from adapters.store.notices_sql import StoredNotices
from adapters.store.postgres_pool import Pool, again
from adapters.store.steps import Steps, Values, carry_out_on, numbered

Result = TypeVar("Result")


class PostgresNotices(StoredNotices):
    """Implements notifications.ports.Notices. `clock` is the database's, as the store knows it."""

    def __init__(self, pool: Pool, clock: Callable[[], datetime]) -> None:
        super().__init__(PostgresDialect(), clock)
        self._pool = pool

    async def _read(self, statement: str, values: Values) -> Sequence[Any]:
        text, parameters = numbered(statement, values)
        return await self._pool.read(lambda driver: driver.fetch(text, *parameters))

    async def _write(self, work: Callable[[], Steps[Result]]) -> Result:
        return await again(lambda: self._once(work()))

    async def _once(self, steps: Steps[Result]) -> Result:
        async with self._pool.writing() as driver:
            try:
                async with driver.transaction():
                    return await carry_out_on(driver, steps)
            except NotAsExpectedError as error:  # an answer like others: the connection is as good as before
                refused = error
        raise refused
