"""Reads dossier codes out of typed text: forgiving in form, never in identity.

Three families (reference: domain §2): the old form `000.00.18.H51-161220-0001` (circular 01/2018/TT-VPCP art. 19), the
new one `H51.18-210817-0005` (decision 20/2020/QD-TTg art. 4, and the national services `G09.20-20260609-0092637`), and
receipt numbers from before, by a mask an agency gives. Where a typed code has two readings both are handed back as
candidates; nothing here prefers one dossier to another.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import unquote

from domain import code_forms
from domain.code_legacy import LegacyPattern, legacy_numbers
from domain.code_slips import MAX_SERIAL
from domain.text import bare, fold

__all__ = [
    "MAX_CANDIDATES",
    "CodeFamily",
    "CodeReading",
    "DossierCode",
    "LegacyPattern",
    "WhyNone",
    "parse_canonical",
    "read_codes",
    "read_reference",
]

EXAMINED_LENGTH = 2_000  # characters of a text that are read; a code cut off by this end is not one
MAX_CANDIDATES = 4  # more readings than these are no question one can answer with a digit
MOST_STARTS = 16  # places where a code that is not typed as printed may begin; each costs far more than a printed one
_SLACK = timedelta(days=1)  # an agency's clock may be ahead of ours


class CodeFamily(enum.StrEnum):
    """How a code is built (reference: domain §2)."""

    OLD = "old"  # 000.00.18.H51-161220-0001
    NEW = "new"  # H51.18-210817-0005, G09.20-20260609-0092637
    LEGACY = "legacy"  # a receipt number by an agency's own pattern


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DossierCode:
    """One dossier's code in its canonical form: upper case, dots and dashes as printed on the receipt."""

    text: str
    family: CodeFamily = CodeFamily.NEW
    agency: str = ""  # the agency part as printed: "000.00.18.H51" or "H51.18"

    def __str__(self) -> str:
        return self.text

    @property
    def reference(self) -> str:
        """The code in one string from which read_reference makes it again: a legacy number with its agency."""
        return f"{self.agency}{_OF_AGENCY}{self.text}" if self.family is CodeFamily.LEGACY else self.text

    @property
    def is_example(self) -> bool:
        """A serial of zeros only is reserved for examples: nobody's dossier, and never to be given out."""
        return self.family is not CodeFamily.LEGACY and not self.text.rpartition("-")[2].strip("0")


