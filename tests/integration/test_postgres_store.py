"""What only the PostgreSQL store promises: several gateways on one database, and a database that goes and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.store.floors import LONGEST, Floors
from adapters.store.postgres import PostgresSettings, PostgresStore
from adapters.store.store_clock import StoreClock
from conversation.ports import Acknowledgement, Exchange, JournalBatch
from domain.errors import StoreError, StoreUnavailable, StoreUncertain
from domain.message import OutboundMessage
from tests.contract.stores import ACCOUNT, LEASE, PATIENT, PATIENT_TIMEOUTS, RULES, PostgresKit, sent
from tests.servers.postgres import Database, Postgres, migrated, running

ROUNDS = 25


@pytest.fixture
async def kit(tmp_path: Path, postgres_database: Database) -> AsyncIterator[PostgresKit]:
    made = PostgresKit(tmp_path, postgres_database)
    yield made
    await made.close()


@pytest.fixture
async def two(kit: PostgresKit) -> tuple[PostgresStore, PostgresStore]:
    return await kit.open(), await kit.open()


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """One that may be stopped."""
    with running() as server:
        yield server


async def ready(kit: PostgresKit, store: PostgresStore, count: int) -> list[OutboundMessage]:
    exchanges = [kit.exchange(f"waits {number}") for number in range(count)]
    await store.commit(JournalBatch(exchanges=exchanges))
    return [exchange.reply for exchange in exchanges if exchange.reply is not None]


# ---- the same message at two gateways


@pytest.mark.parametrize("given", [{}, {"identity": None, "external_id": "update"}], ids=["sms", "chat"])
async def test_a_message_given_to_two_gateways_at_once_is_answered_once(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore], given: dict[str, Any]
) -> None:
    for number in range(ROUNDS):
        chat: dict[str, Any] = {name: value and f"{value} {number}" for name, value in given.items()}
        twins = [kit.exchange(f"question {number}", **chat) for _ in two]
        batches = [
            JournalBatch(exchanges=[kit.exchange(f"a neighbour {number} {position}"), twin])
            for position, twin in enumerate(twins)
        ]
        receipts = await asyncio.gather(*(store.commit(batch) for store, batch in zip(two, batches, strict=True)))
        assert sorted(len(receipt.redelivered) for receipt in receipts) == [0, 1]
    assert len(await kit.rows("inbox")) == 3 * ROUNDS
    assert len(await kit.rows("outbox")) == 3 * ROUNDS


async def test_what_a_gateway_acknowledged_that_lost_the_account_is_in_doubt_before_its_own_lease_is_over(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    """The lease of an account and the sign of life of its process are renewed at different moments: for some seconds the
    account is another's, and the process that was killed still looks alive.
    """
    first = kit.exchange("question", session="old")
    await two[0].commit(JournalBatch(exchanges=[first]))
    told = Acknowledgement(inbound_id=first.message.id, at=kit.clock.now)
    await two[0].commit(JournalBatch(acknowledgements=[told]))
    again = kit.exchange("question", session="new")
    receipt = await two[1].commit(JournalBatch(exchanges=[again]))
    assert receipt.redelivered == {again.message.id: first.message.id}


async def test_gateways_given_the_same_messages_in_another_order_do_not_wait_for_one_another_for_ever(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    for number in range(ROUNDS):
        texts = [f"{number} {position}" for position in range(5)]
        batches = [JournalBatch(exchanges=[kit.exchange(text) for text in order]) for order in (texts, texts[::-1])]
        receipts = await asyncio.gather(*(store.commit(batch) for store, batch in zip(two, batches, strict=True)))
        assert sum(len(receipt.redelivered) for receipt in receipts) == 5


async def test_two_gateways_that_close_the_same_message_leave_one_reply(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    for number in range(ROUNDS):
        message = kit.message(f"open {number}")
        await two[0].commit(JournalBatch(exchanges=[Exchange(message=message)]))
        batches = [JournalBatch(closings=[kit.decided(message)]) for _ in two]
        receipts = await asyncio.gather(*(store.commit(batch) for store, batch in zip(two, batches, strict=True)))
        assert sorted(map(len, (receipt.already_closed for receipt in receipts))) == [0, 1]
    assert len(await kit.rows("outbox")) == ROUNDS


# ---- leases


async def test_what_a_living_gateway_holds_is_left_to_it(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    one, other = two
    await ready(kit, one, 2)
    [first, _] = await one.claim(ACCOUNT, 2)
    await one.hand_over([first.id])
    await one.commit(JournalBatch(exchanges=[Exchange(message=kit.message("open"))]))
    for _ in range(4):
        kit.clock.advance(LEASE.total_seconds() / 2)
        await one.renew()
    assert await other.recover() == {"freed": 0, "resend": 0, "closed": 0}
    assert await other.take_open(10) == []
    kit.clock.advance(LEASE.total_seconds() + 1)  # it says nothing any more
    assert await other.recover() == {"freed": 1, "resend": 0, "closed": 1}
    assert len(await other.take_open(10)) == 1


async def test_what_a_gateway_left_when_it_ended_orderly_is_free_at_once(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    one, other = two
    replies = await ready(kit, one, 1)
    await one.commit(JournalBatch(exchanges=[Exchange(message=kit.message("open"))]))
    await one.claim(ACCOUNT, 1)
    await one.close()
    assert (await other.recover())["freed"] == 1
    assert await other.claim(ACCOUNT, 1) == replies
    assert len(await other.take_open(1)) == 1


async def test_a_gateway_that_slept_over_its_lease_is_told_what_is_no_longer_its_to_send(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    one, other = two
    kept, lost = await ready(kit, one, 2)
    await one.claim(ACCOUNT, 2)
    kit.clock.advance(LEASE.total_seconds() + 1)
    await other.recover()
    assert await other.claim(ACCOUNT, 1) == [kept]
    assert await one.hand_over([kept.id, lost.id]) == frozenset()
    assert await other.hand_over([kept.id]) == {kept.id}


async def test_a_result_of_the_former_owner_does_not_undo_what_the_new_one_did(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    one, other = two
    exchange = kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await one.commit(JournalBatch(exchanges=[exchange]))
    kit.clock.advance(LEASE.total_seconds() + 1)
    assert (await other.recover())["resend"] == 1
    [again] = await other.claim(ACCOUNT, 1)
    await other.hand_over([again.id])
    await one.commit(JournalBatch(results=[sent(exchange.reply)]))
    [row] = await kit.rows("outbox")
    assert (row["state"], row["attempts"]) == ("handed_over", 2)


async def test_gateways_that_claim_at_once_share_the_rows(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    replies = await ready(kit, two[0], 200)
    claims = await asyncio.gather(*(store.claim(ACCOUNT, 10) for _ in range(10) for store in two))
    assert sorted(message.id for some in claims for message in some) == [reply.id for reply in replies]


# ---- one statement


async def test_a_commit_is_one_statement_even_with_the_results_of_the_one_before(
    kit: PostgresKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await kit.open()
    statements = []
    write = store._write

    async def counted(*arguments: Any) -> Any:
        statements.append(arguments)
        return await write(*arguments)

    monkeypatch.setattr(store, "_write", counted)
    exchanges = [kit.exchange(f"question {number}", handed_over=True) for number in range(10)]
    await store.commit(JournalBatch(exchanges=exchanges))
    await ready(kit, store, 3)
    claimed = await store.claim(ACCOUNT, 3)
    await store.hand_over([message.id for message in claimed])
    riders = replace(
        kit.acknowledged(*exchanges),
        results=[sent(e.reply) for e in exchanges if e.reply is not None] + [sent(message) for message in claimed],
    )
    await store.commit(riders)
    assert len(statements) == 3
    assert {row["state"] for row in await kit.rows("outbox")} == {"accepted"}


# ---- waking up


async def test_a_claim_loop_elsewhere_is_woken_when_something_may_be_claimed(
    kit: PostgresKit, two: tuple[PostgresStore, PostgresStore]
) -> None:
    one, other = two
    async with asyncio.timeout(60):
        async with contextlib.aclosing(other.wakeups()) as heard:  # type: ignore[type-var] # an async generator
            await anext(heard)  # at once: something may have been missed
            replies = await ready(kit, one, 1)
            await anext(heard)
            assert await other.claim(ACCOUNT, 1) == replies
            await other.release([replies[0].id])
            await anext(heard)


async def test_a_commit_that_leaves_nothing_to_claim_wakes_nobody(kit: PostgresKit) -> None:
    store = await kit.open()
    async with contextlib.aclosing(store.wakeups()) as heard:  # type: ignore[type-var] # an async generator
        await anext(heard)
        await store.commit(JournalBatch(exchanges=[kit.exchange("sent at once", handed_over=True)]))
        await ready(kit, store, 1)
        await anext(heard)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(heard)


async def test_who_listens_is_told_when_the_connection_goes(kit: PostgresKit) -> None:
    store = await kit.open()
    heard = store.wakeups()
    await anext(heard)
    kit.hand.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%listens'")
    with pytest.raises(StoreUnavailable):
        async with asyncio.timeout(60):
            await anext(heard)


# ---- when PostgreSQL is slow, full or away


async def test_callers_who_find_no_connection_in_time_are_refused_and_the_others_served(kit: PostgresKit) -> None:
    store = kit.make(connections=1, timeouts=replace(PATIENT_TIMEOUTS, turn=0.05, lock=PATIENT))
    await store.open()
    with kit.locked():
        waiting = asyncio.create_task(store.commit(JournalBatch(exchanges=[kit.exchange("first")])))
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="no connection came free"):
            await store.commit(JournalBatch(exchanges=[kit.exchange("second")]))
    await waiting
    assert [row["text"] for row in await kit.rows("inbox")] == ["first"]


async def test_a_cancelled_caller_leaves_a_whole_commit_and_a_usable_store(kit: PostgresKit) -> None:
    store = kit.make(timeouts=replace(PATIENT_TIMEOUTS, lock=PATIENT))
    await store.open()
    with kit.locked():
        commit = asyncio.create_task(store.commit(JournalBatch(exchanges=[kit.exchange("given up")])))
        async with asyncio.timeout(60):
            while not kit.hand.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.005)
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
    await store.commit(JournalBatch(exchanges=[kit.exchange("next")]))
    await store.close()
    assert [row["text"] for row in await kit.rows("inbox")] == ["given up", "next"]


async def test_a_statement_that_takes_too_long_is_given_up_and_nothing_is_written(kit: PostgresKit) -> None:
    store = kit.make(timeouts=replace(PATIENT_TIMEOUTS, lock=PATIENT, statement=1.0))
    await store.open()
    with kit.locked(), pytest.raises(StoreUnavailable):
        await store.commit(JournalBatch(exchanges=[kit.exchange()]))
    assert await kit.rows("inbox") == []


async def test_a_gateway_whose_database_refuses_does_not_open(postgres_database: Database) -> None:
    nowhere = PostgresStore(postgres_database.url + "-that-is-not-there", owner=1, rules=RULES)
    with pytest.raises(StoreUnavailable):
        await nowhere.open()


async def test_while_postgresql_is_away_everything_is_refused_and_when_it_is_back_it_works_without_a_restart(
    tmp_path: Path, own_server: Postgres
) -> None:
    with migrated(own_server, "away") as database:
        kit = PostgresKit(tmp_path, database)
        kit.clock.now = datetime.now(UTC)
        store = PostgresStore(
            database.url, owner=1, rules=RULES, settings=PostgresSettings(migrate=False, timeouts=PATIENT_TIMEOUTS)
        )
        await store.open()
        before = kit.exchange("before")
        await store.commit(JournalBatch(exchanges=[before]))
        held = await store.claim(ACCOUNT, 1)
        database.hand.close()
        await asyncio.to_thread(own_server.stop)
        with pytest.raises(StoreUnavailable):
            await store.commit(JournalBatch(exchanges=[kit.exchange("away")]))
        with pytest.raises(StoreUnavailable):
            await store.claim(ACCOUNT, 1)
        own_server.start()
        database.hand.open()
        await store.commit(JournalBatch(exchanges=[kit.exchange("after")], results=[sent(held[0])]))
        assert [row["text"] for row in await kit.rows("inbox")] == ["before", "after"]
        await store.close()


async def test_a_commit_under_which_postgresql_goes_is_read_back_and_told_truly(
    tmp_path: Path, own_server: Postgres
) -> None:
    with migrated(own_server, "under") as database:
        kit = PostgresKit(tmp_path, database)
        store = PostgresStore(
            database.url, owner=1, rules=RULES, settings=PostgresSettings(migrate=False, timeouts=PATIENT_TIMEOUTS)
        )
        await store.open()
        exchanges = [kit.exchange(f"number {number}") for number in range(400)]
        told: dict[int, bool | None] = {}
        some_written = asyncio.Event()

        async def commit(exchange: Exchange) -> None:
            try:
                await store.commit(JournalBatch(exchanges=[exchange]))
            except StoreUncertain:
                told[exchange.message.id] = None
            except StoreUnavailable:
                told[exchange.message.id] = False
            else:
                told[exchange.message.id] = True
                if len(told) == 20:
                    some_written.set()

        working = asyncio.gather(*map(commit, exchanges))
        await some_written.wait()
        database.hand.close()
        await asyncio.to_thread(own_server.stop)
        await working
        own_server.start()
        database.hand.open()
        written = await store.written([exchange.message.id for exchange in exchanges])
        assert {identifier for identifier, answer in told.items() if answer is True} <= written
        assert not {identifier for identifier, answer in told.items() if answer is False} & written
        await store.close()


# ---- time


async def test_leases_follow_the_clock_of_the_database(postgres_database: Database, tmp_path: Path) -> None:
    kit = PostgresKit(tmp_path, postgres_database)
    kit.clock.now = datetime(2001, 1, 1, tzinfo=UTC)  # ours is wrong by decades
    store = PostgresStore(
        postgres_database.url, owner=1, rules=RULES, settings=PostgresSettings(migrate=False, timeouts=PATIENT_TIMEOUTS)
    )
    await store.open()
    await store.commit(JournalBatch(exchanges=[Exchange(message=kit.message("open"))]))
    [row] = await kit.rows("inbox")
    [process] = await kit.rows("process")
    lease = timedelta(milliseconds=row["lease_until"] - process["started_at"])
    assert timedelta(seconds=59) < lease < timedelta(hours=1)
    assert abs(store.now() - datetime.now(UTC)) < timedelta(seconds=5)  # the server runs on this very machine
    await store.close()


def test_the_stores_clock_is_corrected_only_as_far_as_an_answer_proves() -> None:
    at = 100.0
    clock = StoreClock(lambda: at)
    with pytest.raises(RuntimeError):
        clock.now_ms()
    asked = clock.start()
    at = 100.2
    clock.told(5_000, asked)  # true somewhere between 100.0 and 100.2
    assert clock.now_ms() == 5_100
    asked, at = clock.start(), 100.3
    clock.told(5_150, asked)
    assert clock.now_ms() == 5_200  # it fits: nothing changes
    asked = clock.start()
    clock.told(9_000, asked)  # another server, another clock
    assert clock.now_ms() == 9_000


def test_a_claim_begins_above_the_last_one_only_while_more_waits_there() -> None:
    now = 0.0
    floors = Floors(lambda: now)
    floors.claimed(ACCOUNT, [(1, 5), (2, 7), (2, 9)], full=True)
    assert [floors.above(ACCOUNT, priority) for priority in (0, 1, 2)] == [0, 0, 9]
    assert floors.above("another", 2) == 0
    floors.claimed(ACCOUNT, [(2, 12)], full=True)
    now = LONGEST + 0.1  # counted from the first: what came late below is seen in time
    assert floors.above(ACCOUNT, 2) == 0
    floors.claimed(ACCOUNT, [(2, 14)], full=True)
    floors.claimed(ACCOUNT, [(2, 15)], full=False)
    assert floors.above(ACCOUNT, 2) == 0
    floors.claimed(ACCOUNT, [(0, 3)], full=True)
    assert floors.above(ACCOUNT, 0) == 0  # a reply never waits


# ---- space


async def test_a_store_that_is_purged_does_not_grow(kit: PostgresKit) -> None:
    store = await kit.open()
    sizes = []
    for _ in range(5):
        for number in range(10):
            exchanges = [kit.exchange(f"{kit.new_id()} {number} {n}", handed_over=True) for n in range(100)]
            await store.commit(JournalBatch(exchanges=exchanges))
            riders = kit.acknowledged(*exchanges)
            await store.commit(replace(riders, results=[sent(e.reply) for e in exchanges if e.reply is not None]))
        before = kit.clock.advance(86_400)
        while await store.purge(before, 500):
            pass
        for table in ("inbox", "outbox"):  # what autovacuum does in its time
            kit.hand.execute(f"VACUUM (TRUNCATE off) {table}")
        query = "SELECT pg_total_relation_size('inbox') + pg_total_relation_size('outbox') AS size"
        sizes.append(kit.hand.fetch(query)[0]["size"])
    assert sizes[-1] <= sizes[1]  # the first time, rows changed before there was room to use again


async def test_a_closed_store_says_so(kit: PostgresKit) -> None:
    store = await kit.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreError):
        await store.claim(ACCOUNT, 1)
    with pytest.raises(StoreError):
        await store.written([1])
    with pytest.raises(StoreError):
        await store.purge(kit.clock.now, 1)
