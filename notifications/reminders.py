"""Reminds the people who follow a dossier of its promised day, some days before: once a local day, in the morning."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Protocol

import structlog

from domain.calendar import LOCAL_ZONE, local_day
from domain.codes import DossierCode
from notifications.ports import Notices, Recording, Review, SeenDossier
from notifications.routing import Routing
from notifications.schedule import day_began

log = structlog.get_logger()

MORNING = time(8)  # local: after the night's changes are told, early enough to plan the next day
PAGE = 200
MOST_TRIES = 3  # of one dossier a day: others keep writing it


class Reminding(Protocol):
    """notifications.planning.Planner, as far as reminders need it."""

    def remind(self, source: str, seen: Sequence[SeenDossier], review: Review, now: datetime) -> Recording: ...


@dataclass(slots=True, kw_only=True)
class Reminders:
    """Called now and then; a dossier that was reminded of a day is not given by the store again."""

    notices: Notices
    planner: Reminding
    clock: Callable[[], datetime]
    days: int  # before the promised day; 0: nobody is reminded
    routing: Routing = field(default_factory=Routing)
    _done_on: date | None = None

    async def tick(self) -> None:
        """Remind of what is promised `days` from today, unless that is done.

        Raises:
            StoreUnavailable, StoreUncertain: to be called again; who was reminded is not reminded twice.
        """
        now = self.clock()
        today = local_day(now)
        if not self.days or self._done_on == today or now.astimezone(LOCAL_ZONE).time() < MORNING:
            return
        reminded = await self._remind(today + timedelta(days=self.days), now)
        self._done_on = today
        if reminded:
            log.info("reminders.written", notices=reminded)

    async def _remind(self, day: date, now: datetime) -> int:
        tries: Counter[tuple[str, DossierCode]] = Counter()
        reminded = 0
        while seen := await self.notices.to_remind(day, PAGE):
            tries.update((each.source, each.code) for each in seen)
            if any(tries[each.source, each.code] > MOST_TRIES for each in seen):
                # They come first every time, so that those behind them are out of reach today.
                log.error("reminders.stuck", dossiers=len(seen))
                return reminded
            for source, of_one in _by_source(seen).items():
                reminded += await self._record(source, of_one, now)
        return reminded

    async def _record(self, source: str, seen: Sequence[SeenDossier], now: datetime) -> int:
        """Those that somebody else wrote meanwhile come again with the next page."""
        review = await self.notices.review(source, [each.code for each in seen], booked_since=day_began(now))
        still = [each for each in seen if review.seen.get(each.code, each).due_on == each.due_on]
        recording = self.planner.remind(source, still, await self.routing.review(review), now)
        conflicts = await self.notices.record(recording)
        return 0 if conflicts else len(recording.notices)


def _by_source(seen: Sequence[SeenDossier]) -> Mapping[str, Sequence[SeenDossier]]:
    sources: defaultdict[str, list[SeenDossier]] = defaultdict(list)
    for each in seen:
        sources[each.source].append(each)
    return sources
