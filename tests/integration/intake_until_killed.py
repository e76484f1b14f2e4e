"""A process that registers dossiers, and sets some numbers aside, until it is killed; a line on stdout for each it was told of."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.store.postgres import PostgresSettings, PostgresStore
from adapters.store.sqlite import SqliteStore
from domain.ids import IdSequence
from domain.intake import IntakeDossier
from tests.contract.intaking import OFFICER, PATTERN, block, dossier, new, step
from tests.contract.stores import PATIENT, PATIENT_TIMEOUTS, RULES, SqliteKit, Store

CLIENTS = 4
BLOCK_EVERY, BLOCK_OF = 5, 3


def opened(where: str, owner: int, kit: SqliteKit) -> Store:
    if "://" not in where:
        return SqliteStore(kit.path, owner=owner, clock=kit.clock, rules=RULES)
    lease = timedelta(seconds=4 * PATIENT_TIMEOUTS.statement)
    settings = PostgresSettings(
        timeouts=replace(PATIENT_TIMEOUTS, lock=PATIENT), lease=lease, bulk_connections=CLIENTS, migrate=False
    )
    return PostgresStore(where, owner=owner, rules=RULES, settings=settings, store_clock=kit.clock)


async def client(kit: SqliteKit, store: Store) -> None:
    book, count = store.intake(), 0
    while True:
        made = dossier(kit)
        kept = await book.register(new(made), step(kit, made))
        assert isinstance(kept, IntakeDossier)
        sys.stdout.write(f"{kept.code.text}\n")
        sys.stdout.flush()
        count += 1
        if count % BLOCK_EVERY == 0:
            await book.reserve(block(kit, new(made).day), PATTERN, BLOCK_OF, OFFICER)


async def main(where: str, owner: int) -> None:
    kit = SqliteKit(Path(where))
    kit.clock.now = datetime.now(UTC).replace(hour=3)
    store = opened(where, owner, kit)
    await store.open()
    kit._ids = IdSequence(store.process_number())
    await asyncio.gather(*(client(kit, store) for _ in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
