"""When a dossier is due: working days or hours from when the desk may begin with it (reference: domain §3.4)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self

from domain.calendar import WorkCalendar, local_day, local_moment
from domain.message import require_aware

OpenSpan = tuple[time, time]  # from, until; of one day at the desk

_SATURDAY = 5  # date.weekday()
_DAY = timedelta(days=1)
_NOTHING = timedelta()


class LimitUnit(enum.StrEnum):
    WORKING_DAYS = "working_days"
    WORKING_HOURS = "working_hours"  # a working day has eight of them
    DAYS = "days"  # of the calendar; not due on a day off


class SupplementRule(enum.StrEnum):
    """What a supplement does to the promised day; the texts of law contradict one another (reference: domain §3.4)."""

    RESTART = "restart"  # counted from zero once everything is there (decree 61/2018/NĐ-CP art. 19.4)
    EXTEND = "extend"  # the promised moment moves by the working time it waited
    # The promised day stays as printed, and our papers compare with it; who judges the agency takes the wait off.
    SUBTRACT = "subtract"


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """How long a procedure may take. 0 working days: until the desk closes on the day it counts as received."""

    count: int
    unit: LimitUnit = LimitUnit.WORKING_DAYS

    def __post_init__(self) -> None:
        least = 0 if self.unit is LimitUnit.WORKING_DAYS else 1
        if self.count < least:
            raise ValueError(f"a time limit is at least {least}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskHours:
    """When a desk is open: `weekdays` Monday to Friday and on make-up days, `saturday` on every other Saturday that is no
    holiday (many desks: not at all). Handed in after `cut_off`, it counts as received on the next day the desk is open
    (decree 61/2018/NĐ-CP art. 18.2).

    Raises:
        ValueError: the spans of a day are not one after the other, or there are none from Monday to Friday.
    """

    weekdays: tuple[OpenSpan, ...]
    saturday: tuple[OpenSpan, ...] = ()
    cut_off: time = time(15)

    def __post_init__(self) -> None:
        if not self.weekdays:
            raise ValueError("the desk is never open")
        for spans in (self.weekdays, self.saturday):
            moments = [moment for span in spans for moment in span]
            if moments != sorted(set(moments)):
                raise ValueError("the hours of a day must follow one another")

    @property
    def cuts_within(self) -> bool:
        """The cut-off lies within the hours of a weekday: one that does not is a slip."""
        return self.weekdays[0][0] < self.cut_off <= self.weekdays[-1][1]

    @classmethod
    def of(cls, hours: Sequence[str], saturday: Sequence[str] = (), cut_off: str = "15:00") -> Self:
        """From what an operator writes: spans as "07:00-11:30".

        Raises:
            ValueError: see the class; or a text is no time of day.
        """
        return cls(
            weekdays=tuple(_span(text) for text in hours),
            saturday=tuple(_span(text) for text in saturday),
            cut_off=time.fromisoformat(cut_off),
        )

    def spans(self, day: date, calendar: WorkCalendar) -> tuple[tuple[datetime, datetime], ...]:
        """When it is open on this day, in order; nothing on a day off."""
        if calendar.working(day):
            chosen = self.weekdays
        else:
            worked = day.weekday() == _SATURDAY and day not in calendar.days_off
            chosen = self.saturday if worked else ()
        return tuple((local_moment(day, begin), local_moment(day, end)) for begin, end in chosen)


def starts(received_at: datetime, desk: DeskHours, calendar: WorkCalendar) -> datetime:
    """When counting begins: at once, if the desk is open; else when it opens next; on the next day it is open, first thing,
    for what came after the cut-off, after it closed, or on a day off. Whole minutes, as the receipt says them.
    """
    require_aware(received_at, "received_at")
    minute = received_at.replace(second=0, microsecond=0)
    today = local_day(minute)
    late = minute > local_moment(today, desk.cut_off)
    return later(local_moment(today + _DAY, time.min) if late else minute, _NOTHING, desk, calendar)


def due_at(received_at: datetime, limit: TimeLimit, desk: DeskHours, calendar: WorkCalendar) -> datetime:
    """When it is due, from when counting begins (see `starts`).

    Working days: when the desk closes on the last of them; the day it counts as received is not one of them. Which days
    they are says the calendar alone: that a desk is open on Saturdays does not shorten them. Days of the calendar: the
    same, and the next working day if the last one is a day off. Working hours: open time, minute by minute.
    """
    return _COUNTED[limit.unit](starts(received_at, desk, calendar), limit.count, desk, calendar)


def due_after_supplement(
    rule: SupplementRule,
    limit: TimeLimit,
    promised: datetime,
    asked_at: datetime,
    given_at: datetime,
    desk: DeskHours,
    calendar: WorkCalendar,
) -> datetime:
    """When it is due once what was missing is there.

    RESTART counts anew from then. EXTEND moves what was promised: by the open time it waited for a limit in hours, by the
    working days (days of the calendar) from the day it was asked for until the day the supplement counts as received for
    a limit in days. SUBTRACT leaves what was promised.
    """
    if rule is SupplementRule.RESTART:
        return due_at(given_at, limit, desk, calendar)
    if rule is SupplementRule.SUBTRACT or given_at <= asked_at:
        return promised
    if limit.unit is LimitUnit.WORKING_HOURS:
        return later(promised, waited(asked_at, given_at, desk, calendar), desk, calendar)
    asked_on, given_on = local_day(asked_at), local_day(starts(given_at, desk, calendar))
    whole = limit.unit is LimitUnit.DAYS
    days = (given_on - asked_on).days if whole else calendar.working_days_between(asked_on, given_on)
    return _COUNTED[limit.unit](promised, days, desk, calendar) if days else promised


def waited(since: datetime, until: datetime, desk: DeskHours, calendar: WorkCalendar) -> timedelta:
    """The open time between two moments; nothing if the second is not later."""
    total = _NOTHING
    for begin, end in _open_from(since, desk, calendar):
        if begin >= until:
            break
        total += min(end, until) - begin
    return total


def later(moment: datetime, by: timedelta, desk: DeskHours, calendar: WorkCalendar) -> datetime:
    """The moment after so much open time; with none of it the moment itself, or when the desk opens next."""
    left = by
    spans = _open_from(moment, desk, calendar)
    begin, end = next(spans)
    while left > end - begin:
        left -= end - begin
        begin, end = next(spans)
    return begin + left


def _span(text: str) -> OpenSpan:
    begin, _, end = text.partition("-")
    return time.fromisoformat(begin), time.fromisoformat(end)


def _open_from(moment: datetime, desk: DeskHours, calendar: WorkCalendar) -> Iterator[tuple[datetime, datetime]]:
    """The open time from this moment on, without end; of a span that ends then, what is left of it: nothing."""
    day = local_day(moment)
    while True:
        yield from ((max(begin, moment), end) for begin, end in desk.spans(day, calendar) if end >= moment)
        day += _DAY


def _working_days(begin: datetime, count: int, desk: DeskHours, calendar: WorkCalendar) -> datetime:
    day = calendar.add_working_days(local_day(begin), count)
    return desk.spans(day, calendar)[-1][1]


def _calendar_days(begin: datetime, count: int, desk: DeskHours, calendar: WorkCalendar) -> datetime:
    last = local_day(begin) + _DAY * count
    day = last if calendar.working(last) else calendar.next_working_day(last)
    return desk.spans(day, calendar)[-1][1]


def _working_hours(begin: datetime, count: int, desk: DeskHours, calendar: WorkCalendar) -> datetime:
    return later(begin, timedelta(hours=count), desk, calendar)


_Counted = Callable[[datetime, int, DeskHours, WorkCalendar], datetime]
_COUNTED: Mapping[LimitUnit, _Counted] = {
    LimitUnit.WORKING_DAYS: _working_days,
    LimitUnit.WORKING_HOURS: _working_hours,
    LimitUnit.DAYS: _calendar_days,
}
