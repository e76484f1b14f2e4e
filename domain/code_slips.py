"""A number broken by a stray space or line end: where two runs of digits in a typed code may be one.

Whoever breaks a number does it once in a code. A break is only offered as one more reading, never instead of the
numbers as typed, so that `H51.1 8-...`, which may be H51.1.8 or H51.18, is asked about. No break is supposed where the
typing itself speaks against it: numbers that make no lawful part together (two groups of two digits), a code typed
with spaces throughout, or a number that is explained by what follows it (a telephone, the next row of a list).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from domain.code_prefix import DIGIT, GAP, LONGEST_GROUP, has_digit

SHORT_DATE, LONG_DATE = 6, 8
MIN_SERIAL, MAX_SERIAL = 4, 8

_LINE_BREAK = re.compile(r" *\n *")
_NUMBER = re.compile(rf"{DIGIT}+")
_CENTURY = "20"
_DOTS = ".,"
_EXPLAINED = re.compile(
    r"0[235789](?:[ .\-]?[0-9]){8}(?![ .\-]?[0-9])"  # a telephone number in groups
    rf"|[0-9]{{1,3}}(?:{GAP}{{1,3}}[0-9]{{1,2}}){{1,2}}{GAP}{{0,3}}[A-Z][0-9]{{2}}"  # the next code's old prefix
    r"|[0-9]{1,2}[.)][^\n]{0,40}[A-Z][0-9]{2}"  # the next row of a list of codes
    r"|[0-9]{1,4}[/.\-_,][0-9]"  # a calendar date, a fraction
)


class Piece(NamedTuple):
    """One run of letters and digits behind the level-1 agency."""

    gap: str  # what separates it from the piece before; empty: nothing
    typed: str
    end: int
    firm: bool = False  # printed separators on both sides: even "IO" is a number here
    closed_up: bool = False  # two runs with a stray space between them, taken for one number: a single part

    @property
    def start(self) -> int:
        """Where it begins in the text; of a joined piece no place at all."""
        return self.end - len(self.typed)


class Step(NamedTuple):
    """A piece to go on with, and which one follows it."""

    piece: Piece
    following: int
    joined: bool = False  # it was supposed to be broken


def part_steps(pieces: list[Piece], index: int, *, joined: bool) -> Iterator[Step]:
    """`pieces[index]` where groups or the date are due: as typed, and joined with the piece behind it.
    `joined`: a break was supposed before; there is no second one.
    """
    if index < len(pieces):
        yield Step(pieces[index], index + 1)
    if index + 1 >= len(pieces) or joined:
        return
    piece, rest = pieces[index], pieces[index + 1]
    if _LINE_BREAK.fullmatch(rest.gap):
        yield from _over_the_line(pieces, index)
    elif _is_dot_misplaced(pieces, index):
        yield _closed_up(pieces, index)
    elif rest.gap.isspace() and _are_numbers(piece, rest):
        size = len(piece.typed) + len(rest.typed)
        if size <= LONGEST_GROUP or (
            piece.gap and size in (SHORT_DATE, LONG_DATE) and not _ends_with_a_group(pieces, index)
        ):
            yield _closed_up(pieces, index)


def serial_steps(text: str, pieces: list[Piece], index: int, *, joined: bool) -> Iterator[Step]:
    """`pieces[index]` where the serial is due: as typed, and joined with the piece behind it unless that has an
    explanation of its own.
    """
    if index < len(pieces):
        yield Step(pieces[index], index + 1)
    if index + 1 >= len(pieces):
        return
    piece, rest = pieces[index], pieces[index + 1]
    if not rest.gap.isspace() or _EXPLAINED.match(text, rest.start):
        return
    if _LINE_BREAK.fullmatch(rest.gap):
        yield from () if joined else _over_the_line(pieces, index)
    elif _are_numbers(piece, rest) and MIN_SERIAL <= len(piece.typed) + len(rest.typed) <= MAX_SERIAL:
        yield _closed_up(pieces, index)


def _is_dot_misplaced(pieces: list[Piece], index: int) -> bool:
    """Whether the dot that is printed behind the agency may have slipped into the first group: "H511.8" for H51.18."""
    piece, rest = pieces[index], pieces[index + 1]
    glued = index == 0 and not piece.gap and _has_dot(rest.gap)
    return glued and _are_numbers(piece, rest) and len(piece.typed) + len(rest.typed) <= LONGEST_GROUP


def _over_the_line(pieces: list[Piece], index: int) -> Iterator[Step]:
    """A number broken by the end of its line; here a separator may have been lost as well."""
    piece, rest = pieces[index], pieces[index + 1]
    if piece.typed.isdigit() and rest.typed.isdigit():
        yield Step(Piece(piece.gap, piece.typed + rest.typed, rest.end), index + 2, joined=True)


def _closed_up(pieces: list[Piece], index: int) -> Step:
    piece, rest = pieces[index], pieces[index + 1]
    return Step(Piece(piece.gap, piece.typed + rest.typed, rest.end, closed_up=True), index + 2, joined=True)


def _are_numbers(*pieces: Piece) -> bool:
    return all(_NUMBER.fullmatch(piece.typed) and has_digit(piece.typed) for piece in pieces)


def _ends_with_a_group(pieces: list[Piece], index: int) -> bool:
    """Whether "20 250701" is taken as typed, a group and a short date: the gaps around it are those of whoever types
    the group 20 there (spaces throughout, or a dot before it). In any other surrounding it may as well be the long
    date 20250701 with a space inside.
    """
    piece, rest = pieces[index], pieces[index + 1]
    if piece.typed != _CENTURY or len(rest.typed) != SHORT_DATE or index + 2 >= len(pieces):
        return False
    gap, serial_gap = piece.gap, pieces[index + 2].gap
    if gap.isspace():
        return serial_gap.isspace() and not any(_has_dot(before.gap) for before in pieces[:index])
    return _has_dot(gap) and not _has_dot(serial_gap)


def _has_dot(gap: str) -> bool:
    return any(sign in gap for sign in _DOTS)
