"""Days as the one-stop desk counts them. Viet Nam has kept +07:00 without summer time since 1975."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

LOCAL_ZONE = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")

_SATURDAY = 5  # date.weekday()
_DAY = timedelta(days=1)


def local_day(moment: datetime) -> date:
    """The day it is at the desk; `moment` is aware."""
    return moment.astimezone(LOCAL_ZONE).date()


def local_moment(day: date, at: time) -> datetime:
    """A time of day at the desk."""
    return datetime.combine(day, at, LOCAL_ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCalendar:
    """Which days the one-stop desks work: Monday to Friday but `days_off`, and `make_up_days` on weekends.

    The labour code names the holidays (law 45/2019/QH14 art. 112) and gives the next working day for one on a weekend
    (art. 111.3); the Prime Minister says each year which days are Tết and which Saturday is worked for a free Monday.

    Raises:
        ValueError: a day is both, or a make-up day is a weekday.
    """

    days_off: frozenset[date] = frozenset()
    make_up_days: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        both = self.days_off & self.make_up_days
        weekdays = {day for day in self.make_up_days if day.weekday() < _SATURDAY}
        faults = [f"calendar: {day} is both off and worked" for day in sorted(both)]
        faults += [f"calendar: {day} is worked anyway, it is no weekend" for day in sorted(weekdays - both)]
        if faults:
            raise ValueError("\n".join(faults))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> WorkCalendar:
        """Build from `{year: {off: [day, ...], work: [day, ...]}}`, the shape of config/holidays/vn.toml; `assumed` in a
        year's table is for readers.

        Raises:
            ValueError: every fault, one a line.
        """
        faults = [fault for year, table in mapping.items() for fault in _faults(year, table)]
        if faults:
            raise ValueError("\n".join(faults))
        return cls(
            days_off=frozenset(day for table in mapping.values() for day in table.get("off", ())),
            make_up_days=frozenset(day for table in mapping.values() for day in table.get("work", ())),
        )

    def __or__(self, other: WorkCalendar) -> WorkCalendar:
        """The days of both."""
        return WorkCalendar(
            days_off=self.days_off | other.days_off, make_up_days=self.make_up_days | other.make_up_days
        )

    def working(self, day: date) -> bool:
        """The desks are open."""
        return day in self.make_up_days or (day.weekday() < _SATURDAY and day not in self.days_off)

    def next_working_day(self, day: date) -> date:
        """The first one after this day."""
        return self.add_working_days(day, 1)

    def add_working_days(self, day: date, count: int) -> date:
        """The `count`-th working day after this day, which itself is never counted; before it for a negative `count`.
        0 is the day itself, worked or not.
        """
        step = _DAY if count > 0 else -_DAY
        left = abs(count)
        while left:
            day += step
            left -= self.working(day)
        return day

    def working_days_between(self, first: date, last: date) -> int:
        """How many working days pass after `first` until `last` is over; negative when `last` is earlier."""
        if last < first:
            return -self.working_days_between(last, first)
        return sum(self.working(first + _DAY * number) for number in range(1, (last - first).days + 1))


def _faults(year: str, table: object) -> Iterator[str]:
    if not isinstance(table, Mapping):
        yield f"calendar: {year} must be a table"
        return
    yield from (f"calendar: {year}: unknown key {key}" for key in sorted(table.keys() - {"off", "work", "assumed"}))
    if not isinstance(table.get("assumed", False), bool):
        yield f"calendar: {year}: assumed must be true or false"
    for key in ("off", "work"):
        days = table.get(key, [])
        if not isinstance(days, list):
            yield f"calendar: {year}: {key} must be a list of days"
            continue
        yield from (
            f"calendar: {year}: {key} has {day!s}, no day of that year" for day in days if not _is_of(day, year)
        )


def _is_of(day: object, year: str) -> bool:
    return isinstance(day, date) and not isinstance(day, datetime) and f"{day.year:04}" == year
