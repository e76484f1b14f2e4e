"""By which account people wrote last is a look into an index for each of them, however many messages there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.store.postgres import PostgresSettings, PostgresStore
from domain.message import Address
from tests.contract.stores import RULES, SENDER, SqliteKit
from tests.integration.test_plans import touched
from tests.servers.postgres import Database, Postgres, migrated

COUNT = 200_000
ROUNDS = 7  # from the sixth call on, a plan is kept for good
ASKED = 500
# Half of it is masked; one person wrote a quarter of the rest, ten thousand the others.
FILL = f"""INSERT INTO inbox (id, channel, account, sender, recipient, text, received_at, state)
SELECT n, 'sms', 'smsc-' || n % 3, CASE WHEN n <= {COUNT // 2} THEN 'masked:*' WHEN n % 4 = 0 THEN 'sms:84900000000'
    ELSE 'sms:8491' || lpad((n % 10000)::text, 7, '0') END, 'sms:8079', '', n, 'decided' FROM generate_series(1, {COUNT}) AS n"""


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[Database]:
    """Without statistics until somebody analyses it."""
    with migrated(postgres, "routing") as database:
        database.hand.execute(FILL)
        yield database


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
async def test_postgres_touches_one_row_of_the_inbox_for_each(filled: Database, *, analysed: bool) -> None:
    if analysed:
        filled.hand.execute("ANALYZE")
    people = [Address("sms", f"8491{number:07}") for number in range(ASKED - 2)]
    people += [Address("sms", "84900000000"), Address("sms", "84999999999")]
    settings = PostgresSettings(migrate=False, bulk_connections=1)
    store = PostgresStore(filled.url, owner=1 + analysed, rules=RULES, settings=settings)
    await store.open()
    before = touched(filled)
    for _ in range(ROUNDS):
        found = await store.last_accounts().last_accounts(people)
        assert people[-2] in found
        assert people[-1] not in found
    await store.close()  # the connections hand in what they counted
    after = touched(filled)
    assert after["inbox"][0] == before["inbox"][0]
    assert after["inbox"][1] - before["inbox"][1] <= ROUNDS * ASKED


def _traced(driver: Any, asked: list[str], _: object) -> None:
    driver.set_trace_callback(asked.append)


async def test_sqlite_searches_and_does_not_scan(tmp_path: Path) -> None:
    kit = SqliteKit(tmp_path)
    store = await kit.open()
    asked: list[str] = []
    driver: Any = await store._reader.run(lambda connection: connection.connection.dbapi_connection)
    await store._reader.run(partial(_traced, driver, asked))
    await store.last_accounts().last_accounts([SENDER])
    await kit.close()
    with sqlite3.connect(kit.path) as connection:
        [statement] = [each for each in asked if "inbox" in each]
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert any("ix_inbox_sender (sender=?)" in step for step in steps), steps
    assert not any(step.startswith("SCAN i") for step in steps), steps
