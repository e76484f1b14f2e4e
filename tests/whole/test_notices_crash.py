"""`kill -9` between a change and its sending: nobody who follows is missed, nobody is told twice but by what was in doubt."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from demo.process import GatewayProcess
from demo.smsc import MoTicket, Reply, Smsc, SmscOptions
from tests.servers.postgres import Postgres, migrated
from tests.whole.followed import Agency, FileView, Person, ServerView, StoreView, follow, said
from tests.whole.gateways import STORE, Account, assert_quiet, make_gateway
from tests.whole.many import SHORT_LEASE

SEED = 510
DOSSIERS = 150
PACE = 0.01  # seconds between two changes at the agency
HEARD_LAST = 40  # a kill comes at one of the first notices after a start, so that a chain of kills is told anyhow
LATEST = 0.3  # seconds from there to the kill: wherever a change may be by then
# In turn: as fast as it can, and held back by its operator, with notices queued before the window.
RATES = ("0", "40")
RATE = "TRACUU_SMS__DEMO__RATE"
SETTINGS: Mapping[str, str] = {
    "TRACUU_SOURCES__DOSSIER__WATCH__POLL_S": "0.1",
    "TRACUU_NOTICES__QUIET_FROM": "00:00",
    "TRACUU_NOTICES__QUIET_UNTIL": "00:00",
    "TRACUU_NOTICES__PER_DAY": "1000000",
    "TRACUU_NOTICES__HOLD_SHARE": "1.0",
    "TRACUU_NOTICES__HOLD_LEAST": "1000000",
}
POLL = 0.05  # seconds between two looks at the store

WATCHED = "SELECT count(*) AS rows FROM dossier_seen WHERE dossier_code LIKE 'H13.18-260601-%'"
SEEN = "SELECT dossier_code AS code, status FROM dossier_seen WHERE dossier_code LIKE 'H13.18-260601-%'"
NOTICES = """SELECT id, substr(recipient, 5) AS number, state, attempts, text FROM outbox
WHERE category = 'notice' ORDER BY id"""
WAITING = "SELECT count(*) AS rows FROM outbox WHERE state IN ('ready', 'claimed', 'handed_over')"
# What was in doubt at a kill waits ten minutes for a delivery report; here they pass at once.
TEN_MINUTES_LATER = """UPDATE outbox SET available_at = created_at
WHERE state = 'ready' AND attempts > 0 AND available_at > created_at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """What one kill left behind: how many changes and notices there had been, and the notices not done."""

    changes: int
    told: int
    states: Counter[str]
    in_doubt: frozenset[int]  # handed over, and what became of it not written down


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    kills: Sequence[Kill]
    changes: int
    told: Mapping[str, Sequence[str]]  # what each number read, in order
    rows: Sequence[Mapping[str, object]]  # of the outbox

    @property
    def in_doubt(self) -> Counter[str]:
        """How many notices of each number were in doubt at a kill."""
        doubted = frozenset[int]().union(*(kill.in_doubt for kill in self.kills))
        return Counter(str(row["number"]) for row in self.rows if row["id"] in doubted)

    @property
    def accepted(self) -> Counter[str]:
        return Counter(str(row["number"]) for row in self.rows if row["state"] == "accepted")

    @property
    def too_many(self) -> Counter[str]:
        """How many more messages each number read than rows say."""
        return Counter({number: len(texts) - self.accepted[number] for number, texts in self.told.items()})

    @property
    def repeated(self) -> Counter[str]:
        """How often each number read the same twice running."""
        return Counter(
            {number: sum(one == other for one, other in pairwise(texts)) for number, texts in self.told.items()}
        )


class Phones:
    """What everybody read."""

    def __init__(self) -> None:
        self.told: defaultdict[str, list[str]] = defaultdict(list)
        self.count = 0

    def __call__(self, reply: Reply, _: MoTicket | None) -> None:
        self.told[reply.destination.removeprefix("+")].append(reply.text)
        self.count += 1


async def kill_again_and_again(
    gateway: GatewayProcess, store: StoreView, agency: Agency, phones: Phones, smsc: Smsc, kills: int
) -> list[Kill]:
    """At the moment after a start at which so many were told, and up to LATEST later."""
    chance = random.Random(SEED)
    done = []
    for turn in range(kills):
        wanted = phones.count + chance.randrange(1, HEARD_LAST)
        await smsc.until(lambda: phones.count >= wanted)  # noqa: B023
        await asyncio.sleep(chance.uniform(0.0, LATEST))
        await gateway.kill()
        rows = store.left(NOTICES)
        done.append(
            Kill(
                changes=agency.changes,
                told=phones.count,
                states=Counter(str(row["state"]) for row in rows),
                in_doubt=frozenset(int(row["id"]) for row in rows if row["state"] == "handed_over"),
            )
        )
        gateway.settings = dict(gateway.settings) | {RATE: RATES[turn % len(RATES)]}
        await gateway.launch()
    return done


