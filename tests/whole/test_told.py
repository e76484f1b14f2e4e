"""Changes on real one-stop systems, by many writers at once, are all seen, and told once each to whoever follows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from adapters.store.migrate import sqlite_url, upgrade
from demo.process import GatewayProcess
from demo.smsc import Smsc, SmscOptions
from demo.smsc_tally import percentile
from domain.calendar import local_day
from tests.onestop.changing import ChangingSystem, changing_system, mapping_file
from tests.onestop.gateways import Source, make_gateway
from tests.onestop_schemas.databases import MariadbDatabase, PostgresDatabase
from tests.servers.mariadb import Mariadb
from tests.servers.postgres import Postgres, migrated
from tests.whole.changed_singly import KEY, caller, change_singly, install_trigger, listened
from tests.whole.gateways import STORE, Account, actions, assert_quiet, running, tell
from tests.whole.told import Handsets, Store, Texts, Who, opened, settle_accounts

SEED: Final = 5
ACCOUNT: Final = "demo"
WRITERS: Final = 8  # of each system
NOTICES: Final = {  # at any hour, as many as there are: when they leave is another test's
    "TRACUU_NOTICES__QUIET_FROM": "00:00",
    "TRACUU_NOTICES__QUIET_UNTIL": "00:00",
    "TRACUU_NOTICES__PER_DAY": "1000000",
    "TRACUU_NOTICES__HOLD_SHARE": "1.0",
}
# Clocks two minutes off and transactions of some seconds; a row may change twice under the same second.
WINDOW: Final = "overlap_s = 150, resolution_s = 5"
RARELY: Final = 3600  # seconds between two polls, where something else is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of both systems together, but for `samples`: single changes for each way of hearing. Rates are in one second."""

    dossiers: int
    changes: int
    changing: int  # different dossiers
    samples: int
    sms_rate: int  # so slow that some notices wait until there is a later one
    patience: float  # seconds for everything
    pace: float = 16.0  # single changes


SCALED: Final = Figures(dossiers=3_000, changes=500, changing=240, samples=25, sms_rate=75, patience=600.0)
FULL: Final = Figures(dossiers=100_000, changes=10_000, changing=6_000, samples=200, sms_rate=120, patience=1_800.0)


@dataclass(slots=True, kw_only=True)
class Plan:
    """One system's part: what changes in the storm, in which order, single changes by phase, and who follows."""

    storm: Sequence[str]
    singles: Sequence[Sequence[str]]
    followers: Sequence[Who]


PHASES: Final = 2  # of each system: polled, then told at once


