"""The migrations make exactly the schema the code speaks of, and can be taken back and applied again over data."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, insert, inspect

from adapters.store.migrate import downgrade, sqlite_url, upgrade
from adapters.store.tables import metadata
from domain.errors import StoreUnavailable


def schema(path: Path) -> dict[str, str]:
    """Every table and index as SQLite keeps its definition."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: " ".join(sql.split()) for name, sql in found if name != "alembic_version"}


def fill(path: Path) -> None:
    """One row in every table."""
    engine = create_engine(sqlite_url(path), poolclass=NullPool)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            values = {
                column.name: "x" if column.type.python_type is str else 1
                for column in table.columns
                if not column.nullable
            }
            connection.execute(insert(table).values(values))


def tables(path: Path) -> set[str]:
    engine = create_engine(sqlite_url(path), poolclass=NullPool)
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_the_migrations_make_exactly_what_the_tables_say(tmp_path: Path) -> None:
    migrated, created = tmp_path / "migrated.db", tmp_path / "100% created.db"
    upgrade(sqlite_url(migrated))
    engine = create_engine(sqlite_url(created), poolclass=NullPool)
    metadata.create_all(engine)
    assert schema(migrated) == schema(created)
    with create_engine(sqlite_url(migrated), poolclass=NullPool).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_applying_them_again_changes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    upgrade(sqlite_url(path))
    fill(path)
    before = schema(path)
    upgrade(sqlite_url(path))
    assert schema(path) == before
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)
    connection.close()


def test_they_can_be_taken_back_and_applied_again_over_data(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    upgrade(sqlite_url(path))
    fill(path)
    downgrade(sqlite_url(path), "base")
    assert tables(path) == set()
    upgrade(sqlite_url(path))
    assert tables(path) == set(metadata.tables)
    fill(path)


def test_a_locked_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable):
        upgrade(str(sqlite_url(path)) + "?timeout=0.05")
    holder.execute("ROLLBACK")
    holder.close()
    assert tables(path) == set()


def test_every_column_of_a_moment_holds_milliseconds() -> None:
    moments = [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_at") or column.name == "lease_until"
    ]
    assert moments
    assert {type(column.type).__name__ for column in moments} == {"BigInteger"}
