"""Messages to many on their way: begun by the clock, written a little ahead of what leaves, held back after the first few.

Only so much waits in the outbox for each account that a pause or a stop finds little there; the rest of the audience is
not written yet. An account that does not move keeps nobody else waiting (notifications.course).
How far it is written is kept with the broadcast in the same transaction as the messages, so that whoever goes on after a
crash writes nobody a second one and passes nobody over.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Protocol

import structlog

from domain.broadcast_texts import DossierFacts, Written
from domain.broadcasts import (
    AudienceKind,
    Broadcast,
    BroadcastAction,
    BroadcastState,
    Refusal,
    decide,
    most_people,
    seal_now,
)
from domain.calendar import LOCAL_ZONE, WorkCalendar, local_day
from domain.codes import DossierCode
from domain.errors import SourceError, StoreError
from domain.message import Address
from domain.notices import Urgency
from notifications.course import Course, Room, Step
from notifications.ports import (
    Candidate,
    Contacts,
    MassMail,
    MassMessage,
    Portion,
    Queued,
    Recipient,
    Stretch,
    UnderWay,
)
from notifications.routing import Reached, Routing, Ways
from notifications.schedule import ScheduleRules, day_began, slot

log = structlog.get_logger()

EVERY = 0.5  # seconds between two looks: a pause is to take effect within one
LEAST_AHEAD = 2_000  # messages
SECONDS_AHEAD = 10.0  # of the fastest account's rate
MOST_PORTIONS = 20  # of one broadcast at a time: then the others have their turn
STEERED_AT_ONCE = 200  # messages in one transaction
STRETCHES_COUNTED = 20  # some thousand messages: a commit waits no longer than that for its turn
COUNT_EVERY = {BroadcastState.RUNNING: timedelta(seconds=1)}
COUNT_SELDOM = timedelta(seconds=5)
CANARY_STILL = timedelta(minutes=1)  # none of the first few that are left went: their operator is away


class BroadcastFigures(Protocol):
    """Counts. `outcome`: "written", "dropped" (a line that does not leave) or one of domain.broadcasts.LEFT_OUT. `event`:
    what the clock did (BroadcastAction), "stuck", "healed", or "taken_over" from a process that is gone.
    """

    def broadcast_people(self, outcome: str, count: int) -> None: ...

    def broadcast_event(self, event: str) -> None: ...


class BroadcastTexts(Protocol):
    """domain.broadcast_texts.BroadcastWriter."""

    def write(
        self,
        texts: Mapping[str, str],
        *,
        language: str | None,
        today: date,
        plain: bool = False,
        facts: DossierFacts | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Written: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastRules:
    """`page`: messages written in one transaction; `ahead`: that wait to be claimed, of one broadcast and for one account,
    at most. `valid_for`: how long after its moment a message may still leave.
    """

    schedule: ScheduleRules
    valid_for: timedelta
    page: int = 500
    ahead: int = LEAST_AHEAD


def ahead_of(rates: Sequence[float]) -> int:
    """How many messages may wait for an account, by the rates of all of them (a second; 0: without one)."""
    return max(LEAST_AHEAD, int(SECONDS_AHEAD * max(rates, default=0.0)))


@dataclass(slots=True, kw_only=True)
class Broadcasting:
    """One process at a time does this, by lease; two that do it for a moment write nobody twice.

    `contacts` by source: those whose dossiers say who is to be told. `read_number` makes an address of a number as a source
    has it; None: it is none. `routing`: by which accounts telephone numbers are reached.
    `chats`: who follows may be reached in others' accounts than those of `routing`.
    `fits`: a text is no longer than one person may be sent; what a list or a source says may be longer than was foreseen.
    `under_way` and `messages` are as they were seen last.
    """

    mail: MassMail
    writer: BroadcastTexts
    contacts: Mapping[str, Contacts]
    read_number: Callable[[str], Address | None]
    routing: Routing
    fits: Callable[[str], bool]
    rules: BroadcastRules
    calendar: WorkCalendar
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
            after = await self._portion(under_way, step) if step is not None else None
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

    # ---- one stretch of the audience

    async def _portion(self, under_way: UnderWay, step: Step) -> UnderWay | None:
        """How far it is then; None: somebody paused it, stopped it, or writes it."""
        broadcast = under_way.broadcast
        stretch = await self.mail.stretch(replace(under_way, position=step.at), step.most)
        addressed = await self._addressed(stretch)
        ways = await self.routing.reach({address: _stored(each) for each, address in addressed if address is not None})
        theirs = [each for each in addressed if not step.course.passes(step.walk, _account(*each, ways))]
        known = await self.mail.recipients(
            broadcast,
            list(dict.fromkeys(address for _, address in theirs if address is not None)),
            booked_since=day_began(self.clock()),
        )
        left_out: Counter[str] = Counter()
        messages = list(self._messages(under_way, theirs, known, ways, left_out))
        if step.course.again:
            left_out.clear()  # they were counted where a walk came to them
        course, end = step.course.after(step.walk, stretch.position, end=stretch.end)
        portion = Portion(
            broadcast=broadcast.id,
            before=under_way.position,
            after=course.text,
            end=end,
            messages=messages,
            left_out=left_out,
        )
        if not await self.mail.write(portion):
            return None
        leaving = sum(not message.dropped for message in messages)
        for what, many in {"written": leaving, "dropped": len(messages) - leaving, **left_out}.items():
            self.figures.broadcast_people(what, many)
        canary = under_way.canary_left
        return replace(
            under_way,
            position=portion.after,
            all_written=end,
            written=under_way.written + leaving,
            canary_left=None if canary is None else max(0, canary - leaving),
        )

    async def _addressed(self, stretch: Stretch) -> Sequence[tuple[Candidate, Address | None]]:
        """Each with its address; of a dossier the first number on it at which somebody can be told."""
        wanted: defaultdict[str, list[DossierCode]] = defaultdict(list)
        for each in stretch.candidates:
            if each.address is None and each.facts is not None:
                wanted[each.source].append(each.facts.code)
        numbers: dict[tuple[str, DossierCode], Sequence[str]] = {}
        for source, codes in wanted.items():
            if source in self.contacts:
                found = await self.contacts[source].numbers(codes)
                numbers |= {(source, code): found[code] for code in codes if code in found}
        return [(each, each.address or self._read(each, numbers)) for each in stretch.candidates]

    def _read(self, candidate: Candidate, numbers: Mapping[tuple[str, DossierCode], Sequence[str]]) -> Address | None:
        if candidate.facts is None:
            return None
        named = numbers.get((candidate.source, candidate.facts.code), ())
        return next((address for number in named if (address := self.read_number(number)) is not None), None)

    def _messages(
        self,
        under_way: UnderWay,
        addressed: Sequence[tuple[Candidate, Address | None]],
        known: Mapping[Address, Recipient],
        ways: Ways,
        left_out: Counter[str],
    ) -> Iterator[MassMessage]:
        """One for each person; `left_out` is told of the others."""
        broadcast = under_way.broadcast
        room = most_people(broadcast.people) - under_way.written
        written: set[Address] = set()
        for candidate, address in addressed:
            person = None if address is None else known.get(address)
            reached = None if address is None else ways.get(address) or _stored(candidate)
            if address is None or person is None or reached is None:
                left_out["no_number"] += 1
            elif person.written or address in written:
                left_out["repeated"] += 1
            elif broadcast.audience.failed_of and not person.failed:
                left_out["not_failed"] += 1
            elif room <= 0 and not person.silent:
                left_out["beyond_approved"] += 1
            elif not self._short_enough(message := self._message(broadcast, candidate, address, person, reached)):
                left_out["too_long"] += 1
            else:
                written.add(address)
                room -= not person.silent
                yield message

    def _short_enough(self, message: MassMessage) -> bool:
        """Where it is paid for by its length."""
        return message.channel != "sms" or self.fits(message.text)

    def _message(
        self, broadcast: Broadcast, candidate: Candidate, address: Address, person: Recipient, reached: Reached
    ) -> MassMessage:
        now = self.clock()
        leaves = slot(Urgency.NORMAL, now, person.booked, self.rules.schedule, self.calendar)
        written = self.writer.write(
            broadcast.texts,
            language=candidate.language or person.language,
            today=local_day(leaves.available_at),
            plain=person.accents is False,
            facts=candidate.facts,
            values=candidate.values,
        )
        return MassMessage(
            id=self.new_id(),
            channel=reached.channel,
            account=reached.account,
            recipient=address,
            sender=reached.unasked,
            text=written.text,
            language=written.language,
            created_at=now,
            available_at=leaves.available_at,
            expires_at=leaves.available_at + self.rules.valid_for,
            dossier_code=candidate.facts.code.reference if candidate.facts else "",
            reason=leaves.reason,
            dropped=person.silent,
        )


def _account(candidate: Candidate, address: Address | None, ways: Ways) -> str:
    """By which somebody is reached; empty: by none."""
    reached = None if address is None else ways.get(address) or _stored(candidate)
    return "" if reached is None else reached.account


def _stored(candidate: Candidate) -> Reached | None:
    """How somebody who follows is reached; None: they follow nothing."""
    if not candidate.account or candidate.sender is None:
        return None
    return Reached(channel=candidate.channel, account=candidate.account, sender=candidate.sender)