def plan(system: ChangingSystem, figures: Figures, first_person: int) -> Plan:
    """Of the dossiers that change in the storm a tenth is followed by nobody and a fifth by two people, of whom each also
    follows another one; some that never change are followed, too.
    """
    dice = random.Random(f"{SEED} {system.name} plan")
    chosen = dice.sample(
        list(system.planted), figures.changing // 2 + PHASES * figures.samples + figures.changing // 20
    )
    singles = [[chosen.pop() for _ in range(figures.samples)] for _ in range(PHASES)]
    changing, unchanged = chosen[: figures.changing // 2], chosen[figures.changing // 2 :]
    storm = changing + dice.choices(changing, k=figures.changes // 2 - len(changing))
    dice.shuffle(storm)

    def number(person: int) -> str:
        return f"849{first_person + person:08}"

    followers = [(number(person), code) for person, code in enumerate(changing) if person % 10]
    followers += [(number(person + 1), code) for person, code in enumerate(changing) if person % 5 == 1]
    others = [*unchanged, *(code for each in singles for code in each)]
    followers += [(number(len(changing) + 1 + person), code) for person, code in enumerate(others)]
    return Plan(storm=storm, singles=singles, followers=followers)


# ---- the gateway


@dataclass(slots=True, kw_only=True)
class Watched:
    """A gateway over two changing systems, and what is around it."""

    directory: Path
    smsc: Smsc
    handsets: Handsets
    store: Store
    systems: Sequence[ChangingSystem]
    plans: Sequence[Plan]
    figures: Figures
    database: str | None  # the store's URL; None: SQLite
    pages: dict[str, int] = field(default_factory=dict)

    def gateway(self, *watch: str, rate: int = 0) -> GatewayProcess:
        """Not started; the store is the same every time. `watch` are settings of each source."""
        sources = [
            Source(
                name=system.name,
                url=system.database.url,
                mapping=mapping_file(system.name, self.directory),
                agency=system.agency,
                more={"watch": f"{{ {WINDOW}, {settings} }}"},
            )
            for system, settings in zip(self.systems, watch, strict=True)
        ]
        account = Account(port=self.smsc.port)
        account = Account(port=self.smsc.port, more={**account.more, "rate": str(rate)})
        made = make_gateway(self.directory, self.smsc, sources, account)
        made.settings = NOTICES | ({} if self.database is None else {"TRACUU_DATABASE__URL": self.database})
        return made

    @asynccontextmanager
    async def watching(self, gateway: GatewayProcess) -> AsyncIterator[None]:
        """It runs, and has polled both systems to their end."""
        async with running(gateway):
            await self.smsc.bound()
            for system in self.systems:
                self.pages[system.name] = await self.store.polled(system.name, after=self.pages.get(system.name, 0))
            yield

    async def told(self, singles: Sequence[tuple[ChangingSystem, Sequence[str]]]) -> list[float]:
        """Wait until each of these changes was told; seconds from commit to submit_sm, sorted."""
        who = {code: number for each in self.plans for number, code in each.followers}
        wanted = [(who[code], code) for _, codes in singles for code in codes]
        await self.smsc.until(lambda: all(each in self.handsets.heard for each in wanted))
        return sorted(
            self.handsets.heard[who[code], code][0][0] - system.history[code][0].committed_at
            for system, codes in singles
            for code in codes
        )


# ---- the proof


async def storm_and_polls(watched: Watched) -> list[float]:
    """All changes at once, then single ones, heard of by polling alone; latencies of the single ones."""
    figures = watched.figures
    polled = "poll_s = 1"
    async with watched.watching(watched.gateway(polled, polled, rate=figures.sms_rate)):
        pairs = list(zip(watched.systems, watched.plans, strict=True))
        async with asyncio.TaskGroup() as group:
            for system, each in pairs:
                group.create_task(system.storm(each.storm, writers=WRITERS, seed=SEED))
        for system in watched.systems:
            await watched.store.caught_up(system, within=figures.patience / 2)
        await watched.store.sent()
        singles = [(system, each.singles[0][: figures.samples // 2]) for system, each in pairs]
        async with asyncio.TaskGroup() as group:
            for system, codes in singles:
                group.create_task(change_singly(system, codes, figures.pace / len(pairs), seed=SEED))
        latencies = await watched.told(singles)
        await watched.store.sent()
    return latencies


async def told_at_once(watched: Watched) -> tuple[list[float], list[float]]:
    """The same systems after a restart, which tell by themselves: latencies of LISTEN and of the webhook."""
    figures, (notifying, calling) = watched.figures, watched.systems
    hook = f'poll_s = {RARELY}, hook_keys = [{{ id = "{KEY[0]}", secret = "{KEY[1]}" }}]'
    gateway = watched.gateway(f"poll_s = {RARELY}, listen = true", hook)
    install_trigger(gateway, notifying)
    async with watched.watching(gateway):
        await listened(notifying)  # which makes another poll
        await asyncio.gather(*(watched.store.unmoved(system.name) for system in watched.systems))
        heard = [(notifying, watched.plans[0].singles[1])]
        await change_singly(*heard[0], figures.pace, seed=SEED)
        listening = await watched.told(heard)
        called = [(calling, watched.plans[1].singles[1])]
        async with caller(gateway, calling.name) as call:
            await change_singly(*called[0], figures.pace, call, seed=SEED)
        hooks = await watched.told(called)
        await watched.store.sent()
    return listening, hooks


def in_figures(latencies: Sequence[float]) -> str:
    ordered = sorted(latencies)
    p50, p99 = (percentile(ordered, share) * 1000 for share in (0.5, 0.99))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {max(ordered, default=0) * 1000:.0f} ms ({len(ordered)})"


@asynccontextmanager
async def watched_systems(
    directory: Path, postgres: Postgres, mariadb: Mariadb, figures: Figures, store_on: str
) -> AsyncIterator[Watched]:
    """Everything but the gateway: planted systems, followers in a store, an SMSC."""
    today, handsets = local_day(datetime.now(UTC)), Handsets()
    half = figures.dossiers // 2
    async with AsyncExitStack() as stack:
        made = (
            changing_system("thanhhoa", lambda: PostgresDatabase(postgres), "H51.18", half, today, seed=SEED),
            changing_system("opencps", lambda: MariadbDatabase(mariadb), "H51.29", half, today, seed=SEED),
        )
        systems = [stack.enter_context(each) for each in made]
        url = None
        if store_on == "postgresql":
            url = stack.enter_context(migrated(postgres, "told")).url
        else:
            upgrade(sqlite_url(directory / STORE))
        store = await stack.enter_async_context(opened(url or f"sqlite+aiosqlite:///{directory / STORE}"))
        plans = [plan(system, figures, (turn + 1) * 1_000_000) for turn, system in enumerate(systems)]
        for system, each in zip(systems, plans, strict=True):
            await store.follow(system, each.followers, ACCOUNT)
        options = SmscOptions(window=100, record=False)
        smsc = await stack.enter_async_context(Smsc(options, on_reply=handsets.ring))
        yield Watched(
            directory=directory,
            smsc=smsc,
            handsets=handsets,
            store=store,
            systems=systems,
            plans=plans,
            figures=figures,
            database=url,
        )


@pytest.mark.parametrize(
    ("figures", "store_on"),
    [
        pytest.param(SCALED, "sqlite", id="scaled"),
        pytest.param(FULL, "sqlite", id="full-sqlite", marks=pytest.mark.long),
        pytest.param(FULL, "postgresql", id="full-postgresql", marks=pytest.mark.long),
    ],
)
async def test_every_change_is_seen_and_told_once_and_the_final_state_last(
    figures: Figures,
    store_on: str,
    tmp_path: Path,
    postgres: Postgres,
    mariadb: Mariadb,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with (
        asyncio.timeout(figures.patience),
        watched_systems(tmp_path, postgres, mariadb, figures, store_on) as watched,
    ):
        polls = await storm_and_polls(watched)
        before = watched.handsets.messages
        listening, hooks = await told_at_once(watched)
        accounts = [
            await settle_accounts(
                system, watched.store, watched.handsets, each.followers, Texts(system, tmp_path / "agencies.toml")
            )
            for system, each in zip(watched.systems, watched.plans, strict=True)
        ]

    tell(
        capsys,
        f"{figures.dossiers} dossiers on PostgreSQL and MariaDB, our store on {store_on}; "
        f"{2 * WRITERS} writers at once, {figures.sms_rate} SMS a second:",
    )
    for system, account in zip(watched.systems, accounts, strict=True):
        tell(capsys, f"  {system.name}: {account}; last notice behind the last change: {in_figures(account.behind)}")
    for way, latencies in {"polling every second": polls, "LISTEN": listening, "webhook": hooks}.items():
        tell(capsys, f"  from commit to submit_sm by {way}: {in_figures(latencies)}")

    assert watched.handsets.strange == []
    assert watched.handsets.messages == sum(account.told for account in accounts)
    assert watched.handsets.messages - before == 2 * figures.samples, "the restart told somebody again"
    assert figures is SCALED or any(account.merged for account in accounts), "the account is too fast for this test"
    assert sum(account.changes for account in accounts) >= figures.changes * 0.9
    assert actions(tmp_path)["changes.held"] == 0
    assert_quiet(tmp_path)
