"""What may be done to a dossier at the desk: one row an action; together exactly the moves of domain.dossier.LEGAL_MOVES."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from domain.dossier import DossierStatus
from domain.intake import IntakeDossier, Paper

REGISTERED = "registered"  # the first step of every dossier: the action of none below


class IntakeAction(enum.StrEnum):
    ACCEPT = "accept"  # it is complete and legal: the receipt
    REFUSE = "refuse"  # form 03
    ASK_SUPPLEMENT = "ask_supplement"  # form 02
    TAKE_SUPPLEMENT = "take_supplement"
    FORWARD = "forward"  # to a unit or another agency
    ASK_PAYMENT = "ask_payment"
    TAKE_PAYMENT = "take_payment"
    ASK_WITHDRAWAL = "ask_withdrawal"
    AGREE_WITHDRAWAL = "agree_withdrawal"
    DECLINE_WITHDRAWAL = "decline_withdrawal"
    STOP = "stop"  # form 05 of circular 03/2025/TT-VPCP
    RESUME = "resume"
    FINISH = "finish"  # the result is there
    REOPEN = "reopen"
    RETURN = "return"  # handed over
    TAKE_BACK = "take_back"  # "thu hồi hồ sơ đã trả kết quả"
    APOLOGISE = "apologise"  # form 04: a later day is promised, once
    NOTE = "note"


class After(enum.Enum):
    """Where an action leads that leads to no state of its own."""

    SAME = "same"
    BEFORE = "before"  # the state it was in when it went to 5 or 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A row. `to` may differ by where it stands (`by_state`). `reason`: it has to be said. `citizen`: whoever filed it may
    do it as well, by the secret link.
    """

    action: IntakeAction
    of: frozenset[DossierStatus]
    to: DossierStatus | After
    by_state: Mapping[DossierStatus, DossierStatus] | None = None
    reason: bool = False
    citizen: bool = False


class IntakeRefusal(enum.StrEnum):
    """Why an action is not done; words for each stand in the console's texts."""

    NOT_FROM_HERE = "not_from_here"  # the state does not allow it
    CHANGED = "changed"  # somebody else did something meanwhile
    NO_REASON = "no_reason"
    NOTHING_MISSING = "nothing_missing"  # a supplement is asked for, and no paper is marked
    STILL_MISSING = "still_missing"  # it is not complete and legal
    APOLOGISED = "apologised"  # a later day was promised once already (decree 61/2018/NĐ-CP art. 19.9)
    NOT_LATER = "not_later"
    NO_ADDRESSEE = "no_addressee"  # forwarded to nobody, or to where it is
    UNPAID = "unpaid"


