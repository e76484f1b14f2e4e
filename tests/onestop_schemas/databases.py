"""Databases of agencies, for tests: the same plain statements on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import itertools
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.servers.mariadb import Mariadb
from tests.servers.postgres import Hand, Postgres

NUMBERS = itertools.count(1)


class Database(ABC):
    """One database. `kinds`: what a column of ours is made of here."""

    name: str
    url: str
    quote = '"'
    kinds: Mapping[str, str]

    @abstractmethod
    def execute(self, statement: str) -> None:
        """Run one statement."""

    @abstractmethod
    def close(self) -> None:
        """Drop it."""

    @abstractmethod
    def locked(self, table: str) -> AbstractContextManager[None]:
        """Nobody reads `table` within the block."""

    def named(self, name: str) -> str:
        return ".".join(f"{self.quote}{part}{self.quote}" for part in name.split("."))

    def create(self, table: str, columns: Mapping[str, str], index: str = "") -> None:
        parts = ", ".join(f"{self.named(column)} {self.kinds[kind]}" for column, kind in columns.items())
        self.execute(f"CREATE TABLE {self.named(table)} ({parts})")
        if index:
            self.execute(f"CREATE INDEX {self.named(f'ix_{index}')} ON {self.named(table)} ({self.named(index)})")

    def insert(self, table: str, row: Mapping[str, object]) -> None:
        columns = ", ".join(map(self.named, row))
        values = ", ".join(map(literal, row.values()))
        self.execute(f"INSERT INTO {self.named(table)} ({columns}) VALUES ({values})")

    def set_all(self, table: str, column: str, value: object) -> None:
        self.execute(f"UPDATE {self.named(table)} SET {self.named(column)} = {literal(value)}")

    def rename(self, table: str, column: str, other: str) -> None:
        self.execute(f"ALTER TABLE {self.named(table)} RENAME COLUMN {self.named(column)} TO {other}")

    def drop(self, table: str) -> None:
        self.execute(f"DROP TABLE {self.named(table)}")


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


class SqliteDatabase(Database):
    name = "sqlite"
    kinds = MappingProxyType(
        {"code": "VARCHAR(50)", "text": "TEXT", "moment": "TEXT", "int": "INTEGER", "bit": "INTEGER"}
    )

    def __init__(self, folder: Path, driver: str = "aiosqlite") -> None:
        self.file = folder / "một cửa 100%.sqlite3"  # a path that needs quoting
        self.url = f"sqlite+{driver}:///{self.file}"

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")  # a machine that loses its power loses its tests, too
            connection.execute(statement)

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        with closing(sqlite3.connect(self.file)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield

    def close(self) -> None:
        self.file.unlink(missing_ok=True)


class PostgresDatabase(Database):
    name = "postgresql"
    kinds = MappingProxyType(
        {"code": "VARCHAR(50)", "text": "TEXT", "moment": "TIMESTAMP", "int": "INTEGER", "bit": "BOOLEAN"}
    )

    def __init__(self, server: Postgres) -> None:
        self._stack = ExitStack()
        database = f"onestop{next(NUMBERS)}"
        self.url = self._stack.enter_context(server.database(database))
        self.hand = Hand(server.port, database)
        self._stack.callback(self.hand.close)
        self._another = partial(Hand, server.port, database)

    def execute(self, statement: str) -> None:
        self.hand.execute(statement)

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        other = self._another()
        other.execute("BEGIN")
        other.execute(f"LOCK TABLE {self.named(table)}")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    def close(self) -> None:
        self._stack.close()


class MariadbDatabase(Database):
    name = "mariadb"
    quote = "`"
    kinds = MappingProxyType(
        {"code": "VARCHAR(50)", "text": "VARCHAR(500)", "moment": "DATETIME", "int": "INT", "bit": "BIT(1)"}
    )

    def __init__(self, server: Mariadb) -> None:
        self._stack = ExitStack()
        database = f"onestop{next(NUMBERS)}"
        self.hand: Any = self._stack.enter_context(server.database(database))
        self.url = server.url(database)

    def execute(self, statement: str) -> None:
        self.hand.cursor().execute(statement)

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        self.execute(f"LOCK TABLES {self.named(table)} WRITE")
        try:
            yield
        finally:
            self.execute("UNLOCK TABLES")

    def close(self) -> None:
        self._stack.close()
