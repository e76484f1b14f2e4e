"""The migrations make exactly the schema the code speaks of, and can be taken back and applied again over data."""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, NullPool, create_engine, insert, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.store import migrate, postgres_migrate
from adapters.store.tables import metadata
from domain.errors import StoreUnavailable
from domain.external_ids import key_of
from tests.servers.postgres import Postgres

Result = TypeVar("Result")

FIRST = "0001"
_PARTS = re.compile(r" ?\( | ?\)(?=$| WITHOUT)| ?, (?![^()]*\))")  # of a table's definition, which stands in one line


class Place(ABC):
    """An empty database of one engine."""

    @abstractmethod
    def upgrade(self, revision: str = "head") -> None: ...

    @abstractmethod
    def downgrade(self, revision: str) -> None: ...

    @abstractmethod
    def on(self, work: Callable[[Connection], Result]) -> Result:
        """Do something in a transaction."""

    schema_query: str

    def schema(self) -> dict[str, str]:
        """Every table and index as the database keeps its definition."""
        found = self.on(lambda connection: connection.execute(text(self.schema_query)).all())
        return {name: " ".join(definition.split()) for name, definition in found if "alembic_version" not in name}

    def tables(self) -> set[str]:
        return self.on(lambda connection: set(inspect(connection).get_table_names())) - {"alembic_version"}

    def fill(self) -> None:
        """One row in every table there is."""
        self.on(fill)

    def count(self, table: str) -> int:
        found: int = self.on(lambda connection: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
        return found


class SqlitePlace(Place):
    schema_query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"

    def schema(self) -> dict[str, str]:
        """A column that came later stands last in its table's definition, behind the key: what it says, not where."""
        return {name: " | ".join(sorted(_PARTS.split(definition))) for name, definition in super().schema().items()}

    def __init__(self, path: Path) -> None:
        self._url = migrate.sqlite_url(path)

    def upgrade(self, revision: str = "head") -> None:
        migrate.upgrade(self._url, revision)

    def downgrade(self, revision: str) -> None:
        migrate.downgrade(self._url, revision)

    def on(self, work: Callable[[Connection], Result]) -> Result:
        with create_engine(self._url, poolclass=NullPool).begin() as connection:
            return work(connection)


class PostgresPlace(Place):
    schema_query = """
        SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"""

    def __init__(self, url: str) -> None:
        self._url = url

    def upgrade(self, revision: str = "head") -> None:
        asyncio.run(postgres_migrate.upgrade(self._url, revision))

    def downgrade(self, revision: str) -> None:
        asyncio.run(postgres_migrate.downgrade(self._url, revision))

    def on(self, work: Callable[[Connection], Result]) -> Result:
        return asyncio.run(self._on(work))

    async def _on(self, work: Callable[[Connection], Result]) -> Result:
        engine = create_async_engine(self._url, poolclass=NullPool)
        async with engine.begin() as connection:
            return await connection.run_sync(work)


@pytest.fixture(params=["sqlite", "postgres"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Iterator[Place]]:
    """As many empty databases as a test asks for."""
    with ExitStack() as stack:

        def made() -> Iterator[Place]:
            for number in itertools.count():
                if request.param == "sqlite":
                    yield SqlitePlace(tmp_path / f"100% {number}.db")
                else:
                    server: Postgres = request.getfixturevalue("postgres")
                    yield PostgresPlace(stack.enter_context(server.database(f"migrations-{number}")))

        yield made()


@pytest.fixture
def place(places: Iterator[Place]) -> Place:
    return next(places)


def fill(connection: Connection) -> None:
    there = set(inspect(connection).get_table_names())
    for table in (table for table in metadata.sorted_tables if table.name in there):
        values: dict[str, Any] = {
            column.name: "x" if column.type.python_type is str else 1 for column in table.columns if not column.nullable
        }
        connection.execute(insert(table).values(values))


def test_the_migrations_make_exactly_what_the_tables_say(places: Iterator[Place]) -> None:
    migrated, created = next(places), next(places)
    migrated.upgrade()
    created.on(metadata.create_all)
    assert migrated.schema() == created.schema()
    assert migrated.on(lambda c: compare_metadata(MigrationContext.configure(c), metadata)) == []


def test_applying_them_again_changes_nothing_and_loses_nothing(place: Place) -> None:
    place.upgrade()
    place.fill()
    before = place.schema()
    place.upgrade()
    assert place.schema() == before
    assert place.count("inbox") == 1


def test_they_can_be_taken_back_and_applied_again_over_data(place: Place) -> None:
    place.upgrade()
    place.fill()
    place.downgrade("base")
    assert place.tables() == set()
    place.upgrade()
    assert place.tables() == set(metadata.tables)
    place.fill()


def test_each_step_up_and_down_keeps_the_data(place: Place) -> None:
    place.upgrade(FIRST)
    place.fill()
    filled = place.tables()
    place.upgrade()
    place.downgrade(FIRST)
    assert place.tables() == filled
    place.upgrade()
    assert {table: place.count(table) for table in filled} == dict.fromkeys(filled, 1)


def test_what_was_sent_of_late_is_found_by_its_id_afterwards(place: Place) -> None:
    """As domain.external_ids compares ids; a report comes within days."""
    ids = ["3e8", "0x00Ff", "  007 ", "000", "0X", "9" * 300, "Ab-1", "", None]
    week = 8 * 86_400_000 << 21
    old = {"outbox_id": 1, "attempt": 1, "segment": 1, "segments": 1, "account": "a", "external_id": "3e8"}
    rows = [{**old, "outbox_id": week + number, "external_id": each} for number, each in enumerate(ids)]
    columns = ", ".join(old)
    values = ", ".join(f":{name}" for name in old)
    add = f"INSERT INTO submission ({columns}, command_status, submitted_at) VALUES ({values}, 0, 0)"
    place.upgrade("0012")
    place.on(lambda connection: [connection.execute(text(add), row) for row in (old, *rows)])
    place.upgrade()
    query = text("SELECT external_key FROM submission ORDER BY outbox_id")
    found = place.on(lambda connection: connection.execute(query).scalars().all())
    assert found == [None, *(key_of(each or "") or None for each in ids)]


def test_a_locked_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable):
        migrate.upgrade(str(migrate.sqlite_url(path)) + "?timeout=0.05")
    holder.execute("ROLLBACK")
    holder.close()
    assert SqlitePlace(path).tables() == set()


def test_a_database_that_is_not_there_is_said_to_be_so(postgres: Postgres) -> None:
    with pytest.raises(StoreUnavailable):
        PostgresPlace(postgres.url("nowhere")).upgrade()


async def test_gateways_that_start_at_once_migrate_once(postgres: Postgres) -> None:
    with postgres.database("at-once") as url:
        await asyncio.gather(*(postgres_migrate.upgrade(url) for _ in range(3)))


def test_every_column_of_a_moment_holds_milliseconds() -> None:
    moments = [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_at") or column.name == "lease_until"
    ]
    assert moments
    assert {type(column.type).__name__ for column in moments} == {"BigInteger"}
