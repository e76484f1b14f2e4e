"""Connections to PostgreSQL: a bounded number, lent in the order they were asked for, and its errors in our words.

SQLAlchemy's pool serves whoever comes while somebody waits: 64 callers on 16 connections waited up to a second. So a
semaphore, which is fair, stands before it and the pool itself never has a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped] # it ships no types
from sqlalchemy import URL, AdaptedConnection, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from domain.errors import StoreError, StoreRejected, StoreUnavailable, StoreUncertain

Result = TypeVar("Result")


class Driver(Protocol):
    """What is used of asyncpg's connection."""

    async def execute(self, statement: str, *parameters: object) -> str: ...

    async def fetch(self, statement: str, *parameters: object) -> Sequence[Any]: ...

    async def fetchrow(self, statement: str, *parameters: object) -> Any: ...  # noqa: ANN401 - whatever the columns are

    async def fetchval(self, statement: str, *parameters: object) -> Any: ...  # noqa: ANN401 - whatever the columns are

    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    def is_closed(self) -> bool: ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...

    def add_termination_listener(self, callback: Callable[..., None]) -> None: ...


# Every statement of ours reaches its rows by a key. Left to itself the planner would guess from statistics, which a
# young table has not, and keep the guess for as long as the connection lives.
BY_KEY = {
    **{f"enable_{way}": "off" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material")},
    "jit": "off",
}

# What PostgreSQL says when a connection ends under a statement: nobody knows how far it came (SQLSTATE, appendix A).
_IN_DOUBT = frozenset({"08000", "08003", "08006", "08007", "40003", "57P01", "57P02", "57P03"})
# Serialization failure, deadlock, idle in a transaction (this process stood still): rolled back, may be tried again.
_AGAIN = frozenset({"40001", "40P01", "25P03"})
# Values, rules of the tables, a value too long for an index: no other try would end otherwise.
_NEVER = ("22", "23", "54")
# What asyncpg says, before it sends anything, on a connection whose end the server announced while nobody asked it
# anything; it learns that it is closed a turn of the event loop later.
_UNSENT = "cannot switch to state"
TRIES = 3  # of what was not done at all

_LOST = (OSError, TimeoutError, EOFError, asyncpg.InternalClientError)
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError, *_LOST)


