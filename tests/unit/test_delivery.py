"""Delivery's own work: the next channel, followings that are over, holds given back, planned stoppages told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

import pytest

from domain.calendar import LOCAL_ZONE, WorkCalendar
from domain.errors import StoreUnavailable
from domain.notices import NoticeKind
from domain.replies import Voice
from notifications.delivery import FALL_BACK_PAGE, Delivery, close_hold
from notifications.ports import Follower, Hold, Outbox, Stoppage
from notifications.schedule import ScheduleRules
from notifications.stoppages import StoppageNotices, Stoppages, announced_too_late
from tests.unit.watching import FakeNotices, Ids, code, follower

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class FakeOutbox:
    async def deferred(self) -> Mapping[tuple[str, str], int]:
        return {("viettel", "quiet_hours"): 7}


def delivery(notices: FakeNotices) -> Delivery:
    return Delivery(
        notices=notices,
        outbox=cast("Outbox", FakeOutbox()),
        clock=lambda: NOW,
        new_id=Ids(),
        keep_closed=timedelta(days=90),
    )


async def test_everything_is_done_until_nothing_is_left() -> None:
    notices = FakeNotices(counts={"fall_back": [FALL_BACK_PAGE, 3], "end_followings": [500, 500, 20, 0]})
    await delivery(notices).tick()
    done = [asked[0] for asked in notices.asked]
    assert (done.count("fall_back"), done.count("end_followings")) == (2, 4)
    assert ("end_followings", NOW - 90 * DAY) in notices.asked


async def test_every_notice_that_falls_back_has_an_id_of_its_own() -> None:
    notices = FakeNotices(counts={"fall_back": [FALL_BACK_PAGE, FALL_BACK_PAGE, 0]})
    await delivery(notices).tick()
    offered = [identifier for asked in notices.asked if asked[0] == "fall_back" for identifier in asked[1]]
    assert len(offered) == len(set(offered)) == 3 * FALL_BACK_PAGE


async def test_one_tick_ends_even_if_there_is_always_more() -> None:
    notices = FakeNotices(counts={"fall_back": [FALL_BACK_PAGE] * 10_000})
    await delivery(notices).tick()
    assert len([asked for asked in notices.asked if asked[0] == "fall_back"]) == 100


async def test_what_is_deferred_and_held_can_be_seen() -> None:
    holds = [Hold(id=1, source="h51", opened_at=NOW, changes=300, tracked=1_000, waiting=250)]
    service = delivery(FakeNotices(open_holds=holds))
    await service.tick()
    assert service.deferred == {("viettel", "quiet_hours"): 7}
    assert service.held == {"h51": 250}


async def test_a_hold_is_given_back_step_by_step() -> None:
    notices = FakeNotices(counts={"close_hold": [500, 500, 12, 0]})
    assert await close_hold(notices, 7, release_at=NOW) == 1012
    assert notices.asked[0] == ("close_hold", 7, NOW)


# ---- stoppages

STARTS = datetime(2026, 12, 4, 22, 0, tzinfo=LOCAL_ZONE)
ENDS = STARTS + timedelta(hours=6)
SCHEDULE = ScheduleRules(
    quiet_from=time(22), quiet_until=time(7), per_day=3, office_from=time(7, 30), office_until=time(17)
)


class Writer:
    def stoppage(self, starts_at: datetime, ends_at: datetime, voice: Voice, *, text: str = "") -> str:
        return text or "ours"


@dataclass
class Desk:
    notices: FakeNotices = field(default_factory=FakeNotices)
    now: datetime = NOW
    new_id: Ids = field(default_factory=Ids)

    async def tick(self) -> None:
        """As after a restart."""
        await self.service().tick()

    def service(self) -> StoppageNotices:
        return StoppageNotices(
            notices=self.notices,
            writer=Writer(),
            voice=self.voice,
            schedule=SCHEDULE,
            calendar=WorkCalendar(),
            clock=lambda: self.now,
            new_id=self.new_id,
        )

    @staticmethod
    def voice(_follower: Follower, now: datetime) -> Voice:
        return Voice(language="vi", accents=False, now=now, fits=lambda _: True)


def followed_by(count: int) -> FakeNotices:
    people = [follower(code(1), f"8491{number:07}") for number in range(count)]
    return FakeNotices(follows={code(1): people, code(2): people})


def planned(**more: object) -> Stoppage:
    return Stoppage(**({"id": 7, "starts_at": STARTS, "ends_at": ENDS, "tell_followers": True} | more))  # type: ignore[arg-type]


async def test_everybody_who_follows_something_is_told_of_a_stoppage_once() -> None:
    desk = Desk(notices=followed_by(1_200))
    desk.notices.planned = [planned(texts={"vi": "Bao tri"})]
    await desk.tick()
    await desk.tick()
    assert len(desk.notices.outbox) == 1_200
    row = desk.notices.outbox[0]
    assert (row.text, row.kind, row.subject, row.version, row.expires_at) == (
        "Bao tri",
        NoticeKind.STOPPAGE,
        "stoppage-7",
        1,
        ENDS,
    )


async def test_telling_of_a_stoppage_goes_on_after_the_store_failed_in_its_middle() -> None:
    desk = Desk(notices=followed_by(700))
    desk.notices.planned = [planned()]
    service = desk.service()
    await desk.notices.enqueue([])
    enqueue = desk.notices.enqueue
    calls = 0

    async def failing(*notices: object, **more: object) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoreUnavailable("away")
        return await enqueue(*notices, **more)  # type: ignore[arg-type]

    desk.notices.enqueue = failing  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await service.tick()
    await service.tick()
    assert len({row.recipient for row in desk.notices.outbox}) == len(desk.notices.outbox) == 700


@pytest.mark.parametrize(
    ("stoppage", "now"),
    [(planned(tell_followers=False), NOW), (planned(), STARTS), (planned(), ENDS)],
    ids=["not chosen", "begun", "over"],
)
async def test_nobody_is_told_of_what_was_not_chosen_or_has_begun(stoppage: Stoppage, now: datetime) -> None:
    desk = Desk(notices=followed_by(3), now=now)
    desk.notices.planned = [stoppage]
    await desk.tick()
    assert not desk.notices.outbox


async def test_a_stoppage_planned_at_night_is_told_in_the_morning() -> None:
    desk = Desk(notices=followed_by(1), now=datetime(2026, 11, 23, 23, 0, tzinfo=LOCAL_ZONE))
    desk.notices.planned = [planned()]
    await desk.tick()
    (row,) = desk.notices.outbox
    assert (row.available_at, row.reason) == (datetime(2026, 11, 24, 7, 0, tzinfo=LOCAL_ZONE), "quiet_hours")


async def test_the_nearest_stoppage_is_announced_until_it_is_over() -> None:
    notices = FakeNotices(planned=[planned(), planned(id=8, starts_at=STARTS + DAY, ends_at=ENDS + DAY)])
    now = NOW
    stoppages = Stoppages(notices=notices, clock=lambda: now)
    assert stoppages.announced() is None
    await stoppages.refresh()
    first = stoppages.announced()
    assert first is not None
    assert first.starts_at == STARTS
    now = ENDS
    second = stoppages.announced()
    assert second is not None
    assert second.starts_at == STARTS + DAY


async def test_what_was_announced_stays_so_while_the_store_is_away() -> None:
    notices = FakeNotices(planned=[planned()])
    stoppages = Stoppages(notices=notices, clock=lambda: NOW)
    await stoppages.refresh()
    notices.away = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await stoppages.refresh()
    assert stoppages.announced() is not None


@pytest.mark.parametrize(("day", "first"), [(date(2026, 12, 1), date(2026, 12, 2)), (date(2026, 12, 2), None)])
def test_less_than_seven_working_days_are_too_late(day: date, first: date | None) -> None:
    starts_at = datetime.combine(day, time(22), LOCAL_ZONE)
    assert announced_too_late(starts_at, NOW, WorkCalendar()) == first
