"""Receipt numbers from before the national codes: found by an agency's mask, told apart by the agency typed beside them.

Such a number is unique within its agency only (reference: domain §2.2), and many agencies used the same form. The
agency's keyword, identifier or name ("STNMT 12345/2016/00123", "12345/2016/00123 so tai nguyen") says whose it is; where
nothing does, every agency is a reading of its own, and nothing here prefers one. All texts are folded and bare.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from domain.text import bare, fold

_LEAST_DIGITS = 5
_LONGEST_PART = 12
_NEAR = 12  # words on either side of a number in which its agency is looked for
_LONGEST_NAME = 8  # words
_LEAST_NAME = 2  # words: one alone ("so") is in every name

_BROKEN_OFF = re.compile(r"[ \n]+([0-9]{1,11})(?![0-9A-Z]|[.,/_-][0-9])")
_MASK_PART = re.compile(r"#\+|#|@|[^#@]")
_GAP = r"[ \n.,\-_/+]{1,3}"
_WORD = re.compile(r"[0-9A-Z]+")
_BEFORE = r"(?<![0-9][.,/_-])(?:(?<![0-9A-Z])|(?<=[A-Z]{2}))"  # a keyword may be glued to it
_BEFORE_LETTERS = r"(?<![0-9A-Z])(?<![0-9][.,/_-])"
_BEHIND = r"(?![0-9A-Z]|[.,/_-][0-9])"

_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LegacyPattern:
    """An agency's receipt numbers from before the national forms, as a mask.

    `#` is a digit, `#+` one to twelve digits, `@` a letter; anything else stands for itself, and a separator may be
    typed as any other. Example: `#####/####/#####`. `keyword` and `names` are what people call the agency, in any
    case; of a name any two words running are enough.

    Raises:
        ValueError: the mask fixes fewer than five digits, so that ordinary numbers would be taken for receipts.
    """

    agency: str
    mask: str
    keyword: str = ""
    names: tuple[str, ...] = ()
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)
    called: frozenset[_Words] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.mask.count("#") < _LEAST_DIGITS:
            raise ValueError(f"the legacy mask {self.mask!r} of {self.agency} fixes fewer than five digits")
        parts = [_part(part) for part in _MASK_PART.findall(self.mask.upper())]
        before = _BEFORE if self.mask[0] == "#" else _BEFORE_LETTERS
        object.__setattr__(self, "compiled", re.compile(before + "".join(parts) + _BEHIND))
        calls = {run for name in self.names for run in _runs(_words(bare(fold(name))))}
        object.__setattr__(self, "called", frozenset(calls | {(self.keyword,)} if self.keyword else calls))

    def readings(self, match: re.Match[str]) -> Iterator[str]:
        """The matched number with the mask's own separators; a last part of any length may go on behind a space."""
        yield self._canonical(match.groups())
        rest = _BROKEN_OFF.match(match.string, match.end()) if self.mask.endswith("#+") else None
        if rest and len(last := match[match.lastindex or 0] + rest[1]) <= _LONGEST_PART:
            yield self._canonical((*match.groups()[:-1], last))

    def _canonical(self, parts: Sequence[str]) -> str:
        typed = iter(parts)
        return "".join(next(typed) if part[0] in "#@" else part for part in _MASK_PART.findall(self.mask.upper()))


@dataclass(slots=True)
class LegacyNumber:
    """A stretch of the text and the numbers it may be, as (agency, number); none where it is said to be a stranger's."""

    start: int
    end: int
    readings: list[tuple[str, str]]


def legacy_numbers(
    text: str, taken: Sequence[tuple[int, int]], patterns: Sequence[LegacyPattern]
) -> list[LegacyNumber]:
    """The receipt numbers in `text` outside the stretches `taken`, left to right."""
    found: dict[tuple[int, int], list[tuple[LegacyPattern, str]]] = {}
    for pattern in patterns:
        for match in pattern.compiled.finditer(text):
            if all(match.end() <= start or end <= match.start() for start, end in taken):
                found.setdefault(match.span(), []).extend((pattern, number) for number in pattern.readings(match))
    borders = sorted({*taken, *found})
    keywords = {pattern.keyword for pattern in patterns} - {""}
    return [
        LegacyNumber(start, end, _of_those_named(_beside(text, (start, end), borders), found[start, end], keywords))
        for start, end in sorted(found)
    ]


def _beside(text: str, place: tuple[int, int], borders: Sequence[tuple[int, int]]) -> tuple[_Words, _Words]:
    """The words before and behind a number, up to the next code or number on either side."""
    left = max((end for _, end in borders if end <= place[0]), default=0)
    right = min((start for start, _ in borders if place[1] <= start), default=len(text))
    return _words(text[left : place[0]])[-_NEAR:], _words(text[place[1] : right])[:_NEAR]


def _of_those_named(
    beside: tuple[_Words, _Words], readings: Sequence[tuple[LegacyPattern, str]], keywords: set[str]
) -> list[tuple[str, str]]:
    """The readings of the agencies that are named, all of them if none is; no reading if only another's keyword is."""
    patterns = [pattern for pattern, _ in readings]
    every = frozenset(pattern.agency for pattern in patterns)
    named = frozenset[str]().union(*(_named(words, patterns, every) for words in beside)) or every
    others = keywords - {pattern.keyword for pattern in patterns}
    if named == every and any(word in others for words in beside for word in words):
        return []
    return [(pattern.agency, number) for pattern, number in readings if pattern.agency in named]


def _named(words: _Words, patterns: Sequence[LegacyPattern], every: frozenset[str]) -> frozenset[str]:
    """The agencies that the words name, at each place as fully as they can; what is in all their names tells nothing."""
    found: frozenset[str] = frozenset()
    place = 0
    while place < len(words):
        called, place = _called_at(words, place, patterns)
        found |= called if called != every else frozenset()
    return found


def _called_at(words: _Words, place: int, patterns: Sequence[LegacyPattern]) -> tuple[frozenset[str], int]:
    """Who is named by the longest run of words from `place` on, and where it ends."""
    for last in range(min(place + _LONGEST_NAME, len(words)), place, -1):
        called = frozenset(pattern.agency for pattern in patterns if words[place:last] in pattern.called)
        if called:
            return called, last
    return frozenset(), place + 1


def _runs(words: _Words) -> Iterable[_Words]:
    """Every run of at least two words, none longer than a name."""
    for first in range(len(words)):
        for last in range(first + _LEAST_NAME, min(first + _LONGEST_NAME, len(words)) + 1):
            yield words[first:last]


def _words(text: str) -> _Words:
    return tuple(_WORD.findall(text))


def _part(part: str) -> str:
    """One sign of a mask as a bounded expression; captured if it is not fixed."""
    if part == "#+":
        return rf"([0-9]{{1,{_LONGEST_PART}}})"
    if part in "#@":
        return r"([0-9])" if part == "#" else r"([A-Z])"
    return _GAP if re.fullmatch(_GAP, part) else re.escape(part)
