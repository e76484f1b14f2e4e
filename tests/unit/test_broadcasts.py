"""Four eyes, whatever is tried: nobody who had a hand in a text lets it leave, and what was approved is what leaves."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broadcasts import (
    MOVES,
    NEEDS,
    Audience,
    AudienceKind,
    Broadcast,
    BroadcastAction,
    BroadcastState,
    Refusal,
    decide,
    most_people,
    moved,
    seal_now,
    seal_of,
)
from domain.officers import RIGHTS, Officer, OfficerRole

A: TypeAlias = BroadcastAction
S: TypeAlias = BroadcastState
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SCOPE = frozenset({"H51.18"})
AUDIENCE = Audience(kind=AudienceKind.FOLLOWERS, agencies=("H51.18",))
# The worst case: everybody has every role.
OFFICERS = [
    Officer(
        id=number, login=f"officer-{number}", name="A", agency="H51.18", roles=frozenset(OfficerRole), created_at=NOW
    )
    for number in (1, 2, 3)
]
# What is tried: whatever action, or one of those the state allows.
STEPS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(A), st.integers(0, 99)),
        st.sampled_from([*OFFICERS, None]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 30),
    ),
    max_size=30,
)


def broadcast(state: BroadcastState = S.DRAFT, **changes: object) -> Broadcast:
    made = Broadcast(
        id=1,
        agency="H51.18",
        title="t",
        author=1,
        texts={"vi": "a"},
        audience=AUDIENCE,
        state=state,
        created_at=NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def taken(before: Broadcast, action: A, officer: Officer | None, text: str, counted: int) -> Broadcast | Refusal:
    """One step as the store takes it."""
    if action is A.EDIT:
        state = decide(before, action, officer, scope=SCOPE)
        before = replace(before, texts={"vi": text})
    elif action is A.SUBMIT:
        before = replace(before, people=counted, seal=seal_of(before.texts, before.audience, counted, None))
        state = decide(before, action, officer, seal=before.seal, scope=SCOPE)
    else:
        state = decide(before, action, officer, seal=seal_now(before, counted), scope=SCOPE)
    if isinstance(state, Refusal):
        return state
    return moved(before, action, state, officer, now=NOW, good_for=timedelta(hours=1))


def allowed_in(state: BroadcastState, number: int) -> A:
    actions = [action for before, action in MOVES if before is state] or list(A)
    return actions[number % len(actions)]


@given(STEPS)
def test_no_path_lets_somebody_send_what_they_wrote_or_submitted(
    steps: list[tuple[A | int, Officer | None, str, int]],
) -> None:
    it, wrote, approved = broadcast(), {1}, dict[str, object]()
    for tried, officer, text, counted in steps:
        action = allowed_in(it.state, tried) if isinstance(tried, int) else tried
        after = taken(it, action, officer, text, counted)
        if isinstance(after, Refusal):
            continue
        if officer is not None and action in (A.EDIT, A.SUBMIT):
            wrote.add(officer.id)
        if action is A.APPROVE:
            approved = {"texts": after.texts, "people": after.people}
            assert after.approved_by not in wrote
        if action is A.START:
            assert after.approved_by not in wrote
            assert approved == {"texts": after.texts, "people": after.people}
            assert counted <= most_people(after.people)
        assert after.version == it.version + 1
        it = after
    assert it.state is not S.RUNNING or approved


@pytest.mark.parametrize(("state", "action"), list(itertools.product(S, A)))
def test_only_the_moves_of_the_table_are_made(state: S, action: A) -> None:
    it = broadcast(state, people=5, seal=seal_of({"vi": "a"}, AUDIENCE, 5, None))
    by = OFFICERS[1] if action in NEEDS else None
    assert decide(it, action, by, seal=it.seal, scope=SCOPE) == MOVES.get((state, action), Refusal.NOT_NOW)


@pytest.mark.parametrize(("action", "role"), list(itertools.product(A, OfficerRole)))
def test_each_action_needs_its_right_and_its_agency(action: A, role: OfficerRole) -> None:
    it = next(broadcast(state, people=5) for state in S if (state, action) in MOVES)
    it = replace(it, seal=seal_of(it.texts, AUDIENCE, 5, None))
    by = replace(OFFICERS[1], roles=frozenset({role}))
    allowed = action in NEEDS and role in RIGHTS[NEEDS[action]]
    assert (decide(it, action, by, seal=it.seal, scope=SCOPE) is not Refusal.NOT_ALLOWED) is allowed
    assert decide(it, action, by, seal=it.seal, scope=frozenset({"H51.19"})) is Refusal.NOT_ALLOWED


@pytest.mark.parametrize("action", [A.APPROVE, A.PAUSE, A.RESUME, A.STOP, A.EDIT, A.SUBMIT])
def test_the_clock_does_nothing_an_officer_has_to_decide(action: A) -> None:
    it = next(broadcast(state, people=5) for state in S if (state, action) in MOVES)
    assert decide(it, action, None, scope=SCOPE) is Refusal.NOT_ALLOWED


@pytest.mark.parametrize(
    "changed",
    [
        {"texts": {"vi": "b"}},
        {"texts": {"vi": "a", "en": "b"}},
        {"audience": replace(AUDIENCE, late=True)},
        {"audience": replace(AUDIENCE, statuses=(4,))},
        {"audience": replace(AUDIENCE, due_in_days=0)},
        {"audience": replace(AUDIENCE, received_from=date(2026, 1, 1))},
        {"audience": replace(AUDIENCE, agencies=("H51.18", "H51.19"))},
        {"audience": replace(AUDIENCE, file="another")},
        {"audience": replace(AUDIENCE, failed_of=7)},
        {"starts_at": NOW},
        {"people": 7},
    ],
)
def test_another_word_another_person_another_moment_is_another_seal(changed: dict[str, object]) -> None:
    it = broadcast(people=5)
    assert seal_now(replace(it, **changed), 5) != seal_now(it, 5)  # type: ignore[arg-type]


def test_a_little_growth_needs_no_second_approval_and_more_does() -> None:
    it = broadcast(people=5_000)
    assert most_people(5_000) == 5_050
    assert seal_now(it, 5_050) == seal_now(it, 4_000) == seal_now(it, 5_000)
    assert seal_now(it, 5_051) != seal_now(it, 5_000)


def test_an_approval_of_a_later_start_is_good_from_then_on() -> None:
    later = NOW + timedelta(days=3)
    it = moved(
        broadcast(S.SUBMITTED, starts_at=later), A.APPROVE, S.APPROVED, OFFICERS[1], now=NOW, good_for=timedelta(1)
    )
    assert it.approved_until == later + timedelta(days=1)
