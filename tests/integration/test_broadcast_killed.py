"""A process that is killed in the middle of a broadcast: the next goes on, nobody gets two and nobody is passed over."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from domain.broadcasts import BroadcastAction
from tests.contract.broadcasting import APPROVER, done, follow, only, person, submitted
from tests.contract.stores import SqliteKit
from tests.contract.test_broadcasting import expander
from tests.integration import broadcast_until_killed

KILLS, PEOPLE = 4, 900
ROOT = Path(__file__).parents[2]


def killed_while_writing(folder: Path, owner: int, after: int) -> None:
    command = [sys.executable, "-m", broadcast_until_killed.__name__, str(folder), str(owner)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(after):
            process.stdout.readline()
        process.kill()


async def test_kill_9_in_the_middle_of_a_broadcast_loses_and_doubles_nobody(tmp_path: Path) -> None:
    kit = SqliteKit(tmp_path)
    kit.clock.now = datetime.now(UTC).replace(hour=3)
    store = await kit.open()
    await follow(kit, *range(PEOPLE))
    it = await done(kit, store, await submitted(kit, store), BroadcastAction.APPROVE, APPROVER)
    await kit.close()
    dice = random.Random(7)
    for owner in range(1, KILLS + 1):
        killed_while_writing(tmp_path, owner, dice.randrange(1, 4))
    heir = await kit.open()
    under_way = await only(heir.mass_mail())
    written = await kit.rows("outbox")
    assert 0 < len(written) < PEOPLE
    assert under_way.written == len(written), "what was written is counted in the same transaction"
    kit._ids = type(kit._ids)(heir.process_number())
    expanding = expander(kit, heir, ahead=1_000_000, page=200)
    while not under_way.all_written:
        await expanding.tick()
        under_way = await only(heir.mass_mail())
    told = Counter(row["recipient"] for row in await kit.rows("outbox") if row["broadcast_id"] == it.id)
    assert told == Counter(person(number).urn for number in range(PEOPLE))
    await kit.close()
