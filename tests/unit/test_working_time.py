"""When a dossier is due: cut-off, days off, swapped days, years nobody has published; properties over years."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import LOCAL_ZONE, WorkCalendar, local_day
from domain.working_time import (
    DeskHours,
    LimitUnit,
    TimeLimit,
    due_at,
    later,
    starts,
    waited,
)
from gateway.bootstrap.calendar import by_law, read_calendar
from gateway.settings.intake import IntakeSettings
from tests.unit.speaking import CONFIG

TODAY = date(2026, 11, 23)
CALENDAR = read_calendar(CONFIG / "holidays" / "vn.toml", TODAY)
USUAL = DeskHours.of(("07:00-11:30", "13:30-17:00"))
LENIENT = replace(USUAL, cut_off=time(17))  # as long as it is open
SATURDAYS = replace(USUAL, saturday=((time(7), time(11, 30)),))
HOURS, DAYS = LimitUnit.WORKING_HOURS, LimitUnit.DAYS

NEW_YEAR = datetime(2025, 1, 1, tzinfo=LOCAL_ZONE)
MOMENTS = st.integers(0, 9 * 365 * 24 * 60).map(lambda minutes: NEW_YEAR + timedelta(minutes=minutes))
DESKS = st.sampled_from([USUAL, LENIENT, SATURDAYS, DeskHours.of(("08:00-12:00", "13:00-16:00"), (), "11:00")])
LIMITS = st.sampled_from(list(LimitUnit)).flatmap(lambda unit: st.builds(TimeLimit, st.integers(1, 40), st.just(unit)))


def at(text: str) -> datetime:
    """ "21/08/2026 10:00" at the desk."""
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=LOCAL_ZONE)


def due(received: str, limit: TimeLimit, desk: DeskHours = USUAL, calendar: WorkCalendar = CALENDAR) -> str:
    return f"{due_at(at(received), limit, desk, calendar):%d/%m/%Y %H:%M}"


# ---- when counting begins


@pytest.mark.parametrize(
    ("received", "begins"),
    [
        ("23/11/2026 09:10", "23/11/2026 09:10"),
        ("23/11/2026 05:00", "23/11/2026 07:00"),  # by the web, before anybody is there
        ("23/11/2026 12:00", "23/11/2026 13:30"),
        ("23/11/2026 15:00", "23/11/2026 15:00"),
        ("23/11/2026 15:01", "25/11/2026 07:00"),  # 24 November is a holiday from 2026 on
        ("28/11/2026 09:00", "30/11/2026 07:00"),  # a Saturday
        ("13/02/2026 15:01", "23/02/2026 07:00"),  # over Tết
        ("21/08/2026 16:00", "22/08/2026 07:00"),  # the next day is a worked Saturday
    ],
)
def test_counting_begins_when_the_desk_can_begin(received: str, begins: str) -> None:
    assert starts(at(received), USUAL, CALENDAR) == at(begins)


def test_the_minute_on_the_receipt_counts_not_its_seconds() -> None:
    last = at("23/11/2026 15:00") + timedelta(seconds=59)
    assert starts(last, USUAL, CALENDAR) == at("23/11/2026 15:00")


def test_a_cut_off_behind_closing_time_does_not_open_the_desk() -> None:
    desk = replace(USUAL, cut_off=time(20))
    assert starts(at("23/11/2026 17:00"), desk, CALENDAR) == at("23/11/2026 17:00")
    assert starts(at("23/11/2026 17:01"), desk, CALENDAR) == at("25/11/2026 07:00")


def test_a_procedure_may_cut_off_later_than_the_desk() -> None:
    assert due("27/11/2026 15:30", TimeLimit(1)) == "01/12/2026 17:00"
    assert due("27/11/2026 15:30", TimeLimit(1), replace(USUAL, cut_off=time(16))) == "30/11/2026 17:00"


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        starts(at("23/11/2026 09:00").replace(tzinfo=None), USUAL, CALENDAR)


# ---- desks


@pytest.mark.parametrize(
    ("hours", "saturday"),
    [
        ((), ()),
        (("13:30-17:00", "07:00-11:30"), ()),
        (("07:00-11:30", "11:00-17:00"), ()),
        (("07:00-11:30", "11:30-17:00"), ()),
        (("11:30-07:00",), ()),
        (("07:00-17:00",), ("09:00-09:00",)),
        (("7 giờ",), ()),
    ],
)
def test_hours_that_are_no_hours_are_refused(hours: tuple[str, ...], saturday: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        DeskHours.of(hours, saturday)


def test_the_settings_hours_are_the_usual_ones() -> None:
    chosen = IntakeSettings()
    assert DeskHours.of(chosen.hours, chosen.saturday, chosen.cut_off) == USUAL
    assert USUAL.cuts_within
    assert not replace(USUAL, cut_off=time(3)).cuts_within


# ---- limits


@pytest.mark.parametrize(
    ("received", "limit", "expected"),
    [
        ("23/11/2026 09:00", TimeLimit(0), "23/11/2026 17:00"),  # the same day
        ("23/11/2026 15:30", TimeLimit(0), "25/11/2026 17:00"),
        ("27/11/2026 09:00", TimeLimit(3), "02/12/2026 17:00"),
        ("27/11/2026 09:00", TimeLimit(4, HOURS), "27/11/2026 15:00"),
        ("27/11/2026 13:30", TimeLimit(4, HOURS), "30/11/2026 07:30"),
        ("27/11/2026 07:00", TimeLimit(8, HOURS), "27/11/2026 17:00"),
        ("27/11/2026 09:00", TimeLimit(8, HOURS), "30/11/2026 09:00"),
        ("27/11/2026 09:00", TimeLimit(2, DAYS), "30/11/2026 17:00"),  # not on Sunday
        ("02/02/2026 09:00", TimeLimit(15, DAYS), "23/02/2026 17:00"),  # not in Tết
    ],
)
def test_each_unit_is_counted_its_way(received: str, limit: TimeLimit, expected: str) -> None:
    assert due(received, limit) == expected


@pytest.mark.parametrize("wrong", [(-1, LimitUnit.WORKING_DAYS), (0, HOURS), (0, DAYS)])
def test_no_time_is_no_limit(wrong: tuple[int, LimitUnit]) -> None:
    with pytest.raises(ValueError, match="at least"):
        TimeLimit(*wrong)


@pytest.mark.parametrize("calendar", [CALENDAR, by_law([2026])], ids=["the file", "the package"])
@pytest.mark.parametrize(
    ("received", "limit", "expected"),
    [
        ("13/02/2026 09:00", TimeLimit(1), "23/02/2026 17:00"),  # Tết: 16 to 20 February
        ("17/02/2026 09:00", TimeLimit(1), "24/02/2026 17:00"),  # filed on the first of Tết
        ("13/02/2026 16:00", TimeLimit(1, HOURS), "23/02/2026 08:00"),
        ("24/04/2026 09:00", TimeLimit(1), "28/04/2026 17:00"),  # the Hùng Kings' day is a Sunday
        ("29/04/2026 09:00", TimeLimit(1), "04/05/2026 17:00"),
        ("21/08/2026 09:00", TimeLimit(1), "22/08/2026 17:00"),  # Saturday is worked, all day long
        ("21/08/2026 16:00", TimeLimit(8, HOURS), "22/08/2026 17:00"),
        ("28/08/2026 09:00", TimeLimit(1), "03/09/2026 17:00"),  # for Monday 31 August; 1 and 2 September
        ("28/08/2026 09:00", TimeLimit(3, DAYS), "03/09/2026 17:00"),
        ("31/08/2026 09:00", TimeLimit(1), "04/09/2026 17:00"),
    ],
)
def test_the_published_days_of_2026(calendar: WorkCalendar, received: str, limit: TimeLimit, expected: str) -> None:
    assert due(received, limit, calendar=calendar) == expected


def test_a_desk_with_saturday_mornings_works_hours_on_them_and_promises_no_day_of_them() -> None:
    assert due("27/11/2026 15:00", TimeLimit(4, HOURS), SATURDAYS) == "28/11/2026 09:00"
    assert due("27/11/2026 09:00", TimeLimit(1), SATURDAYS) == due("28/11/2026 09:00", TimeLimit(1), SATURDAYS)
    assert due("28/11/2026 09:00", TimeLimit(1), SATURDAYS) == "30/11/2026 17:00"
    assert due("28/11/2026 11:31", TimeLimit(1), SATURDAYS) == "01/12/2026 17:00"


def test_a_made_up_saturday_has_the_hours_of_a_weekday_where_saturdays_are_short_too() -> None:
    assert due("21/08/2026 09:00", TimeLimit(1), SATURDAYS) == "22/08/2026 17:00"


def test_a_saturday_that_is_a_holiday_is_closed_though_saturdays_are_open() -> None:
    first_of_may = at("01/05/2027 09:00")
    calendar = WorkCalendar(days_off=frozenset({date(2027, 5, 1), date(2027, 5, 3)}))
    assert starts(first_of_may, SATURDAYS, calendar) == at("04/05/2027 07:00")


# ---- years nobody has published


def test_a_year_nobody_has_published_follows_the_law_without_swapped_days() -> None:
    assert due("21/01/2028 09:00", TimeLimit(1)) == "31/01/2028 17:00"  # Tết is 26 January
    assert due("31/12/2029 09:00", TimeLimit(1)) == "02/01/2030 17:00"
    assert not any(day.year > 2027 for day in CALENDAR.make_up_days)


def test_behind_ten_years_only_weekends_are_off() -> None:
    """No process runs that long; a moment that far is a slip, and is still answered."""
    assert due("29/12/2045 09:00", TimeLimit(1)) == "01/01/2046 17:00"


# ---- properties


@given(MOMENTS, DESKS)
def test_counting_begins_while_open_and_never_before_it_came(received: datetime, desk: DeskHours) -> None:
    begun = starts(received, desk, CALENDAR)
    assert begun >= received
    assert within_hours(begun, desk)
    if received.time() <= desk.cut_off:
        assert waited(received, begun, desk, CALENDAR) == timedelta()


@given(MOMENTS, LIMITS, DESKS)
def test_it_is_due_while_open_and_never_on_a_day_off(received: datetime, limit: TimeLimit, desk: DeskHours) -> None:
    moment = due_at(received, limit, desk, CALENDAR)
    assert moment > received
    assert within_hours(moment, desk)
    if limit.unit is not HOURS:
        assert CALENDAR.working(local_day(moment))
        assert moment == desk.spans(local_day(moment), CALENDAR)[-1][1]


@given(MOMENTS, st.integers(0, 60 * 24 * 40), LIMITS, DESKS)
def test_who_came_later_is_never_due_earlier(received: datetime, wait: int, limit: TimeLimit, desk: DeskHours) -> None:
    second = received + timedelta(minutes=wait)
    assert due_at(received, limit, desk, CALENDAR) <= due_at(second, limit, desk, CALENDAR)


@given(MOMENTS, LIMITS, st.integers(1, 30), DESKS)
def test_more_time_is_never_less(received: datetime, limit: TimeLimit, more: int, desk: DeskHours) -> None:
    longer = replace(limit, count=limit.count + more)
    shorter_due, longer_due = (due_at(received, each, desk, CALENDAR) for each in (limit, longer))
    assert shorter_due <= longer_due
    assert limit.unit is DAYS or shorter_due < longer_due


@given(MOMENTS, st.integers(1, 30), st.integers(1, 30), st.sampled_from([LimitUnit.WORKING_DAYS, HOURS]))
def test_two_limits_after_one_another_are_one_limit(received: datetime, one: int, two: int, unit: LimitUnit) -> None:
    """On a desk that takes until it closes; with an earlier cut-off the second begins a day later."""
    between = due_at(received, TimeLimit(one, unit), LENIENT, CALENDAR)
    whole = due_at(received, TimeLimit(one + two, unit), LENIENT, CALENDAR)
    assert due_at(between, TimeLimit(two, unit), LENIENT, CALENDAR) == whole


@given(MOMENTS, st.integers(0, 6_000), st.integers(0, 6_000), DESKS)
def test_open_time_adds_up(moment: datetime, one: int, two: int, desk: DeskHours) -> None:
    first, second = timedelta(minutes=one), timedelta(minutes=two)
    there = later(moment, first + second, desk, CALENDAR)
    assert later(later(moment, first, desk, CALENDAR), second, desk, CALENDAR) == there
    assert waited(moment, there, desk, CALENDAR) == first + second
    assert waited(there, moment, desk, CALENDAR) == timedelta()


@given(MOMENTS, st.integers(1, 30))
def test_eight_hours_are_a_working_day_where_the_desk_is_open_eight_hours(received: datetime, days: int) -> None:
    begun = starts(received, USUAL, CALENDAR)
    in_days = datetime.combine(CALENDAR.add_working_days(begun.date(), days), begun.time(), LOCAL_ZONE)
    in_hours = due_at(received, TimeLimit(8 * days, HOURS), USUAL, CALENDAR)
    assert waited(in_hours, in_days, USUAL, CALENDAR) == timedelta()
    assert waited(begun, in_hours, USUAL, CALENDAR) == timedelta(hours=8 * days)


def within_hours(moment: datetime, desk: DeskHours) -> bool:
    return any(begin <= moment <= end for begin, end in desk.spans(local_day(moment), CALENDAR))
