"""A commit that becomes visible late: the connection is cut while PostgreSQL still commits (a slow disk, a standby that is
waited for, a machine that stood still). Whatever was settled meanwhile, its reply leaves once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url

from adapters.store.postgres import PostgresSettings, PostgresStore
from conversation.ports import Exchange
from gateway import commits as pump
from gateway import given_up
from gateway.commits import Commits, Entry
from tests.contract.stores import ACCOUNT, PATIENT_TIMEOUTS, RULES, PostgresKit
from tests.servers.faulty_proxy import FaultyProxy, faulty_proxy
from tests.servers.postgres import Database


@pytest.fixture
async def kit(tmp_path: Path, postgres_database: Database) -> AsyncIterator[PostgresKit]:
    made = PostgresKit(tmp_path, postgres_database)
    yield made
    await made.close()


@contextmanager
def commits_held(kit: PostgresKit) -> Iterator[None]:
    """Within the block, whoever writes a message comes no further than COMMIT; afterwards they do."""
    kit.hand.execute("""
        CREATE TABLE held (id integer); INSERT INTO held VALUES (1);
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            WHILE EXISTS (SELECT FROM held) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON inbox DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION hold()""")
    try:
        yield
    finally:
        kit.hand.execute("DELETE FROM held")


@dataclass(slots=True)
class Line:
    """A pump whose connections to PostgreSQL can be cut."""

    commits: Commits
    store: PostgresStore
    proxy: FaultyProxy
    kit: PostgresKit
    told: asyncio.Queue[tuple[str, Entry]] = field(default_factory=asyncio.Queue)

    def hand_in(self, exchange: Exchange) -> None:
        def tell(word: str) -> None:
            self.told.put_nowait((word, entry))

        entry = Entry(exchange, lambda _: tell("written"), lambda *_: tell("repeated"), lambda _: tell("refused"))
        self.commits.exchange(entry)

    async def cut(self) -> None:
        """Once COMMIT is held; the server goes on with it."""
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        while not self.kit.hand.fetch(waiting):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)
        await self.proxy.close()
        await self.proxy.open()

    async def seen(self, count: int) -> None:
        """So many messages are in the journal for everybody."""
        while len(await self.kit.rows("inbox")) < count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(kit: PostgresKit) -> AsyncIterator[Line]:
    port = make_url(kit.database.url).port or 0
    async with asyncio.timeout(60), faulty_proxy(port) as proxy, behind(kit, proxy) as line:
        yield line


@asynccontextmanager
async def behind(kit: PostgresKit, proxy: FaultyProxy) -> AsyncIterator[Line]:
    url = make_url(kit.database.url).set(host="127.0.0.1", port=proxy.port)
    settings = PostgresSettings(timeouts=PATIENT_TIMEOUTS, migrate=False)
    store = PostgresStore(url, owner=7, rules=RULES, settings=settings, store_clock=kit.clock)
    await store.open()
    commits = Commits(store, clock=kit.clock)
    pumping = asyncio.create_task(commits.run())
    try:
        yield Line(commits, store, proxy, kit)
    finally:
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)
        await store.close()
        kit.hand.execute("DROP FUNCTION IF EXISTS hold CASCADE; DROP TABLE IF EXISTS held")


async def test_a_message_whose_commit_is_held_up_is_acknowledged_when_it_is_there_and_answered_once(
    kit: PostgresKit,
) -> None:
    exchange = kit.exchange(handed_over=True)
    async with opened(kit) as line:
        with commits_held(kit):
            line.hand_in(exchange)
            await line.cut()
            await asyncio.sleep(2 * pump.RETRY_DELAY)  # it is looked for, and not there
            assert line.told.empty()
        assert (await line.told.get())[0] == "written"
        assert [row["id"] for row in await kit.rows("inbox")] == [exchange.message.id]
        assert [row["state"] for row in await kit.rows("outbox")] == ["handed_over"]


async def test_the_reply_of_a_message_refused_before_its_commit_was_seen_leaves_when_it_is(
    kit: PostgresKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "IN_DOUBT", 0.0)
    monkeypatch.setattr(given_up, "LOOK_EVERY", 0.05)
    exchange = kit.exchange(handed_over=True)
    async with opened(kit) as line:
        with commits_held(kit):
            line.hand_in(exchange)
            await line.cut()
            assert (await line.told.get())[0] == "refused"
        await line.seen(1)
        while not (claimed := await line.store.claim(ACCOUNT, 10)):  # noqa: ASYNC110 - as the claim loop does
            await asyncio.sleep(0.01)
        assert [message.inbound_id for message in claimed] == [exchange.message.id]
        await line.store.hand_over([message.id for message in claimed])
        line.hand_in(kit.exchange())  # the other side sends it again
        assert (await line.told.get())[0] == "repeated"
        await asyncio.sleep(0.2)  # some looks more
        assert [row["state"] for row in await kit.rows("outbox")] == ["handed_over"]


async def test_an_open_message_refused_before_its_commit_was_seen_is_taken_up_when_it_is(
    kit: PostgresKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "IN_DOUBT", 0.0)
    monkeypatch.setattr(given_up, "LOOK_EVERY", 0.05)
    message = kit.message()
    async with opened(kit) as line:
        with commits_held(kit):
            line.hand_in(Exchange(message=message))
            await line.cut()
            assert (await line.told.get())[0] == "refused"
        while not (taken := await line.store.take_open(10)):  # noqa: ASYNC110 - as whoever takes over does
            await asyncio.sleep(0.01)
        assert [each.id for each in taken] == [message.id]
