"""How long a procedure may take, from what its row says: counted in one unit, told in words."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import pytest

from domain.procedure import Procedure
from domain.working_time import DeskHours, LimitUnit, SupplementRule, TimeLimit
from gateway.settings.intake import IntakeSettings
from intake.procedure_rows import DEAREST, LONGEST, read_catalogue
from intake.procedures import Procedures
from tests.unit.speaking import shipped_procedures
from tests.unit.test_procedures import BIRTH, BUSINESS, LAND_SALE, MARRIAGE, TODAY, faults, row

NOTE = {"vi": "trong ngày", "en": "the same day"}
ALLOWANCE = "1.001776"


def timed(**more: Any) -> dict[str, Any]:
    """A row whose time is `more` and nothing else."""
    return {key: value for key, value in row(**more).items() if key != "days" or "days" in more}


def only(**whole: Any) -> Procedure:
    ((_, procedure),) = read_catalogue(whole).rows
    return procedure


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ({"days": 3}, TimeLimit(3)),
        ({"hours": 12, "days_note": NOTE}, TimeLimit(12, LimitUnit.WORKING_HOURS)),
        ({"calendar_days": 15, "days_note": NOTE}, TimeLimit(15, LimitUnit.DAYS)),
        ({"same_day": True, "days_note": NOTE}, TimeLimit(0)),
        ({"same_day": False, "days_note": NOTE}, None),
        ({"days_note": NOTE}, None),
    ],
)
def test_a_row_says_how_long_it_may_take(said: dict[str, Any], limit: TimeLimit | None) -> None:
    assert only(procedure=[timed(**said)]).limit() == limit


def test_what_is_not_said_is_what_the_law_says() -> None:
    plain = only(procedure=[row()])
    assert (plain.supplement, plain.cut_off, plain.fee_dong) == (SupplementRule.RESTART, None, None)
    own = only(procedure=[row(supplement="extend", cut_off="16:00", fee_dong=8_000)])
    assert (own.supplement, own.cut_off, own.fee_dong) == (SupplementRule.EXTEND, time(16), 8_000)


def test_every_slip_in_the_time_and_the_fee_is_named() -> None:
    told = faults(
        row("1.000001", hours=4, days_note=NOTE),
        timed(code="1.000002", hours=4),
        timed(code="1.000003", hours=0, calendar_days=LONGEST + 1, days_note=NOTE),
        row("1.000004", supplement="wait", cut_off="3 giờ", fee_dong=-1),
        row("1.000005", cut_off="24:00", fee_dong=DEAREST + 1),
        row("1.000006", same_day=1, hours=True, cut_off=time(15), fee_dong="8.000"),
        row("1.000007", valid_from=datetime(2026, 7, 1)),  # noqa: DTZ001 - as a TOML file may have it
        timed(code="1.000008"),
    )
    assert told == [
        "procedure 1.000001: it has both days and hours: how long may it take?",
        "procedure 1.000002: hours needs days_note: the time as people read it",
        "procedure 1.000003: hours must be at least 1",
        "procedure 1.000003: calendar_days must be at most 1000",
        "procedure 1.000004: fee_dong must be at least 0",
        "procedure 1.000004: supplement must be one of restart, extend, subtract",
        "procedure 1.000004: cut_off must be a time of day such as 15:00",
        "procedure 1.000005: fee_dong must be at most 2000000000",
        "procedure 1.000005: cut_off must be a time of day such as 15:00",
        "procedure 1.000006: same_day must be a bool",
        "procedure 1.000006: hours must be a int",
        "procedure 1.000006: cut_off must be a str",
        "procedure 1.000006: fee_dong must be a int",
        "procedure 1.000007: valid_from must be a date",
        "procedure 1.000008: it needs either days or days_note",
    ]


def test_a_fault_is_told_with_its_row_and_the_other_rows_are_read() -> None:
    read = read_catalogue({"procedure": [row("1.000001"), row("1.02"), row("1.000003"), row("1.000001")]})
    assert [(fault.row, fault.text) for fault in read.faults] == [
        (1, "procedure 1.02: the code is not of the form 1.004946"),
        (3, "procedure 1.000001: two versions are in force on the same day"),
    ]
    assert [(number, procedure.code) for number, procedure in read.rows] == [
        (0, "1.000001"),
        (2, "1.000003"),
        (3, "1.000001"),
    ]


def test_a_version_has_a_time_of_its_own() -> None:
    until = row(days=5, valid_to=date(2026, 6, 30))
    catalogue = Procedures.from_mapping({"procedure": [until, row(days=3, valid_from=date(2026, 7, 1))]})
    for day, days in ((date(2026, 6, 30), 5), (date(2026, 7, 1), 3)):
        found = catalogue.get("1.000001", today=day)
        assert found is not None
        assert found.limit() == TimeLimit(days)


# ---- the shipped file


@pytest.mark.parametrize(
    ("code", "limit", "rule"),
    [
        (BIRTH, TimeLimit(0), SupplementRule.RESTART),
        (MARRIAGE, TimeLimit(0), SupplementRule.RESTART),
        (BUSINESS, TimeLimit(3), SupplementRule.RESTART),
        (LAND_SALE, TimeLimit(10), SupplementRule.EXTEND),
        (ALLOWANCE, TimeLimit(10), SupplementRule.SUBTRACT),
    ],
)
def test_what_is_asked_for_most_has_a_time_and_a_rule(code: str, limit: TimeLimit, rule: SupplementRule) -> None:
    found = Procedures.from_mapping(shipped_procedures()).get(code, today=TODAY)
    assert found is not None
    assert (found.limit(), found.supplement) == (limit, rule)


def test_nearly_every_shipped_procedure_promises_a_day_within_the_desks_hours() -> None:
    usual = IntakeSettings()
    desk = DeskHours.of(usual.hours, usual.saturday, usual.cut_off)
    shipped = list(Procedures.from_mapping(shipped_procedures()))
    assert sum(each.limit() is None for each in shipped) <= 6  # school calendars, what is done at once by telephone
    for each in shipped:
        assert each.cut_off is None or desk.weekdays[0][0] < each.cut_off <= desk.weekdays[-1][1]
