"""What stands before a code's level-1 agency: the old form's `000.00.18.`, whole, shortened or glued, or a stranger.

Read leftwards from the agency over a bounded stretch; `text` is folded and bare everywhere (domain/text.py).
"""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import NamedTuple

LONGEST_GROUP = 3
MIN_GLUED_WORD = 2  # "DKH51" is a keyword and a code; in "XH51" the code itself is mistyped
LOOK_ALIKES = "OILSB"
DIGIT = f"[0-9{LOOK_ALIKES}]"
DIGITS = str.maketrans(LOOK_ALIKES, "01158")
GAP = r"[ \n.,\-_/+]"
ANY_DIGIT = re.compile("[0-9]")

_SPAN = 24
_LONGEST_OLD_PREFIX = 7
_TIGHT_NUMBER_BEFORE = re.compile(r"[0-9][.,\-_]\Z")
_BROKEN_BEFORE = re.compile(r"[0-9] *\n *\Z")
_NUMBERS_BEFORE = re.compile(rf"(?:[0-9]+{GAP}+)*([0-9]+)[ \n]+\Z")
_BROKEN_GROUP_BEFORE = re.compile(r"(?<![0-9])[0-9][ \n]+[0-9][ \n]+\Z")  # "000.00.1 8 H51": 18, it seems
_NUMBER_BEFORE = re.compile(rf"([0-9]{{1,12}})({GAP}{{0,3}})\Z")

_OLD_PREFIXES = (
    re.compile(rf"({DIGIT}{{3}}|0{{1,2}})({GAP}{{1,3}})({DIGIT}{{2}}|0)({GAP}{{1,3}})({DIGIT}{{2}})({GAP}{{0,3}})\Z"),
    re.compile(rf"()()({DIGIT}{{2}}|0)({GAP}{{1,3}})({DIGIT}{{2}})({GAP}{{0,3}})\Z"),
    re.compile(rf"({DIGIT}{{3}})()({DIGIT}{{2}})()({DIGIT}{{2}})({GAP}{{0,3}})\Z"),
    re.compile(rf"(000(?=00)|)()(00|)()({DIGIT}{{2}})({GAP}{{0,3}})\Z"),
)


class OldPrefix(NamedTuple):
    """The three groups before the level-1 agency of an old code."""

    start: int
    groups: tuple[str, ...]
    bound: bool  # no space stands between them and the agency
    full: bool  # more than the last group was typed
    certain: bool  # so much more that it is no day and month: all three groups, or the middle one of zeros
    sure: bool  # no other number before it seems to belong to it


def has_digit(typed: str) -> bool:
    """A word such as "LO" is no number, though each of its letters could be a digit."""
    return ANY_DIGIT.search(typed) is not None


def has_space(gap: str) -> bool:
    """A gap with a space may be one between two words."""
    return any(sign.isspace() for sign in gap)


def letters_before(text: str, place: int) -> int:
    """How many letters are glued before `place`; counted only as far as it matters."""
    before = text[max(0, place - MIN_GLUED_WORD) : place]
    return len(before) - len(before.rstrip(ascii_uppercase))


def old_prefix(text: str, root: int, floor: int) -> OldPrefix | None:
    """What stands before the level-1 agency at `root`, not before `floor`, if it is an old prefix; zeros restored."""
    first = max(floor, root - _SPAN)
    before = text[first:root]
    if not has_digit(before):
        return None
    for pattern in _OLD_PREFIXES:
        match = pattern.search(before)
        if match is None or not has_digit(match[0]) or not _is_border(text, first + match.start(), floor):
            continue
        if len(match[1]) < LONGEST_GROUP and _BROKEN_BEFORE.search(before[: match.start()]):
            continue  # the code began on the line before
        if any(match[part].isalpha() and not match[part + 1].strip() for part in (1, 3, 5)):
            continue  # "so 18 H51 ...": a word, not 50
        typed = (match[1].zfill(3), match[3].zfill(2), match[5])
        return OldPrefix(
            start=first + match.start(),
            groups=tuple(group.translate(DIGITS) for group in typed),
            bound=not has_space(match[6]),
            full=bool(match[1] or match[3]),
            certain=bool(match[1] or (match[3] and not match[3].strip("0"))),
            sure=not _goes_further_back(before[: match.start()], match),
        )
    return None


def _goes_further_back(before: str, match: re.Match[str]) -> bool:
    """Whether a number before what was matched may be a part of it: the rest of its first group broken by a space, or
    a group of its own that was not recognised, in a prefix typed with spaces ("0 01 05 18 H51", "0 5 18 H51") or glued.
    """
    ahead = _NUMBERS_BEFORE.search(before)
    if len(match[1]) == LONGEST_GROUP or ahead is None or not ahead[0].strip("0 \n.,-_/+"):
        return False  # zeros change nothing
    if not match[6] or any(has_space(match[gap]) for gap in (2, 4, 6)):
        return len(ahead[1]) <= _LONGEST_OLD_PREFIX
    first, size = (match[1], LONGEST_GROUP) if match[1] else (match[3], 2)
    return bool(first) and len(ahead[1]) + len(first) <= size


def _is_border(text: str, place: int, floor: int) -> bool:
    """Nothing that would lengthen a number stands before `place`; a glued word of two letters may."""
    before = text[max(floor, place - MIN_GLUED_WORD) : place]
    if before and before[-1].isascii() and before[-1].isalnum():
        return letters_before(text, place) >= MIN_GLUED_WORD
    return _TIGHT_NUMBER_BEFORE.search(before) is None


def stray_number(text: str, root: int, floor: int, *, spaced: bool) -> bool:
    """A number before the agency that is no old prefix but seems to belong to the code: its reading is not sure.
    `spaced`: the code itself is typed with spaces, so that a number after a space may be a part of it.
    """
    before = text[max(floor, root - _SPAN) : root]
    match = _NUMBER_BEFORE.search(before)
    if match is None:
        return False
    if _BROKEN_GROUP_BEFORE.search(before):
        return True
    return not has_space(match[2]) or (spaced and len(match[1]) <= _LONGEST_OLD_PREFIX)
