"""Patterns of codes: what makes no code is refused, and two agencies never print the same one."""

from __future__ import annotations

from datetime import date

import pytest

from domain.numbering import NumberPattern

RULE = "{agency}-{yymmdd}-{serial:4}"


@pytest.mark.parametrize(
    "text",
    [
        "{agency}-{yymmdd}-0001",  # no serial
        "{agency}-{yymmdd}-{serial:2}{serial:2}",
        "{agency}-{year}-{serial:4}",
        "{agency}-260131-{serial:4}",  # the second day would begin with the codes of the first
        "{agency}/{yymmdd}/{serial:4}",  # nobody could text it
    ],
)
def test_a_pattern_that_makes_no_codes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|cannot be read"):
        NumberPattern(agency="H51.18", text=text)


@pytest.mark.parametrize(
    ("mine", "theirs", "meet"),
    [
        (RULE, RULE, False),
        ("H51-{yymmdd}-{serial:4}", "H51-{yymmdd}-{serial:4}", True),
        ("H51-{yymmdd}-{serial:4}", "H51-{yymmdd}-1{serial:3}", True),  # 1001 of the one, 001 of the other
        ("H51-{yymmdd}-1{serial:4}", "H51-{yymmdd}-2{serial:4}", False),
        ("H51-{yymmdd}-{serial:4}", "H51-{yyyymmdd}-{serial:4}", False),
        ("H51.19-{yymmdd}-{serial:4}", RULE, True),  # the other's own codes
    ],
)
def test_two_agencies_meet_where_one_could_print_a_code_of_the_other(mine: str, theirs: str, meet: bool) -> None:  # noqa: FBT001
    one, other = NumberPattern(agency="H51.18", text=mine), NumberPattern(agency="H51.19", text=theirs)
    assert one.may_meet(other) is meet
    assert other.may_meet(one) is meet


def test_beginning_elsewhere_keeps_two_apart_for_a_while_only() -> None:
    shared = "H51-{yymmdd}-{serial:4}"
    high = NumberPattern(agency="H51.19", text=shared, first=9001)
    assert NumberPattern(agency="H51.18", text=shared).may_meet(high)


def test_codes_are_those_of_the_rule_in_force() -> None:
    pattern = NumberPattern(agency="H51.18")
    assert pattern.code(date(2026, 8, 31), 7).text == "H51.18-260831-0007"
    assert pattern.agency_in_codes == "H51.18"
