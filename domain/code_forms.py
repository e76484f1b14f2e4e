"""Every reading that a typed string allows as a dossier code; choosing among them is not done here, nor anywhere.

A code is found by its level-1 agency: a letter and two digits (H51). What may stand before it (the old form's
`000.00.18.`) is read leftwards, what follows (groups, date, serial) rightwards, piece by piece. A separator that was
typed is always a border, a space only most often (code_slips.py); where separators were lost, every cut that gives a
real date is one more reading. All steps look at a bounded stretch, so that the time is linear in the length of the
text (reference: domain §2, §6.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import NamedTuple

from domain.code_prefix import (
    ANY_DIGIT,
    DIGIT,
    DIGITS,
    GAP,
    LONGEST_GROUP,
    LOOK_ALIKES,
    MIN_GLUED_WORD,
    has_digit,
    letters_before,
    old_prefix,
    stray_number,
)
from domain.code_slips import LONG_DATE, MAX_SERIAL, MIN_SERIAL, SHORT_DATE, Piece, part_steps, serial_steps

MAX_READINGS = 12
_MAX_GROUPS = 6
_MAX_PIECES = _MAX_GROUPS + 4
_EARLIEST_YEAR = 2000


_ROOT = re.compile(rf"(?=([A-Z])({DIGIT}{{2}}))")
_HEAD = re.compile(rf"{DIGIT}+")
_GLUED = re.compile(r"[0-9A-Z]{1,32}")
_NEXT = re.compile(rf"({GAP}{{1,6}})({DIGIT}[0-9A-Z]{{0,31}})")
_GOES_ON = re.compile(r"[.\-_][0-9]")
_WORD_BEHIND = re.compile(r"[A-Z]+(?:\Z|[0-9]{2})")  # a glued word, or the next code
_PHONE = re.compile(r"0[2-9][0-9]{8}(?![0-9])")
_PRINTED = re.compile(
    r"[A-Z][0-9]{2}((?:\.[0-9]{1,3}){0,6})-([0-9]{8}|[0-9]{6})-([0-9]{4,8})(?![0-9A-Z]|[.\-_][0-9]| *[\n0-9])"
)


@dataclass(frozen=True, slots=True)
class TypedCode:
    """One reading: its parts in their printed form, and where in the text it stands."""

    old: bool
    agency: str
    day: str
    serial: str
    start: int
    end: int


class _Digits(NamedTuple):
    text: str
    end: int
    whole: bool  # nothing of the piece is left over
    sure: bool  # False: letters that might be digits were left over


class _Cut(NamedTuple):
    """What one piece is: some groups, perhaps the date, perhaps the serial."""

    groups: tuple[str, ...]
    day: str
    serial: str


class _Path(NamedTuple):
    """How far a code has been read behind its level-1 agency, and what had to be supposed."""

    groups: tuple[str, ...] = ()
    lost: bool = False  # a separator was lost
    contrary: bool = False  # a dot where a dash is printed, or a dash for a dot
    joined: bool = False  # a gap was taken for a slip inside a number


class _Tail(NamedTuple):
    """Everything behind the level-1 agency."""

    path: _Path
    day: str
    serial: str
    end: int
    day_gap: str


def real_date(digits: str) -> date | None:
    """The calendar date of YYMMDD or YYYYMMDD; None if there is no such day, or before 2000."""
    year = int(digits[:-4])
    year = year + _EARLIEST_YEAR if len(digits) == SHORT_DATE else year
    try:
        day = date(year, int(digits[-4:-2]), int(digits[-2:]))
    except ValueError:  # "no such day" is this function's other answer
        return None
    return day if year >= _EARLIEST_YEAR else None


def roots(text: str) -> Iterator[int]:
    """Where a level-1 agency may begin, left to right; `text` is folded and bare."""
    for match in _ROOT.finditer(text):
        typed = match[2]
        if 0 < letters_before(text, match.start()) < MIN_GLUED_WORD:
            continue
        if typed.isdigit() or (has_digit(typed) and _stands_firm(text, match.end(2))):
            yield match.start()


def is_printed(text: str, root: int) -> bool:
    """Whether a code is typed at `root` as it is printed, which takes no search."""
    return _PRINTED.match(text, root) is not None


def readings_at(text: str, root: int, floor: int, latest: date) -> list[TypedCode]:
    """The distinct readings of the code whose level-1 agency begins at `root`; none may reach back before `floor`
    (the end of the code before it) nor be dated after `latest`.
    """
    tails = _printed_tail(text, root, latest) or _typed_tails(text, root, latest)
    level1 = text[root] + text[root + 1 : root + 3].translate(DIGITS)
    found: dict[tuple[str, str, str], TypedCode] = {}
    for tail in tails:
        for code in _with_agency(text, root, floor, level1, tail):
            found.setdefault((code.agency, code.day, code.serial), code)
    return list(found.values())


def _printed_tail(text: str, root: int, latest: date) -> list[_Tail]:
    """The tail of a code typed as it is printed: the short way to the one reading that the long way would find."""
    match = _PRINTED.match(text, root)
    if match is None or not _is_past(match[2], latest):
        return []
    groups = tuple(match[1].split(".")[1:])
    return [_Tail(_Path(groups), match[2], match[3], match.end(), "-")]


def _typed_tails(text: str, root: int, latest: date) -> list[_Tail]:
    pieces = _pieces_after(text, root + 3)
    if not pieces or _is_phone(text, root):
        return []
    return _believable(list(islice(_tails(text, pieces, 0, _Path(), latest), MAX_READINGS)))


def _stands_firm(text: str, place: int) -> bool:
    """A look-alike in the agency is believed only where a printed separator follows ("so7 ..." is a word)."""
    return text[place : place + 1] in (".", "-", ",", "_")


def _is_phone(text: str, root: int) -> bool:
    return _PHONE.match(text, root + 1) is not None


def _pieces_after(text: str, place: int) -> list[Piece]:
    """The runs of letters and digits behind the agency, as long as each begins like a number."""
    pieces: list[Piece] = []
    glued = _GLUED.match(text, place)
    if glued:
        pieces.append(Piece("", glued[0], glued.end()))
        place = glued.end()
    while len(pieces) < _MAX_PIECES and (match := _NEXT.match(text, place)):
        firm = match[1] == "." and text[match.end() : match.end() + 1] in (".", "-")
        pieces.append(Piece(match[1], match[2], match.end(), firm))
        place = match.end()
    return pieces


def _digits_of(piece: Piece) -> Iterator[_Digits]:
    """The number a piece is or begins with: O, I, L, S, B among digits are digits, behind them either."""
    head = _HEAD.match(piece.typed)
    if head is None or not (piece.firm or has_digit(head[0])):
        return
    typed, rest = head[0], piece.typed[head.end() :]
    if not typed.isdigit() and len(typed) < MIN_SERIAL and piece.gap and piece.gap.isspace():
        return  # "L1" after a space is a word
    if len(typed) > MAX_SERIAL and 2 * len(ANY_DIGIT.findall(typed)) < len(typed):
        return  # parts glued together are believed only where most of them are digits
    stem = typed.rstrip(LOOK_ALIKES)
    if not rest:
        yield _Digits(typed.translate(DIGITS), piece.end, whole=True, sure=True)
    behind = typed[len(stem) :] + rest
    if stem and has_digit(stem) and behind and _WORD_BEHIND.match(behind):
        yield _Digits(stem.translate(DIGITS), piece.end - len(behind), whole=False, sure=bool(rest))


def _group_cuts(digits: str, most: int) -> Iterator[tuple[str, ...]]:
    """Glued groups, at most `most`: two or three digits each, the last one may have a single digit."""
    if most and len(digits) <= LONGEST_GROUP:
        yield (digits,)
    for size in (2, LONGEST_GROUP) if most > 1 else ():
        if size < len(digits) <= size + LONGEST_GROUP * (most - 1):
            for rest in _group_cuts(digits[size:], most - 1):
                yield (digits[:size], *rest)


def _cuts(digits: str, most: int, latest: date) -> Iterator[_Cut]:
    """A number as glued groups (at most `most`), date and serial, each possibly empty, in this order."""
    for size in range(min(len(digits), LONGEST_GROUP * most) + 1):
        ends = _ends(digits[size:], latest)
        if ends:
            for groups in _group_cuts(digits[:size], most) if size else ((),):
                for day, serial in ends:
                    yield _Cut(groups, day, serial)


def _ends(digits: str, latest: date) -> list[tuple[str, str]]:
    """What is left behind the groups, as (date, serial): nothing, a date, or a date with its serial glued on."""
    size = len(digits)
    if not size:
        return [("", "")]
    if size in (SHORT_DATE, LONG_DATE):
        return [(digits, "")] if _is_past(digits, latest) else []
    return [
        (digits[:length], digits[length:])
        for length in (SHORT_DATE, LONG_DATE)
        if MIN_SERIAL <= size - length <= MAX_SERIAL and _is_past(digits[:length], latest)
    ]


def _piece_cuts(piece: Piece, digits: str, path: _Path, latest: date) -> Iterable[_Cut]:
    """What a piece may be where groups or the date are due. No glued groups begin behind a dash, nor a second time."""
    most = _MAX_GROUPS - len(path.groups)
    if (piece.gap or piece.closed_up) and len(digits) <= LONGEST_GROUP:
        return (_Cut((digits,), "", ""),) if most else ()
    if piece.closed_up:
        return (_Cut((), digits, ""),) if len(digits) in (SHORT_DATE, LONG_DATE) and _is_past(digits, latest) else ()
    return _cuts(digits, 0 if path.lost or "-" in piece.gap else most, latest)


def _tails(text: str, pieces: list[Piece], index: int, path: _Path, latest: date) -> Iterator[_Tail]:
    """Groups, date and serial from `pieces[index]` on, in every way that gives a real date."""
    for piece, following, joined in part_steps(pieces, index, joined=path.joined):
        for digits in _digits_of(piece):
            for cut in _piece_cuts(piece, digits.text, path, latest):
                step = _step(path, piece, cut, joined=joined)
                if cut.serial and not _GOES_ON.match(text, digits.end):
                    yield _Tail(step, cut.day, cut.serial, digits.end, piece.gap)
                elif digits.whole and cut.day and not cut.serial:
                    yield from _with_serial(text, pieces, following, step, (cut.day, piece.gap))
                elif digits.whole and not cut.day:
                    yield from _tails(text, pieces, following, step, latest)


def _step(path: _Path, piece: Piece, cut: _Cut, *, joined: bool) -> _Path:
    """The path behind a piece."""
    parts = len(cut.groups) + bool(cut.day) + bool(cut.serial)
    return _Path(
        groups=path.groups + cut.groups,
        lost=path.lost or not piece.gap or parts > 1,
        contrary=path.contrary or _is_contrary(piece.gap, "." if cut.groups else "-"),
        joined=path.joined or joined,
    )


def _is_past(digits: str, latest: date) -> bool:
    day = real_date(digits)
    return day is not None and day <= latest


def _is_contrary(gap: str, printed: str) -> bool:
    other = "-" if printed == "." else "."
    return other in gap and printed not in gap


def _with_serial(text: str, pieces: list[Piece], index: int, path: _Path, dated: tuple[str, str]) -> Iterator[_Tail]:
    """The serial closes the code: four to eight digits, or fewer with its leading zeros lost."""
    day, day_gap = dated
    for piece, _following, joined in serial_steps(text, pieces, index, joined=path.joined):
        step = _step(path, piece, _Cut((), "", ""), joined=joined)
        for digits in _digits_of(piece):
            complete = len(digits.text) >= MIN_SERIAL
            if len(digits.text) > MAX_SERIAL or not (complete or (digits.sure and digits.text.strip("0"))):
                continue
            if not _GOES_ON.match(text, digits.end):
                yield _Tail(step, day, digits.text.zfill(MIN_SERIAL), digits.end, day_gap)


def _believable(tails: list[_Tail]) -> list[_Tail]:
    """Where the typed separators alone give a code, readings that suppose a lost one are dropped, unless a typed
    separator speaks against it; readings that suppose a slip are always kept.
    """
    if any(not (tail.path.lost or tail.path.contrary or tail.path.joined) for tail in tails):
        return [tail for tail in tails if tail.path.joined or not tail.path.lost]
    return tails


def _with_agency(text: str, root: int, floor: int, level1: str, tail: _Tail) -> Iterator[TypedCode]:
    """The new form, the old form, both or neither, by what stands before the level-1 agency."""
    new = TypedCode(False, ".".join((level1, *tail.path.groups)), tail.day, tail.serial, root, tail.end)
    spaced = tail.day_gap.isspace()
    prefix = old_prefix(text, root, floor)
    if prefix is None:
        if tail.path.groups or not stray_number(text, root, floor, spaced=spaced):
            yield new
        return
    if tail.path.groups:
        if not (prefix.bound and prefix.full):
            yield new
        return
    if not prefix.sure:
        return
    if len(tail.day) == SHORT_DATE:
        agency = ".".join((*prefix.groups, level1))
        yield TypedCode(True, agency, tail.day, tail.serial, prefix.start, tail.end)
    if not (prefix.bound or prefix.certain or spaced):
        yield new
