"""Tells an agency's officers of dossiers that wait to be accepted or are about to be late: once a working day each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

import structlog

from domain.agencies import Agencies, from_the_province_down
from domain.calendar import LOCAL_ZONE, WorkCalendar, local_day, local_moment
from domain.codes import DossierCode
from domain.message import Address
from domain.notices import NoticeKind, Urgency
from domain.replies import Voice
from notifications.ports import NewNotice, Notices, SeenDossier
from notifications.routing import Routing
from notifications.schedule import MIDNIGHT, ScheduleRules, slot
from notifications.switches import Switch, switched_off

log = structlog.get_logger()

MOST = 10_000  # dossiers of all agencies that one text counts
CODES_TOLD = 20  # handed to the writer, who tells as many as fit


class OfficerTexts(Protocol):
    """domain.notice_texts.NoticeWriter, as far as officers are concerned."""

    def officers(
        self, kind: NoticeKind, agency: str, codes: Sequence[DossierCode], total: int, voice: Voice, *, days: int = 0
    ) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerRules:
    """`officers`: by agency identifier, the addresses of its officers; those of an agency without any are its parent's.
    `waiting_days` and `late_soon_days` are working days.
    """

    officers: Mapping[str, Sequence[Address]]
    waiting_days: int
    late_soon_days: int
    schedule: ScheduleRules
    valid_for: timedelta
    off: Sequence[Switch] = ()


@dataclass(slots=True, kw_only=True)
class OfficerNotices:
    """Called now and then; what was told today is not told again, restarts and other processes included."""

    notices: Notices
    writer: OfficerTexts
    voice: Callable[[str, datetime], Voice]  # over an account
    rules: OfficerRules
    routing: Routing
    agencies: Agencies
    calendar: WorkCalendar
    clock: Callable[[], datetime]
    new_id: Callable[[], int]
    _done_on: date | None = None

    async def tick(self) -> None:
        """Tell today's once the office is open.

        Raises:
            StoreUnavailable, StoreUncertain: to be called again.
        """
        now = self.clock()
        today = local_day(now)
        if not self.rules.officers or self._done_on == today or not self._open(now, today):
            return
        told = 0
        for kind, seen in (
            (NoticeKind.OFFICERS_WAITING, await self._waiting(today)),
            (NoticeKind.OFFICERS_LATE, await self._late(today)),
        ):
            for agency, dossiers in self._by_officers(kind, seen, today).items():
                told += await self._tell(kind, agency, dossiers, now)
        self._done_on = today
        if told:
            log.info("officers.told", notices=told)

    def _open(self, now: datetime, today: date) -> bool:
        rules = self.rules.schedule
        return (
            self.calendar.working(today) and rules.office_from <= now.astimezone(LOCAL_ZONE).time() < rules.office_until
        )

    async def _waiting(self, today: date) -> Sequence[SeenDossier]:
        """Registered so long ago that the working days since then, today not counted, are all over."""
        first = self.calendar.add_working_days(today, -self.rules.waiting_days)
        return await self.notices.waiting(local_moment(first, MIDNIGHT), MOST)

    async def _late(self, today: date) -> Sequence[SeenDossier]:
        return await self.notices.late_by(self.calendar.add_working_days(today, self.rules.late_soon_days), today, MOST)

    async def _tell_of(self, kind: NoticeKind, seen: Sequence[SeenDossier], now: datetime) -> int:
        by_officers = self._by_officers(kind, seen, local_day(now))
        return sum([await self._tell(kind, agency, dossiers, now) for agency, dossiers in by_officers.items()])

    def _by_officers(
        self, kind: NoticeKind, seen: Sequence[SeenDossier], today: date
    ) -> Mapping[str, Sequence[SeenDossier]]:
        """By the agency whose officers are the nearest. Dossiers nobody is named for are left out."""
        grouped: defaultdict[str, list[SeenDossier]] = defaultdict(list)
        for dossier in seen:
            if switched_off(self.rules.off, dossier.agency, dossier.procedure, kind):
                continue
            agency = self._answering(dossier.agency, today)
            if agency:
                grouped[agency].append(dossier)
        return grouped

    def _answering(self, identifier: str, today: date) -> str:
        """The agency, or the nearest above it, that has officers; empty: none has."""
        for name in self._upwards(identifier, today):
            if name in self.rules.officers:
                return name
        return ""

    def _upwards(self, identifier: str, today: date) -> Iterator[str]:
        """Who answers for it today and everybody above, by the catalogue; then by the identifier's own levels."""
        agency = self.agencies.answering(identifier, today) or self.agencies.find(identifier)
        while agency is not None:
            yield agency.identifier
            agency = self.agencies.find(agency.parent) if agency.parent else None
        levels = from_the_province_down(identifier)
        for depth in range(len(levels), 0, -1):
            yield ".".join(levels[:depth])

    async def _tell(self, kind: NoticeKind, agency: str, dossiers: Sequence[SeenDossier], now: datetime) -> int:
        key = f"officers:{kind}:{agency}:{local_day(now)}"
        ways = await self.routing.reach(dict.fromkeys(self.rules.officers[agency]))
        voices = {way.account: self.voice(way.account, now) for way in ways.values()}
        codes = [dossier.code for dossier in dossiers[:CODES_TOLD]]
        texts = {
            account: self.writer.officers(kind, agency, codes, len(dossiers), voice, days=self.rules.waiting_days)
            for account, voice in voices.items()
        }
        leaves = slot(Urgency.OFFICE, now, (), self.rules.schedule, self.calendar)
        notices = [
            NewNotice(
                id=self.new_id(),
                channel=way.channel,
                account=way.account,
                sender=way.unasked,
                recipient=officer,
                text=texts[way.account],
                language=voices[way.account].language,
                kind=kind,
                created_at=now,
                available_at=leaves.available_at,
                expires_at=now + self.rules.valid_for,
                subject=key,
                version=1,
                reason=leaves.reason,
            )
            for officer, way in ways.items()
        ]
        return len(notices) if await self.notices.enqueue(notices, once=key) else 0
