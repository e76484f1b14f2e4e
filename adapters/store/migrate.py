"""Brings our own database on SQLite to the wanted schema: Alembic, driven from here and not by an ini file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
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
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: URL | str, revision: str) -> None:
    """Take back what is newer than `revision` ("base": everything, with its data); all of it or nothing.

    Raises:
        StoreUnavailable: the database cannot be reached or is locked; nothing was changed.
    """
    _run(url, lambda config: command.downgrade(config, revision))


def configured(connection: Connection) -> Config:
    """What Alembic needs to work on this connection; its transaction is the caller's."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _run(url: URL | str, change: Callable[[Config], None]) -> None:
    # isolation_level None: pysqlite would otherwise commit before every change of the schema.
    engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None})
    event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            change(configured(connection))
    except DBAPIError as error:
        raise StoreUnavailable(f"the schema of {engine.url.database} could not be changed: {error.orig}") from error
    except CommandError as error:  # its schema has a revision nobody here has heard of
        raise StoreUnavailable(f"{engine.url.database} was made by a later version of this gateway: {error}") from error
    finally:
        engine.dispose()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
