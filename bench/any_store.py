"""A gateway's store as a bench reads and fills it, beside the gateway: SQLite or PostgreSQL, plain SQL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it ships no types

PATIENCE = 30.0  # seconds for a lock

Row = Sequence[Any]


class AnyStore:
    """A connection is made for each call. What goes into a statement is marked by `?`."""

    def __init__(self, database: str) -> None:
        """`database` is a URL of the gateway's settings."""
        self._file = Path(database.removeprefix("sqlite:///")) if database.startswith("sqlite") else None
        self._server = database.replace("+asyncpg", "")

    @property
    def megabytes(self) -> float:
        """Of a file with its write-ahead log: a process may keep its pages in memory. A server's count for nothing."""
        if self._file is None:
            return 0.0
        files = (self._file, self._file.with_name(f"{self._file.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists()) / 2**20

    async def execute(self, *statements: tuple[str, Sequence[Row]]) -> None:
        """Each with all of its rows, everything in one transaction."""
        if self._file is not None:
            await asyncio.to_thread(_execute, self._file, statements)
            return
        connection = await asyncpg.connect(self._server)
        try:
            async with connection.transaction():
                for text, rows in statements:
                    await connection.executemany(_numbered(text), rows, timeout=PATIENCE)
        finally:
            await connection.close()

    async def fetch(self, query: str) -> list[Row]:
        if self._file is not None:
            return await asyncio.to_thread(_fetch, self._file, query)
        connection = await asyncpg.connect(self._server)
        try:
            return list(map(tuple, await connection.fetch(query, timeout=PATIENCE)))
        finally:
            await connection.close()


def _numbered(text: str) -> str:
    """With PostgreSQL's marks."""
    first, *rest = text.split("?")
    return first + "".join(f"${number}{more}" for number, more in enumerate(rest, 1))


def _execute(file: Path, statements: Sequence[tuple[str, Sequence[Row]]]) -> None:
    with closing(sqlite3.connect(file, timeout=PATIENCE)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        for text, rows in statements:
            connection.executemany(text, rows)


def _fetch(file: Path, query: str) -> list[Row]:
    with closing(sqlite3.connect(file, timeout=PATIENCE)) as connection:
        return connection.execute(query).fetchall()
