"""Planned stoppages: what replies and pages say of the nearest one, and telling the people who follow something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import structlog

from domain.calendar import WorkCalendar, local_day
from domain.message import Address
from domain.notices import NoticeKind, Urgency
from domain.replies import Voice
from domain.stoppage import Announced
from notifications.ports import Follower, NewNotice, Notices, Stoppage
from notifications.routing import Routing
from notifications.schedule import ScheduleRules, slot

log = structlog.get_logger()

PAGE = 500  # followers told in one transaction
NOTICE_DAYS = 7  # working days before a planned stoppage that it is to be announced (decree 224/2026 art. 13)


class StoppageTexts(Protocol):
    """domain.notice_texts.NoticeWriter, as far as stoppages are concerned."""

    def stoppage(self, starts_at: datetime, ends_at: datetime, voice: Voice, *, text: str = "") -> str: ...


@dataclass(slots=True, kw_only=True)
class Stoppages:
    """What is announced, read now and then: an answer must not wait for the store."""

    notices: Notices
    clock: Callable[[], datetime]
    _planned: Sequence[Stoppage] = ()

    async def refresh(self) -> None:
        """Read them again; to be called every minute.

        Raises:
            StoreUnavailable: what was read before still holds.
        """
        self._planned = await self.notices.stoppages(self.clock())

    def announced(self) -> Announced | None:
        """The nearest that is not over."""
        now = self.clock()
        for each in self._planned:
            if each.ends_at > now:
                return Announced(starts_at=each.starts_at, ends_at=each.ends_at, texts=each.texts)
        return None


@dataclass(slots=True, kw_only=True)
class StoppageNotices:
    """Tells followers where the operator chose so: once each, restarts included; who begins to follow later reads it in
    their answers. Their quiet hours are kept, their daily count is not: it is one message, and a duty. `names` by account:
    see notifications.planning.Planner.
    """

    notices: Notices
    writer: StoppageTexts
    voice: Callable[[Follower, datetime], Voice]
    schedule: ScheduleRules
    calendar: WorkCalendar
    clock: Callable[[], datetime]
    new_id: Callable[[], int]
    routing: Routing = field(default_factory=Routing)
    names: Mapping[str, Address] = field(default_factory=dict)
    _done: set[int] = field(default_factory=set)

    async def tick(self) -> None:
        """Tell everybody of what is planned and has not begun.

        Raises:
            StoreUnavailable, StoreUncertain: to be called again; nobody is told twice.
        """
        now = self.clock()
        for each in await self.notices.stoppages(now):
            if each.tell_followers and each.id not in self._done and now < each.starts_at:
                told = await self._tell(each)
                self._done.add(each.id)
                log.info("stoppage.told", stoppage=each.id, followers=told)

    async def _tell(self, stoppage: Stoppage) -> int:
        """Page by page, all of them again after a restart: whom there is a notice for already is not sent another, by
        the outbox' unique key.
        """
        after, told = "", 0
        while followers := await self.notices.followers_page(after, PAGE):
            routed = await self.routing.followers(followers)
            await self.notices.enqueue([self._notice(stoppage, each) for each in routed])
            told += len(followers)
            after = followers[-1].address.urn
        return told

    def _notice(self, stoppage: Stoppage, follower: Follower) -> NewNotice:
        now = self.clock()
        leaves = slot(Urgency.NORMAL, now, (), self.schedule, self.calendar)
        voice = self.voice(follower, leaves.available_at)
        text = stoppage.texts.get(voice.language, "")
        return NewNotice(
            id=self.new_id(),
            channel=follower.channel,
            account=follower.account,
            recipient=follower.address,
            sender=self.names.get(follower.account, follower.sender),
            text=self.writer.stoppage(stoppage.starts_at, stoppage.ends_at, voice, text=text),
            language=voice.language,
            kind=NoticeKind.STOPPAGE,
            created_at=now,
            available_at=leaves.available_at,
            expires_at=stoppage.ends_at,
            subject=f"stoppage-{stoppage.id}",
            version=1,
            reason=leaves.reason,
        )


def announced_too_late(starts_at: datetime, now: datetime, calendar: WorkCalendar) -> date | None:
    """The first day a stoppage announced now could begin, where this one begins earlier; None: there is time enough."""
    first = calendar.add_working_days(local_day(now), NOTICE_DAYS)
    return first if local_day(starts_at) < first else None
