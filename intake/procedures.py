"""The catalogue of procedures out of a file: every fault of it named, versions by their days, found by code or words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from typing import Any

from domain.procedure import Procedure, ProcedureForm
from domain.text import fold, safe_text
from intake.ports import MOST_HITS
from intake.search import Entry, SearchIndex, Wording

LEVELS = ("toàn trình", "một phần", "thông tin")  # decree 224/2026/NĐ-CP art. 14; "thông tin": not online at all
TEXT_MAX = 300  # characters of any text of a row

_FILE = re.compile(r"[a-z0-9][a-z0-9-]*\.(?:docx?|odt|pdf|rtf|xlsx?)")
_CODE = re.compile(r"\d\.\d{6}")
# In a text: with or without the agency behind it, which says who published it and not what it is.
_TYPED_CODE = re.compile(r"(?<![\d.])(\d)[.,]?(\d{6})(?:[.,]\d{3}[.,]\d{2}[.,]\d{2}[.,][A-Za-z]\d{2})?(?![\dA-Za-z])")


class Procedures:
    """All versions of all procedures, searched in memory. Implements `intake.ports.ProcedureCatalogue`.

    Raises:
        ValueError: two versions of one procedure are in force on the same day.
    """

    __slots__ = ("_all", "_by_code", "_index")

    def __init__(self, procedures: Iterable[Procedure], wording: Wording | None = None) -> None:
        self._all = tuple(procedures)
        faults = _contradictions(self._all)
        if faults:
            raise ValueError("\n".join(faults))
        self._by_code: dict[str, list[Procedure]] = {}
        for procedure in self._all:
            self._by_code.setdefault(procedure.code, []).append(procedure)
        entries = [Entry(phrases=(*each.names.values(), *each.keywords), theme=each.field_name) for each in self._all]
        self._index = SearchIndex(entries, wording or Wording())

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Procedures:
        """Build from `{courtesy, abbreviations, shared, procedure: [row, ...]}`, the shape of config/procedures.toml.

        Raises:
            ValueError: every fault of every row, one a line.
        """
        faults = list(_faults_of_the_whole(mapping))
        if faults:
            raise ValueError("\n".join(faults))
        procedures: list[Procedure] = []
        for number, row in enumerate(mapping.get("procedure", ()), start=1):
            name = f"procedure {row.get('code', f'number {number}')}"
            filled, wrong = _with_shared(_with_forms(row), mapping.get("shared", {}))
            wrong = wrong or [*_misshapen(filled)] or [*_wrong(filled)]
            faults += [f"{name}: {fault}" for fault in wrong]
            if not wrong:
                procedures.append(_read(filled))
        faults += _contradictions(procedures)
        if faults:
            raise ValueError("\n".join(faults))
        wording = Wording(abbreviations=mapping.get("abbreviations", {}), courtesy=mapping.get("courtesy", ()))
        return cls(procedures, wording)

    def __iter__(self) -> Iterator[Procedure]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def get(self, code: str, *, today: date) -> Procedure | None:
        """The version in force of the procedure with this code, the agency behind it ignored."""
        typed = _TYPED_CODE.fullmatch(fold(code).strip())
        versions = self._by_code.get(f"{typed[1]}.{typed[2]}", ()) if typed else ()
        return next((each for each in versions if each.in_force(today)), None)

    def search(self, words: str, *, today: date, limit: int = MOST_HITS) -> Sequence[Procedure]:
        """Those in force that `words` may mean, the likeliest first; a code among them finds exactly that or nothing."""
        code = _TYPED_CODE.search(fold(words))
        if code is not None:
            found = self.get(code[0], today=today)
            return [found] if found else []
        places = self._index.search(words, allowed=lambda place: self._all[place].in_force(today), limit=limit)
        return [self._all[place] for place in places]


def _contradictions(procedures: Sequence[Procedure]) -> list[str]:
    by_code: dict[str, list[Procedure]] = {}
    for procedure in procedures:
        by_code.setdefault(procedure.code, []).append(procedure)
    return [
        f"procedure {code}: two versions are in force on the same day"
        for code, versions in by_code.items()
        if any(_overlap(*pair) for pair in combinations(versions, 2))
    ]


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
    "days_note": _Shape(Mapping),
    "papers": _Shape(Mapping, inner=list),
    "forms": _Shape(list, inner=Mapping),
    "level": _Shape(str),
    "field": _Shape(str),
    "keywords": _Shape(list),
    "valid_from": _Shape(date),
    "valid_to": _Shape(date),
}
_INNER: Mapping[type, str] = {str: "texts", list: "lists", Mapping: "texts or { name, file }"}
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
        elif not isinstance(value, shape.kind) or isinstance(value, datetime | bool):
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
    if row.get("days", 1) < 1:
        yield "days must be at least 1"
    if ("days" in row) == ("days_note" in row):
        yield "it needs either days or days_note"
    if row.get("level", LEVELS[0]) not in LEVELS:
        yield f"level must be one of {', '.join(LEVELS)}"
    if any(safe_text(text, TEXT_MAX) != text for text in _texts(row)):
        yield f"a text holds control characters, spaces at its ends or more than {TEXT_MAX} characters"
    yield from (fault for form in row.get("forms", ()) for fault in _wrong_form(form))
    if row.get("valid_from", date.min) > row.get("valid_to", date.max):
        yield "valid_from is later than valid_to"


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
    papers = {language: tuple(each) for language, each in row.get("papers", {}).items()}
    forms = tuple(ProcedureForm(**form) for form in row.get("forms", ()))
    return Procedure(**{**values, "papers": papers, "forms": forms, "field_name": row.get("field", "")})
