"""The rows of a catalogue of procedures, out of a file: every fault of every row named, with the row it is in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from domain.procedure import Procedure, ProcedureForm
from domain.text import safe_text
from domain.working_time import SupplementRule

LEVELS = ("toàn trình", "một phần", "thông tin")  # decree 224/2026/NĐ-CP art. 14; "thông tin": not online at all
TEXT_MAX = 300  # characters of any text of a row
LONGEST = 1_000  # days or hours: whatever is above is a slip
DEAREST = 2_000_000_000  # dong; the same

_FILE = re.compile(r"[a-z0-9][a-z0-9-]*\.(?:docx?|odt|pdf|rtf|xlsx?)")
_CODE = re.compile(r"\d\.\d{6}")
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")

Rows = Sequence[tuple[int, Procedure]]  # each with its place in the file, from 0


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong; `row` is its place among the rows, from 0; None: of the file as a whole."""

    row: int | None
    text: str


@dataclass(frozen=True, slots=True)
class CatalogueRead:
    """What a file says: the rows that can be read, and what is wrong with the others and among them."""

    rows: Rows
    faults: Sequence[RowFault]


def read_catalogue(mapping: Mapping[str, Any]) -> CatalogueRead:
    """Read `{courtesy, abbreviations, shared, procedure: [row, ...]}`, the shape of config/procedures.toml."""
    faults = [RowFault(None, text) for text in _faults_of_the_whole(mapping)]
    if faults:
        return CatalogueRead((), faults)
    rows: list[tuple[int, Procedure]] = []
    for number, row in enumerate(mapping.get("procedure", ())):
        name = f"procedure {row.get('code', f'number {number + 1}')}"
        filled, wrong = _with_shared(_with_forms(row), mapping.get("shared", {}))
        wrong = wrong or [*_misshapen(filled)] or [*_wrong(filled)]
        faults += [RowFault(number, f"{name}: {fault}") for fault in wrong]
        if not wrong:
            rows.append((number, _read(filled)))
    return CatalogueRead(rows, [*faults, *contradictions(rows)])


def contradictions(rows: Rows) -> Iterator[RowFault]:
    """Each version that is in force on a day on which one above it is."""
    above: dict[str, list[Procedure]] = {}
    for number, procedure in rows:
        versions = above.setdefault(procedure.code, [])
        if any(_overlap(procedure, other) for other in versions):
            yield RowFault(number, f"procedure {procedure.code}: two versions are in force on the same day")
        versions.append(procedure)


def _overlap(one: Procedure, other: Procedure) -> bool:
    starts = max(one.valid_from or date.min, other.valid_from or date.min)
    return starts <= min(one.valid_to or date.max, other.valid_to or date.max)


# ---- reading a row


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a key of a row must be: a type, and for tables and lists the type inside."""

    kind: type
    inner: type = str
    needed: bool = False


_SHAPES: Mapping[str, _Shape] = {
    "code": _Shape(str, needed=True),
    "names": _Shape(Mapping, needed=True),
    "where": _Shape(Mapping, needed=True),
    "fee": _Shape(Mapping, needed=True),
    "days": _Shape(int),
    "hours": _Shape(int),
    "calendar_days": _Shape(int),
    "same_day": _Shape(bool),
    "days_note": _Shape(Mapping),
    "supplement": _Shape(str),
    "cut_off": _Shape(str),
    "fee_dong": _Shape(int),
    "papers": _Shape(Mapping, inner=list),
    "forms": _Shape(list, inner=Mapping),
    "level": _Shape(str),
    "field": _Shape(str),
    "keywords": _Shape(list),
    "valid_from": _Shape(date),
    "valid_to": _Shape(date),
}
_INNER: Mapping[type, str] = {str: "texts", list: "lists", Mapping: "texts or { name, file }"}
_LIMITS = ("days", "hours", "calendar_days", "same_day")
_COUNTS: Mapping[str, tuple[int, int]] = {  # the least and the most
    "days": (1, LONGEST),
    "hours": (1, LONGEST),
    "calendar_days": (1, LONGEST),
    "fee_dong": (0, DEAREST),
}
_SHARED_KEYS = ("where", "fee", "days_note")
_WHOLE: Mapping[str, type] = {"courtesy": list, "abbreviations": Mapping, "shared": Mapping, "procedure": list}


def _faults_of_the_whole(mapping: Mapping[str, Any]) -> Iterator[str]:
    for key, value in mapping.items():
        if key not in _WHOLE:
            yield f"procedures: unknown key {key}"
        elif not isinstance(value, _WHOLE[key]):
            yield f"procedures: {key} must be a {_WHOLE[key].__name__.lower()}"
    for key in ("courtesy", "abbreviations"):
        if not all(isinstance(each, str) and each for each in _leaves(mapping.get(key, ()))):
            yield f"procedures: {key} may hold texts only"
    rows = mapping.get("procedure", ())
    if isinstance(rows, list) and not all(isinstance(row, Mapping) for row in rows):
        yield "procedures: a procedure must be a mapping"


def _is_a(value: object, kind: type) -> bool:
    """A yes is no number here, nor a moment a day."""
    return isinstance(value, kind) and type(value) not in {bool, datetime} - {kind}


def _with_forms(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with a form that is only named written out: "Tờ khai" is { name = "Tờ khai" }."""
    forms = row.get("forms")
    if not isinstance(forms, list):
        return row
    return {**row, "forms": [{"name": form} if isinstance(form, str) else form for form in forms]}


