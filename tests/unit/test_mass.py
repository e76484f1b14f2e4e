"""A mass change: counted by distinct dossiers within a window, by a share of the source and a least number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications.mass import NEVER_HELD, HoldRules, MassGuard
from tests.unit.watching import NOW, codes

RULES = HoldRules(share=0.2, least=200, window=timedelta(minutes=15))


@pytest.mark.parametrize(
    ("tracked", "changes", "held"),
    [
        (0, 200, False),
        (0, 201, True),
        (100, 100, False),
        (1_000, 201, True),
        (100_000, 20_000, False),
        (100_000, 20_001, True),
    ],
)
def test_more_than_a_share_and_more_than_the_least_is_a_mass_change(tracked: int, changes: int, held: bool) -> None:  # noqa: FBT001
    assert MassGuard(RULES).exceeded(changes, tracked) is held


@pytest.mark.parametrize("tracked", [0, 1, 201, 1_000_000])
def test_of_what_is_never_held_no_number_of_changes_is_a_mass_change_or_looks_like_one(tracked: int) -> None:
    guard = MassGuard(NEVER_HELD)
    assert not guard.exceeded(1_000_000, tracked)
    assert not guard.worth_looking_ahead(changed=500, of=500)


def test_a_dossier_that_changes_again_counts_once() -> None:
    guard = MassGuard(RULES)
    assert guard.count(codes(3), NOW) == 3
    assert guard.count(codes(4), NOW + timedelta(minutes=1)) == 4


def test_what_changed_before_the_window_is_forgotten() -> None:
    guard = MassGuard(RULES)
    guard.count(codes(3), NOW)
    guard.count(codes(1), NOW + timedelta(minutes=10))
    assert guard.count([], NOW + timedelta(minutes=15)) == 1


def test_looking_ahead_counts_nothing() -> None:
    guard = MassGuard(RULES)
    guard.count(codes(2), NOW)
    assert guard.with_these(codes(5), NOW) == 5
    assert guard.count([], NOW) == 2


def test_an_operators_decision_begins_anew() -> None:
    guard = MassGuard(RULES)
    guard.count(codes(5), NOW)
    guard.clear()
    assert guard.count(codes(1), NOW) == 1
