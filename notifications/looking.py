"""One step of a watcher: some codes are read, compared with what is stored, announced and recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from domain.codes import DossierCode
from domain.errors import SourceMisread
from domain.notices import NoticeKind
from notifications.mass import MassGuard
from notifications.planning import Looked, NewContact
from notifications.ports import Contacts, DossierReader, Freshness, Hold, Look, Notices, Recording, Review
from notifications.reading import CarefulReader, Read
from notifications.routing import Routing
from notifications.schedule import day_began

log = structlog.get_logger()

CONFLICT_ROUNDS = 5
BEGAN = ".began"  # behind the name of a feed, kept like its cursor: it went on after its baseline
FIRST_AGAIN = timedelta(seconds=1)
LATEST_AGAIN = timedelta(hours=1)
SEARCH_FROM = 3  # tries after which a record is suspected rather than the system
SETTLE_FROM = 10  # tries after which what cannot be read is kept to be looked at later


class Planning(Protocol):
    """notifications.planning.Planner, as far as a watcher needs it."""

    def changed(self, looked: Looked) -> Sequence[DossierCode]: ...

    def plan(self, looked: Looked) -> Recording: ...


class Counting(Protocol):
    """What a watcher counts; all of it returns at once."""

    def changes_seen(self, source: str, feed: str, count: int) -> None: ...

    def noticed(self, kind: NoticeKind, count: int) -> None: ...

    def looked(self, source: str, feed: str, seconds: float) -> None: ...

    def mass_change(self, source: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicants:
    """The numbers on the dossiers themselves, which the agency wants told. `reach` makes an address of a number as the
    source has it; None: nothing can be sent there. `most`: whoever follows so many dossiers is made to follow no more: it
    is the number of an office, whose days would be full for weeks.
    """

    contacts: Contacts
    reach: Callable[[str], NewContact | None]
    most: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Codes to look at in one step, why (`feed`), and what is recorded with them. `looks` may be of other codes too.
    `put_off`: they are not even read, but kept to be looked at later.
    """

    feed: str
    codes: Sequence[DossierCode]
    cursor: str | None = None  # of the feed
    baseline: bool = False
    looks: Sequence[Look] = ()
    put_off: bool = False


