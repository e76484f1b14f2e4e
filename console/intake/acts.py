"""What is asked for with each action on a dossier, and what a form of one says: a doing, or what is wrong with it (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from console.forms import one_line, read_day, read_moment
from console.intake.form import LONGEST_SHORT, Faults, by_faults, due_faults, read_money
from console.intake.papers import PaperRow, missing_words, papers_of, read_rows, row_faults, rows_of_papers
from domain.calendar import local_day
from domain.intake import LONGEST_NOTE, IntakeDossier
from domain.intake_moves import ACTS, IntakeAction, IntakeDoing, IntakeRefusal
from domain.text import safe_text

BETWEEN: Final = "|"  # an agency and its unit, as one field names them
_A: Final = IntakeAction
# The fields each form has beside the version; `reason` is asked for where the action needs one and may be said elsewhere.
ASKED: Final[Mapping[IntakeAction, Sequence[str]]] = {
    _A.ACCEPT: ("papers", "due_at", "paid"),
    _A.REFUSE: ("reason",),
    _A.ASK_SUPPLEMENT: ("papers", "reason", "by"),
    _A.TAKE_SUPPLEMENT: ("papers", "due_at"),
    _A.FORWARD: ("to", "reason"),
    _A.ASK_PAYMENT: ("reason", "fee_dong"),
    _A.TAKE_PAYMENT: (),
    _A.ASK_WITHDRAWAL: ("reason",),
    _A.AGREE_WITHDRAWAL: ("reason",),
    _A.DECLINE_WITHDRAWAL: ("reason",),
    _A.STOP: ("reason",),
    _A.RESUME: ("reason", "due_at"),
    _A.FINISH: ("reason",),
    _A.REOPEN: ("reason",),
    _A.RETURN: ("paid", "reason"),
    _A.TAKE_BACK: ("reason",),
    _A.APOLOGISE: ("reason", "due_at"),
    _A.NOTE: ("reason",),
}
# Where the reason may be left out although the table asks for one: it is said by the papers that are ticked.
SAID_BY_PAPERS: Final = frozenset({_A.ASK_SUPPLEMENT})
# Which field a refusal is told at.
TOLD_AT: Final[Mapping[IntakeRefusal, str]] = {
    IntakeRefusal.NO_REASON: "reason",
    IntakeRefusal.NOTHING_MISSING: "papers",
    IntakeRefusal.STILL_MISSING: "papers",
    IntakeRefusal.NOT_LATER: "due_at",
    IntakeRefusal.NO_ADDRESSEE: "to",
    IntakeRefusal.UNPAID: "paid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActForm:
    """As typed. `version`: of the dossier as it was shown."""

    version: str = ""
    papers: tuple[PaperRow, ...] = ()
    reason: str = ""
    due_at: str = ""
    by: str = ""
    to: str = ""
    fee_dong: str = ""
    paid: bool = False


def blank(dossier: IntakeDossier) -> ActForm:
    """As a form of this dossier is shown first."""
    fee = "" if dossier.fee_dong is None else str(dossier.fee_dong)
    return ActForm(version=str(dossier.version), papers=rows_of_papers(dossier.papers), fee_dong=fee)


def read_act(sent: Mapping[str, str]) -> ActForm:
    """What was sent, nothing cut that would be kept."""
    short = {name: one_line(sent, name, LONGEST_SHORT) for name in ("version", "due_at", "by", "fee_dong")}
    return ActForm(
        **short,
        papers=read_rows(sent),
        reason=safe_text(sent.get("reason", ""), LONGEST_NOTE + 1),
        to=one_line(sent, "to", LONGEST_NOTE),
        paid="paid" in sent,
    )


def doing_of(
    action: IntakeAction, form: ActForm, *, addressees: Collection[str], now: datetime, by: date
) -> IntakeDoing | Faults:
    """The action with what belongs to it, or what is wrong with the form. `addressees`: whom it may be forwarded to."""
    asked = ASKED[action]
    found = [fault for name in asked for fault in _faults(name, action, form, addressees, now)]
    if found:
        return found
    to_agency, _, to_unit = form.to.partition(BETWEEN) if "to" in asked else ("", "", "")
    papers = papers_of(form.papers) if "papers" in asked else None
    said = form.reason or (missing_words(form.papers) if action in SAID_BY_PAPERS else "")
    return IntakeDoing(
        action=action,
        at=now,
        reason=said[:LONGEST_NOTE] if "reason" in asked else "",
        papers=papers,
        due_at=read_moment(form.due_at) if "due_at" in asked else None,
        by=(read_day(form.by) or by) if "by" in asked else None,
        to_agency=to_agency,
        to_unit=to_unit,
        fee_dong=read_money(form.fee_dong) if "fee_dong" in asked else None,
        paid=form.paid and "paid" in asked,
    )


def owes(dossier: IntakeDossier) -> bool:
    """The fee was not taken yet."""
    return bool(dossier.fee_dong) and dossier.paid_at is None


def _faults(
    name: str, action: IntakeAction, form: ActForm, addressees: Collection[str], now: datetime
) -> Iterator[tuple[str, str]]:
    if name == "papers":
        yield from _paper_faults(action, form)
    elif name == "due_at":
        if action is _A.APOLOGISE and not form.due_at:
            yield "due_at", "no_new_day"
        yield from due_faults(form.due_at, now)
    elif name == "by":
        yield from by_faults(form.by, local_day(now))
    needed = ACTS[action].reason and action not in SAID_BY_PAPERS
    checks = (
        ("reason", needed and not form.reason, "no_reason"),
        ("reason", len(form.reason) > LONGEST_NOTE, "too_long"),
        ("to", form.to not in addressees, "no_addressee"),
        ("fee_dong", bool(form.fee_dong) and read_money(form.fee_dong) is None, "bad_money"),
    )
    yield from ((where, what) for where, wrong, what in checks if where == name and wrong)


def _paper_faults(action: IntakeAction, form: ActForm) -> Iterator[tuple[str, str]]:
    yield from row_faults(form.papers, to_accept=action in (_A.ACCEPT, _A.TAKE_SUPPLEMENT))
    if action is _A.ASK_SUPPLEMENT and not any(row.missing for row in form.papers):
        yield "papers", "nothing_missing"
    rows = [row for row in form.papers if not row.empty]
    if action is _A.ACCEPT and rows and not any(row.handed_in for row in rows):
        yield "papers", "nothing_handed_in"
