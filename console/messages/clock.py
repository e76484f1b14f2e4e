"""How long an opinion may wait for its answer, by working days (pure)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from console.messages.ports import Opinion, OpinionSearch, Which
from domain.calendar import WorkCalendar, local_day, local_moment

ANSWERED_WITHIN: Final = 10  # working days (reference: domain §5.7, after the provinces' own rules on complaints)
OPEN, OVERDUE, ANSWERED = "open", "overdue", "answered"
_DAY = timedelta(days=1)


def due_on(received_at: datetime, calendar: WorkCalendar) -> date:
    """The last day on which an answer is in time; the day of receipt is not counted."""
    return calendar.add_working_days(local_day(received_at), ANSWERED_WITHIN)


def state(opinion: Opinion, today: date, calendar: WorkCalendar) -> str:
    """OPEN, OVERDUE or ANSWERED; what was answered stays so however late it was."""
    if opinion.answered_at is not None:
        return ANSWERED
    return OVERDUE if due_on(opinion.received_at, calendar) < today else OPEN


def overdue_before(today: date, calendar: WorkCalendar) -> datetime:
    """What was received before that moment and still waits is overdue: the clock, turned round for a store."""
    day = today
    while calendar.add_working_days(day - _DAY, ANSWERED_WITHIN) >= today:
        day -= _DAY
    return local_moment(day, time.min)


def search(
    agencies: frozenset[str] | None, which: Which, beyond: int | None, today: date, calendar: WorkCalendar
) -> OpinionSearch:
    """Opinions of these agencies as they stand today."""
    return OpinionSearch(agencies=agencies, which=which, overdue_before=overdue_before(today, calendar), beyond=beyond)
