"""The calendar of the one-stop desks: the operator's file, and the law's holidays for years it does not have."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import holidays
import structlog

from domain.calendar import WorkCalendar
from domain.errors import SettingsError
from gateway.bootstrap.words import read_toml

log = structlog.get_logger()

YEARS_BEFORE = 2  # dossiers may have waited that long
YEARS_AFTER = 10  # no process runs longer
NOTICE = timedelta(days=45)  # before a year begins its holidays have to be known: dossiers are promised for it


def read_calendar(path: Path, today: date) -> WorkCalendar:
    """From `notices.calendar` of the settings. Warns where this year, or the one that begins soon, is not certain.

    Raises:
        SettingsError: the file does not hold what it should; every fault of it.
    """
    tables = read_toml(path)
    years = range(today.year - YEARS_BEFORE, today.year + YEARS_AFTER)
    try:
        known = WorkCalendar.from_mapping(tables)
    except ValueError as error:
        raise SettingsError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error
    for year in sorted({today.year, (today + NOTICE).year}):
        if _assumed(tables.get(str(year))):
            log.warning("calendar.assumed", year=year)
    return known | by_law([year for year in years if str(year) not in tables])


def by_law(years: list[int]) -> WorkCalendar:
    """The labour code's holidays with their days in lieu, from the lunar calendar; swapped days where they are known."""
    calendar = holidays.country_holidays("VN", years=years)
    return WorkCalendar(
        days_off=frozenset(day for day in calendar if day.year in years),
        make_up_days=frozenset(day for day in getattr(calendar, "weekend_workdays", ()) if day.year in years),
    )


def _assumed(table: dict[str, Any] | None) -> bool:
    return table is None or bool(table.get("assumed", False))
