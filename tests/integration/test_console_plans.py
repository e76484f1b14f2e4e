"""Every page of the console stays fast: whatever it asks the store for is reached by a key, on both engines.

All pages are asked for as the bench asks (bench.console_pages), the console as bootstrap makes it; every statement they
come to is caught on its way, and the database says how it would carry it out.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it ships no types
import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event
from sqlalchemy.pool import Pool

from adapters.store.postgres_pool import BY_KEY
from adapters.store.sqlite import SqliteStore
from bench.console import SETTINGS
from bench.console_pages import LIST, Browser, asks, never_asked
from bench.console_seed import AGENCY, OPINIONS, Seeded, by_hand, seed
from console import paths
from gateway.bootstrap.serving import Made, make
from gateway.configuration import load_settings
from gateway.roles import ROLES, Duties
from tests.integration.test_plans import FULL, touched
from tests.servers.postgres import Database, Postgres, migrated
from tests.whole.gateways import STORE, Account, make_gateway

SIZE = 60_000
GROWING = frozenset(
    {"inbox", "outbox", "submission", "report", "dossier_seen", "broadcast_row", "broadcast_chunk", "audit"}
    | {"officer_session", "feedback", "subscription", "consent", "person"}
)
MOST_ROWS = 2_000  # looked at by one statement; a walk over a table would look at fifty times as many
OF_EACH = 4  # sets of parameters, of one query
Statement = tuple[str, tuple[object, ...]]
# The screen of health: read every five seconds before anybody looks, what waits and what one hour brought.
AHEAD = ("SELECT account, ", "SELECT channel, ")
# A table that grows, by its name or as statements call it, from end to end. A page along the key (`audit`, `feedback`
# without a condition) is a walk that ends with the page.
WALKS = re.compile(rf"SCAN ({'|'.join(sorted(GROWING - {'audit', 'feedback'}))}|d|s|o|c)\b")


@asynccontextmanager
async def console_on(folder: Path, url: str) -> AsyncIterator[tuple[TestClient[Any, Any], Made]]:
    """All of it behind a listener; nothing runs but what a request asks for. `url` empty: the embedded store."""
    gateway = make_gateway(folder, Account(port=9))
    text = gateway.config.read_text(encoding="utf-8") + SETTINGS
    gateway.config.write_text(text.replace(f"sqlite:///{folder}/{STORE}", url) if url else text, encoding="utf-8")
    async with AsyncExitStack() as stack:
        duties = Duties(roles=frozenset(ROLES), accounts=frozenset({"demo"}))
        made = await make(load_settings(gateway.config), duties, stack)
        assert made.console is not None
        client: TestClient[Any, Any] = TestClient(TestServer(made.console.app), cookie_jar=DummyCookieJar())
        await client.start_server()
        stack.push_async_callback(client.close)
        yield client, made


async def walk(client: TestClient[Any, Any], seeded: Seeded) -> None:
    """Every page, by both officers."""
    for who, seen in seeded.who.items():
        browser = Browser(http=client.session, base=str(client.make_url("")).rstrip("/"), secret=seen.secret)
        await browser.send_list(seeded.broadcasts[LIST])
        for each in asks(seeded, who):
            await browser.ask(each)


async def test_the_walk_leaves_no_page_out(tmp_path: Path) -> None:
    seeded, _ = by_hand(1_000, datetime.now(UTC))
    async with console_on(tmp_path, "") as (_, made):
        assert made.console is not None
        asked = [each for who in seeded.who for each in asks(seeded, who)]
        assert never_asked([(each.method, each.path) for each in made.console.routes], asked) == []


# ---- PostgreSQL


@pytest.fixture(scope="module", params=[SIZE, pytest.param(FULL, marks=pytest.mark.long)], ids=["60k", "1M"])
def filled(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[tuple[Database, Seeded]]:
    with migrated(postgres, "console") as database, ThreadPoolExecutor(1) as aside:
        filling = aside.submit(lambda: asyncio.run(seed(database.url, request.param, datetime.now(UTC))))
        yield database, filling.result()


@contextmanager
def caught(found: dict[Statement, None]) -> Iterator[None]:
    """Whatever connections that are opened meanwhile are asked, with its parameters."""

    def listen(connection: Any, _: object) -> None:
        if isinstance(connection.driver_connection, asyncpg.Connection):  # a one-stop system may be a file
            connection.driver_connection.add_query_logger(
                lambda asked: found.setdefault((asked.query, tuple(asked.args or ())), None)
            )

    event.listen(Pool, "connect", listen)
    try:
        yield
    finally:
        event.remove(Pool, "connect", listen)


def scans(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every node of it that reads one of the tables that grow."""
    if plan.get("Relation Name") in GROWING and "Scan" in plan["Node Type"]:
        yield plan
    for below in plan.get("Plans", ()):
        yield from scans(below)


