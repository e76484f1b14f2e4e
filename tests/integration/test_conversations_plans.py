"""Officers look for messages among very many: each look reaches its rows by a key, on both engines."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.store.housekeeping import first_id
from adapters.store.postgres import PostgresSettings, PostgresStore
from console.messages.ports import OpinionSearch, Routing, Which
from domain.message import Address
from tests.contract.stores import CODE, RULES, SENDER, PostgresKit, SqliteKit, Store
from tests.contract.test_conversations import answered, ask, give, kept, reply, tell
from tests.integration.test_plans import FULL, NORMAL, touched
from tests.servers.postgres import Database, Postgres, migrated

DAY = 86_400_000  # milliseconds
ROUNDS = 7  # from the sixth call on, a plan is kept for good
MOST_ROWS = 2_000  # touched by one round of everything below; a scan of one table would touch 200,000
MASKED = 50_000  # messages of who was forgotten: one and the same address

# A month of questions, the oldest of them masked, each with its reply; of every four dossiers one has notices, too, and
# one in ten messages is a broadcast about none. Opinions of everybody who was forgotten and of some who were not.
FILL = (
    """INSERT INTO inbox (id, channel, account, identity, sender, recipient, text, received_at, state, inquiry, outcome,
        dossier_code, decided_at, masked_at)
    SELECT {id}, 'sms', 'smsc-1', md5(n::text), CASE WHEN n < {masked} THEN 'masked:*' ELSE 'sms:849' || n % 50000 END,
        'sms:8079', 'text', {at}, 'decided', 'look_up', 'found', CASE WHEN n % 3 > 0 THEN {code} END, {at},
        CASE WHEN n < {masked} THEN {at} END FROM generate_series(1, {count}) AS n""",
    """INSERT INTO outbox (id, inbound_id, channel, account, category, priority, recipient, sender, text, dossier_code,
        broadcast_id, state, created_at, available_at, expires_at, attempts)
    SELECT {id} + 1, CASE WHEN n % 4 > 0 THEN {id} END, 'sms', 'smsc-1',
        CASE WHEN n % 4 > 0 THEN 'reply' WHEN n % 8 = 0 THEN 'notice' ELSE 'broadcast' END, 0, 'sms:849' || n % 50000,
        'sms:8079', 'text', CASE WHEN n % 4 > 0 OR n % 8 = 0 THEN {code} END, CASE WHEN n % 8 = 4 THEN n END, 'accepted',
        {at}, {at}, {at} + 86400000, 1 FROM generate_series(1, {count}) AS n""",
    """INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, followed_at)
    SELECT 'sms:849' || n % 50000, {code}, 'bac-lieu', 'sms', 'smsc-1', 'sms:8079', 'text', false, {at}
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO feedback (number, inbound_id, sender, text, received_at, masked_at, agency, answered_at, answer_id)
    SELECT n, {id}, CASE WHEN n < {masked} THEN 'masked:*' ELSE 'sms:849' || n % 50000 END, 'text', {at},
        CASE WHEN n < {masked} THEN {at} END, CASE WHEN n % 1000 > 0 THEN 'H51.' || n % 100 END,
        CASE WHEN n % 100 > 0 THEN {at} END, CASE WHEN n % 100 > 0 THEN {id} + 1 END
    FROM generate_series(1, {count}) AS n""",
    "INSERT INTO person (address, language, updated_at) SELECT 'sms:849' || n, 'en', 0 FROM generate_series(1, 50000) AS n",
)
TABLES = ("inbox", "outbox", "subscription", "person", "feedback")
# Read from end to end, but for what a query inside found (`i`, `f`) and opinions in the order of their numbers.
LARGE = re.compile(r"SCAN (?!i$|f$|\(subquery|CONSTANT ROW|feedback$|feedback USING INDEX)")


@pytest.fixture(scope="module", params=[NORMAL, pytest.param(FULL, marks=pytest.mark.long)], ids=["200k", "1M"])
def filled(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    """Without statistics until somebody analyses it."""
    with migrated(postgres, "conversations") as database:
        now = datetime.now(UTC)
        values = {
            "at": f"({round(now.timestamp() * 1000) - 30 * DAY} + n * {30 * DAY / request.param})::bigint",
            "id": f"({first_id(now - timedelta(days=30))} + n * {(30 * DAY << 21) // request.param}::bigint)",
            "code": "'H51.18-210817-' || lpad((n / 20)::text, 7, '0')",
            "count": request.param,
            "masked": MASKED,
        }
        for statement in FILL:
            database.hand.execute(statement.format(**values))
        yield database


@pytest.fixture
async def large(filled: Database, tmp_path: Path) -> AsyncIterator[PostgresKit]:
    kit = PostgresKit(tmp_path, filled, emptied=False)
    kit.clock.now = datetime.now(UTC)
    yield kit
    await kit.close()


async def everything(kit: PostgresKit, store: PostgresStore, turn: int) -> None:
    """Every look of an officer."""
    conversations, opinions = store.conversations(), store.opinions()
    code = replace(CODE, text=f"H51.18-210817-{5000 + turn:07}")
    turns = await conversations.about(code, before=None, limit=31)
    assert len(turns) in range(14, 19)  # of twenty messages two thirds name it, and every eighth was told unasked
    assert sum(turn.asked is None for turn in turns) in {2, 3}
    assert len(await conversations.about(code, before=turns[0].id, limit=31)) == len(turns) - 1
    address = Address("sms", f"849{40_000 + turn}")
    assert len(await conversations.with_person(address, before=None, limit=200)) >= 3
    assert len(await conversations.followers(code, limit=50)) == 20
    assert len(await conversations.followed(address, limit=50)) >= 3
    unrouted = await opinions.unrouted(within=timedelta(days=7), limit=60)
    assert len(unrouted) == 60
    await opinions.route([Routing(number=unrouted[0].number, agency="H51.18")])
    agencies = frozenset(f"H51.{number}" for number in range(1, 4))
    for which in Which:
        for scope in (agencies, None):
            search = OpinionSearch(agencies=scope, which=which, overdue_before=kit.clock.now)
            await opinions.listed(search, limit=51)
    assert await opinions.find(150_000 + turn) is not None


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
async def test_no_look_of_an_officer_walks_over_a_large_table(large: PostgresKit, *, analysed: bool) -> None:
    if analysed:
        large.hand.execute("ANALYZE")
    settings = PostgresSettings(migrate=False, bulk_connections=1)
    store = PostgresStore(large.database.url, owner=1 + analysed, rules=RULES, settings=settings)
    await store.open()
    before = touched(large.database)
    try:
        for turn in range(ROUNDS):
            await everything(large, store, ROUNDS * analysed + turn)
    finally:
        await store.close()  # the connections hand in what they counted
    after = touched(large.database)
    scans = {table: after[table][0] - before[table][0] for table in TABLES}
    assert scans == dict.fromkeys(TABLES, 0)
    rows = {table: after[table][1] - before[table][1] for table in ("inbox", "outbox", "subscription", "person")}
    assert {table: count for table, count in rows.items() if count > ROUNDS * MOST_ROWS} == {}


def _traced(driver: Any, asked: list[str], _: object) -> None:
    driver.set_trace_callback(asked.append)


async def everything_once(kit: SqliteKit, store: Store, number: int) -> None:
    """Every statement of the ports; a few rows say the same about a plan as many."""
    conversations, opinions = store.conversations(), store.opinions()
    await conversations.about(CODE, before=None, limit=9)
    await conversations.with_person(SENDER, before=None, limit=9)
    await conversations.followers(CODE, limit=9)
    await conversations.followed(SENDER, limit=9)
    await opinions.unrouted(within=timedelta(days=7), limit=9)
    await opinions.route([Routing(number=number, agency="H51.18")])
    for which in Which:
        for scope in (frozenset({"H51.18"}), None):
            search = OpinionSearch(agencies=scope, which=which, overdue_before=kit.clock.now, beyond=0)
            await opinions.listed(search, limit=9)
            await opinions.waiting(scope, kit.clock.now)
    opinion = await kept(store, number)
    assert await answered(kit, store, opinion, reply(kit, opinion))


async def test_sqlite_searches_and_does_not_scan(tmp_path: Path) -> None:
    """Without statistics, which it never has."""
    kit = SqliteKit(tmp_path)
    store = await kit.open()
    await ask(kit, store)
    await tell(kit)
    number = await give(kit, store)
    asked: list[str] = []
    for lane in (store._writer, store._reader):
        driver: Any = await lane.run(lambda connection: connection.connection.dbapi_connection)
        await lane.run(partial(_traced, driver, asked))
    await everything_once(kit, store, number)
    await kit.close()
    used: set[str] = set()
    with sqlite3.connect(kit.path) as connection:
        statements = [each for each in asked if each.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]
        assert len(statements) > 25
        for each in statements:
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")]
            assert [step for step in steps if LARGE.match(step)] == [], each
            used.update(re.findall(r"INDEX (\w+)", " ".join(steps)))
    new = {"ix_inbox_dossier", "ix_outbox_dossier", "ix_outbox_recipient", "ix_feedback_agency", "ix_feedback_waiting"}
    assert new <= used
