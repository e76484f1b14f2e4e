"""Many dossiers, followers and messages stay fast: composing, writing and watching broadcasts reach their rows by a key."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.store.housekeeping import first_id
from adapters.store.postgres import PostgresSettings, PostgresStore
from console.broadcasts.ports import DayCount, FileRow, Standing, Upload
from domain.broadcasts import BroadcastAction
from tests.contract.broadcasting import (
    APPROVER,
    AUTHOR,
    FOLLOWERS,
    SCOPE,
    done,
    draft,
    follow,
    noted,
    office,
    person,
    submitted,
)
from tests.contract.stores import RULES, PostgresKit, SqliteKit, Store, StoreKit
from tests.contract.test_broadcasting import FILE, SCHEDULE, expander, leave
from tests.integration.test_notices_plans import DAY, LARGE
from tests.integration.test_plans import FULL, NORMAL, touched
from tests.servers.postgres import Database, Postgres, migrated

# Dossiers of fifty agencies, of which H51.18 has forty, all with a follower; a broadcast long over.
FILL = (
    """INSERT INTO dossier_seen (source, dossier_code, version, known, status, due_on, agency, unit, procedure,
        received_at, first_seen_at, seen_at, apologised, gone)
    SELECT 'province', {code}, 3, '4|2026-03-09|', CASE WHEN n % 3 = 0 THEN 10 ELSE 4 END, '2026-03-09',
        CASE WHEN n <= 40 THEN 'H51.18' ELSE 'H51.' || 20 + n % 50 END, '', '1.004946', {at}, {at}, {at}, false, false
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, followed_at)
    SELECT 'sms:849' || n, {code}, 'province', 'sms', 'smsc-1', 'sms:8079', 'text', false, {at}
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, broadcast_id, state, created_at,
        available_at, expires_at, attempts, settled_at)
    SELECT {id}, 'sms', 'smsc-1', 'broadcast', 2, 'sms:849' || n, 'sms:8079', 'text', 1 + n % 3, 'accepted',
        {at}, {at}, {at}, 1, {at} FROM generate_series(1, {count}) AS n""",
    "INSERT INTO person (address, language, updated_at) SELECT 'sms:849' || n, 'en', 0 FROM generate_series(1, {count}) AS n",
    """INSERT INTO consent (recipient, action, dossier_code, words, channel, given_at)
    SELECT 'sms:849' || n, 'follow', '', 'web', 'sms', 0 FROM generate_series(1, {count}) AS n""",
)
TABLES = ("dossier_seen", "subscription", "outbox", "person", "consent", "submission")
MOST_ROWS = 5_000  # touched by one round of everything below; a scan of one table would touch 200,000


@pytest.fixture(scope="module", params=[NORMAL, pytest.param(FULL, marks=pytest.mark.long)], ids=["200k", "1M"])
def filled(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    """Without statistics until somebody analyses it."""
    with migrated(postgres, "broadcasting") as database:
        now = datetime.now(UTC)
        values = {
            "at": f"({round(now.timestamp() * 1000) - 30 * DAY} + n * {30 * DAY / request.param})::bigint",
            "id": f"({first_id(now - timedelta(days=30))} + n * {(30 * DAY << 21) // request.param}::bigint)",
            "code": "'H51.18-210817-' || lpad(n::text, 7, '0')",
            "count": request.param,
        }
        for statement in FILL:
            database.hand.execute(statement.format(**values))
        yield database


@pytest.fixture
async def large(filled: Database, tmp_path: Path) -> AsyncIterator[PostgresKit]:
    kit = PostgresKit(tmp_path, filled, emptied=False)
    kit.clock.now = datetime.now(UTC).replace(hour=3)
    yield kit
    await kit.close()


async def everything(kit: StoreKit, store: Store) -> None:
    """One broadcast from its draft to its resend, by pages and by the expander."""
    broadcasts, mail = office(store), store.mass_mail()
    narrowed = replace(FOLLOWERS, statuses=(4, 10), procedure="1.004946", received_from=date(2020, 1, 1))
    await broadcasts.count(narrowed, SCOPE, limit=10, day=DayCount(began=kit.clock.now, per_day=2))
    await broadcasts.count(replace(FOLLOWERS, late=True), SCOPE)
    await broadcasts.count(replace(FOLLOWERS, due_in_days=3), SCOPE)
    await broadcasts.preview(FOLLOWERS, SCOPE, limit=3)
    it = await submitted(kit, store, canary=2)
    await broadcasts.edit(it.id, 1, draft(), AUTHOR, SCOPE, noted(kit))
    it = await done(kit, store, it, BroadcastAction.APPROVE, APPROVER)
    expanding = expander(kit, store, schedule=replace(SCHEDULE, per_day=1_000))
    for _ in range(4):  # begun, written, waited for, held
        await expanding.tick()
        await leave(kit, store)
    for action in (BroadcastAction.RESUME, BroadcastAction.PAUSE, BroadcastAction.RESUME):
        it = await done(kit, store, it, action, APPROVER)
        await expanding.tick()
    await leave(kit, store)
    kit.clock.advance(5)
    await expanding.tick()
    assert len(await broadcasts.listed(SCOPE, limit=5)) > 0
    found = await broadcasts.find(it.id, SCOPE)
    assert found is not None
    assert found.tally.sent >= 2
    assert len(await broadcasts.results(it.id, AUTHOR, SCOPE, limit=5) or ()) >= 2
    it = await done(kit, store, it, BroadcastAction.STOP, APPROVER)
    kit.clock.advance(5)
    await expanding.tick()
    made = await broadcasts.create(kit.new_id(), draft(audience=FILE), AUTHOR, SCOPE, noted(kit))
    assert isinstance(made, Standing)
    upload = Upload(id=kit.new_id(), digest="d", rows=1)
    await broadcasts.add_rows(made.broadcast.id, upload.id, [FileRow(position=1, recipient=person(1))], SCOPE)
    taken = await broadcasts.take_rows(made.broadcast.id, 1, upload, AUTHOR, SCOPE, noted(kit))
    assert isinstance(taken, Standing)
    await broadcasts.count(taken.broadcast.audience, SCOPE, identifier=taken.broadcast.id)
    await broadcasts.resend(it.id, kit.new_id(), AUTHOR, SCOPE, noted(kit))
    assert await mail.queued(it.id)


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
async def test_no_statement_of_broadcasts_walks_over_a_large_table(large: PostgresKit, *, analysed: bool) -> None:
    if analysed:
        large.hand.execute("ANALYZE")
    settings = PostgresSettings(migrate=False, bulk_connections=1)
    store = PostgresStore(
        large.database.url, owner=1 + analysed, rules=RULES, settings=settings, store_clock=large.clock
    )
    await store.open()
    before = touched(large.database)
    rounds = 7  # from the sixth call on, a plan is kept for good
    for _ in range(rounds):
        await everything(large, store)
    await store.close()  # the connections hand in what they counted
    after = touched(large.database)
    assert {table: after[table][0] - before[table][0] for table in TABLES} == dict.fromkeys(TABLES, 0)
    rows = {table: after[table][1] - before[table][1] for table in TABLES}
    assert {table: count for table, count in rows.items() if count > rounds * MOST_ROWS} == {}


def _traced(driver: Any, asked: list[str], _: object) -> None:
    driver.set_trace_callback(asked.append)


async def test_sqlite_searches_and_does_not_scan(tmp_path: Path) -> None:
    """Without statistics, which it never has."""
    kit = SqliteKit(tmp_path)
    store = await kit.open()
    await follow(kit, *range(1, 41))
    asked: list[str] = []
    for lane in (store._writer, store._reader):
        driver: Any = await lane.run(lambda connection: connection.connection.dbapi_connection)
        await lane.run(partial(_traced, driver, asked))
    await everything(kit, store)
    await kit.close()
    with sqlite3.connect(kit.path) as connection:
        statements = {
            each for each in asked if each.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"))
        }
        assert len(statements) > 50
        [waiting] = {each for each in map(_without_values, statements) if "GROUP BY o.account" in each}
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {waiting}")]
        assert [step for step in steps if "outbox" in step or " o " in step] == [
            step for step in steps if "COVERING INDEX ix_outbox_broadcast_open" in step
        ]
        for each in statements:
            if "INTO journal" in each or "ix_outbox_ready" in each:
                continue  # a view of the writer's own connection; the claim, which is every message's
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")]
            assert [step for step in steps if _walks(step)] == [], each


def _without_values(statement: str) -> str:
    return re.sub(r"\b\d{6,}\b", "1", statement)


def _walks(step: str) -> bool:
    """Over more than a list that was given, or the stretch that was found."""
    return bool(LARGE.match(step)) and not re.match(r"SCAN (page|p|r|b|one|v|n|w|g|l|k)\b", step)
