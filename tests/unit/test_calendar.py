"""The desks' days: holidays, days in lieu and swapped Saturdays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from domain.calendar import WorkCalendar, local_day, local_moment
from domain.errors import SettingsError
from gateway.bootstrap.calendar import by_law, read_calendar

SHIPPED = Path(__file__).parent.parent.parent / "config" / "holidays" / "vn.toml"
TODAY = date(2026, 11, 23)
CALENDAR = read_calendar(SHIPPED, TODAY)
DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))


def test_a_moment_late_in_the_evening_of_utc_is_the_next_day_at_the_desk() -> None:
    assert local_day(datetime(2026, 11, 23, 17, 30, tzinfo=UTC)) == date(2026, 11, 24)
    assert local_moment(date(2026, 11, 24), time(0, 30)) == datetime(2026, 11, 23, 17, 30, tzinfo=UTC)


# ---------------------------------------------------------------- the shipped file

OFF_WEEKDAYS = {
    2025: "01-01 01-27 01-28 01-29 01-30 01-31 04-07 04-30 05-01 05-02 09-01 09-02",
    2026: "01-01 01-02 02-16 02-17 02-18 02-19 02-20 04-27 04-30 05-01 08-31 09-01 09-02 11-24",
    2027: "01-01 02-05 02-08 02-09 02-10 02-11 04-16 04-30 05-03 09-02 09-03 11-24",
}
WORKED_WEEKENDS = {2025: "04-26", 2026: "01-10 08-22", 2027: ""}


@pytest.mark.parametrize("year", OFF_WEEKDAYS)
def test_each_year_has_the_days_of_its_notice(year: int) -> None:
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    off = [f"{day:%m-%d}" for day in days if day.weekday() < 5 and not CALENDAR.working(day)]
    worked = [f"{day:%m-%d}" for day in days if day.weekday() >= 5 and CALENDAR.working(day)]
    assert (off, worked) == (OFF_WEEKDAYS[year].split(), WORKED_WEEKENDS[year].split())


@pytest.mark.parametrize(
    ("year", "differs"),
    [
        (2025, set()),
        (2026, {date(2026, 1, 2), date(2026, 1, 10)}),  # a late letter that no library has
        (
            2027,
            {date(2027, 2, 4), date(2027, 2, 11)},
        ),  # which days are Tết is not said yet: 4 to 10 or 5 to 11 February
    ],
)
def test_the_law_as_computed_is_what_the_file_says_but_for_what_only_a_notice_says(
    year: int, differs: set[date]
) -> None:
    computed = by_law([year])
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    assert {day for day in days if computed.working(day) != CALENDAR.working(day)} == differs


def test_a_year_without_a_table_still_has_its_tet() -> None:
    assert not CALENDAR.working(date(2028, 1, 26))  # the first of Tết
    assert not CALENDAR.working(date(2028, 1, 3))  # 1 January is a Saturday


def test_no_years_are_no_holidays() -> None:
    assert by_law([]) == WorkCalendar()


# ---------------------------------------------------------------- counting


def test_a_make_up_saturday_counts_and_the_monday_it_is_for_does_not() -> None:
    assert CALENDAR.add_working_days(date(2026, 8, 21), 1) == date(2026, 8, 22)
    assert CALENDAR.add_working_days(date(2026, 8, 28), 1) == date(2026, 9, 3)
    assert CALENDAR.add_working_days(date(2026, 9, 3), -1) == date(2026, 8, 28)
    assert CALENDAR.next_working_day(date(2026, 2, 13)) == date(2026, 2, 23)  # over Tết


def test_no_working_days_are_the_day_itself() -> None:
    sunday = date(2026, 11, 22)
    assert CALENDAR.add_working_days(sunday, 0) == sunday
    assert CALENDAR.working_days_between(sunday, sunday) == 0


def test_a_week_has_five_working_days() -> None:
    assert WorkCalendar().working_days_between(date(2026, 11, 1), date(2026, 11, 8)) == 5
    assert WorkCalendar().working_days_between(date(2026, 11, 8), date(2026, 11, 1)) == -5


@given(DAYS, st.integers(1, 60))
def test_counting_forth_is_undone_by_counting_between(day: date, count: int) -> None:
    there = CALENDAR.add_working_days(day, count)
    assert CALENDAR.working(there)
    assert CALENDAR.working_days_between(day, there) == count


@given(DAYS, st.integers(1, 60))
def test_counting_back_lands_on_a_working_day_with_as_many_behind_it(day: date, count: int) -> None:
    there = CALENDAR.add_working_days(day, -count)
    assert CALENDAR.working(there)
    assert CALENDAR.working_days_between(there - timedelta(days=1), day - timedelta(days=1)) == count


# ---------------------------------------------------------------- files with faults


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "days.toml"
    path.write_text(
        '2024 = 1\n[2025]\noff = 3\nassumed = "yes"\n[2026]\noff = [2025-01-01, "2026-01-01", 2026-01-02T00:00:00]\nfree = []\n'
    )
    with pytest.raises(SettingsError) as raised:
        read_calendar(path, TODAY)
    lines = str(raised.value).splitlines()
    assert len(lines) == 7
    assert all(line.startswith(f"{path}: calendar: ") for line in lines)
    assert any("2024 must be a table" in line for line in lines)
    assert any("unknown key free" in line for line in lines)


def test_a_day_cannot_be_both_nor_a_weekday_be_made_up(tmp_path: Path) -> None:
    path = tmp_path / "days.toml"
    path.write_text("[2026]\noff = [2026-08-22]\nwork = [2026-08-22, 2026-08-24]\n")
    with pytest.raises(SettingsError, match=r"2026-08-22 is both off and worked(.|\n)*2026-08-24 is worked anyway"):
        read_calendar(path, TODAY)


def test_a_missing_file_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml"):
        read_calendar(tmp_path / "none.toml", TODAY)


@pytest.mark.parametrize(
    ("today", "years"),
    [
        (date(2026, 8, 1), []),
        (date(2026, 11, 23), [2027]),  # its table is marked as assumed
        (date(2027, 3, 1), [2027]),
        (date(2028, 12, 1), [2028, 2029]),  # no table at all
    ],
)
def test_a_year_that_is_not_certain_is_said(today: date, years: list[int]) -> None:
    with capture_logs() as lines:
        read_calendar(SHIPPED, today)
    assert [line["year"] for line in lines if line["event"] == "calendar.assumed"] == years