async def all_seen(store: StoreView, agency: Agency) -> None:
    """Wait until the watcher saw what is true, and every notice left, or never will."""
    while {row["code"]: row["status"] for row in store.fetch(SEEN)} != agency.states:  # noqa: ASYNC110
        await asyncio.sleep(POLL)
    while store.fetch(WAITING)[0]["rows"]:
        store.execute(TEN_MINUTES_LATER)
        await asyncio.sleep(POLL)


async def killed_while_things_change(
    directory: Path, store: StoreView, kills: int, settings: Mapping[str, str]
) -> tuple[Outcome, Agency, Sequence[Person]]:
    phones = Phones()
    async with Smsc(SmscOptions(record=False), on_reply=phones) as smsc:
        gateway = make_gateway(directory, Account(port=smsc.port), settings={**SETTINGS, **settings})
        agency = Agency(directory, DOSSIERS, seed=SEED)
        people = agency.people()
        await gateway.start()
        try:
            while store.fetch(WATCHED)[0]["rows"] < DOSSIERS:  # noqa: ASYNC110 - another process
                await asyncio.sleep(POLL)
            follow(store, people)
            async with agency.at_work(PACE):
                done = await kill_again_and_again(gateway, store, agency, phones, smsc, kills)
            gateway.settings = dict(gateway.settings) | {RATE: "0"}
            await gateway.kill()
            await gateway.start()
            await all_seen(store, agency)
        finally:
            assert await gateway.stop() == 0
    outcome = Outcome(kills=done, changes=agency.changes, told=phones.told, rows=store.left(NOTICES))
    return outcome, agency, people


def print_counts(outcome: Outcome, people: int) -> None:
    table = Table(title=f"{len(outcome.kills)} times kill -9, {outcome.changes} changes, {people} people follow")
    for head in ("after changes", "and notices", "ready", "claimed", "handed over unrecorded"):
        table.add_column(head, justify="right")
    for kill in outcome.kills:
        states = (kill.states["ready"], kill.states["claimed"], kill.states["handed_over"])
        table.add_row(*map(str, (kill.changes, kill.told, *states)))
    ends = Counter(str(row["state"]) for row in outcome.rows)
    Console(width=110).print(
        table,
        f"notices {len(outcome.rows)}: {dict(ends)}; messages {sum(map(len, outcome.told.values()))}, "
        f"of these {outcome.in_doubt.total()} in doubt at a kill and {outcome.too_many.total()} more than rows, "
        f"same twice running {outcome.repeated.total()}",
    )


def assert_told(outcome: Outcome, agency: Agency, people: Sequence[Person]) -> None:
    expected = {p.number: agency.states[p.code] for p in people if p.number in outcome.told}
    assert {number: said(texts[-1]) for number, texts in outcome.told.items()} == expected, "not the final state, last"
    untold = [p for p in people if p.number not in outcome.told]
    assert all(agency.states[p.code] == 2 for p in untold), "somebody was missed"
    assert set(outcome.told) <= {p.number for p in people}, "somebody was told who follows nothing"
    assert {row["state"] for row in outcome.rows} <= {"accepted", "merged", "unknown"}
    assert outcome.too_many <= outcome.in_doubt, "told twice what was not in doubt"
    assert min(outcome.too_many.values()) >= 0, "a notice was taken for told and was not"
    assert outcome.repeated <= outcome.in_doubt, "the same was said twice, and no kill was the reason"
    assert len(outcome.told) > len(people) / 2, "hardly anything happened"


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
async def test_killed_between_change_and_sending_it_misses_nobody_and_tells_nobody_twice(
    kills: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(300 + 30 * kills):
        outcome, agency, people = await killed_while_things_change(tmp_path, FileView(tmp_path / STORE), kills, {})
    with capsys.disabled():
        print_counts(outcome, len(people))

    assert_told(outcome, agency, people)
    assert_quiet(tmp_path)


@pytest.mark.long
async def test_killed_over_postgresql_it_misses_nobody_and_tells_nobody_twice(
    tmp_path: Path, postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    with migrated(postgres, "notices_crash") as database:
        settings = {"TRACUU_DATABASE__URL": database.url, **SHORT_LEASE}
        async with asyncio.timeout(600):
            outcome, agency, people = await killed_while_things_change(
                tmp_path, ServerView(database.hand), 20, settings
            )
    with capsys.disabled():
        print_counts(outcome, len(people))

    assert_told(outcome, agency, people)
    assert_quiet(tmp_path)
