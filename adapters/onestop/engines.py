"""Connections to foreign databases: which drivers there are, and how each is kept from writing and from waiting long.

Every read is bounded twice: here, and by the database itself, so that a slow query does not go on after nobody waits
for it. Not so SQLite, which bounds only the wait for a lock: a query of it goes on to its end.
SQL Server has no living asyncio driver: its reads run in a few threads of their own.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.onestop.sql_faults import UNREADABLE
from domain.errors import SettingsError

T = TypeVar("T")
Work = Callable[[Connection], T]

RECYCLE_AFTER = 1800  # seconds a connection is used
# Words of uvloop for a connection that was closed while it lay in the pool, of aiomysql for one that ended at once.
GONE = ("closed", "does not expose socket")
SPECIAL = "in a name or password write @ : / as %40 %3A %2F"


def _nothing(connection: Any, time_limit: float) -> None:  # noqa: ANN401 - a driver's own connection
    """Nothing is to be said to a new connection."""


def _run(connection: Any, *statements: str) -> None:  # noqa: ANN401
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _lite(connection: Any, time_limit: float) -> None:  # noqa: ANN401, ARG001
    """A text that is no UTF-8 spoils one value, not the whole answer."""
    driver = getattr(connection, "driver_connection", connection)
    driver.text_factory = lambda raw: raw.decode(errors="replace")


def _mysql(connection: Any, time_limit: float) -> None:  # noqa: ANN401
    """MariaDB counts in seconds, MySQL in milliseconds."""
    cursor = connection.cursor()
    cursor.execute("SELECT VERSION()")
    maria = "mariadb" in str(cursor.fetchone()[0]).casefold()
    cursor.close()
    limit = f"max_statement_time = {time_limit:.3f}" if maria else f"max_execution_time = {_milliseconds(time_limit)}"
    _run(connection, "SET SESSION TRANSACTION READ ONLY", f"SET SESSION {limit}")


def _sqlserver(connection: Any, time_limit: float) -> None:  # noqa: ANN401
    """The server is told to give up by the driver; waiting for somebody's lock is bounded on the server."""
    connection.timeout = math.ceil(time_limit)
    _run(connection, f"SET LOCK_TIMEOUT {_milliseconds(time_limit)}")


def _oracle(connection: Any, time_limit: float) -> None:  # noqa: ANN401
    driver = getattr(connection, "driver_connection", connection)
    driver.call_timeout = _milliseconds(time_limit)


def _mysql_arguments(time_limit: float) -> Mapping[str, Any]:
    """A flag column (BIT) is a number: as text its octet 52 would be the digit 4."""
    from pymysql.constants.FIELD_TYPE import BIT  # type: ignore[import-untyped] # noqa: PLC0415 - comes with the extra
    from pymysql.converters import conversions  # type: ignore[import-untyped] # noqa: PLC0415

    return {"connect_timeout": math.ceil(time_limit), "conv": {**conversions, BIT: int.from_bytes}}


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How one driver is used. `arguments` are given when connecting, `greet` runs on each new connection."""

    extra: str = ""  # the extra of this distribution that brings it
    threads: bool = False
    arguments: Callable[[float], Mapping[str, Any]] = lambda _: {}
    greet: Callable[[Any, float], None] = _nothing


def _postgres(time_limit: float) -> Mapping[str, Any]:
    return {
        "timeout": time_limit,
        "server_settings": {
            "default_transaction_read_only": "on",
            "statement_timeout": str(_milliseconds(time_limit)),
            "application_name": "tracuu",
        },
    }


def _whole_seconds(name: str) -> Callable[[float], Mapping[str, Any]]:
    return lambda time_limit: {name: math.ceil(time_limit)}


DRIVERS: Mapping[str, Driver] = {
    "sqlite+aiosqlite": Driver(arguments=lambda limit: {"timeout": limit}, greet=_lite),
    "sqlite+pysqlite": Driver(arguments=lambda limit: {"timeout": limit}, greet=_lite, threads=True),
    "postgresql+asyncpg": Driver(extra="postgresql", arguments=_postgres),
    "mysql+aiomysql": Driver(extra="mysql", arguments=_mysql_arguments, greet=_mysql),
    "mariadb+aiomysql": Driver(extra="mysql", arguments=_mysql_arguments, greet=_mysql),
    "mssql+mssqlpython": Driver(extra="sqlserver", arguments=_whole_seconds("timeout"), greet=_sqlserver, threads=True),
    "mssql+pyodbc": Driver(arguments=_whole_seconds("timeout"), greet=_sqlserver, threads=True),
    "oracle+oracledb_async": Driver(
        extra="oracle", arguments=lambda limit: {"tcp_connect_timeout": limit}, greet=_oracle
    ),
}
"""Address's beginning -> driver. SQLite is opened with mode=ro, PostgreSQL and MariaDB/MySQL make their sessions
read-only; SQL Server and Oracle have no such setting: there the account must have SELECT and nothing else."""


class Reads(ABC):
    """Connections of one source. A first-in-first-out queue stands before them: SQLAlchemy's pool lets newcomers
    overtake those who wait.
    """

    dialect: Dialect

    @abstractmethod
    async def run(self, work: Work[T]) -> T:
        """What `work` returns on a connection of the pool."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""


