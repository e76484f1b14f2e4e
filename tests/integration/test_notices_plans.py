"""Many dossiers, followers and notices stay fast: what is asked all the time reaches its rows by a key, on both engines."""

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
from adapters.store.rows import to_ms
from domain.message import Address
from notifications.ports import Hold, Notices, Recording, Sighting
from tests.contract.noticing import (
    CODE,
    DONE,
    OTHER,
    SOURCE,
    ZALO,
    agree,
    change,
    follow,
    notice,
    seen,
    subscribe,
    told,
)
from tests.contract.stores import RULES, SENDER, PostgresKit, SqliteKit
from tests.integration.test_plans import FULL, NORMAL, touched
from tests.servers.postgres import Database, Postgres, migrated

DAY = 86_400_000  # milliseconds
ROUNDS = 7
MOST_ROWS = 15_000  # touched by one round of everything below; a scan of one table would touch 200,000

# Dossiers of two sources; one in a hundred promised for a day, one in a hundred new; two followers for every second one;
# a notice to each follower, of which the last are held, ready, or failed.
FILL = (
    """INSERT INTO dossier_seen (source, dossier_code, version, known, status, due_on, agency, unit, procedure,
        received_at, first_seen_at, seen_at, apologised, gone)
    SELECT CASE WHEN n % 10 = 0 THEN 'another' ELSE 'bac-lieu' END, {code}, 3, '4|2026-03-09|',
        CASE WHEN n % 100 = 1 THEN 1 WHEN n % 3 = 0 THEN 10 ELSE 4 END,
        '2026-' || lpad((n % 12 + 1)::text, 2, '0') || '-' || lpad((n / 12 % 28 + 1)::text, 2, '0'), 'H51.18', '', '1.004946',
        {at}, {at}, {at}, false, false FROM generate_series(1, {count}) AS n""",
    """INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, known,
        version, followed_at, ended_at)
    SELECT 'sms:849' || n % 50000, {code}, CASE WHEN n % 10 = 0 THEN 'another' ELSE 'bac-lieu' END, 'sms', 'smsc-1',
        'sms:8079', 'text', false, '4|2026-03-09|', 3, {at}, CASE WHEN n % 4 = 0 THEN {at} END
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, params, source,
        dossier_code, version, state, created_at, available_at, expires_at, attempts, settled_at)
    SELECT {id}, 'sms', 'smsc-1', 'notice', 1, 'sms:849' || n % 50000, 'sms:8079', 'text', '{{"kind":"ready"}}',
        'bac-lieu', {code}, 3, CASE WHEN n > {count} - 1000 THEN 'held' WHEN n > {count} - 2000 THEN 'ready'
        WHEN n > {count} - 3000 THEN 'rejected' ELSE 'accepted' END, {at}, {at}, {at} + 4 * 86400000, 0, {at}
    FROM generate_series(1, {count}) AS n""",
    "INSERT INTO person (address, language, updated_at) SELECT 'sms:849' || n, 'en', 0 FROM generate_series(1, 50000) AS n",
    """INSERT INTO next_address (recipient, place, channel, account, sender, address, agreed_at)
    SELECT 'sms:849' || n, 1, 'zalo', 'zalo-1', 'zalo:ours', 'zalo:' || n, 0 FROM generate_series(1, 50000, 7) AS n""",
    """INSERT INTO look (source, dossier_code, not_before, attempts)
    SELECT 'bac-lieu', {code}, {at} + CASE WHEN n % 10 = 0 THEN 0 ELSE 100 * 86400000::bigint END, 0
    FROM generate_series(1, {count} / 4) AS n""",
    "INSERT INTO counter (name, value) VALUES ('look', {count})",
    """INSERT INTO hook_nonce (source, nonce, keep_until) SELECT 'bac-lieu', 'n' || n, {at}
    FROM generate_series(1, {count} / 4) AS n""",
)
TABLES = ("dossier_seen", "subscription", "outbox", "person", "look", "hook_nonce", "next_address")

# Read from end to end, but for lists that were given and what a query inside found (`w`); or all rows of a source.
LARGE = re.compile(
    r"SCAN (?!json_each|\(subquery|CONSTANT ROW|one$|w$)|SEARCH (?!hold |outbox USING INDEX ix_outbox_on_hold).*\(source=\?\)$"
)


