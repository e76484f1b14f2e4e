"""The store from outside, beside the processes that serve: for what an operator asks of it and does in it.

On SQLite a short transaction of its own, which waits for its turn at the file and never takes the lock that keeps a
second gateway away; on PostgreSQL a connection that says goodbye at once (adapters.store.postgres_outside). What is
done is done in small steps, so that a commit of those who serve waits no longer than it may.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from adapters.store.lane import transaction
from adapters.store.steps import Steps, carry_out_as_text
from domain.errors import StoreUnavailable

Result = TypeVar("Result")
Item = TypeVar("Item")
Work = Callable[[Connection, int], Result]  # on a connection, at that moment of the store's clock (epoch milliseconds)

BUSY_TIMEOUT = 10.0  # seconds a locked file is waited for
AT_ONCE = 200  # rows changed in one transaction


class Outside(Protocol):
    """One database, whatever its engine."""

    async def reading(self, work: Work[Result]) -> Result:
        """Raises StoreUnavailable: it cannot be read, or has no tables of ours."""
        ...

    async def writing(self, work: Work[Result]) -> Result:
        """In one transaction, all or nothing.

        Raises:
            StoreUnavailable: nothing was done.
            StoreUncertain: the commit was lost on its way.
        """
        ...


class OutsideSteps:
    """Runs steps (adapters.store.steps) from outside: `write` in one transaction, `look` where they only read."""

    def __init__(self, store: Outside) -> None:
        self._store = store

    async def write(self, steps: Steps[Result]) -> Result:
        return await self._store.writing(lambda connection, _: carry_out_as_text(connection, steps))

    async def look(self, steps: Steps[Result]) -> Result:
        return await self._store.reading(lambda connection, _: carry_out_as_text(connection, steps))


def this_machine() -> int:
    """Its clock, which is the store's where one process serves a file; epoch milliseconds."""
    return time.time_ns() // 1_000_000


class SqliteOutside:
    """A file of ours."""

    def __init__(self, path: Path, *, clock: Callable[[], int] = this_machine) -> None:
        self._path = path
        self._clock = clock

    async def reading(self, work: Work[Result]) -> Result:
        return await asyncio.to_thread(self._read, work)

    async def writing(self, work: Work[Result]) -> Result:
        return await asyncio.to_thread(self._write, work)

    def _read(self, work: Work[Result]) -> Result:
        return self._run(lambda connection: work(connection, self._clock()))

    def _write(self, work: Work[Result]) -> Result:
        def write(connection: Connection) -> Result:
            with transaction(connection):
                return work(connection, self._clock())

        return self._run(write)

    def _run(self, work: Callable[[Connection], Result]) -> Result:
        try:
            with file_of_ours(self._path, busy_timeout=BUSY_TIMEOUT) as connection:
                return work(connection)
        except DBAPIError as error:
            raise StoreUnavailable(f"{self._path}: {error.orig}") from error


@contextmanager
def file_of_ours(path: Path, *, busy_timeout: float) -> Iterator[Connection]:
    """A connection to a file that is there, not made by looking at it; every statement is a transaction of its own.

    Raises:
        StoreUnavailable: there is none. DBAPIError is the caller's to translate.
    """
    if not path.is_file():
        raise StoreUnavailable(f"there is no file {path}")
    url = URL.create("sqlite+pysqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"timeout": busy_timeout}
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def in_steps(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """As many as are changed in one transaction."""
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]
