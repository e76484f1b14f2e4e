"""Brings our own database to the wanted schema: Alembic, driven from here and not by an ini file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from domain.errors import StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file, the driver named."""
    return URL.create("sqlite+pysqlite", database=str(path))


def upgrade(url: URL | str, revision: str = "head") -> None:
    """Apply what is missing up to `revision`; all of it or nothing.

    Raises:
        StoreUnavailable: the database cannot be reached or is locked; nothing was changed.
    """
    with _configured(url) as config:
        command.upgrade(config, revision)


def downgrade(url: URL | str, revision: str) -> None:
    """Take back what is newer than `revision` ("base": everything, with its data); all of it or nothing.

    Raises:
        StoreUnavailable: the database cannot be reached or is locked; nothing was changed.
    """
    with _configured(url) as config:
        command.downgrade(config, revision)


@contextmanager
def _configured(url: URL | str) -> Iterator[Config]:
    # isolation_level None: pysqlite would otherwise commit before every change of the schema.
    engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None})
    event.listen(engine, "begin", _begin_immediate)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            yield config
    except DBAPIError as error:
        raise StoreUnavailable(f"the schema could not be brought up to date: {error.orig}") from error
    finally:
        engine.dispose()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
