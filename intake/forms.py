"""What stands on the papers of a dossier beside its receipt: forms 02 to 05, the control slip and the follow-up book (pure).

Of the numbering in force (circular 03/2025/TT-VPCP, appendix I): 02 supplement, 03 refusal, 04 apology, 05 notice that
handling stops, 06 control slip, 07 follow-up book. By circular 01/2018/TT-VPCP art. 9 the slip was 05, the book 06 and a
notice of stopping there was none. The notice is what a citizen holds, so it has the number; slip and book are papers of the
office, found by their names.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from domain.dossier import DossierStatus
from domain.intake import IntakeDossier, IntakeStep, Paper
from domain.intake_moves import REGISTERED, IntakeAction
from intake.receipt import is_received

_A, _S = IntakeAction, DossierStatus
_A_MINUTE: Final = timedelta(minutes=1)


class Form(enum.StrEnum):
    """The letters to an applicant, by their numbers."""

    SUPPLEMENT = "02"
    REFUSAL = "03"
    APOLOGY = "04"
    STOP = "05"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One of them. `at` and `by`: when it was decided and by whom. `papers`: those still wanted (02). `until`: when they are
    awaited. `promised_at`, `due_at`: as it was promised before, and is from then on (04). `wished`: the applicant asked for
    it (05).
    """

    form: Form
    at: datetime
    by: str
    reason: str
    papers: tuple[Paper, ...] = ()
    until: date | None = None
    promised_at: datetime | None = None
    due_at: datetime | None = None
    wished: bool = False


def make_letter(form: Form, dossier: IntakeDossier, steps: Sequence[IntakeStep]) -> Letter | None:
    """The newest of its kind; None: there was no occasion for it."""
    place = next((place for place in reversed(range(len(steps))) if _OCCASIONS[form](steps[place])), None)
    return None if place is None else _MADE[form](dossier, steps, place)


def letters_of(steps: Iterable[IntakeStep]) -> tuple[Form, ...]:
    """Those there is an occasion for."""
    done = tuple(steps)
    return tuple(form for form in Form if any(_OCCASIONS[form](step) for step in done))


_OCCASIONS: Mapping[Form, Callable[[IntakeStep], bool]] = {
    Form.SUPPLEMENT: lambda step: step.after is _S.MORE_DOCUMENTS and step.action in {_A.ASK_SUPPLEMENT, REGISTERED},
    Form.REFUSAL: lambda step: step.after is _S.NOT_ACCEPTED and step.action in {_A.REFUSE, REGISTERED},
    Form.APOLOGY: lambda step: step.action == _A.APOLOGISE,
    Form.STOP: lambda step: step.after is _S.STOPPED and step.action in {_A.STOP, _A.AGREE_WITHDRAWAL},
}


def _supplement(dossier: IntakeDossier, steps: Sequence[IntakeStep], place: int) -> Letter:
    waits = dossier.status is _S.MORE_DOCUMENTS
    return Letter(
        form=Form.SUPPLEMENT,
        at=steps[place].at,
        by=steps[place].actor.name,
        reason=steps[place].reason,
        papers=tuple(paper for paper in dossier.papers if paper.missing) if waits else (),
        until=dossier.supplement_by if waits else None,
    )


def _refusal(_: IntakeDossier, steps: Sequence[IntakeStep], place: int) -> Letter:
    return Letter(form=Form.REFUSAL, at=steps[place].at, by=steps[place].actor.name, reason=steps[place].reason)


def _apology(_: IntakeDossier, steps: Sequence[IntakeStep], place: int) -> Letter:
    before = next((step.due_at for step in reversed(steps[:place]) if step.due_at is not None), None)
    return Letter(
        form=Form.APOLOGY,
        at=steps[place].at,
        by=steps[place].actor.name,
        reason=steps[place].reason,
        promised_at=before,
        due_at=steps[place].due_at,
    )


def _stop(_: IntakeDossier, steps: Sequence[IntakeStep], place: int) -> Letter:
    wished = steps[place].action == _A.AGREE_WITHDRAWAL
    return Letter(
        form=Form.STOP, at=steps[place].at, by=steps[place].actor.name, reason=steps[place].reason, wished=wished
    )


_MADE: Mapping[Form, Callable[[IntakeDossier, Sequence[IntakeStep], int], Letter]] = {
    Form.SUPPLEMENT: _supplement,
    Form.REFUSAL: _refusal,
    Form.APOLOGY: _apology,
    Form.STOP: _stop,
}


# ---- the control slip


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """A row of the slip: from whom to whom (agency's identifier and unit), and when; `entered_at` if it was typed later."""

    at: datetime
    entered_at: datetime | None
    by: str
    giver: tuple[str, str]
    taker: tuple[str, str]
    note: str = ""


def hand_overs(dossier: IntakeDossier, steps: Iterable[IntakeStep]) -> tuple[HandOver, ...] | None:
    """Every time it went from hand to hand, the first first; None: it is not received, and goes nowhere."""
    done = tuple(steps)
    return tuple(map(_row, filter(_moves, done))) if is_received(dossier, done) else None


def _moves(step: IntakeStep) -> bool:
    return (step.from_agency, step.from_unit) != (step.to_agency, step.to_unit)


def _row(step: IntakeStep) -> HandOver:
    return HandOver(
        at=step.at,
        entered_at=step.entered_at if step.entered_at - step.at >= _A_MINUTE else None,
        by=step.actor.name,
        giver=(step.from_agency, step.from_unit),
        taker=(step.to_agency, step.to_unit),
        note=step.reason,
    )


class Punctuality(enum.StrEnum):
    """How it was finished (form 05/06: trước hạn, đúng hạn, quá hạn)."""

    EARLY = "early"  # on a day before the promised one
    ON_TIME = "on_time"
    LATE = "late"


def punctuality(dossier: IntakeDossier, day_of: Callable[[datetime], date]) -> Punctuality | None:
    """None: it is not finished, or no day was promised."""
    done, due = dossier.finished_at, dossier.due_at
    if done is None or due is None or dossier.status not in {_S.DONE, _S.RETURNED}:
        return None
    if done > due:
        return Punctuality.LATE
    return Punctuality.EARLY if day_of(done) < day_of(due) else Punctuality.ON_TIME
