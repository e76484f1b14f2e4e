"""Codes have no gaps and none is given twice: many at once, over midnight, with numbers set aside, after kill -9."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.store.postgres import PostgresStore
from domain.calendar import local_day
from domain.ids import IdSequence
from domain.intake import IntakeDossier
from domain.numbering import NumberPattern
from tests.contract.intaking import AGENCY, OFFICER, OTHER, block, dossier, new, registered, serial_of, step
from tests.contract.stores import PATIENT, PATIENT_TIMEOUTS, PostgresKit, SqliteKit, StoreKit
from tests.integration import intake_until_killed
from tests.servers.postgres import Database, Postgres, migrated

CLIENTS, GATEWAYS = 20, 4
MIDNIGHT = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # in Asia/Ho_Chi_Minh
AGENCIES = (AGENCY, AGENCY, AGENCY, OTHER)  # most of them want the same numbers
BLOCK_EVERY = 50
KILLS = 5
ROOT = Path(__file__).parents[2]

Taken = Mapping[tuple[str, str], Sequence[int]]


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    with migrated(postgres, "numbers") as made:
        yield made


@pytest.fixture
async def kit(database: Database, tmp_path: Path) -> AsyncIterator[PostgresKit]:
    made = PostgresKit(tmp_path, database)
    yield made
    await made.close()


async def gateways(kit: PostgresKit, stack: AsyncExitStack) -> Sequence[tuple[PostgresStore, IdSequence]]:
    """Processes that share the store, each with ids of its own."""
    stores = []
    for _ in range(GATEWAYS):
        store = kit.make(
            timeouts=replace(PATIENT_TIMEOUTS, lock=PATIENT), lease=timedelta(minutes=10), bulk_connections=5
        )
        await store.open()
        stack.push_async_callback(store.close)
        stores.append((store, IdSequence(store.process_number())))
    return stores


def accounted_for(kit_rows: Sequence[Mapping[str, Any]], blocks: Sequence[Mapping[str, Any]]) -> Taken:
    """By agency and day: every serial that is a dossier's or set aside."""
    taken: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in kit_rows:
        agency, day, serial = row["code"].split("-")
        assert row["agency"] == agency
        taken[agency, day].append(int(serial))
    for row in blocks:
        day = f"{date.fromisoformat(row['day']):%y%m%d}"
        taken[row["agency"], day].extend(range(row["first"], row["last"] + 1))
    return {key: sorted(serials) for key, serials in taken.items()}


def without_gap_or_double(taken: Taken) -> None:
    for key, serials in taken.items():
        assert serials == list(range(1, len(serials) + 1)), key


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_many_clients_over_midnight_leave_no_gap_and_no_double(
    kit: PostgresKit, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    left = itertools.count()
    told: list[IntakeDossier] = []

    async def client(store: PostgresStore, ids: IdSequence, agency: str) -> None:
        book, pattern = store.intake(), NumberPattern(agency=agency)
        kit_of = _Kit(kit, ids)
        while (number := next(left)) < count:
            kit.clock.now = MIDNIGHT + timedelta(seconds=number - count / 2)
            made = dossier(kit_of, agency=agency, holder=agency)
            kept = await book.register(new(made), step(kit_of, made))
            assert isinstance(kept, IntakeDossier)
            told.append(kept)
            if number % BLOCK_EVERY == 0:
                await book.reserve(block(kit_of, new(made).day, agency=agency), pattern, 3, OFFICER)

    async with AsyncExitStack() as stack:
        stores = await gateways(kit, stack)
        began = time.perf_counter()
        await asyncio.gather(
            *(
                client(*stores[number % GATEWAYS], AGENCIES[number // GATEWAYS % len(AGENCIES)])
                for number in range(CLIENTS)
            )
        )
        spent = time.perf_counter() - began
    rows = await kit.rows("intake_dossier")
    taken = accounted_for(rows, await kit.rows("intake_block"))
    assert len(rows) == len({row["code"] for row in rows}) == count
    assert {each.code.text for each in told} == {row["code"] for row in rows}
    assert set(taken) == {(agency, day) for agency in (AGENCY, OTHER) for day in ("260302", "260303")}
    without_gap_or_double(taken)
    assert len(await kit.rows("intake_step")) == count
    with capsys.disabled():
        sys.stdout.write(f"\n{count} registrations by {CLIENTS} clients: {count / spent:.0f} a second\n")


class _Kit:
    """A client's own ids, for the forms it makes."""

    def __init__(self, kit: PostgresKit, ids: IdSequence) -> None:
        self.clock = kit.clock
        self._ids = ids

    def new_id(self) -> int:
        return self._ids.next(round(self.clock.now.timestamp() * 1000))


def killed_while_registering(where: str, owner: int, after: int) -> list[str]:
    """The codes it was told."""
    command = [sys.executable, "-m", intake_until_killed.__name__, where, str(owner)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    return [line.strip() for line in lines if line.endswith("\n")]


async def _survives(kit: StoreKit, where: str) -> None:
    dice, told = random.Random(9), list[str]()
    for owner in range(1, KILLS + 1):
        told += await asyncio.to_thread(killed_while_registering, where, owner, dice.randrange(5, 40))
    kit.clock.now = datetime.now(UTC).replace(hour=3)
    store = await kit.open()
    kit._ids = IdSequence(store.process_number())
    kept = await registered(kit, store.intake())
    rows, blocks = await kit.rows("intake_dossier"), await kit.rows("intake_block")
    assert len(told) == len(set(told)) > KILLS * 4
    assert set(told) <= {row["code"] for row in rows}, "what was told is kept"
    assert {row["dossier_id"] for row in await kit.rows("intake_step")} == {row["id"] for row in rows}
    assert len(await kit.rows("audit")) == len(rows) + len(blocks)
    taken = accounted_for(rows, blocks)
    without_gap_or_double(taken)
    assert serial_of(kept) == len(taken[AGENCY, f"{local_day(kit.clock.now):%y%m%d}"])


async def test_kill_9_while_registering_leaves_no_gap_on_postgresql(kit: PostgresKit) -> None:
    await _survives(kit, kit.database.url)


async def test_kill_9_while_registering_leaves_no_gap_on_sqlite(tmp_path: Path) -> None:
    kit = SqliteKit(tmp_path)
    try:
        await _survives(kit, os.fspath(tmp_path))
    finally:
        await kit.close()
