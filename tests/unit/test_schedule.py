"""When a notice may leave: never in quiet hours, so many a day, officers in office hours."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import LOCAL_ZONE, WorkCalendar, local_day, local_moment
from domain.notices import Urgency
from gateway.bootstrap.calendar import read_calendar
from notifications.schedule import ScheduleRules, Slot, day_began, slot

CALENDAR: WorkCalendar = read_calendar(
    Path(__file__).parent.parent.parent / "config" / "holidays" / "vn.toml", date(2026, 8, 1)
)
RULES = ScheduleRules(
    quiet_from=time(22), quiet_until=time(7), per_day=3, office_from=time(7, 30), office_until=time(17)
)
BY_DAY = ScheduleRules(
    quiet_from=time(1), quiet_until=time(5), per_day=3, office_from=time(7, 30), office_until=time(17)
)
NEVER_QUIET = ScheduleRules(
    quiet_from=time(0), quiet_until=time(0), per_day=1, office_from=time(7, 30), office_until=time(17)
)


def at(text: str) -> datetime:
    """`08-22 10:00` of 2026 at the desk."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=LOCAL_ZONE)


def normal(now: str, booked: list[str] | None = None, rules: ScheduleRules = RULES) -> Slot:
    return slot(Urgency.NORMAL, at(now), [at(each) for each in booked or []], rules, CALENDAR)


# ---------------------------------------------------------------- quiet hours


@pytest.mark.parametrize(
    ("now", "leaves"),
    [
        ("11-23 21:59", "11-23 21:59"),
        ("11-23 22:00", "11-24 07:00"),  # before midnight
        ("11-24 00:30", "11-24 07:00"),  # and after it
        ("11-24 07:00", "11-24 07:00"),
    ],
)
def test_nobody_is_woken(now: str, leaves: str) -> None:
    assert normal(now) == Slot(at(leaves), "" if now == leaves else "quiet_hours")


def test_the_last_night_of_the_year_ends_in_the_next() -> None:
    assert normal("12-31 23:00") == Slot(datetime(2027, 1, 1, 7, tzinfo=LOCAL_ZONE), "quiet_hours")


def test_quiet_hours_within_one_day_are_kept_too() -> None:
    assert normal("11-23 00:59", rules=BY_DAY) == Slot(at("11-23 00:59"))
    assert normal("11-23 03:00", rules=BY_DAY) == Slot(at("11-23 05:00"), "quiet_hours")
    assert normal("11-23 23:00", rules=BY_DAY) == Slot(at("11-23 23:00"))


def test_both_ends_the_same_are_no_quiet_hours() -> None:
    assert normal("11-23 00:00", rules=NEVER_QUIET) == Slot(at("11-23 00:00"))


# ---------------------------------------------------------------- the day's count

FULL = ["11-23 08:00", "11-23 09:00", "11-23 21:00"]


def test_what_is_too_much_for_today_leaves_tomorrow_morning() -> None:
    assert normal("11-23 10:00", FULL[:2]) == Slot(at("11-23 10:00"))
    assert normal("11-23 10:00", FULL) == Slot(at("11-24 07:00"), "daily_cap")


def test_a_day_that_is_full_already_is_passed_over() -> None:
    tomorrow = ["11-24 07:00"] * 3
    assert normal("11-23 10:00", [*FULL, *tomorrow]) == Slot(at("11-25 07:00"), "daily_cap")
    assert normal("11-23 23:00", tomorrow) == Slot(at("11-25 07:00"), "daily_cap")


def test_an_urgent_one_minds_the_night_but_not_the_count() -> None:
    booked = [at(each) for each in FULL]
    assert slot(Urgency.URGENT, at("11-23 10:00"), booked, RULES, CALENDAR) == Slot(at("11-23 10:00"))
    assert slot(Urgency.URGENT, at("11-23 23:00"), booked, RULES, CALENDAR) == Slot(at("11-24 07:00"), "quiet_hours")


def test_even_urgent_ones_have_an_end() -> None:
    booked = [at(each) for each in FULL * 2]
    assert slot(Urgency.URGENT, at("11-23 10:00"), booked, RULES, CALENDAR) == Slot(at("11-24 07:00"), "daily_cap")


def test_the_day_began_at_midnight_of_the_desk() -> None:
    assert day_began(datetime(2026, 11, 22, 18, tzinfo=UTC)) == at("11-23 00:00")