def _with_shared(row: Mapping[str, Any], shared: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The row with the texts it only names written out, and the names nobody knows."""
    named = {key: row[key] for key in _SHARED_KEYS if isinstance(row.get(key), str)}
    unknown = [f"{key}: there is no shared text {name}" for key, name in named.items() if name not in shared]
    return {**row, **{key: shared.get(name) for key, name in named.items()}}, unknown


def _misshapen(row: Mapping[str, Any]) -> Iterator[str]:
    """Keys that are unknown or missing, values of the wrong type."""
    yield from (f"{key} is missing" for key, shape in _SHAPES.items() if shape.needed and key not in row)
    for key, value in row.items():
        shape = _SHAPES.get(key)
        if shape is None:
            yield f"unknown key {key}"
        elif not _is_a(value, shape.kind):
            yield f"{key} must be a {shape.kind.__name__.lower()}"
        elif shape.kind in (Mapping, list) and not all(isinstance(each, shape.inner) for each in _leaves(value)):
            yield f"{key} may hold {_INNER[shape.inner]} only"
        elif shape.inner is list and not all(isinstance(each, str) for inner in _leaves(value) for each in inner):
            yield f"{key} may hold lists of texts only"


def _wrong(row: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong in a row of the right shape."""
    if not _CODE.fullmatch(row["code"]):
        yield "the code is not of the form 1.004946"
    for key in ("names", "where", "fee", "days_note", "papers"):
        if row.get(key) is not None and not row[key].get("vi"):
            yield f"{key} has nothing in Vietnamese"
    yield from _wrong_counts(row)
    yield from _wrong_time(row)
    if row.get("level", LEVELS[0]) not in LEVELS:
        yield f"level must be one of {', '.join(LEVELS)}"
    if any(safe_text(text, TEXT_MAX) != text for text in _texts(row)):
        yield f"a text holds control characters, spaces at its ends or more than {TEXT_MAX} characters"
    yield from (fault for form in row.get("forms", ()) for fault in _wrong_form(form))
    if row.get("valid_from", date.min) > row.get("valid_to", date.max):
        yield "valid_from is later than valid_to"


def _wrong_counts(row: Mapping[str, Any]) -> Iterator[str]:
    for key, (least, most) in _COUNTS.items():
        if row.get(key, least) < least:
            yield f"{key} must be at least {least}"
        if row.get(key, most) > most:
            yield f"{key} must be at most {most}"


def _wrong_time(row: Mapping[str, Any]) -> Iterator[str]:
    said = [key for key in _LIMITS if row.get(key)]
    if len(said) > 1:
        yield f"it has both {' and '.join(said)}: how long may it take?"
    elif said not in ([], ["days"]) and "days_note" not in row:
        yield f"{said[0]} needs days_note: the time as people read it"
    elif ("days" in row) == ("days_note" in row):
        yield "it needs either days or days_note"
    if row.get("supplement", SupplementRule.RESTART) not in list(SupplementRule):
        yield f"supplement must be one of {', '.join(SupplementRule)}"
    if not _TIME.fullmatch(row.get("cut_off", "15:00")):
        yield "cut_off must be a time of day such as 15:00"


def _wrong_form(form: Mapping[str, Any]) -> Iterator[str]:
    name, file = form.get("name"), form.get("file", "")
    if form.keys() - {"name", "file"} or not isinstance(name, str) or not name or not isinstance(file, str):
        yield "a form has a name and perhaps a file, both texts"
    elif file and not _FILE.fullmatch(file):
        yield f"the file {safe_text(file, TEXT_MAX)} is not named like to-khai-khai-sinh.docx"


def _texts(value: object) -> Iterator[str]:
    """Every text in it, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for each in _leaves(value):
            yield from _texts(each)


def _leaves(value: Any) -> Iterable[Any]:  # noqa: ANN401 - out of a file
    return value.values() if isinstance(value, Mapping) else value


def _read(row: Mapping[str, Any]) -> Procedure:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items() if key != "field"}
    made = {
        "papers": {language: tuple(each) for language, each in row.get("papers", {}).items()},
        "forms": tuple(ProcedureForm(**form) for form in row.get("forms", ())),
        "field_name": row.get("field", ""),
        "supplement": SupplementRule(row.get("supplement", SupplementRule.RESTART)),
        "cut_off": time.fromisoformat(row["cut_off"]) if "cut_off" in row else None,
    }
    return Procedure(**{**values, **made})
