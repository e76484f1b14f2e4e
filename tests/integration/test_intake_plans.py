"""Many dossiers at the desk stay fast: every list, every act and every look of the watcher reaches its rows by a key."""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.onestop.changes_poll import ChangePoll, Place
from adapters.onestop.contacts import SqlContacts
from adapters.onestop.mapping import load_mapping
from adapters.onestop.sql import SqlDossierSource
from adapters.onestop.watched import WatchedDatabase
from adapters.store.housekeeping import first_id
from adapters.store.postgres import PostgresSettings, PostgresStore
from domain.dossier import DossierStatus
from domain.intake import IntakeSource
from domain.intake_moves import IntakeAction, IntakeDoing
from domain.proof import Sealer
from gateway.configuration import CONFIG_DIRECTORY
from tests.contract.intaking import (
    AGENCY,
    OFFICER,
    OTHER,
    PATTERN,
    SCOPE,
    block,
    done,
    dossier,
    draft,
    file,
    found,
    new,
    registered,
    step,
)
from tests.contract.stores import RULES, PostgresKit, SqliteKit, Store, StoreKit
from tests.integration.test_notices_plans import DAY, LARGE
from tests.integration.test_plans import FULL, NORMAL, touched
from tests.servers.postgres import Database, Postgres, migrated

S = DossierStatus
MAPPING = CONFIG_DIRECTORY / "onestop" / "intake.toml"
CAPS: dict[str, Any] = {"most": 9, "most_bytes": 100_000}
ROUNDS = 7  # from the sixth call on, a plan is kept for good

# A year of dossiers of fifty agencies, one of which is asked; every third name is a common one, one in fifty is open.
FILL = (
    """INSERT INTO intake_dossier (id, code, agency, holder, unit, procedure, procedure_name, source, status, version,
        received_at, entered_at, changed_at, due_at, late, missing, fee, notify, phone, secret, written, content)
    SELECT {id}, 'H51.' || 20 + n % 50 || '-260302-' || lpad((n / 50 + 1)::text, 6, '0'), 'H51.' || 20 + n % 50,
        CASE WHEN n % 1000 = 1 THEN 'H51.99' ELSE 'H51.' || 20 + n % 50 END, CASE WHEN n % 7 = 0 THEN 'Phòng A' ELSE '' END,
        '1.00' || n % 40, '', CASE WHEN n % 11 = 0 THEN 'email' ELSE 'counter' END,
        CASE WHEN n / 50 % 50 = 0 THEN 4 ELSE 10 END, 1, {at}, {at}, {at}, {at} + 604800000, n % 997 = 0, '', '', true,
        lpad((n % 90000)::text, 9, '9'), 'K7M4PX', {written}, {content} FROM generate_series(1, {count}) AS n""",
    """INSERT INTO intake_word (agency, word, dossier_id) SELECT 'H51.' || 20 + n % 50, CASE WHEN n % 3 = 0 THEN 'NGUYEN' ELSE 'TEN' || n % 5000 END, {id}
    FROM generate_series(1, {count}) AS n""",
    """INSERT INTO intake_word (agency, word, dossier_id) SELECT 'H51.' || 20 + n % 50, '-' || n / 50 + 1, {id} FROM generate_series(1, {count}) AS n""",
    """INSERT INTO intake_step (id, dossier_id, at, entered_at, action, login, officer_name, officer_agency, address,
        status_after, from_agency, from_unit, to_agency, to_unit, reason)
    SELECT {id}, {id}, {at}, {at}, 'registered', '', '', '', '', 2, '', '', '', '', '' FROM generate_series(1, {count}) AS n""",
    """INSERT INTO intake_file (id, owner, of_dossier, kind, name, media_type, size, sha256, key, added_at)
    SELECT {id}, {id}, true, 'paper', 'x', 'application/pdf', 1, '', 'k' || n, {at} FROM generate_series(1, {count}) AS n""",
    """INSERT INTO intake_tally (agency, holder, status, dossiers)
    SELECT agency, holder, status, count(*) FROM intake_dossier GROUP BY agency, holder, status""",
    """INSERT INTO intake_draft (id, token_digest, agency, procedure, language, fields, created_at, changed_at, expires_at,
        phone) SELECT {id}, 't' || n, 'H51.20', '', 'vi', '{{}}', {at}, {at}, {at} + 9999999999999, ''
    FROM generate_series(1, {count}) AS n""",
)
CONTENT = """'{"subject":"","sets":1,"fee_dong":null,"reason":"","language":"vi","notify_words":"","first_due_at":null,
"apologised_at":null,"supplement_asked_at":null,"paid_at":null,"declared_at":null,"before":null,"person":{"name":"Bé"},
"papers":[],"limit":null,"rule":"restart","supplement_by":null}'"""
TABLES = ("intake_dossier", "intake_word", "intake_step", "intake_file", "intake_draft")
FILLED_AGENCY = "H51.20"
MOST_ROWS = 12_000  # of one table in a round of everything below but for counts; a scan would touch 200,000


