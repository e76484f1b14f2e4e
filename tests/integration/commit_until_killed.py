"""A process that commits batches until it is killed; says on stdout which ones it was told are written."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from adapters.store.sqlite import SqliteStore
from conversation.ports import Exchange, JournalBatch
from tests.contract.stores import RULES, SqliteKit

BATCH = 7


def batch(kit: SqliteKit, number: int) -> JournalBatch:
    exchanges: list[Exchange] = [kit.exchange(f"{number}", identity=f"{number} {part}") for part in range(BATCH)]
    return JournalBatch(exchanges=exchanges)


async def main(folder: Path, owner: int) -> None:
    kit = SqliteKit(folder)
    kit.clock.now = datetime.now(UTC)
    store = SqliteStore(kit.path, owner=owner, clock=kit.clock, rules=RULES)
    await store.open()
    for number in range(owner * 1_000_000, (owner + 1) * 1_000_000):
        await store.commit(batch(kit, number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
