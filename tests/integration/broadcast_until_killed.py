"""A process that writes a broadcast stretch by stretch until it is killed; a line on stdout for each look."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from adapters.store.sqlite import SqliteStore
from tests.contract.stores import RULES, SqliteKit
from tests.contract.test_broadcasting import expander


async def main(folder: Path, owner: int) -> None:
    kit = SqliteKit(folder)
    kit.clock.now = datetime.now(UTC).replace(hour=3)
    store = SqliteStore(kit.path, owner=owner, clock=kit.clock, rules=RULES)
    await store.open()
    kit._ids = type(kit._ids)(store.process_number())
    expanding = expander(kit, store, ahead=1_000_000)
    while True:
        await expanding.tick()
        sys.stdout.write(".\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
