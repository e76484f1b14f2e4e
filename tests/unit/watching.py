"""A watcher with everything around it, for tests: a source and a store in dictionaries, feeds that are written out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.errors import SourceUnavailable
from domain.message import Address
from domain.notices import Known, NoticeKind
from notifications.looking import Applicants, LookingAt
from notifications.mass import HoldRules, MassGuard
from notifications.planning import Looked
from notifications.ports import (
    Follower,
    Heard,
    Hold,
    JoinedWay,
    LiveFeed,
    Look,
    NewNotice,
    Recording,
    Review,
    SeenDossier,
    Sighting,
    Stoppage,
)
from notifications.reading import CarefulReader
from notifications.watcher import SourceWatcher, TimedFeed, WatchRules
from tests.unit.looking_up import Clock, FakeSource

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # a Monday, ten in the morning
SOURCE = "h51"
US = Address("sms", "8099")
SOON = WatchRules(page=10, looks_every=0.001, followed_every=0.001, followed_pause=0.001, first_pause=0.001)
NEVER = 3_600.0


def code(number: int) -> DossierCode:
    return DossierCode(text=f"H51.18-260601-{number:04}", agency="H51.18")


def codes(count: int, first: int = 1) -> list[DossierCode]:
    return [code(number) for number in range(first, first + count)]


def seen(which: DossierCode, status: DossierStatus = DossierStatus.ACCEPTED, **more: Any) -> SeenDossier:
    row = SeenDossier(source=SOURCE, code=which, version=1, known=Known(status), agency="H51.18", first_seen_at=NOW)
    return replace(row, **more)


def follower(which: DossierCode, number: str = "84912345678") -> Follower:
    address = Address("sms", number)
    return Follower(address=address, channel="sms", account="viettel", sender=US, code=which, source=SOURCE)


class Ids:
    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> int:
        self.last += 1
        return self.last


@dataclass
class FakePlanner:
    """Tells every follower of every change: what a watcher needs of notifications.planning.Planner."""

    new_id: Callable[[], int] = field(default_factory=Ids)
    looked: list[Looked] = field(default_factory=list)
    bug: Exception | None = None  # raised while `bug_of` is among those looked at
    bug_of: DossierCode | None = None

    def changed(self, looked: Looked) -> Sequence[DossierCode]:
        return [] if looked.baseline else [code for code in looked.dossiers if self._differs(looked, code)]

    def plan(self, looked: Looked) -> Recording:
        if self.bug is not None and self.bug_of in looked.dossiers:
            raise self.bug
        self.looked.append(looked)
        changed = [each for each in looked.dossiers if self._differs(looked, each)]
        sightings = [self._sighting(looked, each) for each in changed]
        told = [] if looked.baseline else changed
        notices = [self._notice(looked, one) for each in told for one in looked.review.followers.get(each, ())]
        return Recording(source=looked.source, sightings=sightings, notices=notices)

    def remind(self, source: str, listed: Sequence[SeenDossier], review: Review, now: datetime) -> Recording:
        rows = [review.seen.get(each.code, each) for each in listed]
        raised = [replace(row, version=row.version + 1, reminded_for=row.due_on) for row in rows]
        sightings = [Sighting(dossier=new, expected=row.version) for new, row in zip(raised, rows, strict=True)]
        looked = Looked(source=source, review=review, dossiers={}, now=now, holding=review.holding)
        notices = [self._notice(looked, one) for row in rows for one in review.followers.get(row.code, ())]
        return Recording(source=source, sightings=sightings, notices=notices)

    @staticmethod
    def _differs(looked: Looked, which: DossierCode) -> bool:
        before = looked.review.seen.get(which)
        return before is None or before.known != Known.of(looked.dossiers[which])

    @staticmethod
    def _sighting(looked: Looked, which: DossierCode) -> Sighting:
        before = looked.review.seen.get(which)
        version = 0 if before is None else before.version
        row = seen(which, version=version + 1, known=Known.of(looked.dossiers[which]), source=looked.source)
        return Sighting(dossier=row, expected=version or None)

    def _notice(self, looked: Looked, told: Follower) -> NewNotice:
        before = looked.review.seen.get(told.code)
        return NewNotice(
            id=self.new_id(),
            channel=told.channel,
            account=told.account,
            recipient=told.address,
            sender=told.sender,
            text="text",
            language="vi",
            kind=NoticeKind.IN_PROCESS,
            created_at=looked.now,
            available_at=looked.now,
            expires_at=looked.now + timedelta(days=3),
            source=looked.source,
            code=told.code,
            version=1 if before is None else before.version + 1,
            held=looked.holding,
        )


@dataclass
class FakeNotices:
    """notifications.ports.Notices in dictionaries, with what goes wrong written beforehand. `before_record` runs inside
    `record`, before anything is written.
    """

    seen: dict[DossierCode, SeenDossier] = field(default_factory=dict)
    follows: dict[DossierCode, list[Follower]] = field(default_factory=dict)
    positions: dict[str, str] = field(default_factory=dict)
    kept: dict[int, Look] = field(default_factory=dict)
    not_before: dict[DossierCode, datetime] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)
    outbox: list[NewNotice] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    open_holds: list[Hold] = field(default_factory=list)
    planned: list[Stoppage] = field(default_factory=list)
    days: dict[Address, list[datetime]] = field(default_factory=dict)  # when notices to people leave
    following: dict[Address, int] = field(default_factory=dict)  # how many dossiers people follow
    all_tracked: int = 0
    failures: list[Exception] = field(default_factory=list)  # of the next calls of record
    away: Exception | None = None
    conflicts: list[frozenset[DossierCode]] = field(default_factory=list)  # of the next calls of record
    before_record: Callable[[], Awaitable[None]] | None = None
    after_record: asyncio.Event = field(default_factory=asyncio.Event)
    registered: list[SeenDossier] = field(default_factory=list)
    promised: list[SeenDossier] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    counts: dict[str, list[int]] = field(default_factory=dict)  # what fall_back, end_followings, close_hold give

    def _reach(self) -> None:
        if self.away is not None:
            raise self.away

    async def cursors(self, source: str) -> Mapping[str, str]:
        self._reach()
        return dict(self.positions)

    async def review(
        self, source: str, wanted: Sequence[DossierCode], *, booked_since: datetime | None = None
    ) -> Review:
        self._reach()
        return Review(
            source=source,
            seen={each: self.seen[each] for each in wanted if each in self.seen},
            followers={each: self.follows[each] for each in wanted if each in self.follows},
            holding=bool(self.open_holds),
        )

    async def booked(self, people: Collection[Address], since: datetime) -> Mapping[Address, Sequence[datetime]]:
        self._reach()
        return {each: self.days[each] for each in people if each in self.days}

    async def follow_counts(self, people: Collection[Address]) -> Mapping[Address, int]:
        self._reach()
        return {each: self.following[each] for each in people if each in self.following}

    async def record(self, recording: Recording) -> frozenset[DossierCode]:
        self._reach()
        if self.before_record is not None:
            await self.before_record()
        if self.failures:
            raise self.failures.pop(0)
        conflicts = self.conflicts.pop(0) if self.conflicts else frozenset()
        conflicts &= {sighting.dossier.code for sighting in recording.sightings}
        conflicts |= {each.dossier.code for each in recording.sightings if self._version(each) != each.expected}
        if conflicts:
            return conflicts
        self._write(recording)
        return frozenset()

    def _version(self, sighting: Sighting) -> int | None:
        row = self.seen.get(sighting.dossier.code)
        return None if row is None else row.version

    def _write(self, recording: Recording) -> None:
        self.recordings.append(recording)
        self.seen.update({each.dossier.code: each.dossier for each in recording.sightings})
        self.positions.update(recording.cursors)
        self.outbox += recording.notices
        for identifier in recording.looked:
            self.kept.pop(identifier, None)
        self.not_before.update(recording.look_again)
        for which in recording.look_again:
            earlier = next((each for each in self.kept.values() if each.code == which), None)
            identifier = earlier.id if earlier else 1000 + len(self.kept)
            self.kept[identifier] = Look(id=identifier, code=which, attempts=earlier.attempts + 1 if earlier else 1)
        if recording.opens_hold is not None:
            self.open_holds.append(recording.opens_hold)
        self.after_record.set()

    async def tracked(self, source: str) -> int:
        return self.all_tracked or len(self.seen)

    async def followed(self, source: str, after: str, limit: int) -> Sequence[DossierCode]:
        self._reach()
        return sorted(each for each in self.follows if each.reference > after)[:limit]

    async def look(self, source: str, wanted: Sequence[DossierCode], *, nonce: str, keep_until: datetime) -> bool:
        for each in wanted:
            identifier = 1 + len(self.kept)
            self.kept[identifier] = Look(id=identifier, code=each)
        return True

    async def looks(self, source: str, limit: int) -> Sequence[Look]:
        self._reach()
        return [look for _, look in sorted(self.kept.items()) if look.code not in self.not_before][:limit]

    async def to_remind(self, day: date, limit: int) -> Sequence[SeenDossier]:
        self._reach()
        self.asked.append(("to_remind", day))
        return [row for row in self.seen.values() if row.due_on == day and row.reminded_for != day][:limit]

    async def waiting(self, before: datetime, limit: int) -> Sequence[SeenDossier]:
        self._reach()
        self.asked.append(("waiting", before))
        return [row for row in self.registered if row.received_at is not None and row.received_at < before][:limit]

    async def late_by(self, day: date, since: date, limit: int) -> Sequence[SeenDossier]:
        self._reach()
        self.asked.append(("late_by", day, since))
        return [row for row in self.promised if row.due_on is not None and since <= row.due_on <= day][:limit]

    async def enqueue(self, notices: Sequence[NewNotice], *, once: str = "") -> bool:
        self._reach()
        if self.failures:
            raise self.failures.pop(0)
        if once in self.used:
            return False
        self.used |= {once} - {""}
        there = {(row.subject, row.version, row.recipient) for row in self.outbox}
        self.outbox += [row for row in notices if (row.subject, row.version, row.recipient) not in there]
        return True

    async def fall_back(self, new_ids: Sequence[int], way: JoinedWay | None = None) -> int:
        self._reach()
        self.asked.append(("fall_back", tuple(new_ids)))
        return self._next("fall_back")

    async def end_followings(self, before: datetime, limit: int) -> int:
        self._reach()
        self.asked.append(("end_followings", before))
        return self._next("end_followings")

    async def close_hold(self, hold: int, *, release_at: datetime | None, limit: int) -> int:
        self.asked.append(("close_hold", hold, release_at))
        return self._next("close_hold")

    def _next(self, name: str) -> int:
        waiting = self.counts.get(name)
        return waiting.pop(0) if waiting else 0

    async def holds(self) -> Sequence[Hold]:
        return list(self.open_holds)

    async def stoppages(self, now: datetime) -> Sequence[Stoppage]:
        self._reach()
        return [each for each in self.planned if each.ends_at > now]

    async def plan_stoppage(self, stoppage: Stoppage) -> None:
        self.planned.append(stoppage)

    async def cancel_stoppage(self, identifier: int) -> bool:
        return False

    async def followers_page(self, after: str, limit: int) -> Sequence[Follower]:
        self._reach()
        everybody = {one.address.urn: one for each in self.follows.values() for one in each}
        return [everybody[urn] for urn in sorted(everybody) if urn > after][:limit]


@dataclass
class FakeFeed:
    """Gives the pages written in `pages`, by position; the cursor is the number of the next page. `failure` is raised
    while it is set. Behind the last page it gives nothing.
    """

    name: str = "poll"
    pages: list[Heard] = field(default_factory=list)
    failure: Exception | None = None
    asked: list[str | None] = field(default_factory=list)
    at_the_end: asyncio.Event = field(default_factory=asyncio.Event)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def page(self, wanted: Sequence[DossierCode], *, baseline: bool = False) -> None:
        self.pages.append(Heard(codes=wanted, baseline=baseline))

    async def next(self, cursor: str | None) -> Heard:
        self.asked.append(cursor)
        self.called.set()
        if self.failure is not None:
            raise self.failure
        position = int(cursor or 0)
        if position >= len(self.pages):
            self.at_the_end.set()
            return Heard(cursor=str(position))
        more = position + 1 < len(self.pages)
        return replace(self.pages[position], cursor=str(position + 1), more=more)

    async def close(self) -> None:
        pass


@dataclass
class FakeLive:
    """Tells what is put into `queue`; an exception ends the connection."""

    name: str = "listen"
    queue: asyncio.Queue[Heard | Exception] = field(default_factory=asyncio.Queue)
    connected: int = 0

    async def listen(self) -> AsyncGenerator[Heard, None]:
        self.connected += 1
        yield Heard(missed=True)
        while True:
            told = await self.queue.get()
            if isinstance(told, Exception):
                raise told
            yield told


@dataclass
class FakeFreshness:
    announced: list[DossierCode] = field(default_factory=list)

    async def announce(self, changed: Sequence[DossierCode]) -> None:
        self.announced += changed


@dataclass
class Counted:
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    notices: Counter[NoticeKind] = field(default_factory=Counter)
    held: int = 0
    steps: list[str] = field(default_factory=list)

    def changes_seen(self, source: str, feed: str, count: int) -> None:
        self.changes[source, feed] += count

    def noticed(self, kind: NoticeKind, count: int) -> None:
        self.notices[kind] += count

    def mass_change(self, source: str) -> None:
        self.held += 1

    def looked(self, source: str, feed: str, seconds: float) -> None:
        self.steps.append(feed)


@dataclass
class Watch:
    """One source's watcher and what it stands on."""

    source: FakeSource = field(default_factory=lambda: FakeSource(name=SOURCE))
    notices: FakeNotices = field(default_factory=FakeNotices)
    planner: FakePlanner = field(default_factory=FakePlanner)
    freshness: FakeFreshness = field(default_factory=FakeFreshness)
    counted: Counted = field(default_factory=Counted)
    clock: Clock = field(default_factory=Clock)
    rules: HoldRules = field(default_factory=lambda: HoldRules(share=0.2, least=50, window=timedelta(minutes=15)))
    applicants: Applicants | None = None

    def __post_init__(self) -> None:
        self.clock.now = NOW
        self.looking = LookingAt(
            source=self.source,
            reader=CarefulReader(self.source, time_limit=5.0),
            notices=self.notices,
            planner=self.planner,
            freshness=self.freshness,
            guard=MassGuard(self.rules),
            clock=self.clock,
            new_id=Ids(),
            count=self.counted,
            applicants=self.applicants,
        )

    def has(self, wanted: Collection[DossierCode], status: DossierStatus = DossierStatus.IN_PROCESS) -> None:
        """These are in this state in the source."""
        self.source.states.update({each.text: status for each in wanted})

    def saw(self, wanted: Collection[DossierCode], *, followed: bool = True) -> None:
        """These were accepted when they were looked at last, and somebody follows each."""
        self.notices.seen.update({each: seen(each) for each in wanted})
        if followed:
            self.notices.follows.update({each: [follower(each)] for each in wanted})

    def watcher(self, *feeds: FakeFeed, live: LiveFeed | None = None, rules: WatchRules = SOON) -> SourceWatcher:
        timed = [TimedFeed(feed=feed, every=0.001) for feed in feeds]
        monotonic = asyncio.get_running_loop().time
        return SourceWatcher(self.looking, timed, live=live, rules=rules, monotonic=monotonic)

    def told(self) -> list[DossierCode]:
        return [notice.code for notice in self.notices.outbox if notice.code is not None]


async def turn_by_turn(happened: Callable[[], bool], within: float = 60.0) -> None:
    """Let the others work until that is so."""
    async with asyncio.timeout(within):
        while not happened():  # noqa: ASYNC110 - what is waited for is a state, and nobody tells of it
            await asyncio.sleep(0)


async def until(happened: Callable[[], bool], watcher: SourceWatcher) -> None:
    """Watch until that is so, then cancel the watcher."""
    running = asyncio.ensure_future(watcher.run())
    try:
        await turn_by_turn(lambda: happened() or running.done())
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert happened()


def dossier(which: DossierCode, status: DossierStatus = DossierStatus.IN_PROCESS) -> Dossier:
    return Dossier(code=which, source=SOURCE, status=status, agency=which.agency)


AWAY = SourceUnavailable("h51 is away")
