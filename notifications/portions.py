"""Messages to many, one stretch of the audience at a time: to whom it goes and by which way, what each is told and when,
and who is left out; all of it written with how far it is then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from domain.broadcast_texts import DossierFacts, Written
from domain.broadcasts import Broadcast, most_people
from domain.calendar import WorkCalendar, local_day
from domain.codes import DossierCode
from domain.message import Address
from domain.notices import Urgency
from notifications.course import Step
from notifications.ports import (
    Candidate,
    Contacts,
    MassMail,
    MassMessage,
    Portion,
    Recipient,
    Stretch,
    UnderWay,
)
from notifications.routing import Reached, Routing, Ways
from notifications.schedule import ScheduleRules, day_began, slot

LEAST_AHEAD = 2_000  # messages


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


@dataclass(slots=True, kw_only=True)
class PortionWriter:
    """`contacts` by source: those whose dossiers say who is to be told. `read_number` makes an address of a number as a source
    has it; None: it is none. `routing`: by which accounts telephone numbers are reached.
    `fits`: a text is no longer than one person may be sent; what a list or a source says may be longer than was foreseen.
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

    async def write(self, under_way: UnderWay, step: Step) -> UnderWay | None:
        """From a step on. How far it is then; None: somebody paused it, stopped it, or writes it."""
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