def looked_at(scan: Mapping[str, Any]) -> float:
    """How many rows it read, those it left out included; 0 where it was not carried out."""
    left_out = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
    return float((scan.get("Actual Rows", 0) + left_out) * scan.get("Actual Loops", 0))


def explained(database: Database, statement: Statement) -> Mapping[str, Any]:
    """Carried out, if it only reads."""
    query, parameters = statement
    reads = query.startswith(("SELECT", "WITH")) and " FOR " not in query and "RETURNING" not in query
    how = "ANALYZE, TIMING OFF, FORMAT JSON" if reads else "FORMAT JSON"
    given = f"({', '.join(map(literal, parameters))})" if parameters else ""
    database.hand.execute(f"PREPARE asked AS {query}")
    try:
        [row] = database.hand.fetch(f"EXPLAIN ({how}) EXECUTE asked{given}")
    finally:
        database.hand.execute("DEALLOCATE asked")
    plan: Mapping[str, Any] = json.loads(row["QUERY PLAN"])[0]["Plan"]
    return plan


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def sample(asked: Sequence[Statement]) -> Sequence[Statement]:
    """Of each query some of the parameters it was asked with."""
    by_query: defaultdict[str, list[Statement]] = defaultdict(list)
    for each in asked:
        if each[0].startswith(("SELECT", "WITH", "INSERT", "UPDATE")) and not each[0].startswith(AHEAD):
            by_query[each[0]].append(each)
    assert len(by_query) > 60
    return [each for those in by_query.values() for each in those[:: max(1, len(those) // OF_EACH)]]


async def test_no_page_walks_over_a_table_that_grows(filled: tuple[Database, Seeded], tmp_path: Path) -> None:
    database, seeded = filled
    asked: dict[Statement, None] = {}
    before = touched(database)
    with caught(asked):
        async with console_on(tmp_path, database.url) as (client, _):
            await walk(client, seeded)
    after = touched(database)
    assert {table: after[table][0] - before[table][0] for table in GROWING} == dict.fromkeys(GROWING, 0)

    for name, value in BY_KEY.items():
        database.hand.execute(f"SET {name} = {value}")
    for mode in ("force_custom_plan", "force_generic_plan"):  # as the first times, and as from the sixth time on
        database.hand.execute(f"SET plan_cache_mode = {mode}")
        for statement in sample(list(asked)):
            for scan in scans(explained(database, statement)):
                most = OPINIONS if scan["Relation Name"] == "feedback" else MOST_ROWS
                assert scan["Node Type"] != "Seq Scan", (mode, statement)
                assert looked_at(scan) <= most, (mode, scan, statement)


# ---- SQLite


def _traced(driver: Any, asked: list[str], _: object) -> None:
    driver.set_trace_callback(asked.append)


def put(path: Path, seeded: Seeded, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Who looks, and what has to be there for pages about one of something."""
    opinion = {"text": "text", "sender": "sms:84912345678", "at": 0, "agency": AGENCY}
    with sqlite3.connect(path, timeout=30) as connection:
        for statement, values in steps:
            connection.execute(statement, values)
        for ask in asks(seeded, "agency"):
            number = ask.address.removeprefix(f"{paths.FEEDBACK}/")
            if ask.path == paths.FEEDBACK_ONE and number.isdecimal():
                connection.execute(
                    """INSERT INTO feedback (number, inbound_id, sender, text, received_at, agency)
                    VALUES (:number, :number, :sender, :text, :at, :agency)""",
                    {**opinion, "number": int(number)},
                )
    connection.close()


async def test_sqlite_searches_and_does_not_scan(tmp_path: Path) -> None:
    """Without statistics, which it never has; a few rows say the same about a plan as many."""
    seeded, steps = by_hand(1_000, datetime.now(UTC))
    asked: list[str] = []
    async with console_on(tmp_path, "") as (client, made):
        put(tmp_path / STORE, seeded, steps)
        store = made.opened.store
        assert isinstance(store, SqliteStore)
        for lane in (store._writer, store._reader):
            driver: Any = await lane.run(lambda connection: connection.connection.dbapi_connection)
            await lane.run(partial(_traced, driver, asked))
        await walk(client, seeded)
    statements = {each for each in asked if each.startswith(("SELECT", "WITH", "INSERT", "UPDATE"))}
    assert len(statements) > 100
    with sqlite3.connect(tmp_path / STORE) as connection:
        for each in (each for each in statements if not each.startswith(AHEAD)):
            steps_of = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")]
            assert [step for step in steps_of if WALKS.match(step)] == [], each
