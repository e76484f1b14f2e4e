"""What a supplement does to the promised day."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.working_time import DeskHours, SupplementRule, TimeLimit, due_after_supplement, due_at
from tests.unit.test_working_time import CALENDAR, DESKS, HOURS, LIMITS, MOMENTS, USUAL, at, within_hours

PROMISED = "02/12/2026 17:00"  # received on Friday 27 November at 9:00, three working days


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SupplementRule.RESTART, "08/12/2026 17:00"),
        (SupplementRule.EXTEND, "04/12/2026 17:00"),
        (SupplementRule.SUBTRACT, PROMISED),
    ],
)
def test_a_supplement_moves_the_promised_day_by_its_rule(rule: SupplementRule, expected: str) -> None:
    asked, given_at = at("01/12/2026 10:00"), at("03/12/2026 09:00")
    told = due_after_supplement(rule, TimeLimit(3), at(PROMISED), asked, given_at, USUAL, CALENDAR)
    assert told == at(expected)


def test_a_limit_in_hours_is_extended_by_the_open_time_it_waited() -> None:
    promised = due_at(at("27/11/2026 09:00"), TimeLimit(8, HOURS), USUAL, CALENDAR)
    asked, given_at = at("27/11/2026 10:00"), at("30/11/2026 08:00")  # 5 hours on Friday, 1 on Monday
    told = due_after_supplement(SupplementRule.EXTEND, TimeLimit(8, HOURS), promised, asked, given_at, USUAL, CALENDAR)
    assert told == at("30/11/2026 17:00")


@pytest.mark.parametrize("given_at", ["01/12/2026 10:00", "01/12/2026 14:00", "30/11/2026 09:00"])
def test_what_was_given_the_same_day_or_typed_earlier_than_asked_extends_nothing(given_at: str) -> None:
    told = due_after_supplement(
        SupplementRule.EXTEND, TimeLimit(3), at(PROMISED), at("01/12/2026 10:00"), at(given_at), USUAL, CALENDAR
    )
    assert told == at(PROMISED)


@pytest.mark.parametrize("promised", ["02/12/2026 10:00", "05/12/2026 10:00"])
def test_a_moment_an_officer_promised_stays_as_it_is_where_nothing_was_waited_for(promised: str) -> None:
    """By his own choice, within the day or even on a Saturday."""
    asked, given_at = at("01/12/2026 10:00"), at("01/12/2026 14:00")
    for rule in (SupplementRule.EXTEND, SupplementRule.SUBTRACT):
        told = due_after_supplement(rule, TimeLimit(3), at(promised), asked, given_at, USUAL, CALENDAR)
        assert told == at(promised)


def test_a_day_off_an_officer_promised_is_left_when_it_moves() -> None:
    asked, given_at = at("01/12/2026 10:00"), at("02/12/2026 09:00")
    told = due_after_supplement(
        SupplementRule.EXTEND, TimeLimit(3), at("05/12/2026 10:00"), asked, given_at, USUAL, CALENDAR
    )
    assert told == at("07/12/2026 17:00")


@given(st.sampled_from(list(SupplementRule)), LIMITS, MOMENTS, st.integers(0, 20_000), st.integers(1, 40_000), DESKS)
def test_a_supplement_never_brings_the_day_nearer_but_by_counting_anew(
    rule: SupplementRule, limit: TimeLimit, received: datetime, asked: int, wait: int, desk: DeskHours
) -> None:
    promised = due_at(received, limit, desk, CALENDAR)
    asked_at = received + timedelta(minutes=asked)
    given_at = asked_at + timedelta(minutes=wait)
    told = due_after_supplement(rule, limit, promised, asked_at, given_at, desk, CALENDAR)
    assert told >= promised
    assert within_hours(told, desk)
    if rule is SupplementRule.RESTART:
        assert told == due_at(given_at, limit, desk, CALENDAR)
