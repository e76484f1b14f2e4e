"""Working time once more, slowly: a string of minutes, walked one by one. Reads the rules for itself and shares nothing
with domain.working_time nor domain.calendar; what it knows of a year stands in the file, of a desk in the settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone

DAY = 24 * 60
CLOSED = bytes(DAY)
SATURDAY, SUNDAY = 6, 7  # of ISO
HERE = timezone(timedelta(hours=7))


def opened(spans: Iterable[str]) -> bytes:
    """A day's minutes: 1 where the desk is open in "07:00-11:30"."""
    minutes = bytearray(CLOSED)
    for span in spans:
        (begin, begin_minute), (end, end_minute) = (map(int, each.split(":")) for each in span.split("-"))
        for minute in range(begin * 60 + begin_minute, end * 60 + end_minute):
            minutes[minute] = 1
    return bytes(minutes)


class SlowDesk:
    """A desk from `first` on for so many days. Minutes are counted from its first midnight."""

    def __init__(
        self,
        first: date,
        days: int,
        *,
        hours: tuple[str, ...],
        saturday: tuple[str, ...],
        cut_off: str,
        off: set[date],
        work: set[date],
    ) -> None:
        self.first = datetime(first.year, first.month, first.day, tzinfo=HERE)
        self.cut_off = int(cut_off[:2]) * 60 + int(cut_off[3:])
        weekday, half = opened(hours), opened(saturday)
        self.worked: list[bool] = []
        self.minutes = bytearray()
        for number in range(days):
            day = first + timedelta(days=number)
            weekend = day.isoweekday() in (SATURDAY, SUNDAY)
            worked = day in work or not (weekend or day in off)
            free_saturday = day.isoweekday() == SATURDAY and day not in off and not worked
            self.worked.append(worked)
            self.minutes += weekday if worked else half if free_saturday else CLOSED

    def minute(self, moment: datetime) -> int:
        return int((moment - self.first).total_seconds()) // 60

    def moment(self, minute: int) -> datetime:
        return self.first + timedelta(minutes=minute)

    def begin(self, received: int) -> int:
        """The minute counting begins in; the end of the day's last one for who came exactly then."""
        day, at = divmod(received, DAY)
        last = self.minutes[day * DAY : (day + 1) * DAY].rfind(1)  # -1: closed
        if last >= 0 and at <= self.cut_off and at <= last + 1:
            minute = received
            while not self.minutes[minute] and not self.minutes[minute - 1]:
                minute += 1
            return minute
        minute = (day + 1) * DAY
        while not self.minutes[minute]:
            minute += 1
        return minute

    def closing(self, day: int) -> int:
        minute = (day + 1) * DAY
        while not self.minutes[minute - 1]:
            minute -= 1
        return minute

    def after_open_minutes(self, minute: int, count: int) -> int:
        while count:
            count -= self.minutes[minute]
            minute += 1
        return minute

    def after_working_days(self, minute: int, count: int) -> int:
        while count:
            minute += 1
            if minute % DAY == 0 and self.worked[minute // DAY]:
                count -= 1
        return self.closing(minute // DAY)

    def after_days(self, minute: int, count: int) -> int:
        while count:
            minute += 1
            count -= minute % DAY == 0
        while not self.worked[minute // DAY]:
            minute += 1
        return self.closing(minute // DAY)

    def counted(self, minute: int, count: int, unit: str) -> int:
        if unit == "working_hours":
            return self.after_open_minutes(minute, count * 60)
        return self.after_working_days(minute, count) if unit == "working_days" else self.after_days(minute, count)

    def due(self, received: int, count: int, unit: str) -> int:
        return self.counted(self.begin(received), count, unit)

    def waited(self, since: int, until: int) -> int:
        return sum(self.minutes[since:until])

    def due_after_supplement(self, rule: str, unit: str, count: int, promised: int, asked: int, given: int) -> int:
        if rule == "restart":
            return self.due(given, count, unit)
        if rule == "subtract":
            return promised
        if unit == "working_hours":
            return self.after_open_minutes(promised, self.waited(asked, given))
        first, last = asked // DAY, self.begin(given) // DAY
        days = [day for day in range(first + 1, last + 1) if unit == "days" or self.worked[day]]
        return self.counted(promised, len(days), unit) if days else promised