class WhyNone(enum.StrEnum):
    """Why a text holds no code: chooses the words of the reply, and is counted."""

    EMPTY = "empty"
    NO_CODE = "no_code"
    PARTIAL = "partial"  # a piece of a code: "0005", "H51.18", "210817-0005"
    BAD_DATE = "bad_date"  # shaped like a code, but there is no such day
    FUTURE_DATE = "future_date"
    TOO_LONG = "too_long"  # more than eight digits of serial
    TOO_MANY_READINGS = "too_many_readings"
    WHICH_AGENCY = "which_agency"  # a receipt number of more agencies than one can be asked about
    PROCEDURE_CODE = "procedure_code"  # 1.004946.000.00.00.H51
    PHONE_NUMBER = "phone_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeReading:
    """What was read.

    `codes`: distinct, in the order typed, examples left out. `candidates`: the two to four readings of the first code
    that has more than one; ask, never guess. `why`: set when there are neither codes nor candidates nor an example.
    `before` and `after`: the folded words on both sides of the first code (all of them in `before` if there is none).
    """

    codes: tuple[DossierCode, ...] = ()
    candidates: tuple[DossierCode, ...] = ()
    why: WhyNone | None = None
    example: bool = False  # the help's example code was typed
    procedure: str = ""  # a procedure code, canonical
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of the text and the codes it may be."""

    start: int
    end: int
    codes: tuple[DossierCode, ...]


_OF_AGENCY = ":"  # in no identifier and in no national code
_REFERENCE = re.compile(rf"([A-Y]\d{{2}}(?:\.[0-9A-Z]{{1,3}}){{0,6}}){_OF_AGENCY}(.+)", re.ASCII)
_GAP = r"[ \n.,\-_/+]{1,3}"
_CANONICAL_OLD = re.compile(r"(\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2})-(\d{6})-\d{4,8}", re.ASCII)
_CANONICAL_NEW = re.compile(r"([A-Z]\d{2}(?:\.\d{1,3}){0,6})-(\d{6}|\d{8})-\d{4,8}", re.ASCII)
_PROCEDURE = re.compile(
    r"(?<![0-9A-Z])(?<![0-9]\.)(\d\.\d{6}(?:\.\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2})?)(?![0-9A-Z])", re.ASCII
)
_ANY_DIGIT = re.compile("[0-9]")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_SHAPE = re.compile(rf"[A-Z]\d\d(?:{_GAP}\d{{1,3}}){{0,6}}{_GAP}(\d{{8}}|\d{{6}}){_GAP}(\d+)", re.ASCII)
_PHONE = re.compile(r"(?<![0-9])(?:\+?84|0084|0)[ .-]?(?:[35789]|2\d?)(?:[ .-]?\d){8}(?![0-9A-Z])", re.ASCII)
_PIECES = re.compile(
    rf"(?<![0-9A-Z])(?:(?:\d{{2,3}}\.){{1,3}}[A-Z]\d\d|[A-Z]\d\d(?:\.\d{{1,3}})+|[A-Z]\d\d{_GAP}\d{{6}}|\d{{4,8}}"
    rf"|\d{{6}}{_GAP}\d{{1,8}})(?![0-9A-Z])"
    r"|(?<![0-9A-Z])[A-Z0-9]{0,12}[A-Z]\d\d\d{4}"
    r"|\A\W*(?:[A-Z]\d\d|\d{3})\W*\Z",
    re.ASCII,
)


def parse_canonical(text: str) -> DossierCode | None:
    """The code that `text` is, exactly as printed and whatever its date; for codes out of our own or a source's hands."""
    match, family = _CANONICAL_NEW.fullmatch(text), CodeFamily.NEW
    if match is None:
        match, family = _CANONICAL_OLD.fullmatch(text), CodeFamily.OLD
    return match and DossierCode(text=text, family=family, agency=match[1])


