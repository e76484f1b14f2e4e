"""What a change is worth: progress, a correction, another day, or nothing."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dossier import LEGAL_MOVES, DossierStatus
from domain.notices import Known, NoticeKind
from domain.noticing import FIRST_NEWS, STATE_KINDS, TAKEN_BACK_BY, kind_of_change, remembered

S = DossierStatus
K = NoticeKind
TODAY = date(2026, 11, 23)
PAST, DAY, LATER = date(2026, 11, 20), date(2026, 11, 30), date(2026, 12, 15)


def kind(
    before: Known | None, now: Known, *, seen: Known | None = None, today: date = TODAY, apologised: bool = False
) -> NoticeKind | None:
    return kind_of_change(before, now, today=today, seen=seen, apologised=apologised)


def test_every_state_has_its_notice_and_says_what_takes_it_back() -> None:
    assert set(STATE_KINDS) == set(TAKEN_BACK_BY) == set(S)


# what was known, what is true, what is told
MOVES = [
    (1, 2, K.ACCEPTED),
    (1, 3, K.NOT_ACCEPTED),
    (1, 4, K.IN_PROCESS),
    (1, 9, K.READY),  # several steps at once
    (2, 4, K.IN_PROCESS),
    (2, 10, K.RETURNED),
    (4, 5, K.MORE_DOCUMENTS),
    (4, 6, K.PAYMENT_DUE),
    (4, 7, K.WITHDRAWAL_ASKED),
    (4, 8, K.STOPPED),
    (4, 9, K.READY),
    (5, 3, K.NOT_ACCEPTED),  # the papers did not come in time
    (7, 8, K.WITHDRAWN),
    (9, 10, K.RETURNED),
    (5, 1, K.NEWLY_REGISTERED),  # the papers came: an ordinary step, though the number falls
    (5, 2, K.ACCEPTED),
    (5, 4, K.IN_PROCESS),
    (6, 2, K.ACCEPTED),
    (6, 4, K.IN_PROCESS),
    (7, 4, K.IN_PROCESS),
    (10, 9, K.CORRECTED),  # "thu hồi hồ sơ đã trả kết quả"
    (10, 4, K.CORRECTED),
    (9, 4, K.CORRECTED),
    (9, 8, K.CORRECTED),
    (8, 4, K.CORRECTED),
    (8, 9, K.CORRECTED),
    (3, 1, K.CORRECTED),
    (3, 10, K.CORRECTED),
    (4, 2, K.CORRECTED),
    (4, 1, K.CORRECTED),
    (2, 1, K.CORRECTED),
    (7, 2, K.CORRECTED),
]


@pytest.mark.parametrize(("before", "now", "told"), MOVES)
def test_a_move_is_told_for_what_it_is(before: int, now: int, told: NoticeKind) -> None:
    assert kind(Known(S(before)), Known(S(now))) is told


@pytest.mark.parametrize(("before", "now"), list(product(S, S)))
def test_every_move_is_told_and_none_stands_still(before: S, now: S) -> None:
    assert (kind(Known(before), Known(now)) is None) == (before is now)


GOES_BACK = {(S.STOPPED, S.IN_PROCESS), (S.DONE, S.IN_PROCESS), (S.RETURNED, S.DONE)}


@pytest.mark.parametrize(("before", "now"), [(one, other) for one in S for other in LEGAL_MOVES[one]])
def test_a_legal_move_is_progress_unless_it_undoes_an_end(before: S, now: S) -> None:
    assert (now in TAKEN_BACK_BY[before]) == ((before, now) in GOES_BACK)


def test_a_withdrawal_nobody_was_told_of_is_still_a_withdrawal() -> None:
    assert kind(Known(S.IN_PROCESS), Known(S.STOPPED), seen=Known(S.WITHDRAWAL_ASKED)) is K.WITHDRAWN


# ---------------------------------------------------------------- ready


@pytest.mark.parametrize(
    ("today", "told"), [(date(2026, 11, 29), K.READY_EARLY), (DAY, K.READY), (date(2026, 12, 1), K.READY)]
)
def test_ready_is_early_only_before_the_promised_day(today: date, told: NoticeKind) -> None:
    assert kind(Known(S.IN_PROCESS, DAY), Known(S.DONE, DAY), today=today) is told


def test_the_promised_day_is_remembered_when_the_source_forgets_it() -> None:
    assert kind(Known(S.IN_PROCESS, DAY), Known(S.DONE)) is K.READY_EARLY
    assert kind(Known(S.IN_PROCESS), Known(S.DONE), seen=Known(S.IN_PROCESS, DAY)) is K.READY_EARLY
    assert kind(Known(S.IN_PROCESS), Known(S.DONE)) is K.READY


# ---------------------------------------------------------------- the promised day


def test_a_later_day_is_told_with_the_apology_once() -> None:
    assert kind(Known(S.IN_PROCESS, DAY), Known(S.IN_PROCESS, LATER)) is K.APPOINTMENT_CHANGED
    assert kind(Known(S.IN_PROCESS, DAY), Known(S.IN_PROCESS, LATER), apologised=True) is K.APPOINTMENT_MOVED


def test_an_earlier_or_a_first_day_needs_no_apology() -> None:
    assert kind(Known(S.IN_PROCESS, LATER), Known(S.IN_PROCESS, DAY)) is K.APPOINTMENT_MOVED
    assert kind(Known(S.ACCEPTED), Known(S.ACCEPTED, DAY)) is K.APPOINTMENT_MOVED


def test_no_apology_while_the_citizen_is_waited_for() -> None:
    assert kind(Known(S.MORE_DOCUMENTS, DAY), Known(S.MORE_DOCUMENTS, LATER)) is K.APPOINTMENT_MOVED


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (Known(S.IN_PROCESS, DAY), Known(S.IN_PROCESS)),  # not told any more
        (Known(S.IN_PROCESS, DAY), Known(S.IN_PROCESS, PAST)),  # mended afterwards
        (Known(S.DONE, DAY), Known(S.DONE, LATER)),  # nobody waits for it
    ],
)
def test_a_day_that_helps_nobody_is_not_told(before: Known, now: Known) -> None:
    assert kind(before, now) is None


def test_a_new_state_with_a_new_day_is_told_as_the_state() -> None:
    assert kind(Known(S.MORE_DOCUMENTS, DAY), Known(S.IN_PROCESS, LATER)) is K.IN_PROCESS


# ---------------------------------------------------------------- papers and fees


def test_other_papers_are_told_and_a_list_that_vanishes_is_not() -> None:
    one, other, none = (Known(S.MORE_DOCUMENTS, None, asked) for asked in ("a", "b", ""))
    assert kind(one, other) is kind(none, one) is K.MORE_DOCUMENTS
    assert kind(one, none) is None
    assert kind(Known(S.PAYMENT_DUE, None, "a"), Known(S.PAYMENT_DUE, None, "b")) is K.PAYMENT_DUE


# ---------------------------------------------------------------- states no map knows


@pytest.mark.parametrize("before", [None, *(Known(state) for state in S)])
def test_a_state_no_map_knows_is_never_told(before: Known | None) -> None:
    assert kind(before, Known(None, DAY)) is None


@pytest.mark.parametrize("state", S)
def test_a_state_that_is_mapped_again_is_no_correction(state: S) -> None:
    assert kind(Known(None), Known(state)) is (None if state is S.IN_PROCESS else STATE_KINDS[state])
    silent = remembered(Known(state, DAY), Known(None))
    assert silent == Known(state, DAY)
    assert kind(silent, Known(state, DAY)) is None


# ---------------------------------------------------------------- who never heard of it


@pytest.mark.parametrize("state", S)
def test_who_never_heard_of_a_dossier_hears_that_it_arrived_and_of_nothing_older(state: S) -> None:
    assert kind(None, Known(state)) is (STATE_KINDS[state] if state in FIRST_NEWS else None)


# ---------------------------------------------------------------- silence

KNOWN = st.builds(
    Known,
    st.sampled_from([None, *S]),
    st.sampled_from([None, PAST, DAY, LATER]),
    st.sampled_from(["", "a", "b"]),
)


@given(before=KNOWN | st.none(), now=KNOWN, apologised=st.booleans())
def test_what_was_passed_over_in_silence_stays_silent(*, before: Known | None, now: Known, apologised: bool) -> None:
    if kind(before, now, apologised=apologised) is None:
        assert kind(remembered(before, now), now, apologised=apologised) is None
        assert remembered(remembered(before, now), now) == remembered(before, now)
