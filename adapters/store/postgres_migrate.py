"""Brings our own database on PostgreSQL to the wanted schema; the history is the one of SQLite."""

from __future__ import annotations

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, NullPool, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.store.migrate import configured
from adapters.store.postgres_pool import translated
from adapters.store.postgres_statements import MIGRATION_LOCK
from domain.errors import StoreUnavailable

CONNECT_WITHIN = 5.0  # seconds


async def upgrade(url: URL | str, revision: str = "head") -> None:
    """Apply what is missing up to `revision`; all of it or nothing.

    Raises:
        StoreUnavailable: the database cannot be reached; nothing was changed.
    """
    await _change(url, lambda config: command.upgrade(config, revision))


async def downgrade(url: URL | str, revision: str) -> None:
    """Take back what is newer than `revision` ("base": everything, with its data); all of it or nothing.

    Raises:
        StoreUnavailable: the database cannot be reached; nothing was changed.
    """
    await _change(url, lambda config: command.downgrade(config, revision))


async def _change(url: URL | str, change: Callable[[Config], None]) -> None:
    """Several gateways may start at once: one changes the schema, the others wait and find it changed."""
    engine = create_async_engine(make_url(url), poolclass=NullPool, connect_args={"timeout": CONNECT_WITHIN})
    try:
        with translated():
            async with engine.begin() as connection:
                await connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1)", (MIGRATION_LOCK,))
                await connection.run_sync(lambda sync: change(configured(sync)))
    except CommandError as error:  # its schema has a revision nobody here has heard of
        raise StoreUnavailable(f"the store was made by a later version of this gateway: {error}") from error
    finally:
        await engine.dispose()