def read_reference(reference: str) -> DossierCode | None:
    """The code of which `reference` is the reference, exactly; for what we stored ourselves."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return parse_canonical(reference)
    return DossierCode(text=match[2], family=CodeFamily.LEGACY, agency=match[1])


def read_codes(text: str, *, today: date, legacy: Sequence[LegacyPattern] = ()) -> CodeReading:
    """Every dossier code in the first 2,000 characters of `text`; linear in its length, raises nothing.

    `today` is the date in Asia/Ho_Chi_Minh: a code dated after tomorrow is refused.
    """
    latest = today + _SLACK
    exact = parse_canonical(text.strip())
    if exact is not None and _is_dated_until(exact, latest):
        return CodeReading(example=True) if exact.is_example else CodeReading(codes=(exact,))
    clean = _examined(text)
    if not clean.strip():
        return CodeReading(why=WhyNone.EMPTY)
    return _read(clean, len(text) > EXAMINED_LENGTH, latest, legacy)


def _is_dated_until(code: DossierCode, latest: date) -> bool:
    day = code_forms.real_date(code.text.split("-")[1])
    return day is not None and day <= latest


def _examined(text: str) -> str:
    clean = text[:EXAMINED_LENGTH]
    if "%" in clean and _ESCAPED.search(clean):
        clean = unquote(unquote(clean, errors="replace"), errors="replace")  # addresses are escaped up to twice
    return fold(clean)[:EXAMINED_LENGTH]


def _read(clean: str, is_cut: bool, latest: date, legacy: Sequence[LegacyPattern]) -> CodeReading:  # noqa: FBT001
    upper = bare(clean)
    if not _ANY_DIGIT.search(upper):
        return CodeReading(why=WhyNone.NO_CODE, before=clean)
    procedures = list(_PROCEDURE.finditer(upper))
    spans, is_crowded = _spans(upper, [match.span() for match in procedures], latest)
    spans += _legacy_spans(upper, spans, legacy) if legacy else []
    spans = sorted((span for span in spans if not (is_cut and span.end == len(upper))), key=lambda span: span.start)
    procedure = procedures[0][1] if procedures else ""
    readable = [span for span in spans if 0 < len(span.codes) <= MAX_CANDIDATES]
    if not readable:
        why = _why_unreadable(spans) if spans or is_crowded else _why_none(upper, procedure, latest)
        return CodeReading(why=why, procedure=procedure, before=clean)
    clear = [span.codes[0] for span in readable if len(span.codes) == 1]
    return CodeReading(
        codes=tuple(dict.fromkeys(code for code in clear if not code.is_example)),
        candidates=next((span.codes for span in readable if len(span.codes) > 1), ()),
        example=any(code.is_example for code in clear),
        procedure=procedure,
        before=clean[: spans[0].start],
        after=_between(clean, spans),
    )


def _spans(upper: str, taken: list[tuple[int, int]], latest: date) -> tuple[list[_Span], bool]:
    """Old and new codes, left to right, none within another or within a procedure code; and whether there were more
    places to read at than anybody's message has, so that the rest was left alone.
    """
    spans: list[_Span] = []
    starts = floor = end = 0  # where the code before ends at the earliest, and at the latest
    for root in code_forms.roots(upper):
        if root < end or any(start <= root < end for start, end in taken):
            continue
        starts += not code_forms.is_printed(upper, root)
        if starts > MOST_STARTS:
            return spans, True
        readings = code_forms.readings_at(upper, root, floor, latest)
        if readings:
            floor, end = min(reading.end for reading in readings), max(reading.end for reading in readings)
            codes = dict.fromkeys(_as_code(reading) for reading in readings)
            spans.append(_Span(min(reading.start for reading in readings), end, _plausible(tuple(codes))))
    return spans, False


def _as_code(reading: code_forms.TypedCode) -> DossierCode:
    return DossierCode(
        text=f"{reading.agency}-{reading.day}-{reading.serial}",
        family=CodeFamily.OLD if reading.old else CodeFamily.NEW,
        agency=reading.agency,
    )


def _plausible(codes: tuple[DossierCode, ...]) -> tuple[DossierCode, ...]:
    """Nobody is asked whether the example was meant when a real code is the other reading."""
    return tuple(code for code in codes if not code.is_example) or codes[:1]


def _legacy_spans(upper: str, spans: list[_Span], legacy: Sequence[LegacyPattern]) -> list[_Span]:
    """Receipt numbers outside the codes already found; of two agencies with the same number, those named beside it."""
    taken = [(span.start, span.end) for span in spans]
    return [
        _Span(number.start, number.end, tuple(dict.fromkeys(map(_as_legacy, number.readings))))
        for number in legacy_numbers(upper, taken, legacy)
    ]


def _as_legacy(reading: tuple[str, str]) -> DossierCode:
    agency, text = reading
    return DossierCode(text=text, family=CodeFamily.LEGACY, agency=agency)


def _why_unreadable(spans: list[_Span]) -> WhyNone:
    """What is not clear where every code has too many readings, or no agency of those named; or nobody can tell."""
    is_legacy = all(code.family is CodeFamily.LEGACY for span in spans for code in span.codes)
    return WhyNone.WHICH_AGENCY if spans and is_legacy else WhyNone.TOO_MANY_READINGS


def _between(clean: str, spans: list[_Span]) -> str:
    """What was typed behind the first code, the others taken out."""
    ends = [span.end for span in spans]
    starts = [*(span.start for span in spans[1:]), len(clean)]
    return " ".join(clean[end:start] for end, start in zip(ends, starts, strict=True))


def _why_none(upper: str, procedure: str, latest: date) -> WhyNone:
    """The reason that helps most to type it better."""
    shape = _SHAPE.search(upper)
    if shape:
        day = code_forms.real_date(shape[1])
        if day is None:
            return WhyNone.BAD_DATE
        if day > latest:
            return WhyNone.FUTURE_DATE
        return WhyNone.TOO_LONG if len(shape[2]) > MAX_SERIAL else WhyNone.PARTIAL
    if procedure:
        return WhyNone.PROCEDURE_CODE
    if _PHONE.search(upper):
        return WhyNone.PHONE_NUMBER
    return WhyNone.PARTIAL if _PIECES.search(upper) else WhyNone.NO_CODE
