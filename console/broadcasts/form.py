"""What the form of a broadcast says, checked: a draft, or what is wrong with it (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from multidict import MultiDict

from console.broadcasts.ports import Draft
from console.forms import one_line, read_day, read_moment
from domain.agencies import Agencies
from domain.broadcast_fitness import Basis, undeclared
from domain.broadcast_texts import VIETNAMESE, TextFaultKind, faults, known_placeholders
from domain.broadcasts import Audience, AudienceKind, Broadcast
from domain.calendar import LOCAL_ZONE
from domain.dossier import DossierStatus
from domain.text import safe_text

LONGEST_TITLE: Final = 120  # characters
LONGEST_TEXT: Final = 1_000
LONGEST_FIELD: Final = 60
LONGEST_BASIS: Final = 300
MOST_AGENCIES: Final = 1_000
MOST_FIELDS: Final = MOST_AGENCIES + 100
MOST_CANARY: Final = 10_000
MOST_DAYS: Final = 365
YEARS: Final = range(2000, 2100)
_DIGITS: Final = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastForm:
    """As typed, so that it can be shown again as it was."""

    title: str = ""
    texts: Mapping[str, str]
    kind: str = AudienceKind.FOLLOWERS.value
    agencies: tuple[str, ...] = ()
    procedure: str = ""
    statuses: tuple[str, ...] = ()
    received_from: str = ""
    received_to: str = ""
    due_in_days: str = ""
    late: bool = False
    basis: str = ""
    starts_at: str = ""
    canary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a draft is checked against. `scope`: agencies of the officer; `columns`: placeholders its file brings; `before`:
    the audience it has.
    """

    agencies: Agencies
    scope: frozenset[str]
    bases: Sequence[Basis]
    now: datetime
    columns: Sequence[str] = ()
    before: Audience | None = None


Faults = list[tuple[str, str, str]]  # (the id of the input, a name under [broadcast_fault], what of it)


def read_broadcast_form(fields: MultiDict[str], languages: Iterable[str]) -> BroadcastForm:
    """What was sent, each field no longer than any of ours."""
    short = {
        name: one_line(fields, name, LONGEST_FIELD)
        for name in ("kind", "procedure", "received_from", "received_to", "due_in_days", "starts_at", "canary")
    }
    return BroadcastForm(
        title=one_line(fields, "title", LONGEST_TITLE + 1),
        texts={language: _text(fields.get(f"text_{language}", "")) for language in languages},
        agencies=_several(fields, "agency"),
        statuses=_several(fields, "status"),
        late="late" in fields,
        basis=one_line(fields, "basis", LONGEST_BASIS),
        **short,
    )


def form_of(broadcast: Broadcast, languages: Iterable[str]) -> BroadcastForm:
    """What is kept, as the form shows it."""
    audience, starts_at = broadcast.audience, broadcast.starts_at
    return BroadcastForm(
        title=broadcast.title,
        texts={language: broadcast.texts.get(language, "") for language in languages},
        kind=audience.kind.value,
        agencies=audience.agencies,
        procedure=audience.procedure,
        statuses=tuple(str(int(status)) for status in audience.statuses),
        received_from=_iso(audience.received_from),
        received_to=_iso(audience.received_to),
        due_in_days="" if audience.due_in_days is None else str(audience.due_in_days),
        late=audience.late,
        basis=audience.basis,
        starts_at=f"{starts_at.astimezone(LOCAL_ZONE):%Y-%m-%dT%H:%M}" if starts_at else "",
        canary=str(broadcast.canary),
    )


def draft_of(form: BroadcastForm, frame: Frame) -> Draft | Faults:
    """The draft, or everything that is wrong with the form."""
    found = [
        *_title_faults(form),
        *_texts_faults(form, frame),
        *_audience_faults(form, frame),
        *_time_faults(form, frame),
    ]
    kind = _kind(form)
    if found or kind is None:
        return found
    return Draft(
        title=form.title,
        texts=_texts(form),
        audience=_audience(form, kind, frame),
        starts_at=read_moment(form.starts_at, YEARS),
        canary=int(form.canary),
    )


def audience_of(form: BroadcastForm, frame: Frame) -> Audience | Faults:
    """Only whom it goes to, for a count while the rest is still being written."""
    found = list(_audience_faults(form, frame))
    kind = _kind(form)
    return found if found or kind is None else _audience(form, kind, frame)


def text_faults(texts: Mapping[str, str], kind: AudienceKind, columns: Sequence[str], *, listed: bool) -> Faults:
    """What is wrong with the texts. `listed`: the file is there, so that it is known what its columns are called."""
    known = known_placeholders(kind, tuple(columns))
    waits = kind is AudienceKind.FILE and not listed
    return [
        (f"text_{fault.language}", f"text_{fault.kind}", fault.piece)
        for fault in faults(texts, known)
        if not (waits and fault.kind is TextFaultKind.UNKNOWN)
    ]


