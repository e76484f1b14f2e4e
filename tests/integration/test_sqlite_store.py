"""What only the SQLite store promises: one process, all or nothing through kill -9, room to spare or a clear refusal."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from adapters.store.tables import OutboxStates
from conversation.ports import Exchange, JournalBatch
from domain.errors import StoreError, StoreUnavailable
from tests.contract.stores import SqliteKit
from tests.integration import commit_until_killed
from tests.integration.commit_until_killed import BATCH

KILLS = 5
ROOT = Path(__file__).parents[2]


@pytest.fixture
def kit(tmp_path: Path) -> SqliteKit:
    return SqliteKit(tmp_path)


def count(path: Path, sql: str) -> Counter[str]:
    connection = sqlite3.connect(path)
    found = Counter(dict(connection.execute(sql).fetchall()))
    connection.close()
    return found


def killed_while_committing(folder: Path, owner: int, after: int) -> list[str]:
    """The batches a process was told are written before it was killed."""
    command = [sys.executable, "-m", commit_until_killed.__name__, str(folder), str(owner)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(after)]
        process.kill()
        told += process.stdout.read().split()
    return told


def test_kill_9_leaves_every_batch_whole_or_absent_and_every_promise_kept(kit: SqliteKit) -> None:
    dice = random.Random(7)
    told = [
        number
        for owner in range(1, KILLS + 1)
        for number in killed_while_committing(kit.folder, owner, dice.randrange(1, 40))
    ]
    received = count(kit.path, "SELECT text, count(*) FROM inbox GROUP BY text")
    replies = count(
        kit.path, "SELECT i.text, count(*) FROM outbox AS o JOIN inbox AS i ON i.id = o.inbound_id GROUP BY i.text"
    )
    assert told
    assert set(told) <= received.keys(), "what was acknowledged is written"
    assert set(received.values()) == {BATCH}, "no batch is half written"
    assert replies == received


async def test_a_second_process_is_told_who_holds_the_database(kit: SqliteKit) -> None:
    store = await kit.open()
    with pytest.raises(StoreError, match=r"another gateway \(process \d+\) serves this database"):
        await kit.make().open()
    await store.close()
    await (await kit.open()).close()


async def test_a_store_that_cannot_be_opened_says_so_and_lets_go(kit: SqliteKit) -> None:
    kit.path.write_bytes(b"this is no database, but long enough to be looked at" * 10)
    with pytest.raises(StoreUnavailable):
        await kit.make().open()
    kit.path.unlink()
    await (await kit.open()).close()


async def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        await SqliteKit(tmp_path / "nowhere").make().open()


async def test_a_full_disk_writes_nothing_and_loses_nothing(kit: SqliteKit) -> None:
    store = await kit.open()
    exchange = kit.exchange("x" * 500_000)
    await kit.on_driver(store, lambda driver: driver.execute("PRAGMA max_page_count = 60"))
    with pytest.raises(StoreUnavailable, match="full"):
        await store.commit(JournalBatch(exchanges=[kit.exchange("small"), exchange]))
    assert await kit.rows("inbox") == []
    await kit.on_driver(store, lambda driver: driver.execute("PRAGMA max_page_count = 100000"))
    await store.commit(JournalBatch(exchanges=[exchange]))
    assert len(await kit.rows("inbox")) == 1
    await store.close()


async def test_at_start_everything_of_a_former_process_is_free_at_once(kit: SqliteKit) -> None:
    store = await kit.open()
    message = kit.message("open")
    await store.commit(JournalBatch(exchanges=[kit.exchange(), Exchange(message=message)]))
    await store.claim("smsc-1", 1)
    before = kit.clock.now
    await kit.crash(store)
    kit.clock.now = before  # its lease still runs
    heir = await kit.open()
    assert (await heir.recover())["freed"] == 1
    assert await heir.take_open(10) == [message]
    assert [row["state"] for row in await kit.rows("outbox")] == [OutboxStates.READY]
    await heir.close()


async def test_every_commit_is_on_the_disk_and_in_the_log(kit: SqliteKit) -> None:
    store = await kit.open()

    def pragma(name: str) -> str:
        return f"PRAGMA {name}"

    journal = await kit.on_driver(store, lambda driver: driver.execute(pragma("journal_mode")).fetchone())
    synchronous = await kit.on_driver(store, lambda driver: driver.execute(pragma("synchronous")).fetchone())
    assert (journal, synchronous) == (("wal",), (2,))
    await store.close()


async def test_a_cancelled_caller_leaves_the_store_usable(kit: SqliteKit) -> None:
    store = await kit.open()
    with kit.locked():
        commit = asyncio.create_task(store.commit(JournalBatch(exchanges=[kit.exchange("given up")])))
        await asyncio.sleep(0)
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
    await store.commit(JournalBatch(exchanges=[kit.exchange("next")]))
    assert "next" in [row["text"] for row in await kit.rows("inbox")]
    await store.close()
