"""Large tables stay fast: what is done for every message reaches its rows by a key, however many others there are.

The database itself counts: sequential scans, and the rows it touched, in statements and inside the journal's function.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.store.housekeeping import expire, first_id
from adapters.store.notices_dialect import SqliteDialect
from adapters.store.postgres import PostgresSettings, PostgresStore
from adapters.store.report_sql import (
    HEARD_KEY_COLUMNS,
    MATCHED_COLUMNS,
    kept_reports,
    match,
    report_segments,
    report_whole,
)
from conversation.ports import FIRST_PLACE, Exchange, JournalBatch, SessionEnd
from domain.message import Address, DeliveryReport, DeliveryStatus
from tests.contract.stores import ACCOUNT, RULES, SENDER, PostgresKit, empty_store, segments, sent
from tests.servers.postgres import Database, Postgres, migrated

NORMAL, FULL = 200_000, 1_000_000
MONTH_MS = 30 * 86_400_000
MOST_ROWS = 3_000  # touched by one round of everything below; a scan would touch them all

# A month of messages, evenly spread, of which the last thousand replies wait and as many broadcasts are held.
FILL = (
    """INSERT INTO inbox (id, channel, account, identity, sender, recipient, session, text, received_at, state, inquiry,
        outcome, dossier_code, decided_at, owner, acknowledged_at, acknowledged_ok)
    SELECT {id}, 'sms', 'smsc-1', md5(n::text), 'sms:849' || n % 50000, 'sms:8079', 'smsc-1/' || n / 10000, 'text',
        {at}, 'decided', 'look_up', 'found', 'C-1', {at}, 7, {at}, true
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO outbox (id, inbound_id, channel, account, category, priority, recipient, sender, text, state,
        created_at, available_at, expires_at, attempts, owner, lease_until)
    SELECT {id}, {id}, 'sms', 'smsc-1', CASE WHEN n % 2 = 0 THEN 'reply' ELSE 'broadcast' END, n % 2 * 2,
        'sms:849' || n % 50000, 'sms:8079', 'text',
        CASE WHEN n <= {count} - 2000 THEN 'accepted' WHEN n <= {count} - 1000 THEN 'handed_over' ELSE 'ready' END,
        {at}, {at}, {at} + 86400000, 1, CASE WHEN n BETWEEN {count} - 1999 AND {count} - 1000 THEN 7 END, {at} + 86400000
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO submission (outbox_id, attempt, segment, segments, account, external_id, external_key, command_status,
        submitted_at)
    SELECT {id}, 1, 1, 1, 'smsc-1', key, key, 0, {at} FROM generate_series(1, {count}) AS n,
        LATERAL (SELECT CASE WHEN n % 2 = 0 THEN 'E' || n ELSE 'ALWAYS' END AS key) AS k""",
    """INSERT INTO report (channel, account, external_id, external_key, keys, recipient, status, received_at, error, text,
        kept_at)
    SELECT 'sms', 'smsc-1', 'L' || n, 'L' || n, '["L' || n || '"]', 'sms:849' || n % 50000, 'delivered', {at}, '', '', {at}
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO person (address, language, updated_at) SELECT 'sms:849' || n, 'en', 0
    FROM generate_series(1, 50000) AS n""",
    """INSERT INTO next_address (recipient, place, channel, account, sender, address, agreed_at)
    SELECT 'telegram:' || n, 1, 'sms', 'smsc-1', 'sms:8079', 'sms:849' || n, 0 FROM generate_series(1, 50000) AS n""",
)


@pytest.fixture(scope="module", params=[NORMAL, pytest.param(FULL, marks=pytest.mark.long)], ids=["200k", "1M"])
def filled(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    """Without statistics until somebody analyses it."""
    with migrated(postgres, "large") as database:
        fill(database, request.param, datetime.now(UTC))
        yield database


@pytest.fixture
async def large(filled: Database, tmp_path: Path) -> AsyncIterator[PostgresKit]:
    kit = PostgresKit(tmp_path, filled, emptied=False)
    kit.clock.now = datetime.now(UTC)
    yield kit
    await kit.close()


def fill(database: Database, count: int, now: datetime) -> None:
    first = round(now.timestamp() * 1000) - MONTH_MS
    at = f"({first} + n * {MONTH_MS / count})::bigint"
    row_id = f"({first_id(now - timedelta(milliseconds=MONTH_MS))} + n * {(MONTH_MS << 21) // count}::bigint)"
    for statement in FILL:
        database.hand.execute(statement.format(id=row_id, at=at, count=count))


def touched(database: Database) -> Mapping[str, tuple[int, int]]:
    """By table: sequential scans of it, rows of it read by an index."""
    database.hand.execute("SELECT pg_stat_clear_snapshot()")
    query = "SELECT relname, seq_scan, coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_user_tables"
    return {row["relname"]: (row["seq_scan"], row["rows"]) for row in database.hand.fetch(query)}


async def everything(kit: PostgresKit, store: PostgresStore) -> None:
    """What is done for every message, and what is done all the time."""
    exchanges = [kit.exchange(f"question {number}", handed_over=True) for number in range(10)]
    chat = kit.exchange("chat", identity=None, external_id=f"u{kit.new_id()}")
    message = kit.message("open")
    await store.get([exchange.message.sender for exchange in exchanges])
    await store.recall(exchanges[0].message.sender)
    await store.commit(JournalBatch(exchanges=[*exchanges, chat, Exchange(message=message)]))
    report = DeliveryReport(
        channel="sms",
        account=ACCOUNT,
        external_id="e6",
        status=DeliveryStatus.DELIVERED,
        received_at=kit.clock.now,
        recipient=SENDER,
    )
    told = [
        report,
        replace(report, keys=("1A", "26", "E8"), recipient=Address("sms", "8498")),
        replace(report, external_id="always", keys=()),
        replace(report, external_id="zz", keys=()),
    ]
    await store.commit(
        replace(
            kit.acknowledged(*exchanges),
            exchanges=[kit.exchange("question 1"), kit.decided(replace(chat.message, id=kit.new_id()))],
            closings=[kit.decided(message)],
            results=[sent(e.reply, segments=segments(f"new {e.reply.id}")) for e in exchanges if e.reply is not None],
            reports=told,
            session_ends=[SessionEnd(session="smsc-1/1", at=kit.clock.now)],
        )
    )
    assert await store.sent_ids().sent(ACCOUNT, [report, replace(report, external_id="always", keys=())]) == set()
    await store.match_reports()
    claimed = await store.claim(ACCOUNT, 20)
    await store.hand_over([message.id for message in claimed[:10]])
    await store.release([message.id for message in claimed[10:]])
    assert len(claimed) == 20
    await store.written([exchange.message.id for exchange in exchanges])
    await store.give_up({e.message.id: e.reply.id for e in exchanges if e.reply is not None})
    await store.renew()
    await store.take_open(10)
    await store.recover()


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
async def test_no_hot_statement_walks_over_a_large_table(large: PostgresKit, *, analysed: bool) -> None:
    if analysed:
        large.hand.execute("ANALYZE")
    store = PostgresStore(
        large.database.url, owner=1 + analysed, rules=RULES, settings=PostgresSettings(migrate=False, connections=1)
    )
    await store.open()
    for _ in range(6):  # from the sixth call on, a plan is kept for good
        large.clock.advance(1)
        await everything(large, store)
    before = touched(large.database)
    large.clock.advance(1)
    await everything(large, store)
    await store.close()  # the connections hand in what they counted
    after = touched(large.database)
    tables = ("inbox", "outbox", "submission", "person", "report")
    scans = {table: after[table][0] for table in tables}
    assert scans == {table: before[table][0] for table in tables}
    assert {table: after[table][1] - before[table][1] < 7 * MOST_ROWS for table in tables} == dict.fromkeys(
        tables, True
    )


async def test_old_rows_are_found_without_looking_at_the_others(large: PostgresKit) -> None:
    store = PostgresStore(large.database.url, owner=3, rules=RULES, settings=PostgresSettings(migrate=False))
    await store.open()
    before = touched(large.database)
    month = timedelta(milliseconds=MONTH_MS)
    assert await store.mask(large.clock.now - month / 2, 200) == 200
    assert await store.purge(large.clock.now - month / 2, 200) == 800
    assert await store.purge(large.clock.now - month, 200) == 200  # reports that fit nothing are kept for a day
    await store.close()
    after = touched(large.database)
    for table in ("inbox", "outbox", "submission", "report"):
        assert after[table][0] == before[table][0]
        assert after[table][1] - before[table][1] < MOST_ROWS


async def test_what_expired_for_an_account_is_found_among_what_waits_alone(large: PostgresKit) -> None:
    """None of these has: each step looks at so many and goes on behind them, however many have."""
    store = PostgresStore(large.database.url, owner=5, rules=RULES, settings=PostgresSettings(migrate=False))
    await store.open()
    before, place = touched(large.database), FIRST_PLACE
    for _ in range(3):
        step = await store.expire(ACCOUNT, large.clock.now - timedelta(hours=1), 200, behind=place)
        assert step.behind is not None
        assert (step.closed, step.behind > place) == (0, True)
        place = step.behind
    await store.close()
    after = touched(large.database)
    assert after["outbox"][0] == before["outbox"][0]
    assert after["outbox"][1] - before["outbox"][1] < MOST_ROWS


def test_what_expired_for_an_account_is_found_by_its_key_on_sqlite_too() -> None:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(empty_store())
    statement, values = next(expire(SqliteDialect(), ACCOUNT, datetime.now(UTC), 200, 0, FIRST_PLACE))
    plan = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert [step for step in plan if "outbox" in step or " o " in step] == [
        "SEARCH o USING INDEX ix_outbox_ready (account=? AND priority=? AND id>?)"
    ]
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_reports_find_their_messages_by_keys_on_sqlite_too() -> None:
    """Without statistics, as it is."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(empty_store())
    words = SqliteDialect()
    matched = words.given("rows", MATCHED_COLUMNS)
    statements = (
        match(words.given("rows", HEARD_KEY_COLUMNS)),
        report_segments(matched),
        report_whole(matched),
        kept_reports(words.among("rows")),
    )
    walks = [
        step
        for statement in statements
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", {"rows": "[]"})
        if step.startswith("SCAN") and step.split()[1] in {"submission", "outbox", "report", "s", "o", "n"}
    ]
    assert walks == []


async def test_the_screen_of_health_reads_by_indexes_alone(large: PostgresKit) -> None:
    large.hand.execute("ANALYZE")
    store = PostgresStore(large.database.url, owner=11, rules=RULES, settings=PostgresSettings(migrate=False))
    await store.open()
    before, now = touched(large.database), large.clock.now
    standing = await store.health().standing()
    traffic = await store.health().traffic(now - timedelta(hours=1), now)
    await store.close()
    after = touched(large.database)
    assert {each.state for each in standing.queues} == {"ready", "bulk", "leaving"}
    assert sum(each.came_in for each in traffic) > 0
    for table in ("inbox", "outbox"):
        assert after[table][0] == before[table][0], table
        assert after[table][1] - before[table][1] < 2 * MOST_ROWS, table
