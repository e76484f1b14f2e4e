"""Connections of whoever works with a one-stop system, in the test's loop: several of them write at the same time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import aiomysql  # type: ignore[import-untyped] # it ships no types
import asyncpg  # type: ignore[import-untyped] # it ships no types

from tests.onestop_schemas.databases import Database, PostgresDatabase


class Connection(ABC):
    """One connection of whoever works with that system, in the test's loop. `now`: the server's clock, in seconds."""

    now: str

    @abstractmethod
    async def run(self, statement: str) -> None: ...

    @abstractmethod
    async def rows(self, statement: str) -> list[Any]: ...

    @abstractmethod
    async def close(self) -> None: ...


class PostgresConnection(Connection):
    now = "date_trunc('second', now() AT TIME ZONE 'UTC') + interval '{} seconds'"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, statement: str) -> None:
        await self._connection.execute(statement)

    async def rows(self, statement: str) -> list[Any]:
        return [tuple(row) for row in await self._connection.fetch(statement)]

    async def close(self) -> None:
        await self._connection.close()


class MariadbConnection(Connection):
    now = "UTC_TIMESTAMP() + INTERVAL {} SECOND"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, statement: str) -> None:
        await self.rows(statement)

    async def rows(self, statement: str) -> list[Any]:
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement)
            return list(await cursor.fetchall())

    async def close(self) -> None:
        await self._connection.ensure_closed()


async def connect(database: Database) -> Connection:
    place, _, name = database.url.rpartition("/")
    user, _, where = place.partition("://")[2].partition("@")
    host, _, port = where.partition(":")
    if isinstance(database, PostgresDatabase):
        return PostgresConnection(await asyncpg.connect(host=host, port=int(port), user=user, database=name))
    return MariadbConnection(await aiomysql.connect(host=host, port=int(port), user=user, db=name, autocommit=True))
