"""What the form of a new dossier says, checked: a registration, or what is wrong with it (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from console.forms import one_line, read_day, read_moment
from console.intake.papers import PaperRow, missing_words, papers_of, read_rows, row_faults, rows_of_procedure
from domain.calendar import LOCAL_ZONE
from domain.dossier import DossierStatus
from domain.intake import LONGEST_NOTE, LONGEST_TEXT, MOST_SETS, IntakeSource, Person
from domain.phones import is_mobile, significant_number
from domain.procedure import Procedure
from domain.text import safe_text
from intake.service import Registration

LONGEST_SHORT: Final = 60
LONGEST_PHONE: Final = 40
LONGEST_ID: Final = 20
MOST_DONG: Final = 10_000_000_000
FURTHEST: Final = timedelta(days=3 * 366)  # a day nobody promises
LANGUAGES: Final = ("vi", "km", "en")
OUTCOMES: Final[Mapping[str, DossierStatus]] = {
    "accept": DossierStatus.ACCEPTED,
    "supplement": DossierStatus.MORE_DOCUMENTS,
    "refuse": DossierStatus.NOT_ACCEPTED,
}
_SEEN: Final = (IntakeSource.COUNTER.value, IntakeSource.POST.value)  # the papers themselves come
_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_ID: Final = re.compile(r"[A-Za-z0-9]{6,20}", re.ASCII)
_MONEY: Final = re.compile(r"\d[\d.,\s]{0,20}", re.ASCII)
_BETWEEN: Final = re.compile(r"[.,\s]")
_LENGTHS: Final[Mapping[str, int]] = {
    "name": LONGEST_TEXT,
    "owner": LONGEST_TEXT,
    "address": LONGEST_TEXT,
    "subject": LONGEST_TEXT,
    "email": LONGEST_TEXT,
    "phone": LONGEST_PHONE,
    "id_number": LONGEST_ID + 10,  # with its spaces
}

Faults = list[tuple[str, str]]  # (the id of the input, a name under [intake_fault])


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeForm:
    """As typed, so that it can be shown again as it was. `words`: what procedures are looked for by."""

    agency: str = ""
    words: str = ""
    procedure: str = ""
    listed_for: str = ""  # the procedure whose papers the rows are
    source: str = IntakeSource.COUNTER.value
    name: str = ""
    phone: str = ""
    id_number: str = ""
    address: str = ""
    email: str = ""
    owner: str = ""
    language: str = LANGUAGES[0]
    papers: tuple[PaperRow, ...] = ()
    sets: str = "1"
    subject: str = ""
    unit: str = ""
    notify: bool = False
    fee_dong: str = ""
    paid: bool = False
    due_at: str = ""
    late_code: str = ""  # the code it had on paper (art. 7.3)
    late_at: str = ""  # when it was truly received
    outcome: str = "accept"
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFrame:
    """What a form is checked against. `procedure`: the one that was chosen, if it is in force. `consent`: what was asked."""

    agencies: Sequence[str]
    units: Mapping[str, Sequence[str]]
    procedure: Procedure | None
    consent: str
    now: datetime
    by: date


_SHORT: Final = (
    "agency",
    "procedure",
    "listed_for",
    "source",
    "language",
    "sets",
    "fee_dong",
    "due_at",
    "late_code",
    "late_at",
    "outcome",
    "by",
)


def read_intake_form(sent: Mapping[str, str]) -> IntakeForm:
    """What was sent, nothing cut that would be kept: too long is told."""
    texts = {name: one_line(sent, name, longest + 1) for name, longest in _LENGTHS.items()}
    short = {name: one_line(sent, name, LONGEST_SHORT) for name in _SHORT}
    return IntakeForm(
        **texts,
        **short,
        words=one_line(sent, "words", LONGEST_TEXT),
        unit=one_line(sent, "unit", LONGEST_TEXT),
        reason=safe_text(sent.get("reason", ""), LONGEST_NOTE + 1),
        papers=read_rows(sent),
        notify="notify" in sent,
        paid="paid" in sent,
    )


def listed_for(form: IntakeForm, procedure: Procedure) -> IntakeForm:
    """With the papers and the fee of this procedure; what was typed beside a list stays."""
    if form.listed_for == procedure.code:
        return form
    at_the_counter = form.source in _SEEN
    own = tuple(row for row in form.papers if not row.listed and not row.empty)
    return replace(
        form,
        papers=rows_of_procedure(procedure, at_the_counter=at_the_counter) + own,
        listed_for=procedure.code,
        fee_dong=str(procedure.fee_dong or ""),
        paid=False,
    )


def registration_of(form: IntakeForm, frame: IntakeFrame, identifier: int) -> Registration | Faults:
    """The dossier to be, or everything that is wrong with the form, in the order of its fields."""
    found = [
        *_place_faults(form, frame),
        *_person_faults(form),
        *row_faults(form.papers, to_accept=form.outcome == "accept"),
        *_rest_faults(form, frame),
        *_outcome_faults(form, frame),
    ]
    if found or frame.procedure is None:
        return found
    status = OUTCOMES[form.outcome]
    waits, refused = status is DossierStatus.MORE_DOCUMENTS, status is DossierStatus.NOT_ACCEPTED
    return Registration(
        id=identifier,
        agency=form.agency,
        procedure=frame.procedure.code,
        source=IntakeSource(form.source),
        person=person_of(form),
        received_at=frame.now,
        status=status,
        unit=form.unit,
        subject=form.subject,
        papers=papers_of(form.papers),
        sets=int(form.sets),
        missing=(form.reason or missing_words(form.papers))[:LONGEST_NOTE] if waits else "",
        supplement_by=read_day(form.by) or frame.by if waits else None,
        reason=form.reason if refused else "",
        due_at=read_moment(form.due_at),
        fee_dong=read_money(form.fee_dong),
        paid=form.paid and not refused,
        language=form.language,
        notify=form.notify,
        notify_words=frame.consent if form.notify else "",
        declared_at=frame.now,
    )


def person_of(form: IntakeForm) -> Person:
    return Person(
        name=form.name,
        phone=form.phone,
        email=form.email,
        address=form.address,
        id_number=_BETWEEN.sub("", form.id_number),
        owner=form.owner,
    )


# ---- faults


def _place_faults(form: IntakeForm, frame: IntakeFrame) -> Iterator[tuple[str, str]]:
    if form.agency not in frame.agencies:
        yield "agency", "no_agency"
    if not form.procedure:
        yield "words", "no_procedure"
    elif frame.procedure is None:
        yield "words", "procedure_over"
    elif form.listed_for != frame.procedure.code:
        yield "papers", "papers_of_another"
    if form.source not in set(IntakeSource):
        yield "source", "no_source"


def _person_faults(form: IntakeForm) -> Iterator[tuple[str, str]]:
    number = significant_number(form.phone)
    checks = (
        (not form.name, "name", "no_name"),
        *((len(getattr(form, name)) > longest, name, "too_long") for name, longest in _LENGTHS.items()),
        (bool(form.phone) and not number, "phone", "bad_phone"),
        (form.notify and not is_mobile(f"84{number}"), "phone", "notify_needs_mobile"),
        (bool(form.id_number) and not _ID.fullmatch(_BETWEEN.sub("", form.id_number)), "id_number", "bad_id"),
        (bool(form.email) and not _EMAIL.fullmatch(form.email), "email", "bad_email"),
        (form.language not in LANGUAGES, "language", "no_language"),
    )
    told = set[str]()
    for wrong, where, name in checks:
        if wrong and where not in told:
            told.add(where)
            yield where, name


def _rest_faults(form: IntakeForm, frame: IntakeFrame) -> Iterator[tuple[str, str]]:
    units = frame.units.get(form.agency, ())
    checks = (
        (
            not form.sets.isascii() or not form.sets.isdecimal() or not 1 <= int(form.sets) <= MOST_SETS,
            "sets",
            "bad_sets",
        ),
        (bool(form.unit) and form.unit not in units, "unit", "no_unit"),
        (bool(form.fee_dong) and read_money(form.fee_dong) is None, "fee_dong", "bad_money"),
    )
    yield from ((where, name) for wrong, where, name in checks if wrong)
    yield from due_faults(form.due_at, frame.now)


def due_faults(typed: str, now: datetime) -> Iterator[tuple[str, str]]:
    """Of a promised moment somebody typed; none typed is none."""
    moment = read_moment(typed)
    if typed and moment is None:
        yield "due_at", "bad_moment"
    elif moment is not None and not now < moment < now + FURTHEST:
        yield "due_at", "past_moment"


def _outcome_faults(form: IntakeForm, frame: IntakeFrame) -> Iterator[tuple[str, str]]:
    if form.outcome not in OUTCOMES:
        yield "outcome", "no_outcome"
    if len(form.reason) > LONGEST_NOTE:
        yield "reason", "too_long"
    if form.outcome == "refuse" and not form.reason:
        yield "reason", "no_reason"
    if form.outcome == "supplement":
        if not any(row.missing for row in form.papers):
            yield "papers", "nothing_missing"
        yield from by_faults(form.by, frame.now.astimezone(LOCAL_ZONE).date())
    if form.outcome == "accept" and form.papers and not any(row.handed_in for row in form.papers):
        yield "papers", "nothing_handed_in"


def by_faults(typed: str, today: date) -> Iterator[tuple[str, str]]:
    """Of a day until which a supplement is awaited; none typed is the usual one."""
    day = read_day(typed)
    if typed and day is None:
        yield "by", "bad_day"
    elif day is not None and not today <= day < today + FURTHEST:
        yield "by", "past_day"


# ---- what was typed


def read_money(text: str) -> int | None:
    """Whole đồng, "10.000" as well; None: it is no sum."""
    digits = _BETWEEN.sub("", text) if _MONEY.fullmatch(text) else ""
    return int(digits) if digits and int(digits) <= MOST_DONG else None
