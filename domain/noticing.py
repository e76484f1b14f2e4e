"""What a change of a dossier is worth: which notice, or none. Tables over what somebody knew and what is true now.

States may go back (reference: domain §3.2). What was told then no longer holds, and a notice of the new state alone would
read like progress; so a step back is told as a correction, unless the national moves make it an ordinary step: papers
were brought (5 -> 1, 2 or 4), a fee was paid (6 -> 2 or 4), a withdrawal was taken back (7 -> 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from domain.dossier import CLOSED, DossierStatus
from domain.notices import Known, NoticeKind

_S = DossierStatus
_K = NoticeKind

# The notice of a state that was reached; DONE and STOPPED have another one each, see below.
STATE_KINDS: Mapping[DossierStatus, NoticeKind] = {
    _S.NEWLY_REGISTERED: _K.NEWLY_REGISTERED,
    _S.ACCEPTED: _K.ACCEPTED,
    _S.NOT_ACCEPTED: _K.NOT_ACCEPTED,
    _S.IN_PROCESS: _K.IN_PROCESS,
    _S.MORE_DOCUMENTS: _K.MORE_DOCUMENTS,
    _S.PAYMENT_DUE: _K.PAYMENT_DUE,
    _S.WITHDRAWAL_ASKED: _K.WITHDRAWAL_ASKED,
    _S.STOPPED: _K.STOPPED,
    _S.DONE: _K.READY,
    _S.RETURNED: _K.RETURNED,
}

# Somebody who was told the first reads any of the second as "that no longer holds". An end is left only by 9 -> 10; changes
# may be seen several at a time (1 -> 9), so that what lies ahead is never a correction.
_ALL = frozenset(_S)
TAKEN_BACK_BY: Mapping[DossierStatus, frozenset[DossierStatus]] = {
    _S.NEWLY_REGISTERED: frozenset(),
    _S.ACCEPTED: frozenset({_S.NEWLY_REGISTERED}),
    _S.NOT_ACCEPTED: _ALL - {_S.NOT_ACCEPTED},
    _S.IN_PROCESS: frozenset({_S.NEWLY_REGISTERED, _S.ACCEPTED}),
    _S.MORE_DOCUMENTS: frozenset(),
    _S.PAYMENT_DUE: frozenset({_S.NEWLY_REGISTERED}),
    _S.WITHDRAWAL_ASKED: frozenset({_S.NEWLY_REGISTERED, _S.ACCEPTED}),
    _S.STOPPED: _ALL - {_S.STOPPED},
    _S.DONE: _ALL - {_S.DONE, _S.RETURNED},
    _S.RETURNED: _ALL - {_S.RETURNED},
}

# Who never heard of a dossier is told that it arrived; that it was finished long ago is no news.
FIRST_NEWS = frozenset({_S.NEWLY_REGISTERED, _S.ACCEPTED})

# An apology is due where the next step is the agency's (decree 61/2018 art. 19.9), not while papers or a fee are awaited.
AGENCYS_TURN = frozenset({_S.NEWLY_REGISTERED, _S.ACCEPTED, _S.IN_PROCESS})


def kind_of_change(
    before: Known | None, now: Known, *, today: date, seen: Known | None = None, apologised: bool = False
) -> NoticeKind | None:
    """The notice that tells somebody who knew `before` what is true now; None: it is not worth one.

    `before` None: they never heard of it. `seen` is the dossier as it was stored before this change, which may be later
    than what the person knows: it remembers a promised day or a withdrawal that they were not told. `apologised`: a later
    day was told with the apology already, which is said once (decree 61/2018 art. 19.9). `today` is a day in
    Asia/Ho_Chi_Minh. A state no map knows is never told.
    """
    if now.status is None:
        return None
    if before is None:
        return kind_of_state(now, today=today, earlier=(seen,)) if now.status in FIRST_NEWS else None
    if before.status is not now.status:
        return _kind_of_move(before, now, today=today, seen=seen)
    if now.asked and now.asked != before.asked:
        return STATE_KINDS[now.status]
    return _kind_of_appointment(before, now, today=today, apologised=apologised)


def kind_of_state(now: Known, *, today: date, earlier: Sequence[Known | None] = ()) -> NoticeKind | None:
    """The notice of the state that was reached; None where no map knows it. `earlier`: what was known before, the latest
    that the person knew first.
    """
    if now.status is None:
        return None
    known = [each for each in earlier if each is not None]
    if now.status is _S.STOPPED and any(each.status is _S.WITHDRAWAL_ASKED for each in known):
        return _K.WITHDRAWN
    promised = next((each.due_on for each in (now, *known) if each.due_on is not None), None)
    if now.status is _S.DONE and promised is not None and today < promised:
        return _K.READY_EARLY
    return STATE_KINDS[now.status]


def _kind_of_move(before: Known, now: Known, *, today: date, seen: Known | None) -> NoticeKind | None:
    """From one state to another. One that no map knows is answered as "in process, ask the agency", so that is known."""
    if before.status is None and now.status is _S.IN_PROCESS:
        return None
    if before.status is not None and now.status in TAKEN_BACK_BY[before.status]:
        return _K.CORRECTED
    return kind_of_state(now, today=today, earlier=(before, seen))


def _kind_of_appointment(before: Known, now: Known, *, today: date, apologised: bool) -> NoticeKind | None:
    """Of another promised day in the same state. A day that is not told any more is no news, nor is one of the past."""
    if now.due_on is None or now.due_on == before.due_on or now.due_on < today or now.status in CLOSED:
        return None
    later = before.due_on is not None and now.due_on > before.due_on
    return _K.APPOINTMENT_CHANGED if later and now.status in AGENCYS_TURN and not apologised else _K.APPOINTMENT_MOVED


def remembered(before: Known | None, now: Known) -> Known:
    """What somebody goes on believing when a change is not told: what is not said any more (an unmapped state, a day that
    vanished) they still know, so that the next change is judged by it.
    """
    if before is None:
        return now
    if now.status is None:
        return before
    same = before.status is now.status
    return Known(now.status, now.due_on or before.due_on, now.asked or (before.asked if same else ""))