@dataclass(slots=True, kw_only=True)
class LookingAt:
    """How the codes of one source are looked at. Used by one watcher, one step at a time."""

    source: DossierReader
    reader: CarefulReader
    notices: Notices
    planner: Planning
    freshness: Freshness
    guard: MassGuard
    clock: Callable[[], datetime]
    new_id: Callable[[], int]
    count: Counting
    applicants: Applicants | None = None
    routing: Routing = field(default_factory=Routing)
    cursors: dict[str, str] = field(default_factory=dict)  # as stored
    holding: bool = False  # as the last review said

    async def look(self, batch: Batch, *, tries: int = 0, mass: bool = False) -> None:
        """Everything that follows from looking at these codes, recorded. `tries`: how often this failed before. `mass`:
        they are part of a mass change, whatever was counted so far.

        Raises:
            SourceUnavailable: the source did not answer; nothing was recorded.
            StoreUnavailable, StoreUncertain: it is not recorded, as far as is known; doing it again is safe.
        """
        codes = tuple(dict.fromkeys(batch.codes))
        read = Read(failed=dict.fromkeys(codes, True)) if batch.put_off else await self._read(codes, tries)
        if read.failed:
            log.warning("watch.not_read", source=self.source.name, feed=batch.feed, dossiers=len(read.failed))
        left_out: set[DossierCode] = set()
        rounds = 0
        while True:
            recording = await self._plan(batch, read, left_out, mass=mass)
            # Of what nobody has seen before a baseline there are no copies.
            seen_before = (each for each in recording.sightings if each.expected is not None or not batch.baseline)
            if changed := [sighting.dossier.code for sighting in seen_before]:
                await self.freshness.announce(changed)
            conflicts = await self._record(recording)
            if not conflicts:
                break
            rounds += 1
            if rounds >= CONFLICT_ROUNDS:
                left_out |= conflicts  # others keep writing these: the rest is not to wait for them
        self._recorded(batch, recording)

    async def changed(self, codes: Sequence[DossierCode], *, tries: int = 0) -> Sequence[DossierCode]:
        """Those of them that changed; nothing is recorded.

        Raises:
            SourceUnavailable, StoreUnavailable: it is not known.
        """
        read = await self._read(codes, tries)
        review = await self._review(codes, booked=False)
        contacts = await self._contacts(read, codes, review)
        return self.planner.changed(self._looked(read, codes, review, contacts))

    async def _read(self, codes: Sequence[DossierCode], tries: int) -> Read:
        return await self.reader.read(codes, search=tries >= SEARCH_FROM, settle=tries >= SETTLE_FROM)

    # ---- planning

    async def _plan(self, batch: Batch, read: Read, left_out: Collection[DossierCode], *, mass: bool) -> Recording:
        codes = [code for code in dict.fromkeys(batch.codes) if code not in read.failed and code not in left_out]
        review = await self._review(codes, booked=True)
        contacts = {} if batch.baseline else await self._contacts(read, codes, review)
        review, contacts = await self.routing.look(await self._with_booked(review, contacts), contacts)
        looked = self._looked(read, codes, review, contacts, baseline=batch.baseline)
        hold = await self._hold(looked, mass=mass)
        recording = self.planner.plan(replace(looked, holding=review.holding or hold is not None))
        failed = dict(read.failed) | dict.fromkeys(left_out, True)
        done = frozenset(codes)
        return replace(
            recording,
            cursors=self._moved(batch),
            looked=[look.id for look in batch.looks if look.code in done],
            look_again=self._look_again(batch, failed),
            opens_hold=hold,
        )

    async def _review(self, codes: Sequence[DossierCode], *, booked: bool) -> Review:
        if not codes:
            return Review(source=self.source.name, holding=self.holding)
        since = day_began(self.clock()) if booked else None
        review = await self.notices.review(self.source.name, codes, booked_since=since)
        if self.holding and not review.holding:
            self.guard.clear()  # an operator decided
        self.holding = review.holding
        return review

    async def _with_booked(self, review: Review, contacts: Mapping[DossierCode, Sequence[NewContact]]) -> Review:
        """With the day of whom new dossiers name: an office's number may stand on many."""
        people = {contact.address for of_one in contacts.values() for contact in of_one}
        if not people:
            return review
        booked = await self.notices.booked(people, day_began(self.clock()))
        return replace(review, booked={**booked, **review.booked})

    def _looked(
        self,
        read: Read,
        codes: Sequence[DossierCode],
        review: Review,
        contacts: Mapping[DossierCode, Sequence[NewContact]],
        *,
        baseline: bool = False,
    ) -> Looked:
        return Looked(
            source=self.source.name,
            review=review,
            dossiers={code: read.dossiers[code] for code in codes if code in read.dossiers},
            absent=[code for code in codes if code not in read.dossiers and code not in read.failed],
            now=self.clock(),
            baseline=baseline,
            holding=review.holding,
            contacts=contacts,
        )

    async def _contacts(
        self, read: Read, codes: Sequence[DossierCode], review: Review
    ) -> Mapping[DossierCode, Sequence[NewContact]]:
        """Of dossiers that were never seen before: the agency's wish makes somebody follow once, at the beginning."""
        new = [code for code in codes if code in read.dossiers and code not in review.seen]
        if self.applicants is None or not new:
            return {}
        try:
            numbers = await self.applicants.contacts.numbers(new)
        except SourceMisread as fault:
            log.error("watch.contacts_misread", source=self.source.name, error=str(fault))  # noqa: TRY400  # no bug
            return {}
        reached = {code: [self.applicants.reach(number) for number in of_one] for code, of_one in numbers.items()}
        return await self._bounded(
            {code: [one for one in each if one is not None] for code, each in reached.items()}, self.applicants.most
        )

    async def _bounded(
        self, contacts: Mapping[DossierCode, Sequence[NewContact]], most: int
    ) -> Mapping[DossierCode, Sequence[NewContact]]:
        """Without those who follow as many as anybody is made to."""
        people = {contact.address for of_one in contacts.values() for contact in of_one}
        counts = Counter(await self.notices.follow_counts(people) if people else {})
        kept: dict[DossierCode, Sequence[NewContact]] = {}
        for code, of_one in contacts.items():
            kept[code] = [contact for contact in of_one if counts[contact.address] < most]
            counts.update(contact.address for contact in kept[code])
        left_out = sum(len(kept[code]) < len(of_one) for code, of_one in contacts.items())
        if left_out:
            log.warning("watch.contacts_left_out", source=self.source.name, dossiers=left_out)
        return kept

    async def _hold(self, looked: Looked, *, mass: bool) -> Hold | None:
        """The hold that these changes open, if they do."""
        changes = self.guard.count(self.planner.changed(looked), looked.now)
        if looked.review.holding or not (mass or self.guard.exceeded(changes, 0)):
            return None
        tracked = await self.notices.tracked(self.source.name)
        if not mass and not self.guard.exceeded(changes, tracked):
            return None
        return Hold(id=self.new_id(), source=self.source.name, opened_at=looked.now, changes=changes, tracked=tracked)

    # ---- recording

    async def _record(self, recording: Recording) -> frozenset[DossierCode]:
        return await self.notices.record(recording) if _says_something(recording) else frozenset()

    def _recorded(self, batch: Batch, recording: Recording) -> None:
        """Told only once it is written."""
        self.cursors.update(recording.cursors)
        hold = recording.opens_hold
        if hold is not None:
            self.holding = True
            self.count.mass_change(self.source.name)
            log.error("changes.held", source=hold.source, hold=hold.id, changes=hold.changes, tracked=hold.tracked)
        if not batch.baseline:
            self.count.changes_seen(self.source.name, batch.feed, len(recording.sightings))
        for kind in {notice.kind for notice in recording.notices}:
            self.count.noticed(kind, sum(notice.kind is kind for notice in recording.notices))

    def _moved(self, batch: Batch) -> Mapping[str, str]:
        """Where the feed goes on, and once for all that it is past its beginning."""
        if batch.cursor is None:
            return {}
        moved = {batch.feed: batch.cursor}
        if not batch.baseline:
            moved[batch.feed + BEGAN] = "yes"
        return {feed: cursor for feed, cursor in moved.items() if self.cursors.get(feed) != cursor}

    def _look_again(self, batch: Batch, failed: Mapping[DossierCode, bool]) -> Mapping[DossierCode, datetime]:
        attempts = {look.code: look.attempts for look in batch.looks}
        now = self.clock()
        return {code: now + wait_before(attempts.get(code, 0), soon=soon) for code, soon in failed.items()}


def wait_before(attempts: int, *, soon: bool) -> timedelta:
    """How long a dossier that could not be read so often before is left alone. Not soon: it was misread, and somebody
    has to mend a mapping or a record first.
    """
    return min(FIRST_AGAIN * 2 ** min(attempts, 20), LATEST_AGAIN) if soon else LATEST_AGAIN


def _says_something(recording: Recording) -> bool:
    parts = (
        recording.sightings,
        recording.follows,
        recording.notices,
        recording.merged,
        recording.told,
        recording.cursors,
        recording.looked,
        recording.look_again,
        recording.opens_hold,
    )
    return any(parts)
