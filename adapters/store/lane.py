"""One thread with one SQLite connection: what it is given runs one after another, off the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from adapters.store.migrate import sqlite_url
from domain.errors import StoreRejected, StoreUnavailable, StoreUncertain

Result = TypeVar("Result")

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on the disk before it is acknowledged
    "PRAGMA wal_autocheckpoint = 16384",  # pages: 64 MiB of log at most; SqliteStore moves it on much earlier
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",  # KiB at most; the indexes by identity and sender are hit at random
)


class Lane:
    """A connection that only its own thread touches.

    `busy_timeout` (seconds) bounds the wait for a lock; work that waited longer than that for its turn is refused
    too, so that a store that stays locked answers everybody in time instead of one after another.
    """

    def __init__(self, path: Path, *, name: str, busy_timeout: float, setup: Sequence[str] = ()) -> None:
        self._engine = create_engine(sqlite_url(path), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._busy_timeout = busy_timeout
        self._setup = (f"PRAGMA busy_timeout = {round(busy_timeout * 1000)}", *PRAGMAS, *setup)
        self._connection: Connection | None = None
        self._open = False

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: the file cannot be opened or stays locked.
        """
        self._open = True
        await self._submit(self._connect)

    async def close(self) -> None:
        """Finish what was given, then disconnect; nothing is taken any more."""
        if not self._open:
            return
        self._open = False
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._disconnect)
        self._executor.shutdown(wait=False)

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in its turn.

        Raises:
            StoreUnavailable: the store is closed, locked, full or broken; what `work` began was rolled back.
            StoreRejected: it breaks a rule of the tables; likewise.
            StoreUncertain: see `transaction`.
        """
        asked_at = time.monotonic()
        return await self._submit(lambda: self._work(work, asked_at))

    async def _submit(self, call: Callable[[], Result]) -> Result:
        if not self._open:
            raise StoreUnavailable("the store is not open")
        return await asyncio.get_running_loop().run_in_executor(self._executor, _translated, call)

    def _work(self, work: Callable[[Connection], Result], asked_at: float) -> Result:
        if self._connection is None:
            raise StoreUnavailable("the store is not open")
        if time.monotonic() - asked_at > self._busy_timeout:
            raise StoreUnavailable("the store is busy: no turn came in time")
        return work(self._connection)

    def _connect(self) -> None:
        connection = self._engine.connect()
        try:
            for statement in self._setup:
                connection.exec_driver_sql(statement)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._engine.dispose()


def _translated(call: Callable[[], Result]) -> Result:
    try:
        return call()
    except (IntegrityError, DataError) as error:  # SQLite names columns and rules, never values
        raise StoreRejected(f"the store cannot keep a row: {error.orig}") from error
    except DBAPIError as error:
        raise StoreUnavailable(f"the store failed: {error.orig}") from error


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """One write transaction, all or nothing.

    Raises:
        StoreUncertain: COMMIT itself failed and its outcome is not known.
        StoreUnavailable: COMMIT found the store locked, or the disk full; nothing was written.
    """
    roll_back(connection)  # what a failed ROLLBACK may have left
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        roll_back(connection)
        raise
    try:
        connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        try:
            roll_back(connection)
        finally:
            raise _commit_failure(error) from error


def roll_back(connection: Connection) -> None:
    """Leave the transaction, unless SQLite left it by itself."""
    if getattr(connection.connection.dbapi_connection, "in_transaction", False):
        connection.exec_driver_sql("ROLLBACK")


# Of a COMMIT: what makes it one is written last, and did not get there.
_BEFORE_ITS_END = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL)


def _commit_failure(error: DBAPIError) -> StoreUnavailable | StoreUncertain:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None and (code & 0xFF in _BEFORE_ITS_END or code == sqlite3.SQLITE_IOERR_WRITE):
        return StoreUnavailable(f"the store is locked or full: {error.orig}")
    return StoreUncertain(f"a commit failed half-way: {error.orig}")
