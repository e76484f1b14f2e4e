"""When a notice may leave: quiet hours, a day's count, office hours (pure). Nothing is dropped, only put off.

07:00 to 22:00 and three a day is the hygiene of decree 91/2020 for advertising, which a notice is not (reference: domain
§5.3); nobody minds it kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from domain.calendar import LOCAL_ZONE, WorkCalendar, local_day, local_moment
from domain.message import require_aware
from domain.notices import Urgency

MIDNIGHT = time(0)
_DAY = timedelta(days=1)

QUIET_HOURS = "quiet_hours"
DAILY_CAP = "daily_cap"
OFFICE_HOURS = "office_hours"

# An urgent notice may be one too many for the day, but not without end: a source that changes its mind at every look (two
# rows of one code, a replica that lags) would send one each time.
URGENT_DAYS = 2  # times the day's count


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRules:
    """Local times of day and a count. Quiet hours may span midnight; where both ends are the same there are none.

    Raises:
        ValueError: nobody could ever be told.
    """

    quiet_from: time
    quiet_until: time
    per_day: int
    office_from: time
    office_until: time

    def __post_init__(self) -> None:
        if self.per_day < 1:
            raise ValueError("per_day must be 1 or more")
        if self.office_from >= self.office_until:
            raise ValueError("office_from must be earlier than office_until")

    def quiet(self, at: time) -> bool:
        """Nobody is told anything unasked at this time of day."""
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= at < self.quiet_until
        return at >= self.quiet_from or at < self.quiet_until


@dataclass(frozen=True, slots=True)
class Slot:
    """When a notice may leave, and why not at once: "quiet_hours", "daily_cap", "office_hours", or empty: it may."""

    available_at: datetime
    reason: str = ""


def slot(
    urgency: Urgency, now: datetime, booked: Sequence[datetime], rules: ScheduleRules, calendar: WorkCalendar
) -> Slot:
    """The earliest moment, not before `now`, at which one more notice may leave to somebody to whom `booked` leave or
    left. A later `now` never gives an earlier moment.
    """
    require_aware(now, "now")
    return _RULES[urgency](now, booked, rules, calendar)


def day_began(now: datetime) -> datetime:
    """From when on notices count for the day: what left or leaves earlier does not matter any more."""
    return local_moment(local_day(now), MIDNIGHT)


def _urgent(now: datetime, booked: Sequence[datetime], rules: ScheduleRules, _calendar: WorkCalendar) -> Slot:
    return _counted(now, booked, rules, per_day=rules.per_day * URGENT_DAYS)


def _normal(now: datetime, booked: Sequence[datetime], rules: ScheduleRules, _calendar: WorkCalendar) -> Slot:
    return _counted(now, booked, rules, per_day=rules.per_day)


def _counted(now: datetime, booked: Sequence[datetime], rules: ScheduleRules, *, per_day: int) -> Slot:
    at = _after_quiet(now, rules)
    reason = QUIET_HOURS if at != now else ""
    count = Counter(map(local_day, booked))
    while count[local_day(at)] >= per_day:
        at = _after_quiet(local_moment(local_day(at) + _DAY, MIDNIGHT), rules)
        reason = DAILY_CAP
    return Slot(at, reason)


def _office(now: datetime, _booked: Sequence[datetime], rules: ScheduleRules, calendar: WorkCalendar) -> Slot:
    today = local_day(now)
    if calendar.working(today) and now < local_moment(today, rules.office_until):
        at = max(now, local_moment(today, rules.office_from))
    else:
        at = local_moment(calendar.next_working_day(today), rules.office_from)
    return Slot(at, OFFICE_HOURS if at != now else "")


_RULES: Mapping[Urgency, Callable[[datetime, Sequence[datetime], ScheduleRules, WorkCalendar], Slot]] = {
    Urgency.URGENT: _urgent,
    Urgency.NORMAL: _normal,
    Urgency.OFFICE: _office,
}


def _after_quiet(moment: datetime, rules: ScheduleRules) -> datetime:
    """The moment itself, or the end of the quiet hours it falls into."""
    day = local_day(moment)
    if not rules.quiet(moment.astimezone(LOCAL_ZONE).time()):
        return moment
    end = local_moment(day, rules.quiet_until)
    return end if end > moment else end + _DAY