_S, _A = DossierStatus, IntakeAction
_OPEN = frozenset({_S.ACCEPTED, _S.IN_PROCESS, _S.PAYMENT_DUE})
_TABLE = (
    Act(action=_A.ACCEPT, of=frozenset({_S.NEWLY_REGISTERED}), to=_S.ACCEPTED),
    Act(action=_A.REFUSE, of=frozenset({_S.NEWLY_REGISTERED, _S.MORE_DOCUMENTS}), to=_S.NOT_ACCEPTED, reason=True),
    Act(
        action=_A.ASK_SUPPLEMENT,
        of=frozenset({_S.NEWLY_REGISTERED, _S.ACCEPTED, _S.IN_PROCESS}),
        to=_S.MORE_DOCUMENTS,
        reason=True,
    ),
    Act(action=_A.TAKE_SUPPLEMENT, of=frozenset({_S.MORE_DOCUMENTS}), to=After.BEFORE),
    Act(
        action=_A.FORWARD,
        of=frozenset({_S.ACCEPTED, _S.IN_PROCESS}),
        to=_S.IN_PROCESS,
    ),
    Act(
        action=_A.ASK_PAYMENT,
        of=frozenset({_S.NEWLY_REGISTERED, _S.ACCEPTED, _S.IN_PROCESS}),
        to=_S.PAYMENT_DUE,
        reason=True,
    ),
    Act(
        action=_A.TAKE_PAYMENT,
        of=frozenset({_S.PAYMENT_DUE}),
        to=After.BEFORE,
        by_state={_S.NEWLY_REGISTERED: _S.ACCEPTED},
    ),
    Act(
        action=_A.ASK_WITHDRAWAL,
        of=frozenset({_S.NEWLY_REGISTERED, _S.ACCEPTED, _S.IN_PROCESS, _S.MORE_DOCUMENTS, _S.PAYMENT_DUE}),
        to=_S.WITHDRAWAL_ASKED,
        citizen=True,
    ),
    Act(
        action=_A.AGREE_WITHDRAWAL,
        of=frozenset({_S.WITHDRAWAL_ASKED}),
        to=_S.STOPPED,
        by_state={_S.NEWLY_REGISTERED: _S.NOT_ACCEPTED},
    ),
    Act(action=_A.DECLINE_WITHDRAWAL, of=frozenset({_S.WITHDRAWAL_ASKED}), to=_S.IN_PROCESS, reason=True),
    Act(action=_A.STOP, of=_OPEN | {_S.MORE_DOCUMENTS}, to=_S.STOPPED, reason=True),
    Act(action=_A.RESUME, of=frozenset({_S.STOPPED}), to=_S.IN_PROCESS, reason=True),
    Act(action=_A.FINISH, of=_OPEN, to=_S.DONE),
    Act(action=_A.REOPEN, of=frozenset({_S.DONE}), to=_S.IN_PROCESS, reason=True),
    Act(action=_A.RETURN, of=frozenset({_S.DONE}), to=_S.RETURNED),
    Act(action=_A.TAKE_BACK, of=frozenset({_S.RETURNED}), to=_S.DONE, reason=True),
    Act(action=_A.APOLOGISE, of=_OPEN, to=After.SAME, reason=True),
    Act(action=_A.NOTE, of=frozenset(_S), to=After.SAME, reason=True),
)
ACTS: Mapping[IntakeAction, Act] = {act.action: act for act in _TABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDoing:
    """An action with what belongs to it. `papers`: the check list as it is afterwards (None: unchanged). `due_at`: as it is
    promised from then on (None: unchanged). `to_agency`, `to_unit`: where it goes. `by`: until when a supplement is awaited.
    `paid`: the fee was taken while it was done.
    """

    action: IntakeAction
    at: datetime
    reason: str = ""
    papers: tuple[Paper, ...] | None = None
    due_at: datetime | None = None
    by: date | None = None
    to_agency: str = ""
    to_unit: str = ""
    fee_dong: int | None = None
    paid: bool = False


def open_acts(dossier: IntakeDossier) -> tuple[IntakeAction, ...]:
    """What may be done to it as it stands, in the order of the table."""
    return tuple(action for action, act in ACTS.items() if dossier.status in act.of)


def moved(dossier: IntakeDossier, doing: IntakeDoing) -> IntakeDossier | IntakeRefusal:
    """The dossier afterwards, one version on; or why not. Nothing but this changes a dossier."""
    refusal = _refused(dossier, doing)
    if refusal is not None:
        return refusal
    act = ACTS[doing.action]
    status = _leads_to(dossier, act)
    held = {_S.MORE_DOCUMENTS, _S.PAYMENT_DUE, _S.WITHDRAWAL_ASKED}
    after = replace(
        dossier,
        status=status,
        before=_remembered(dossier)
        if status in held and status is not dossier.status
        else _kept(dossier, status, held),
        version=dossier.version + 1,
        changed_at=doing.at,
        papers=dossier.papers if doing.papers is None else doing.papers,
        due_at=doing.due_at or dossier.due_at,
        first_due_at=dossier.first_due_at or dossier.due_at or doing.due_at,
    )
    return _with_its_own(after, doing)


def _leads_to(dossier: IntakeDossier, act: Act) -> DossierStatus:
    """The state an action leads to from here."""
    if act.to is After.SAME:
        return dossier.status
    before = dossier.before or _S.ACCEPTED
    exception = (act.by_state or {}).get(before)
    if exception is not None:
        return exception
    return before if isinstance(act.to, After) else act.to


def _remembered(dossier: IntakeDossier) -> DossierStatus:
    """What it goes back to: a dossier that waits for papers and is to be withdrawn was something else before."""
    return dossier.before or dossier.status


def _kept(dossier: IntakeDossier, status: DossierStatus, held: set[DossierStatus]) -> DossierStatus | None:
    return dossier.before if status in held else None


def _refused(dossier: IntakeDossier, doing: IntakeDoing) -> IntakeRefusal | None:
    act = ACTS[doing.action]
    if dossier.status not in act.of:
        return IntakeRefusal.NOT_FROM_HERE
    if act.reason and not doing.reason.strip():
        return IntakeRefusal.NO_REASON
    check = _CHECKS.get(doing.action)
    return check(dossier, doing) if check else None


def _complete(dossier: IntakeDossier, doing: IntakeDoing) -> IntakeRefusal | None:
    papers = dossier.papers if doing.papers is None else doing.papers
    return IntakeRefusal.STILL_MISSING if any(paper.missing for paper in papers) else None


def _something_missing(_: IntakeDossier, doing: IntakeDoing) -> IntakeRefusal | None:
    return None if any(paper.missing for paper in doing.papers or ()) else IntakeRefusal.NOTHING_MISSING


def _elsewhere(dossier: IntakeDossier, doing: IntakeDoing) -> IntakeRefusal | None:
    to = (doing.to_agency or dossier.holder, doing.to_unit)
    nobody = not doing.to_agency and not doing.to_unit
    return IntakeRefusal.NO_ADDRESSEE if nobody or to == (dossier.holder, dossier.unit) else None


def _once_and_later(dossier: IntakeDossier, doing: IntakeDoing) -> IntakeRefusal | None:
    if dossier.apologised_at is not None:
        return IntakeRefusal.APOLOGISED
    later = doing.due_at is not None and (dossier.due_at is None or doing.due_at > dossier.due_at)
    return None if later else IntakeRefusal.NOT_LATER


def _paid(dossier: IntakeDossier, doing: IntakeDoing) -> IntakeRefusal | None:
    owed = dossier.fee_dong and dossier.paid_at is None and not doing.paid
    return IntakeRefusal.UNPAID if owed else None


_CHECKS = {
    _A.ACCEPT: _complete,
    _A.TAKE_SUPPLEMENT: _complete,
    _A.ASK_SUPPLEMENT: _something_missing,
    _A.FORWARD: _elsewhere,
    _A.APOLOGISE: _once_and_later,
    _A.RETURN: _paid,
}


def _with_its_own(after: IntakeDossier, doing: IntakeDoing) -> IntakeDossier:
    """What an action writes beside the state."""
    write = _WRITES.get(doing.action)
    after = replace(after, **write(after, doing)) if write else after
    return replace(after, paid_at=doing.at) if doing.paid and after.paid_at is None else after


_Write = Callable[[IntakeDossier, IntakeDoing], Mapping[str, Any]]
_WRITES: Mapping[IntakeAction, _Write] = {
    _A.REFUSE: lambda _, doing: {"reason": doing.reason, "finished_at": doing.at},
    _A.ASK_SUPPLEMENT: lambda _, doing: {
        "missing": doing.reason,
        "supplement_asked_at": doing.at,
        "supplement_by": doing.by,
    },
    _A.TAKE_SUPPLEMENT: lambda *_: {"missing": "", "supplement_asked_at": None, "supplement_by": None},
    _A.FORWARD: lambda after, doing: {"holder": doing.to_agency or after.holder, "unit": doing.to_unit},
    _A.ASK_PAYMENT: lambda after, doing: {
        "fee": doing.reason,
        "fee_dong": after.fee_dong if doing.fee_dong is None else doing.fee_dong,
        "paid_at": None,
    },
    _A.TAKE_PAYMENT: lambda _, doing: {"paid_at": doing.at},
    _A.AGREE_WITHDRAWAL: lambda _, doing: {"finished_at": doing.at},
    _A.STOP: lambda _, doing: {"reason": doing.reason, "finished_at": doing.at},
    _A.RESUME: lambda *_: {"reason": "", "finished_at": None},
    _A.FINISH: lambda _, doing: {"finished_at": doing.at},
    _A.REOPEN: lambda *_: {"finished_at": None},
    _A.RETURN: lambda _, doing: {"returned_at": doing.at},
    _A.TAKE_BACK: lambda *_: {"returned_at": None},
    _A.APOLOGISE: lambda _, doing: {"apologised_at": doing.at},
}