@pytest.fixture(scope="module", params=[NORMAL, pytest.param(FULL, marks=pytest.mark.long)], ids=["200k", "1M"])
def filled(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    """Without statistics until somebody analyses it."""
    with migrated(postgres, "intaking") as database:
        now, count = datetime.now(UTC), request.param
        at = f"({round(now.timestamp() * 1000) - 365 * DAY} + n * {365 * DAY / count})::bigint"
        values = {
            "at": at,
            "id": f"({first_id(now - timedelta(days=365))} + n * {(365 * DAY << 21) // count}::bigint)",
            "written": f"to_char(to_timestamp({at} / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')",
            "content": CONTENT,
            "count": count,
        }
        for statement in FILL:
            database.hand.execute(statement.format(**values))
        yield database


@pytest.fixture
async def large(filled: Database, tmp_path: Path) -> AsyncIterator[PostgresKit]:
    kit = PostgresKit(tmp_path, filled, emptied=False)
    now = datetime.now(
        UTC
    )  # whole milliseconds, as the store keeps them; two tests within a second have ids of their own
    kit.clock.now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    yield kit
    await kit.close()


async def everything(kit: StoreKit, store: Store, agency: str) -> None:
    """A round of the desk, and of citizens who file."""
    book, now, scope = store.intake(), kit.clock.now, frozenset({agency, OTHER, "H51.99"})
    kept = await registered(kit, book, agency=agency, holder=agency)
    kept = await done(
        kit, book, kept, IntakeDoing(action=IntakeAction.FORWARD, at=now, to_agency=OTHER), to_agency=OTHER
    )
    for search in (
        {},
        {"before": kept.id},
        {"status": frozenset({S.IN_PROCESS})},
        {"status": frozenset({S.IN_PROCESS, S.ACCEPTED}), "due_before": now},
        {"procedure": "1.000"},
        {"late": True},
        {"unit": "Phòng A"},
        {"received_since": now - timedelta(days=3), "received_until": now},
        {"text": kept.code.text},
        {"text": "0001"},
        {"text": "0912345678"},
        {"text": "nguyen be"},
        {"text": "nguyen khong co ai"},
        {"text": "nguyen", "source": IntakeSource.EMAIL},
    ):
        await found(book, limit=10, agencies=scope, **search)
    await book.counts(scope, now=now)
    assert await found(book, agencies=scope, text=kept.code.text) == [kept.id]
    assert kept.id in await found(book, agencies=frozenset({OTHER}), limit=10)
    assert await book.by_id(kept.id) == kept
    assert len(await book.steps(kept.id)) == 2
    aside = await book.reserve(block(kit, new(kept).day, agency=agency), replace(PATTERN, agency=agency), 2, OFFICER)
    paper = dossier(kit, agency=agency, holder=agency, late=True)
    await book.register(new(paper, serial=aside.first, block=aside.id), step(kit, paper))
    await book.void(aside.id, aside.last, "rách", OFFICER)
    await book.blocks(scope, since=now.date() - timedelta(days=1))
    filling = draft(kit, agency=agency)
    await book.save_draft(filling)
    loose = file(kit, filling.id)
    assert await book.add_file(loose, **CAPS)
    assert await book.known([loose.key]) == {loose.key}
    await book.draft(filling.token_digest, now=now)
    await book.drop_file(filling.id, loose.id)
    await book.files(kept.id)
    assert await book.expired(now=now, limit=10) == []
    refused = await registered(kit, book, agency=agency, holder=agency, status=DossierStatus.NOT_ACCEPTED)
    assert await book.add_file(file(kit, refused.id), **CAPS)
    assert await book.mask_closed(now + timedelta(days=1), 1) == 1
    assert len(await book.drop_files_of_closed(now + timedelta(days=1), 1)) == 1


async def look_up(url: str) -> None:
    """As the source and its watcher read the view."""
    mapping = load_mapping(MAPPING.read_text(encoding="utf-8"), MAPPING.name)
    source = SqlDossierSource(mapping, url, sealer=Sealer(b"a key of sixteen bytes"), time_limit=60.0)
    database = WatchedDatabase(mapping, url, time_limit=60.0)
    code = replace(PATTERN, agency=FILLED_AGENCY).code(datetime(2026, 3, 2, tzinfo=UTC).date(), 1)
    code = replace(code, text=f"{FILLED_AGENCY}-260302-000007")
    poll = ChangePoll(database, overlap=30.0, resolution=0.05, page=100)
    cursor = Place(number=1, since=datetime.now(UTC) - timedelta(seconds=60)).text()
    try:
        for _ in range(ROUNDS):
            assert set(await source.find([code])) == {code}
            await SqlContacts(database).numbers([code])
            assert not (await poll.next(cursor)).baseline
            assert (await poll.next(None)).baseline
    finally:
        await source.close()
        await database.close()


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
async def test_no_statement_of_the_desk_walks_over_a_large_table(
    large: PostgresKit, *, analysed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if analysed:
        large.hand.execute("ANALYZE")
    settings = PostgresSettings(migrate=False, bulk_connections=1)
    store = PostgresStore(
        large.database.url, owner=1 + analysed, rules=RULES, settings=settings, store_clock=large.clock
    )
    await store.open()
    before = touched(large.database)
    for _ in range(ROUNDS):
        await everything(large, store, FILLED_AGENCY)
    await store.close()  # the connections hand in what they counted
    await look_up(large.database.url)
    after = touched(large.database)
    assert {table: after[table][0] - before[table][0] for table in TABLES} == dict.fromkeys(TABLES, 0)
    rows = {table: after[table][1] - before[table][1] for table in TABLES}
    assert {table: count for table, count in rows.items() if count > ROUNDS * MOST_ROWS} == {}
    with capsys.disabled():
        sys.stdout.write(f"\nrows touched in {ROUNDS} rounds: {rows}\n")


async def test_counting_a_whole_province_touches_none_of_what_is_not_overdue(
    large: PostgresKit, capsys: pytest.CaptureFixture[str]
) -> None:
    store = large.make()
    await store.open()
    scope = frozenset(f"H51.{number}" for number in range(20, 70))
    before = touched(large.database)["intake_dossier"]
    began = time.perf_counter()
    counts = await store.intake().counts(scope, now=large.clock.now)
    spent = time.perf_counter() - began
    assert counts["10"] > 100_000
    assert counts["overdue"] > 0
    await store.close()
    after = touched(large.database)["intake_dossier"]
    assert after[0] == before[0]
    assert after[1] - before[1] <= counts["overdue"] + 500, "what is not overdue was looked at"
    with capsys.disabled():
        sys.stdout.write(f"\n{sum(counts.values())} dossiers of 50 agencies counted in {spent * 1000:.0f} ms\n")


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
    await everything(kit, store, AGENCY)
    await store.intake().counts(SCOPE, now=kit.clock.now)
    await kit.close()
    with sqlite3.connect(kit.path) as connection:
        statements = {
            each for each in asked if each.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"))
        }
        assert len(statements) > 30
        for each in statements:
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")]
            assert [step for step in steps if _walks(step)] == [], each
        for wanted in ("changed_at >= '2026'", "code IN ('x')", "code > 'x' AND changed_at <= '2026'"):
            order = "changed_at, code" if wanted.startswith("changed") else "code"
            view = f"EXPLAIN QUERY PLAN SELECT code FROM onestop_intake WHERE {wanted} ORDER BY {order} LIMIT 9"
            steps = [row[3] for row in connection.execute(view)]
            assert [step for step in steps if _walks(step) or "TEMP B-TREE" in step] == [], wanted


def _walks(step: str) -> bool:
    """Over more than a list that was given, or the stretch that was found."""
    return bool(LARGE.match(step)) and not re.match(r"SCAN (p\d+|v|n|a|t|found)\b", step)