# ---------------------------------------------------------------- officers


@pytest.mark.parametrize(
    ("now", "leaves"),
    [
        ("11-23 06:00", "11-23 07:30"),
        ("11-23 16:59", "11-23 16:59"),
        ("11-23 17:00", "11-25 07:30"),  # the 24th is a holiday since 2026
        ("08-21 18:00", "08-22 07:30"),  # a Saturday that is worked ...
        ("08-28 18:00", "09-03 07:30"),  # ... for this Monday; then National Day
        ("02-13 17:00", "02-23 07:30"),  # Tết
    ],
)
def test_officers_are_told_when_they_work(now: str, leaves: str) -> None:
    assert slot(Urgency.OFFICE, at(now), [], RULES, CALENDAR) == Slot(
        at(leaves), "" if now == leaves else "office_hours"
    )


# ---------------------------------------------------------------- at any moment

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
TIMES = st.times().map(lambda value: value.replace(microsecond=0))
ANY_RULES = st.builds(
    ScheduleRules,
    quiet_from=TIMES,
    quiet_until=TIMES,
    per_day=st.integers(1, 4),
    office_from=st.just(time(7, 30)),
    office_until=st.just(time(17)),
)
BOOKED = st.lists(st.integers(0, 96), max_size=12)  # hours from now


@given(st.sampled_from(Urgency), MOMENTS, BOOKED, ANY_RULES)
def test_a_slot_is_never_in_the_past_in_the_night_or_one_too_many(
    urgency: Urgency, now: datetime, hours: list[int], rules: ScheduleRules
) -> None:
    booked = [now + timedelta(hours=each) for each in hours]
    got = slot(urgency, now, booked, rules, CALENDAR)
    local = got.available_at.astimezone(LOCAL_ZONE)
    assert got.available_at >= now
    assert bool(got.reason) == (got.available_at != now)
    if urgency is Urgency.OFFICE:
        assert CALENDAR.working(local.date())
        assert rules.office_from <= local.time() < rules.office_until
        assert local.date() != date(2026, 8, 31)
        return
    assert not rules.quiet(local.time())
    if urgency is Urgency.NORMAL:
        assert Counter(map(local_day, booked))[local.date()] < rules.per_day


@given(st.sampled_from(Urgency), MOMENTS, st.integers(0, 3 * 24 * 60), BOOKED, ANY_RULES)
def test_who_asks_later_does_not_leave_earlier(
    urgency: Urgency, now: datetime, minutes: int, hours: list[int], rules: ScheduleRules
) -> None:
    booked = [now + timedelta(hours=each) for each in hours]
    first = slot(urgency, now, booked, rules, CALENDAR).available_at
    assert first <= slot(urgency, now + timedelta(minutes=minutes), booked, rules, CALENDAR).available_at


@given(MOMENTS, BOOKED, ANY_RULES, st.integers(0, 4 * 24 * 60))
def test_no_earlier_moment_was_free(now: datetime, hours: list[int], rules: ScheduleRules, minutes: int) -> None:
    """Any moment between now and the slot is quiet, or its day is full."""
    booked = [now + timedelta(hours=each) for each in hours]
    got = slot(Urgency.NORMAL, now, booked, rules, CALENDAR).available_at
    between = now + timedelta(minutes=minutes)
    if between < got:
        local = between.astimezone(LOCAL_ZONE)
        assert rules.quiet(local.time()) or Counter(map(local_day, booked))[local.date()] >= rules.per_day


def test_officers_are_told_on_every_working_day_of_2026_and_on_no_other() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    told = {slot(Urgency.OFFICE, local_moment(day, time(6)), [], RULES, CALENDAR).available_at for day in days}
    assert {local_day(each) for each in told if each.year == 2026} == {day for day in days if CALENDAR.working(day)}
    assert local_moment(date(2026, 8, 22), time(7, 30)) in told


# ---------------------------------------------------------------- rules that could never be kept


def test_rules_under_which_nobody_is_ever_told_are_refused() -> None:
    with pytest.raises(ValueError, match="per_day"):
        ScheduleRules(quiet_from=time(22), quiet_until=time(7), per_day=0, office_from=time(7), office_until=time(17))
    with pytest.raises(ValueError, match="office_from"):
        ScheduleRules(quiet_from=time(22), quiet_until=time(7), per_day=1, office_from=time(17), office_until=time(17))