class Collision(StoreUnavailable):
    """Nothing was done, and nothing speaks against another try: two transactions were in each other's way and this one
    was rolled back, or the server had ended its connection.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """In seconds."""

    connect: float = 3.0
    turn: float = 2.0  # the wait for a free connection
    lock: float = 2.0  # the wait for a row or a table somebody else holds
    statement: float = 5.0


@dataclass(slots=True)
class Lent:
    """A connection in use."""

    driver: Driver
    _connection: AsyncConnection = field(repr=False)

    async def drop(self) -> None:
        await self._connection.invalidate()
        await self._connection.close()


class Pool:
    """At most `size` connections, opened when needed and kept. `setup` runs on each when it opens."""

    def __init__(self, url: str | URL, *, size: int, timeouts: Timeouts, name: str, setup: str = "") -> None:
        self._engine = make_engine(url, timeouts, name, size=size, settings=BY_KEY)
        if setup:
            event.listen(self._engine.sync_engine, "connect", _runner(setup))
        self._turns = asyncio.Semaphore(size)
        self._timeouts = timeouts
        self._idle: list[Lent] = []
        self._open = False

    def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        """Take back what is idle; what is lent is closed when it comes back."""
        self._open = False
        while self._idle:
            await self._idle.pop().drop()
        await self._engine.dispose()

    async def read(self, work: Callable[[Driver], Awaitable[Result]]) -> Result:
        """What only reads, or may be repeated; see `reading`."""

        async def once() -> Result:
            async with self.reading() as driver:
                return await work(driver)

        return await again(once)

    async def write(self, work: Callable[[Driver], Awaitable[Result]]) -> Result:
        """ONE statement that writes, tried again where it was not carried out for a reason that passes; see `writing`."""

        async def once() -> Result:
            async with self.writing() as driver:
                return await work(driver)

        return await again(once)

    async def transact(self, work: Callable[[Driver], Awaitable[Result]]) -> Result:
        """The same for several statements in one transaction: only of its COMMIT the outcome may be unknown."""

        async def once() -> Result:
            whole = False
            try:
                async with self.writing() as driver, driver.transaction():
                    result = await work(driver)
                    whole = True
            except StoreUncertain as error:
                if whole:
                    raise
                silent = isinstance(error.__cause__, TimeoutError)  # who waited that long asks again themselves
                raise (StoreUnavailable if silent else Collision)(str(error)) from error
            return result

        return await again(once)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Driver]:
        """A connection for statements that only read, or that may be repeated.

        Raises:
            StoreUnavailable: there is none, or the statement failed.
        """
        with translated(in_doubt=StoreUnavailable):
            async with self._lent() as driver:
                yield driver

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Driver]:
        """A connection for ONE statement that writes, its own transaction.

        Raises:
            StoreUnavailable: it was not carried out.
            StoreUncertain: the connection went while it ran; the commit is part of it.
        """
        sent = False
        try:
            async with self._lent() as driver:
                sent = True
                yield driver
        except _ERRORS as error:
            raise in_our_words(error, StoreUncertain if sent else StoreUnavailable) from error

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Driver]:
        if not self._open:
            raise StoreUnavailable("the store is not open")
        await self._turn()
        try:
            lent = await self._take()
            try:
                yield lent.driver
            except BaseException as error:
                await self._give_back(lent, usable=_is_answer(error))
                raise
            await self._give_back(lent, usable=True)
        finally:
            self._turns.release()

    async def _turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._timeouts.turn):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreUnavailable("the store is busy: no connection came free in time") from None

    async def _take(self) -> Lent:
        while self._idle:
            lent = self._idle.pop()
            if not lent.driver.is_closed():
                return lent
            await lent.drop()
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        if driver is None:
            await connection.close()
            raise StoreUnavailable("the store gave a connection that is closed")
        return Lent(driver, connection)

    async def _give_back(self, lent: Lent, *, usable: bool) -> None:
        if usable and self._open and not lent.driver.is_closed():
            self._idle.append(lent)
        else:
            await lent.drop()


def make_engine(
    url: str | URL, timeouts: Timeouts, name: str, *, size: int = 1, settings: Mapping[str, str] | None = None
) -> AsyncEngine:
    """An engine whose connections know when to give up; AUTOCOMMIT saves two round trips a statement."""
    milliseconds = {
        "statement_timeout": timeouts.statement,
        "lock_timeout": timeouts.lock,
        "idle_in_transaction_session_timeout": timeouts.statement,
    }
    return create_async_engine(
        make_url(url),
        pool_size=size,
        max_overflow=0,
        pool_timeout=timeouts.turn,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "timeout": timeouts.connect,
            # Ours is the longer one: it only counts when the other side says nothing at all any more.
            "command_timeout": timeouts.statement + timeouts.connect,
            "server_settings": {
                "application_name": name,
                "default_transaction_isolation": "read committed",
                "synchronous_commit": "on",  # a commit is on the disk before it is acknowledged
                **{key: str(round(seconds * 1000)) for key, seconds in milliseconds.items()},
                **(settings or {}),
            },
        },
    )


def _runner(setup: str) -> Callable[[AdaptedConnection, object], None]:
    def run(connection: AdaptedConnection, _: object) -> None:
        connection.run_async(lambda driver: driver.execute(setup))

    return run


async def again(work: Callable[[], Awaitable[Result]]) -> Result:
    """`work`, up to TRIES times as long as nothing of it was done."""
    for _ in range(TRIES - 1):
        try:
            return await work()
        except Collision:  # silent on purpose: what matters of it is told by the last try
            continue
    return await work()


@contextmanager
def translated(*, in_doubt: type[StoreError] = StoreUncertain) -> Iterator[None]:
    """Errors of the driver in our words; `in_doubt` for those that leave the outcome open."""
    try:
        yield
    except _ERRORS as error:
        raise in_our_words(error, in_doubt) from error


def _is_answer(error: BaseException) -> bool:
    """Whether the server answered and the connection goes on; otherwise it may be in the middle of something."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate not in _IN_DOUBT


def in_our_words(error: Exception, in_doubt: type[StoreError]) -> StoreError:
    """What an error of the driver means for who asked."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    words = f"the store failed: {type(cause).__name__} {cause}".rstrip()
    if state in _AGAIN or _last_words(cause) in _AGAIN or _unsent(cause):
        return Collision(words)
    if state is not None and state.startswith(_NEVER):
        return StoreRejected(_without_values(cause))
    lost = state in _IN_DOUBT if state else isinstance(cause, _LOST)
    return in_doubt(words) if lost else StoreUnavailable(words)


def _without_values(cause: BaseException) -> str:
    """What was broken and where: PostgreSQL's own words show the row."""
    where = (getattr(cause, name, None) for name in ("table_name", "column_name", "constraint_name"))
    return " ".join(["the store cannot keep a row:", type(cause).__name__, *filter(None, where)])


def _last_words(cause: BaseException) -> str | None:
    """The SQLSTATE of what the server said when it ended the connection, if it said something."""
    return getattr(cause.__cause__, "sqlstate", None)


def _unsent(cause: BaseException) -> bool:
    return isinstance(cause, asyncpg.InternalClientError) and str(cause).startswith(_UNSENT)
