"""Days and moments as officers' browsers send them; what is typed by hand breaks nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from console.forms import read_day, read_moment
from domain.calendar import LOCAL_ZONE, local_day

CENTURY = range(2000, 2100)


@pytest.mark.parametrize(
    "text", ["", "mai", "23/11/2026", "2026-02-30", "0001-01-01", "9999-12-31", "2026-11-23 14:05"]
)
def test_what_is_no_day_to_count_with_is_none(text: str) -> None:
    assert read_day(text) is None


@pytest.mark.parametrize("text", ["1999-12-31", "2100-01-01"])
def test_a_day_of_no_year_of_ours_is_none(text: str) -> None:
    assert read_day(text) is not None
    assert read_day(text, CENTURY) is None
    assert read_moment(f"{text}T14:05", CENTURY) is None


def test_a_day_is_read() -> None:
    assert read_day("2026-11-23") == read_day("2026-11-23", CENTURY) == date(2026, 11, 23)


def test_a_moment_is_by_the_desks_clock_unless_it_says_another() -> None:
    assert read_moment("2026-11-23T14:05") == datetime(2026, 11, 23, 14, 5, tzinfo=LOCAL_ZONE)
    assert read_moment("2026-11-23T14:05Z") == datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "mai", "25:00", "9999-12-31T23:00-12:00", "0001-01-01T00:00+14:00"])
def test_what_is_no_moment_to_count_with_is_none(text: str) -> None:
    assert read_moment(text) is None


@pytest.mark.parametrize("text", ["9998-12-31T23:59-12:00", "0002-01-01T00:00+14:00"])
def test_whatever_is_read_can_be_counted_with(text: str) -> None:
    moment = read_moment(text)
    assert moment is not None
    assert local_day(moment) + timedelta(days=1) > local_day(moment - timedelta(days=1))
