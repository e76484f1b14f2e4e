"""The watcher with the real planner over a real store (SQLite): what is changed is told once, whatever happens between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.store.sqlite import SqliteStore
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.notices import Known
from notifications.delivery import close_hold
from notifications.looking import LookingAt
from notifications.mass import HoldRules, MassGuard
from notifications.reading import CarefulReader
from notifications.watcher import SourceWatcher, TimedFeed, WatchRules
from tests.contract.stores import SqliteKit
from tests.unit.looking_up import FakeSource
from tests.unit.planning import make_planner
from tests.unit.watching import NEVER, Counted, FakeFeed, FakeFreshness, codes, until

RULES = WatchRules(page=50, looks_every=0.001, followed_every=NEVER, first_pause=0.001)
ACCEPTED, IN_PROCESS, DONE = DossierStatus.ACCEPTED, DossierStatus.IN_PROCESS, DossierStatus.DONE
SOURCE = "province"


class Gateway:
    """A store somebody follows dossiers in, a source, and watchers over both."""

    def __init__(self, kit: SqliteKit, store: SqliteStore) -> None:
        self.kit = kit
        self.notices = store.notices()
        self.source = FakeSource(name=SOURCE)
        self.counted = Counted()

    def has(self, wanted: list[DossierCode], status: DossierStatus) -> None:
        self.source.states.update({each.text: status for each in wanted})

    async def follow(self, wanted: list[DossierCode], status: DossierStatus) -> None:
        """Each by somebody else, who was shown this state."""
        known = Known(status).text
        rows = [
            self.kit.following(each.reference, recipient=f"sms:849{number:08}", known=known)
            for number, each in enumerate(wanted)
        ]
        await self.kit.put("subscription", *rows)

    def watcher(self, *feeds: FakeFeed) -> SourceWatcher:
        """As a process begins."""
        looking = LookingAt(
            source=self.source,
            reader=CarefulReader(self.source, time_limit=5.0),
            notices=self.notices,
            planner=make_planner(),
            freshness=FakeFreshness(),
            guard=MassGuard(HoldRules(share=0.2, least=50, window=timedelta(minutes=15))),
            clock=self.kit.clock,
            new_id=self.kit.new_id,
            count=self.counted,
        )
        looking.planner._new_id = self.kit.new_id  # type: ignore[attr-defined]
        timed = [TimedFeed(feed=feed, every=0.001) for feed in feeds]
        return SourceWatcher(looking, timed, rules=RULES, monotonic=asyncio.get_running_loop().time)

    async def watch(self, feed: FakeFeed) -> None:
        feed.at_the_end.clear()
        await until(feed.at_the_end.is_set, self.watcher(feed))

    async def told(self, state: str = "ready") -> Counter[str]:
        """How many notices wait of each dossier."""
        return Counter(row["dossier_code"] for row in await self.kit.rows("outbox") if row["state"] == state)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    kit = SqliteKit(tmp_path)
    try:
        yield Gateway(kit, await kit.open())
    finally:
        await kit.close()


async def test_a_change_after_the_baseline_is_told_once_over_restarts_and_repeats(gateway: Gateway) -> None:
    feed = FakeFeed()
    gateway.has(codes(120), ACCEPTED)
    for first in (1, 41, 81):
        feed.page(codes(40, first=first), baseline=True)
    await gateway.follow(codes(120), ACCEPTED)
    await gateway.watch(feed)
    assert not await gateway.told()
    assert len(await gateway.kit.rows("dossier_seen")) == 120

    gateway.has(codes(3), IN_PROCESS)
    for _ in range(3):
        feed.page(codes(10))
    await gateway.watch(feed)
    await gateway.watch(feed)
    assert await gateway.told() == {each.reference: 1 for each in codes(3)}


async def test_two_changes_before_the_first_left_are_one_notice_of_the_later(gateway: Gateway) -> None:
    feed = FakeFeed()
    gateway.has(codes(1), ACCEPTED)
    feed.page(codes(1), baseline=True)
    await gateway.follow(codes(1), ACCEPTED)
    await gateway.watch(feed)
    for status in (IN_PROCESS, DONE):
        gateway.has(codes(1), status)
        feed.page(codes(1))
        await gateway.watch(feed)
    (row,) = [row for row in await gateway.kit.rows("outbox") if row["state"] == "ready"]
    assert row["text"].startswith("ready")
    assert await gateway.told("merged") == {codes(1)[0].reference: 1}


async def test_dossiers_asked_for_are_looked_at_and_an_unreadable_one_is_kept(gateway: Gateway) -> None:
    good, bad = codes(2)
    gateway.has([good, bad], IN_PROCESS)
    gateway.source.poison = {bad.text}
    await gateway.follow([good, bad], ACCEPTED)
    await gateway.notices.look(SOURCE, [good, bad], nonce="n", keep_until=gateway.kit.clock.now + timedelta(minutes=10))
    watcher = gateway.watcher()
    await until(lambda: bool(gateway.counted.notices), watcher)
    (kept,) = await gateway.kit.rows("look")
    assert (kept["dossier_code"], kept["attempts"]) == (bad.reference, 1)

    gateway.source.poison = set()
    gateway.kit.clock.advance(3_600)
    await until(lambda: sum(gateway.counted.notices.values()) == 2, watcher)
    assert await gateway.told() == {good.reference: 1, bad.reference: 1}
    assert not await gateway.kit.rows("look")


async def test_a_mass_change_waits_for_an_operator_and_leaves_when_released(gateway: Gateway) -> None:
    feed = FakeFeed()
    gateway.has(codes(300), ACCEPTED)
    feed.page(codes(300), baseline=True)
    await gateway.follow(codes(300), ACCEPTED)
    await gateway.watch(feed)
    gateway.kit.clock.advance(60)  # a count of the tracked may be some seconds old

    gateway.has(codes(300), IN_PROCESS)
    for first in range(1, 301, 50):
        feed.page(codes(50, first=first))
    await gateway.watch(feed)
    assert not await gateway.told()
    assert sum((await gateway.told("held")).values()) == 300
    (hold,) = await gateway.notices.holds()
    assert (hold.source, hold.tracked, hold.waiting) == (SOURCE, 300, 300)

    assert await close_hold(gateway.notices, hold.id, release_at=gateway.kit.clock.now) == 300
    assert sum((await gateway.told()).values()) == 300
    assert not await gateway.notices.holds()
