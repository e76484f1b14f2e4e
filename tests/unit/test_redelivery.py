"""The redelivery rule: (a) unrecorded, (b) session ended soon after, (c) late, (d) refused; within 300 seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.ports import PriorArrival
from conversation.redelivery import is_redelivery

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def prior(
    acknowledged: float | None = 0.1, *, accepted: bool = True, session_ended: float | None = None
) -> PriorArrival:
    return PriorArrival(
        received_at=START,
        acknowledged_at=None if acknowledged is None else after(acknowledged),
        acknowledged_ok=accepted,
        session_ended_at=None if session_ended is None else after(session_ended),
    )


CASES = [
    ("acknowledged in time on a session that stands", prior(), 30, False),
    ("(a) the acknowledgement is not recorded", prior(None), 30, True),
    ("(b) its session ended within 60 s of it", prior(1, session_ended=61), 90, True),
    ("(b) its session ended later than that", prior(1, session_ended=61.001), 90, False),
    ("(b) the last sign of life is older than it", prior(4, session_ended=2), 90, True),
    ("(c) acknowledged after exactly 5 s", prior(5), 30, False),
    ("(c) acknowledged later than 5 s", prior(5.001), 30, True),
    ("(d) it was a refusal", prior(accepted=False), 30, True),
    ("the window's last moment", prior(None), 300, True),
    ("the window is over", prior(None), 300.001, False),
    ("a clock that stepped back", prior(None), -2, True),
]


@pytest.mark.parametrize(("earlier", "seconds", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_a_repeated_message_is_judged_by_what_became_of_the_first(
    earlier: PriorArrival, seconds: float, *, expected: bool
) -> None:
    assert is_redelivery(earlier, after(seconds)) is expected


@given(
    written=st.floats(0, 5),
    accepted=st.booleans(),
    ended=st.none() | st.floats(-10, 400),
    seconds=st.floats(300.001, 1e6),
)
def test_after_the_window_it_is_always_a_new_question(
    written: float, ended: float | None, seconds: float, *, accepted: bool
) -> None:
    assert not is_redelivery(prior(written, accepted=accepted, session_ended=ended), after(seconds))


@given(written=st.floats(0, 5), seconds=st.floats(0, 300))
def test_what_was_acknowledged_soundly_may_be_asked_again_at_once(written: float, seconds: float) -> None:
    assert not is_redelivery(prior(written), after(seconds))