def bases_for(bases: Iterable[Basis], agencies: Agencies, scope: frozenset[str]) -> Sequence[Basis]:
    """Those that an officer with this scope may choose of."""
    return [basis for basis in bases if not agencies.scope(basis.agency).isdisjoint(scope)]


def _texts(form: BroadcastForm) -> Mapping[str, str]:
    return {language: text for language, text in form.texts.items() if text}


def _texts_faults(form: BroadcastForm, frame: Frame) -> Iterator[tuple[str, str, str]]:
    texts = _texts(form)
    if VIETNAMESE not in texts:
        yield f"text_{VIETNAMESE}", "no_text", ""
    if texts:
        kind = _kind(form) or AudienceKind.FOLLOWERS
        yield from text_faults(texts, kind, frame.columns, listed=bool(frame.before and frame.before.file))
    yield from ((f"text_{name}", "long_text", "") for name, text in texts.items() if len(text) > LONGEST_TEXT)


def _audience(form: BroadcastForm, kind: AudienceKind, frame: Frame) -> Audience:
    """What no form changes stays: the list that was taken, and whom a resend is for."""
    before = frame.before
    return Audience(
        kind=kind,
        agencies=tuple(sorted(set(form.agencies))),
        procedure=form.procedure,
        statuses=tuple(sorted({int(status) for status in form.statuses})),
        received_from=read_day(form.received_from, YEARS),
        received_to=read_day(form.received_to, YEARS),
        due_in_days=int(form.due_in_days) if form.due_in_days else None,
        late=form.late,
        basis=form.basis if kind is not AudienceKind.FOLLOWERS else "",
        file=before.file if before and kind is AudienceKind.FILE else "",
        failed_of=before.failed_of if before else 0,
    )


def _title_faults(form: BroadcastForm) -> Iterator[tuple[str, str, str]]:
    if not form.title:
        yield "title", "no_title", ""
    if len(form.title) > LONGEST_TITLE:
        yield "title", "long_title", ""


def _audience_faults(form: BroadcastForm, frame: Frame) -> Iterator[tuple[str, str, str]]:
    kind = _kind(form)
    known = {str(int(status)) for status in DossierStatus}
    from_day, to_day = read_day(form.received_from, YEARS), read_day(form.received_to, YEARS)
    checks = (
        (kind is None, "kind", "no_kind"),
        (not form.agencies, "agency", "no_agency"),
        (not known.issuperset(form.statuses), "status", "bad_status"),
        (bool(form.received_from) and from_day is None, "received_from", "bad_date"),
        (bool(form.received_to) and to_day is None, "received_to", "bad_date"),
        (from_day is not None and to_day is not None and from_day > to_day, "received_to", "dates_turned"),
        (bool(form.due_in_days) and _number(form.due_in_days, 0, MOST_DAYS) is None, "due_in_days", "bad_days"),
        (bool(form.due_in_days) and form.late, "late", "late_and_due"),
    )
    yield from ((field, name, "") for wrong, field, name in checks if wrong)
    if kind is not None and kind is not AudienceKind.FOLLOWERS:
        yield from _basis_faults(form, frame)


def _basis_faults(form: BroadcastForm, frame: Frame) -> Iterator[tuple[str, str, str]]:
    """The basis is one of those declared, and declared for every agency meant."""
    chosen = [basis for basis in frame.bases if basis.words == form.basis]
    uncovered = undeclared(form.agencies, chosen, frame.agencies)
    if not chosen:
        yield "basis", "no_basis", ""
    elif uncovered:
        yield "basis", "basis_beyond", ", ".join(uncovered)


def _time_faults(form: BroadcastForm, frame: Frame) -> Iterator[tuple[str, str, str]]:
    starts_at = read_moment(form.starts_at, YEARS)
    if form.starts_at and starts_at is None:
        yield "starts_at", "bad_moment", ""
    elif starts_at is not None and starts_at < frame.now:
        yield "starts_at", "past_moment", ""
    if _number(form.canary, 1, MOST_CANARY) is None:
        yield "canary", "bad_canary", ""


def _kind(form: BroadcastForm) -> AudienceKind | None:
    return AudienceKind(form.kind) if form.kind in set(AudienceKind) else None


def _several(fields: MultiDict[str], name: str) -> tuple[str, ...]:
    sent = fields.getall(name, [])[:MOST_AGENCIES]
    return tuple(dict.fromkeys(one for each in sent if (one := one_line({name: each}, name, LONGEST_FIELD))))


def _text(typed: str) -> str:
    """One line, not cut: too long is told."""
    return safe_text(typed.replace("\r\n", "\n"), LONGEST_TEXT + 1)


def _number(text: str, least: int, most: int) -> int | None:
    number = int(text) if _DIGITS.fullmatch(text) else None
    return number if number is not None and least <= number <= most else None


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