@pytest.fixture(scope="module", params=[NORMAL, pytest.param(FULL, marks=pytest.mark.long)], ids=["200k", "1M"])
def filled(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    """Without statistics until somebody analyses it."""
    with migrated(postgres, "noticing") as database:
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
    kit.clock.now = datetime.now(UTC)
    yield kit
    await kit.close()


async def everything(kit: PostgresKit, notices: Notices, turn: int) -> None:
    """What is done for every change, and what is done all the time."""
    codes = [replace(CODE, text=f"H51.18-210817-{serial:07}") for serial in range(turn * 20 + 1, turn * 20 + 21)]
    now = kit.clock.now
    review = await notices.review(SOURCE, codes, booked_since=now - timedelta(days=1))
    assert len(review.seen) == 18
    assert sum(map(len, review.followers.values())) == 15
    sightings = [replace(dossier, version=dossier.version + 1, known=DONE) for dossier in review.seen.values()]
    followers = [follower for group in review.followers.values() for follower in group if follower.code in review.seen]
    written = [notice(kit, recipient=f.address, code=f.code, version=4) for f in followers]
    known = [told(4, DONE, f.address, f.code) for f in followers]
    new = [follow(Address("sms", f"8480{turn}"), codes[0])]
    await notices.look(SOURCE, codes, nonce=f"new {turn} {kit.new_id()}", keep_until=now)
    looks = await notices.looks(SOURCE, 20)
    assert len(looks) == 20
    conflicts = await notices.record(
        Recording(
            source=SOURCE,
            sightings=[Sighting(dossier=dossier, expected=3) for dossier in sightings],
            notices=written,
            told=known,
            follows=new,
            cursors={"poll": "1"},
            looked=[look.id for look in looks[:10]],
            look_again={look.code: now + timedelta(days=1) for look in looks[10:]},
        )
    )
    assert conflicts == frozenset()
    review = await notices.review(SOURCE, codes)
    waiting = [f.pending for group in review.followers.values() for f in group if f.pending is not None]
    assert len(waiting) == len(written)
    assert await notices.record(Recording(source=SOURCE, merged=[pending.id for pending in waiting])) == frozenset()
    assert len(await notices.followed(SOURCE, codes[0].reference, 20)) == 20
    assert len(await notices.to_remind(date(2026, 3, 9), 20)) == 20
    assert len(await notices.waiting(now, 20)) == 20
    assert len(await notices.late_by(date(2026, 3, 20), date(2026, 3, 2), 20)) == 20
    assert len(await notices.followers_page("sms:8491", 20)) == 20
    assert await notices.fall_back([kit.new_id() for _ in range(5)]) == 5
    await notices.holds()
    await notices.stoppages(now)
    await notices.cursors(SOURCE)


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
async def test_no_statement_of_notices_walks_over_a_large_table(large: PostgresKit, *, analysed: bool) -> None:
    if analysed:
        large.hand.execute("ANALYZE")
    settings = PostgresSettings(migrate=False, bulk_connections=1)
    store = PostgresStore(large.database.url, owner=1 + analysed, rules=RULES, settings=settings)
    await store.open()
    notices = store.notices()
    before = touched(large.database)
    for turn in range(ROUNDS):  # from the sixth call on, a plan is kept for good
        await everything(large, notices, ROUNDS * analysed + turn)
    await store.close()  # the connections hand in what they counted
    after = touched(large.database)
    assert {table: after[table][0] - before[table][0] for table in TABLES} == dict.fromkeys(TABLES, 0)
    rows = {table: after[table][1] - before[table][1] for table in TABLES}
    assert {table: count for table, count in rows.items() if count > ROUNDS * MOST_ROWS} == {}


async def everything_once(kit: SqliteKit, notices: Notices) -> None:
    """Every statement of the port; a few rows say the same about a plan as many."""
    now = kit.clock.now
    hold = Hold(id=1, source=SOURCE, opened_at=now, changes=1, tracked=1)
    await subscribe(kit)
    await agree(kit, SENDER, 1, ZALO)
    await notices.look(SOURCE, [CODE], nonce="n", keep_until=now)
    await notices.looks(SOURCE, 10)
    waiting, failed = notice(kit, version=1, held=True), notice(kit, version=5)
    everything = Recording(
        source=SOURCE,
        sightings=[Sighting(dossier=seen(kit), expected=None)],
        follows=[follow(OTHER)],
        notices=[waiting, failed],
        told=[told(1, DONE)],
        cursors={"poll": "1"},
        looked=[1],
        look_again={CODE: now},
        opens_hold=hold,
    )
    assert await notices.record(everything) == frozenset()
    assert await notices.record(Recording(source=SOURCE, merged=[waiting.id])) == frozenset()
    await change(kit, failed.id, state="rejected", settled_at=to_ms(now))
    assert await notices.fall_back([kit.new_id()]) == 1
    await notices.review(SOURCE, [CODE], booked_since=now)
    await notices.followed(SOURCE, "", 10)
    await notices.to_remind(now.date(), 10)
    await notices.waiting(now, 10)
    await notices.late_by(now.date(), now.date(), 10)
    await notices.followers_page("", 10)
    await notices.end_followings(now + timedelta(days=1), 10)
    for release_at in (now, None):
        await notices.enqueue([notice(kit, version=7, held=True)], once="hold")
        await notices.close_hold(hold.id, release_at=release_at, limit=1)


def _traced(driver: Any, asked: list[str], _: object) -> None:
    driver.set_trace_callback(asked.append)


async def test_sqlite_searches_and_does_not_scan(tmp_path: Path) -> None:
    """Without statistics, which it never has."""
    kit = SqliteKit(tmp_path)
    store = await kit.open()
    asked: list[str] = []
    for lane in (store._writer, store._reader):
        driver: Any = await lane.run(lambda connection: connection.connection.dbapi_connection)
        await lane.run(partial(_traced, driver, asked))
    await everything_once(kit, store.notices())
    await kit.close()
    with sqlite3.connect(kit.path) as connection:
        statements = [each for each in asked if each.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]
        assert len(statements) > 30
        for each in statements:
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")]
            assert [step for step in steps if LARGE.match(step)] == [], each
