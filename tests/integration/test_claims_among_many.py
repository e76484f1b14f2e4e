"""A burst of notices does not make a claim slow: it reads what it takes, however much else is ready, and statistics of
the middle of a burst do not tempt PostgreSQL to walk the table by its ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.stores import ACCOUNT, PostgresKit
from tests.integration.test_plans import touched
from tests.servers.postgres import Database, Postgres, migrated

READY, CLAIMED = 20_000, 20
MOST_ROWS = 20 * CLAIMED  # read by a claim: the row, what overtook it, its person and their following


@pytest.fixture
def crowded(postgres: Postgres, tmp_path: Path) -> Iterator[PostgresKit]:
    with migrated(postgres, "crowded") as database:
        kit = PostgresKit(tmp_path, database, emptied=False)
        fill(kit, database)
        yield kit


def fill(kit: PostgresKit, database: Database) -> None:
    now = kit.now_ms()
    database.hand.execute(
        f"""INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, params, source,
            dossier_code, version, state, created_at, available_at, expires_at, attempts)
        SELECT n, 'sms', '{ACCOUNT}', 'notice', 1, 'sms:849' || n, 'sms:8079', 'x', '{{"kind":"ready"}}', 'province',
            'H51.18-210817-' || n % 5000, 1, 'ready', {now}, {now}, {now + 86_400_000}, 0
        FROM generate_series(1, {READY}) AS n"""
    )
    database.hand.execute(
        f"""INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, followed_at)
        SELECT 'sms:849' || n, 'H51.18-210817-' || n % 5000, 'province', 'sms', '{ACCOUNT}', 'sms:8079', 'text', false, 1
        FROM generate_series(1, {READY}) AS n"""
    )


@pytest.mark.parametrize("analysed", [False, True])
async def test_a_claim_in_the_middle_of_a_burst_reads_what_it_takes(crowded: PostgresKit, *, analysed: bool) -> None:
    if analysed:
        crowded.database.hand.execute("VACUUM ANALYZE outbox, subscription")
    store = await crowded.open()
    await store.claim("another", CLAIMED)  # what a first call looks up does not count
    before = touched(crowded.database)
    claimed = await store.claim(ACCOUNT, CLAIMED)
    await crowded.close()  # what a connection read is counted when it ends, at the latest
    after = touched(crowded.database)
    assert [message.id for message in claimed] == list(range(1, CLAIMED + 1))
    for table in ("outbox", "subscription", "person"):
        scans, rows = (late - early for early, late in zip(before[table], after[table], strict=True))
        assert scans == 0, table
        assert rows <= MOST_ROWS, table
