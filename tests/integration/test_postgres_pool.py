"""The connections to PostgreSQL: a caller that is cut short, a server that ends one, two transactions in a ring."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.store.postgres import PostgresStore
from adapters.store.postgres_pool import Driver, Pool
from adapters.store.steps import Steps
from conversation.ports import JournalBatch
from domain.errors import StoreUnavailable, StoreUncertain
from tests.contract.stores import ACCOUNT, PATIENT, PATIENT_TIMEOUTS, PostgresKit, sent
from tests.servers.postgres import Database

NAME = "pool under test"
WITHIN = 60.0  # seconds: it ended at all
MOST_AWAITS = 200  # of one use of a connection; it has far fewer
LOOKS = range(5)  # how often the loop turned since the server ended the connection: it notices by and by
COUNTED = (
    "INSERT INTO counter (name, value) VALUES ('uses', 1) ON CONFLICT (name) DO UPDATE SET value = counter.value + 1"
)
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE $1 AND datname = current_database()"
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def kit(tmp_path: Path, postgres_database: Database) -> AsyncIterator[PostgresKit]:
    made = PostgresKit(tmp_path, postgres_database)
    yield made
    await made.close()


@asynccontextmanager
async def pool_of_one(kit: PostgresKit, **timeouts: float) -> AsyncIterator[Pool]:
    """Of a single connection: whoever comes next gets the one that was used before, if anybody does."""
    made = Pool(kit.database.url, size=1, timeouts=replace(PATIENT_TIMEOUTS, **timeouts), name=NAME)
    made.open()
    try:
        yield made
    finally:
        await made.close()


async def use(pool: Pool) -> None:
    async with pool.writing() as driver, driver.transaction():
        await driver.fetch("SELECT $1::integer", 1)
        await driver.execute(COUNTED)


def backends(kit: PostgresKit, name: str) -> set[int]:
    return {row["pid"] for row in kit.hand.fetch(BACKENDS, name)}


def ended(kit: PostgresKit, name: str) -> None:
    """Wait, and let nothing else happen in this process, until the server has no such connection any more."""
    deadline = time.monotonic() + WITHIN
    while backends(kit, name):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def terminate(kit: PostgresKit, name: str) -> None:
    kit.hand.fetch(BACKENDS.replace("pid FROM", "pg_terminate_backend(pid) FROM"), name)
    ended(kit, name)


async def several_wait(kit: PostgresKit, count: int, *instead: asyncio.Task[Any]) -> None:
    """Until so many statements wait for a lock, or one of these is done."""
    async with asyncio.timeout(WITHIN):
        while len(kit.hand.fetch(WAITING)) < count and not any(task.done() for task in instead):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)


# ---- a caller that is cut short


class Cut:
    """Work whose task is cancelled as it waits for the n-th time, and again at each wait from there on if `again`."""

    def __init__(self, work: Coroutine[Any, Any, None], at: int, *, again: bool) -> None:
        self._work = work
        self._at = at
        self._again = again
        self.cut = False

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        waits, failure = 0, None
        while True:
            try:
                waited = self._work.send(None) if failure is None else self._work.throw(failure)
            except StopIteration:
                return
            waits += 1
            if waits == self._at or (self._again and waits == self._at + 1):
                self.cut = True
                task.cancel()
            try:
                yield waited
            except BaseException as error:  # noqa: BLE001 - thrown into the work, which decides
                failure = error
            else:
                failure = None


async def cut_short(work: Coroutine[Any, Any, None], at: int, *, again: bool) -> bool:
    cut = Cut(work, at, again=again)

    async def whole() -> None:
        await cut

    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.create_task(whole())
    return cut.cut


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
async def test_wherever_a_caller_is_cancelled_the_next_one_gets_a_whole_connection(
    kit: PostgresKit, *, warm: bool, again: bool
) -> None:
    async with asyncio.timeout(WITHIN):
        for at in range(1, MOST_AWAITS):
            async with pool_of_one(kit) as pool:
                if warm:
                    await use(pool)
                cut = await cut_short(use(pool), at, again=again)
                async with pool.reading() as driver:
                    assert await driver.fetchval("SELECT $1::integer", at) == at
                    assert await driver.fetchval("SELECT pg_current_xact_id_if_assigned()::text") is None
                assert not pool._turns.locked()
            ended(kit, NAME)  # nobody's connection is left behind
            if not cut:
                return
    raise AssertionError("it waits more often than was tried")


async def test_a_caller_that_gives_up_waiting_for_a_row_leaves_no_statement_to_the_next_one(
    kit: PostgresKit,
) -> None:
    async with pool_of_one(kit, lock=PATIENT) as pool:
        await use(pool)
        [first] = backends(kit, NAME)
        kit.hand.execute("BEGIN; UPDATE counter SET value = value WHERE name = 'uses'")
        waiting = asyncio.create_task(use(pool))
        await several_wait(kit, 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with pool.reading() as driver:
            assert await driver.fetchval("SELECT pg_backend_pid()") != first
        kit.hand.execute("ROLLBACK")
    assert [row["value"] for row in await kit.rows("counter")] == [1], "what was given up is written"


# ---- a server that ends a connection


@pytest.mark.parametrize("looks", LOOKS)
async def test_a_connection_the_server_ended_before_it_was_used_is_replaced_and_nobody_told(
    kit: PostgresKit, looks: int
) -> None:
    store = kit.make(connections=1, bulk_connections=1)
    await store.open()
    await store._stepped(counting())
    terminate(kit, "tracuu %")
    for _ in range(looks):
        await asyncio.sleep(0)
    await store._stepped(counting())
    await store.renew()
    assert [row["value"] for row in await kit.rows("counter") if row["name"] == "uses"] == [2]


@pytest.mark.parametrize("looks", LOOKS)
async def test_a_transaction_the_server_ended_while_this_process_stood_still_was_not_carried_out(
    kit: PostgresKit, looks: int
) -> None:
    async def stand_still(driver: Driver) -> None:
        await driver.execute(COUNTED)
        ended(kit, NAME)
        for _ in range(looks):
            await asyncio.sleep(0)

    async with pool_of_one(kit, statement=0.3) as pool:
        with pytest.raises(StoreUnavailable):  # and not StoreUncertain
            await pool.transact(stand_still)
    assert await kit.rows("counter") == []


async def test_what_stood_still_once_is_done_when_it_is_tried_again(kit: PostgresKit) -> None:
    tries = []

    async def stand_still_once(driver: Driver) -> None:
        await driver.execute(COUNTED)
        tries.append(driver)
        if len(tries) == 1:
            ended(kit, NAME)

    async with pool_of_one(kit, statement=2.0) as pool:
        await pool.transact(stand_still_once)
    assert len(tries) == 2
    assert [row["value"] for row in await kit.rows("counter")] == [1]


# ---- two transactions in a ring


def counting() -> Steps[int]:
    rows = yield COUNTED + " RETURNING counter.value", {}
    return int(rows[0][0])


@pytest.fixture
def ring(kit: PostgresKit) -> Iterator[Callable[[str], None]]:
    """From its call on the next transaction to come to `in_a_ring()` is ended with this SQLSTATE, and only that."""

    def close_ring(state: str) -> None:
        kit.hand.execute(f"""
            CREATE SEQUENCE rings;
            CREATE FUNCTION in_a_ring() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('rings') = 1 THEN RAISE EXCEPTION 'in a ring' USING ERRCODE = '{state}'; END IF;
                RETURN 1;
            END $$""")

    yield close_ring
    kit.hand.execute("DROP FUNCTION IF EXISTS in_a_ring(); DROP SEQUENCE IF EXISTS rings")


@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_what_was_rolled_back_to_open_a_ring_is_done_once_and_whole(
    kit: PostgresKit, ring: Callable[[str], None], state: str
) -> None:
    store, told = await kit.open(), []

    def steps() -> Steps[str]:
        told.append((yield COUNTED + " RETURNING counter.value", {})[0][0])
        told.append((yield "SELECT in_a_ring()", {})[0][0])
        return "done"

    ring(state)
    assert await store._stepped(steps()) == "done"
    assert told == [1, 1], "the steps decided twice"
    assert [row["value"] for row in await kit.rows("counter") if row["name"] == "uses"] == [1]


async def test_what_was_decided_on_rows_that_changed_meanwhile_is_given_up(
    kit: PostgresKit, ring: Callable[[str], None]
) -> None:
    store = await kit.open()

    def steps() -> Steps[None]:
        yield "SELECT CAST(clock_timestamp() AS text)", {}
        yield COUNTED, {}
        yield "SELECT in_a_ring()", {}

    ring("40P01")
    with pytest.raises(StoreUnavailable, match="changed under"):
        await store._stepped(steps())
    assert [row["value"] for row in await kit.rows("counter") if row["name"] == "uses"] == []


async def test_a_sign_of_life_and_a_commit_do_not_stop_each_other(
    kit: PostgresKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = kit.make(timeouts=replace(PATIENT_TIMEOUTS, lock=PATIENT))
    await store.open()
    exchanges = [kit.exchange(f"question {number}", handed_over=True) for number in range(2)]
    await store.commit(JournalBatch(exchanges=exchanges))
    first, last = sorted((e.reply for e in exchanges if e.reply is not None), key=lambda reply: reply.id)
    writes = counted(store, monkeypatch)
    kit.clock.advance(6)  # long enough for the commit to be a sign of life, too
    kit.hand.execute(f"BEGIN; SELECT 1 FROM outbox WHERE id = {last.id} FOR UPDATE")
    async with asyncio.timeout(WITHIN):
        commit = asyncio.create_task(store.commit(JournalBatch(results=[sent(first), sent(last)])))
        await several_wait(kit, 1)
        renewal = asyncio.create_task(store.renew())
        await several_wait(kit, 2, renewal)
        kit.hand.execute("ROLLBACK")
        await asyncio.gather(commit, renewal)
    assert len(writes) == 1, "the commit was rolled back and tried again"


def counted(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    writes: list[object] = []
    write = store._write

    async def noted(*arguments: Any) -> Any:
        writes.append(arguments)
        return await write(*arguments)

    monkeypatch.setattr(store, "_write", noted)
    return writes


# ---- a claim nobody heard of


async def test_what_was_claimed_without_our_hearing_of_it_is_claimed_again_and_what_we_hold_is_not(
    kit: PostgresKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await kit.open()
    exchanges = [kit.exchange(f"question {number}") for number in range(4)]
    await store.commit(JournalBatch(exchanges=exchanges))
    known = await store.claim(ACCOUNT, 2)
    write = store._bulk.write

    async def unheard(work: Callable[[Driver], Awaitable[Any]]) -> None:
        await write(work)
        raise StoreUncertain("the connection went when it was carried out")

    with monkeypatch.context() as patched:
        patched.setattr(store._bulk, "write", unheard)
        with pytest.raises(StoreUncertain):
            await store.claim(ACCOUNT, 4)
    assert {row["state"] for row in await kit.rows("outbox")} == {"claimed"}
    again = await store.claim(ACCOUNT, 4)
    assert len(again) == 2
    assert {message.id for message in (*known, *again)} == {e.reply.id for e in exchanges if e.reply is not None}
