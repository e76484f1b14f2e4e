"""Messages to many on their way: begun by the clock, written a little ahead of what leaves, held back after the first few.

Only so much waits in the outbox for each account that a pause or a stop finds little there; the rest of the audience is
not written yet. An account that does not move keeps nobody else waiting (notifications.course).
How far it is written is kept with the broadcast in the same transaction as the messages, so that whoever goes on after a
crash writes nobody a second one and passes nobody over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from domain.broadcasts import (
    AudienceKind,
    Broadcast,
    BroadcastAction,
    BroadcastState,
    Refusal,
    decide,
    seal_now,
)
from domain.calendar import LOCAL_ZONE
from domain.errors import SourceError, StoreError
from notifications.course import Course, Room
from notifications.portions import LEAST_AHEAD, BroadcastFigures, BroadcastRules, PortionWriter
from notifications.ports import MassMail, Queued, UnderWay
from notifications.routing import Routing

log = structlog.get_logger()

EVERY = 0.5  # seconds between two looks: a pause is to take effect within one
SECONDS_AHEAD = 10.0  # of the fastest account's rate
MOST_PORTIONS = 20  # of one broadcast at a time: then the others have their turn
STEERED_AT_ONCE = 200  # messages in one transaction
STRETCHES_COUNTED = 20  # some thousand messages: a commit waits no longer than that for its turn
COUNT_EVERY = {BroadcastState.RUNNING: timedelta(seconds=1)}
COUNT_SELDOM = timedelta(seconds=5)
CANARY_STILL = timedelta(minutes=1)  # none of the first few that are left went: their operator is away


def ahead_of(rates: Sequence[float]) -> int:
    """How many messages may wait for an account, by the rates of all of them (a second; 0: without one)."""
    return max(LEAST_AHEAD, int(SECONDS_AHEAD * max(rates, default=0.0)))


@dataclass(slots=True, kw_only=True)
class Broadcasting:
    """One process at a time does this, by lease; two that do it for a moment write nobody twice.

    `portions` writes one stretch of the audience. `routing`: by which accounts telephone numbers are reached.
    `chats`: who follows may be reached in others' accounts than those of `routing`.
    `under_way` and `messages` are as they were seen last.
    """

    mail: MassMail
    portions: PortionWriter
    routing: Routing
    rules: BroadcastRules
    clock: Callable[[], datetime]
    new_id: Callable[[], int]
    figures: BroadcastFigures
    chats: bool = False
    under_way: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, int] = field(default_factory=dict)  # of these, by their state in the outbox
    _counted: dict[int, datetime] = field(default_factory=dict)
    _troubled: set[int] = field(default_factory=set)
    _still: dict[int, tuple[Mapping[str, int], datetime]] = field(default_factory=dict)  # of the first few: since when
    _looked: bool = False

    async def tick(self) -> None:
        """Bring each a step further; to be called every EVERY seconds.

        Raises:
            StoreUnavailable, StoreUncertain: to be called again; nothing is lost or done twice.
        """
        under_way = await self.mail.under_way()
        self._look_over(under_way)
        for each in under_way:
            await self._attend(each)
        there = {each.broadcast.id for each in under_way}
        self._counted = {number: at for number, at in self._counted.items() if number in there}
        self._still = {number: seen for number, seen in self._still.items() if number in there}
        self._troubled &= there

    def _look_over(self, under_way: Sequence[UnderWay]) -> None:
        """What a page of figures shows; and what somebody else began, who is gone."""
        begun = {each.broadcast.id for each in under_way if each.position and not each.all_written}
        for number in sorted(begun) if not self._looked else ():
            log.info("broadcast.taken_over", broadcast=number)
            self.figures.broadcast_event("taken_over")
        self._looked = True
        self.under_way = Counter(each.broadcast.state.value for each in under_way)
        messages = Counter[str]()
        for each in under_way:
            messages.update(each.messages)
        self.messages = messages

    async def _attend(self, under_way: UnderWay) -> None:
        broadcast = under_way.broadcast
        try:
            await self._does()[broadcast.state](under_way)
            await self._count(broadcast)
        except StoreError:
            raise
        except SourceError as away:
            if self._is_news(broadcast):
                log.warning("broadcast.waits", broadcast=broadcast.id, error=str(away))
        except Exception:
            # One broadcast's fault must not keep the others from leaving.
            if self._is_news(broadcast):
                log.exception("broadcast.failed", broadcast=broadcast.id)
        else:
            self._note_going_on(broadcast)

    def _does(self) -> Mapping[BroadcastState, Callable[[UnderWay], Awaitable[None]]]:
        return {
            BroadcastState.APPROVED: self._begin,
            BroadcastState.RUNNING: self._go_on,
            BroadcastState.PAUSED: self._steer,
            BroadcastState.STOPPED: self._steer,
            BroadcastState.DONE: self._rest,
        }

    def _is_news(self, broadcast: Broadcast) -> bool:
        """It is tried again twice a second, and told once."""
        news = broadcast.id not in self._troubled
        self._troubled.add(broadcast.id)
        if news:
            self.figures.broadcast_event("stuck")
        return news

    def _note_going_on(self, broadcast: Broadcast) -> None:
        if broadcast.id in self._troubled:
            self._troubled.discard(broadcast.id)
            log.info("broadcast.goes_on", broadcast=broadcast.id)
            self.figures.broadcast_event("healed")

    # ---- by its state

    async def _begin(self, under_way: UnderWay) -> None:
        """Once its moment has come, if it is still what was approved."""
        broadcast, now = under_way.broadcast, self.clock()
        if broadcast.approved_until is not None and now >= broadcast.approved_until:
            await self._move(broadcast, BroadcastAction.LAPSE, why="not_used")
        elif (broadcast.starts_at is None or broadcast.starts_at <= now) and not self._quiet(now):
            seal = seal_now(broadcast, await self.mail.people(broadcast))
            started = decide(broadcast, BroadcastAction.START, None, seal=seal, scope=frozenset())
            if isinstance(started, Refusal):
                await self._move(broadcast, BroadcastAction.LAPSE, why=started.value)
            else:
                await self._move(broadcast, BroadcastAction.START, seal=seal)

    async def _go_on(self, under_way: UnderWay) -> None:
        await self._steer(under_way)
        if under_way.all_written:
            if not (await self.mail.queued(under_way.broadcast.id)).open:
                await self._move(under_way.broadcast, BroadcastAction.FINISH)
        elif not self._quiet(self.clock()):
            await self._write(under_way)

    async def _write(self, under_way: UnderWay) -> None:
        """As much as may wait, or as the first few are."""
        for _ in range(MOST_PORTIONS):
            queued = await self.mail.queued(under_way.broadcast.id)
            if under_way.canary_left == 0:
                if self._gone(under_way.broadcast, queued):
                    await self._move(under_way.broadcast, BroadcastAction.HOLD_CANARY)
                return
            step = self._room(under_way, queued).step(Course.read(under_way.position))
            after = await self.portions.write(under_way, step) if step is not None else None
            if after is None or after.all_written:
                return
            under_way = after

    def _room(self, under_way: UnderWay, queued: Queued) -> Room:
        page = self.rules.page if under_way.canary_left is None else min(self.rules.page, under_way.canary_left)
        return Room(
            due=queued.due,
            ahead=self.rules.ahead,
            page=page,
            accounts=self.routing.lines.keys(),
            others=self.chats and under_way.broadcast.audience.kind is AudienceKind.FOLLOWERS,
        )

    def _gone(self, broadcast: Broadcast, queued: Queued) -> bool:
        """The first few have left, all but those whose operator is away: they would keep all others waiting."""
        now = self.clock()
        before, since = self._still.get(broadcast.id, ({}, now))
        if queued.moving or queued.due != before:
            since = now
        self._still[broadcast.id] = queued.due, since
        return not queued.moving and (not queued.due or now >= since + CANARY_STILL)

    async def _steer(self, under_way: UnderWay) -> None:
        expires_at = self.clock() + self.rules.valid_for
        while await self.mail.steer(under_way.broadcast.id, expires_at=expires_at, limit=STEERED_AT_ONCE):
            pass

    async def _rest(self, under_way: UnderWay) -> None:
        """Only its reports are still to come."""

    async def _count(self, broadcast: Broadcast) -> None:
        now = self.clock()
        every = COUNT_EVERY.get(broadcast.state, COUNT_SELDOM)
        counted_at = self._counted.get(broadcast.id)
        if counted_at is None or not counted_at <= now < counted_at + every:
            await self.mail.tally(broadcast.id, stretches=STRETCHES_COUNTED)
            self._counted[broadcast.id] = now

    async def _move(self, broadcast: Broadcast, action: BroadcastAction, *, seal: str = "", why: str = "") -> None:
        if await self.mail.move(broadcast, action, self.new_id(), seal=seal, why=why):
            log.info("broadcast.moved", broadcast=broadcast.id, action=action.value, why=why)
            self.figures.broadcast_event(action.value)

    def _quiet(self, now: datetime) -> bool:
        return self.rules.schedule.quiet(now.astimezone(LOCAL_ZONE).time())