class AsyncReads(Reads):
    """Over an asyncio driver."""

    def __init__(self, address: URL, driver: Driver, connections: int, time_limit: float) -> None:
        self._engine = create_async_engine(address, **_options(driver, connections, time_limit))
        _greet(self._engine.sync_engine, driver, time_limit)
        self.dialect = self._engine.dialect
        self._queue = asyncio.Semaphore(connections)

    async def run(self, work: Work[T]) -> T:
        try:
            async with self._queue, self._engine.connect() as connection:
                try:
                    return await connection.run_sync(work)
                except (RuntimeError, *UNREADABLE) as fault:  # half an answer may be left on the wire
                    await connection.invalidate(fault)
                    raise
        except RuntimeError as fault:  # SQLAlchemy does not know it
            if not any(word in str(fault) for word in GONE):
                raise
            raise ConnectionError(str(fault)) from fault

    async def close(self) -> None:
        await self._engine.dispose()


class ThreadedReads(Reads):
    """Over a driver that blocks, in at most `connections` threads. Who gives up waiting leaves his thread to end by
    the driver's own time limit; until then its place is taken, so that threads and waiting work never pile up.
    """

    def __init__(self, address: URL, driver: Driver, connections: int, time_limit: float) -> None:
        self._engine = create_engine(address, **_options(driver, connections, time_limit))
        _greet(self._engine, driver, time_limit)
        self.dialect = self._engine.dialect
        self._queue = asyncio.Semaphore(connections)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix=f"onestop-{address.get_backend_name()}")
        self._time_limit = time_limit

    async def run(self, work: Work[T]) -> T:
        await self._queue.acquire()
        loop = asyncio.get_running_loop()
        try:
            doing = self._threads.submit(self._work, work)
        except RuntimeError:
            self._queue.release()
            raise
        doing.add_done_callback(lambda _: _leave(loop, self._queue))
        return await asyncio.wrap_future(doing)

    async def close(self) -> None:
        closing: Future[None] = self._threads.submit(self._engine.dispose)
        await asyncio.wait([asyncio.wrap_future(closing)], timeout=self._time_limit)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _work(self, work: Work[T]) -> T:
        with self._engine.connect() as connection:
            try:
                return work(connection)
            except UNREADABLE as fault:  # half an answer may be left on the wire
                connection.invalidate(fault)
                raise


def _leave(loop: asyncio.AbstractEventLoop, queue: asyncio.Semaphore) -> None:
    """The thread is free again; it says so to a loop that may have ended meanwhile."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(queue.release)


def open_reads(url: str, source: str, connections: int, time_limit: float) -> Reads:
    """Connections to the database at `url`, none of them made yet; `source` names it in messages.

    Raises:
        SettingsError: the address cannot be read, or its driver is unknown or not installed.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # its text may hold the password
        raise SettingsError(f"source {source}: its address cannot be read ({SPECIAL})") from None
    try:
        driver = _driver(address)
        address = _read_only(address) if address.get_backend_name() == "sqlite" else address
        kind = ThreadedReads if driver.threads else AsyncReads
        return kind(address, driver, connections, time_limit)
    except ImportError as fault:
        extra = f": install tracuu-gateway[{driver.extra}]" if driver.extra else ""
        raise SettingsError(f"source {source}: the driver {address.drivername} is not installed{extra}") from fault
    except ArgumentError as fault:
        raise SettingsError(f"source {source}: {fault}") from fault
    except (SQLAlchemyError, TypeError, ValueError) as fault:
        raise SettingsError(f"source {source}: its address is not one of {address.drivername}") from fault


def _driver(address: URL) -> Driver:
    if address.drivername not in DRIVERS:
        raise ArgumentError(f"no such driver here: {address.drivername}; one of {', '.join(DRIVERS)}")
    return DRIVERS[address.drivername]


def _options(driver: Driver, connections: int, time_limit: float) -> dict[str, Any]:
    return {
        "isolation_level": "AUTOCOMMIT",
        "pool_reset_on_return": None,  # reads leave nothing to roll back: two round trips less
        "pool_size": connections,
        "max_overflow": 0,
        "pool_recycle": RECYCLE_AFTER,
        "connect_args": dict(driver.arguments(time_limit)),
    }


def _greet(engine: Engine, driver: Driver, time_limit: float) -> None:
    event.listen(engine, "connect", lambda connection, _: driver.greet(connection, time_limit))


def _read_only(address: URL) -> URL:
    if not address.database or address.database == ":memory:":
        raise ArgumentError("a SQLite source needs the path of its file")
    path = quote(address.database.removeprefix("file:"))
    return address.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
