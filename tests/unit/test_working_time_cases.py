"""Working time: two thousand cases made by chance, counted again slowly by somebody who never saw our code."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest

from domain.calendar import LOCAL_ZONE, WorkCalendar
from domain.working_time import (
    DeskHours,
    LimitUnit,
    SupplementRule,
    TimeLimit,
    due_after_supplement,
    due_at,
    starts,
    waited,
)
from tests.unit.counting_slowly import SlowDesk
from tests.unit.speaking import CONFIG

CASES = 2_000
PER_DESK = 100
FIRST, DAYS = date(2024, 12, 1), 1_400  # the years of the shipped file, and room behind them
RECEIVED_WITHIN = 365 * 3 * 24 * 60  # minutes
SPANS = (
    ("07:00-11:30", "13:30-17:00"),
    ("07:30-11:30", "13:00-17:00"),
    ("08:00-12:00", "13:00-16:00"),
    ("07:30-16:30",),
    ("06:45-09:15", "09:30-11:30", "13:30-15:10", "15:20-17:00"),
)
SATURDAYS = ((), ("07:30-11:30",), ("07:00-11:00", "14:00-15:30"))
CUT_OFFS = ("15:00", "16:00", "11:30", "09:00", "20:00")
MOST = {LimitUnit.WORKING_DAYS: 12, LimitUnit.WORKING_HOURS: 40, LimitUnit.DAYS: 20}


@dataclass(frozen=True, slots=True)
class Both:
    """The same desk twice, and the same days."""

    desk: DeskHours
    calendar: WorkCalendar
    slow: SlowDesk


@dataclass(frozen=True, slots=True)
class Case:
    received: int  # minutes after FIRST
    limit: TimeLimit
    rule: SupplementRule
    asked: int
    given: int


def shipped_days() -> tuple[set[date], set[date]]:
    """Off and worked, of all years of the file."""
    years = tomllib.loads((CONFIG / "holidays" / "vn.toml").read_text(encoding="utf-8")).values()
    return {day for year in years for day in year["off"]}, {day for year in years for day in year.get("work", ())}


def both(chance: random.Random) -> Both:
    """A desk; on top of the published days a few more are off, and a few more Saturdays are worked."""
    off, work = shipped_days()
    others = [FIRST + timedelta(days=chance.randrange(DAYS)) for _ in range(chance.choice([0, 0, 40]))]
    work |= {day for day in others if day.weekday() == 5 and day not in off}
    off |= set(others) - work
    hours, saturday = chance.choice(SPANS), chance.choice(SATURDAYS)
    cut_off = chance.choice(CUT_OFFS)
    return Both(
        DeskHours.of(hours, saturday, cut_off),
        WorkCalendar(days_off=frozenset(off), make_up_days=frozenset(work)),
        SlowDesk(FIRST, DAYS, hours=hours, saturday=saturday, cut_off=cut_off, off=off, work=work),
    )


def case(chance: random.Random) -> Case:
    """Most come while desks are open, some at night; some exactly when a span ends."""
    day = chance.randrange(RECEIVED_WITHIN // 1440) * 1440
    received = day + chance.choice([chance.randrange(1440), chance.randrange(400, 1060), *(690, 810, 900, 1020)])
    unit = chance.choice(list(LimitUnit))
    limit = TimeLimit(chance.randint(unit is not LimitUnit.WORKING_DAYS, MOST[unit]), unit)
    asked = received + chance.randrange(5 * 1440)
    return Case(received, limit, chance.choice(list(SupplementRule)), asked, asked + chance.randrange(1, 12 * 1440))


def generated() -> Iterator[tuple[Both, Case]]:
    chance = random.Random(20260824)  # the same cases each time
    for _ in range(CASES // PER_DESK):
        desks = both(chance)
        yield from ((desks, case(chance)) for _ in range(PER_DESK))


def test_two_thousand_cases_are_due_when_counting_minutes_says() -> None:
    counted = 0
    for desks, each in generated():
        at = [desks.slow.moment(minute) for minute in (each.received, each.asked, each.given)]
        desk, calendar, slow = desks.desk, desks.calendar, desks.slow
        due = slow.due(each.received, each.limit.count, each.limit.unit)
        told = (
            starts(at[0], desk, calendar),
            due_at(at[0], each.limit, desk, calendar),
            waited(at[1], at[2], desk, calendar),
            due_after_supplement(each.rule, each.limit, slow.moment(due), at[1], at[2], desk, calendar),
        )
        later = slow.due_after_supplement(each.rule, each.limit.unit, each.limit.count, due, each.asked, each.given)
        expected = (
            slow.moment(slow.begin(each.received)),
            slow.moment(due),
            timedelta(minutes=slow.waited(each.asked, each.given)),
            slow.moment(later),
        )
        assert told == expected, (each, desk)
        counted += 1
    assert counted == CASES


def test_the_cases_are_of_every_kind() -> None:
    cases = [(desks, each) for desks, each in generated()]
    assert {(each.limit.unit, each.rule) for _, each in cases} == {
        (unit, rule) for unit in LimitUnit for rule in SupplementRule
    }
    assert any(each.limit.count == 0 for _, each in cases)
    moments = [(desks, desks.slow.moment(each.received)) for desks, each in cases]
    off = sum(not desks.desk.spans(moment.date(), desks.calendar) for desks, moment in moments)
    late = sum(moment.time() > desks.desk.cut_off for desks, moment in moments)
    made_up = sum(moment.date() in desks.calendar.make_up_days for desks, moment in moments)
    saturdays = sum(
        moment.weekday() == 5 and bool(desks.desk.spans(moment.date(), desks.calendar)) for desks, moment in moments
    )
    assert min(off, late, saturdays) > CASES // 25
    assert made_up >= 5


@pytest.mark.parametrize("wrong", [None, "cut_off", "off"])
def test_the_slow_one_would_notice(wrong: str | None) -> None:
    """A desk that is read wrongly is not the same: the comparison can fail."""
    off, work = shipped_days()
    hours, cut_off = SPANS[0], "15:00"
    slow = SlowDesk(FIRST, DAYS, hours=hours, saturday=(), cut_off=cut_off, off=off, work=work)
    desk = DeskHours.of(hours, (), "14:00" if wrong == "cut_off" else cut_off)
    calendar = WorkCalendar(days_off=frozenset(() if wrong == "off" else off), make_up_days=frozenset(work))
    received = slow.minute(datetime(2026, 2, 13, 14, 30, tzinfo=LOCAL_ZONE))  # the last hours before Tết
    told = due_at(slow.moment(received), TimeLimit(1), desk, calendar)
    same = told == slow.moment(slow.due(received, 1, "working_days"))
    assert same is (wrong is None)
