"""What stands in the store on PostgreSQL, for an operator: on a connection of its own that says goodbye at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import URL, Connection

from adapters.store.overview import Overview, lacks_tables, read_overview, schema_note
from adapters.store.postgres_pool import Timeouts, make_engine, translated
from adapters.store.postgres_statements import READ_CLOCK
from domain.errors import StoreUnavailable

Result = TypeVar("Result")


async def overview_of_postgres(url: str | URL, timeouts: Timeouts) -> Overview:
    """What stands in a database, by its own clock.

    Raises:
        StoreUnavailable: it cannot be reached, refuses us, or has no tables of ours.
    """
    return await _look(url, timeouts, lambda connection: read_overview(connection, _now(connection)))


async def schema_of_postgres(url: str | URL, timeouts: Timeouts) -> str:
    """See adapters.store.overview.schema_note, after the server's version.

    Raises:
        StoreUnavailable: it cannot be reached, refuses us, or a later version made its tables.
    """

    def look(connection: Connection) -> str:
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        return f"PostgreSQL {version}, {schema_note(connection)}"

    return await _look(url, timeouts, look)


async def postgres_lacks_tables(url: str | URL, timeouts: Timeouts) -> bool:
    """See adapters.store.overview.lacks_tables.

    Raises:
        StoreUnavailable: it cannot be reached, or refuses us.
    """
    return await _look(url, timeouts, lacks_tables)


def _now(connection: Connection) -> int:
    now: int = connection.exec_driver_sql(READ_CLOCK).scalar_one()
    return now


async def _look(url: str | URL, timeouts: Timeouts, look: Callable[[Connection], Result]) -> Result:
    engine = make_engine(url, timeouts, "tracuu looks")
    try:
        with translated(in_doubt=StoreUnavailable):
            async with engine.connect() as connection:
                return await connection.run_sync(look)
    finally:
        await engine.dispose()
