"""What a broadcast has to be before it may leave: its texts, the right to send it, how long the longest of them is (pure).

Looked at where it is submitted and again where it is approved, on the row as it stands: no page is trusted to have done
so. What the approval's seal binds is what was looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.agencies import SHORT_NAME_MAX, Agencies
from domain.broadcast_texts import LONGEST_VALUE, faults, filled, known_placeholders
from domain.broadcasts import Audience, AudienceKind, Broadcast, Refusal
from domain.gsm import EXTENSION, is_gsm7, utf16_units
from domain.text import unaccent

# The longest value of each placeholder about a dossier, in characters.
LONGEST: Mapping[str, int] = {
    "ma_ho_so": 30,
    "co_quan": SHORT_NAME_MAX,
    "ngay_hen": 10,
    "thu_tuc": LONGEST_VALUE,
    "trang_thai": 40,
}
# Signs that take as much as any of their kind: one septet, two, one unit of UCS-2, two. A later one stands for all before.
SIGNS = "x€漢😀"
_ONE_SEPTET = re.compile(r"[A-Za-z0-9 .,;:/()+@?!'\"&%*=<>#_\-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """By what right an agency, and those below it, may write to the number on a dossier or in a list."""

    agency: str
    words: str


def undeclared(meant: Iterable[str], bases: Iterable[Basis], agencies: Agencies) -> Sequence[str]:
    """The agencies meant to which none of these bases applies."""
    covered: frozenset[str] = frozenset().union(*(agencies.scope(basis.agency) for basis in bases))
    return sorted(set(meant) - covered)


@dataclass(slots=True)
class Longest:
    """The longest value each column of a list brings, and the dearest kind of sign in any: a text with both is as long as
    any text of the list, or longer.
    """

    _found: dict[str, tuple[int, int]] = field(default_factory=dict)  # kind of sign, characters

    def add(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            kind, length = self._found.get(name, (0, 0))
            self._found[name] = max(kind, _kind(value)), max(length, min(len(value), LONGEST_VALUE))

    def values(self) -> Mapping[str, str]:
        """By column."""
        return {name: SIGNS[kind] * length for name, (kind, length) in self._found.items()}


def _kind(value: str) -> int:
    """A place in SIGNS. What has only lost its accents is as short as it was: UCS-2 carries both alike."""
    plain = value if _ONE_SEPTET.fullmatch(value) else unaccent(value)
    if len(plain) > len(value) or utf16_units(plain) > len(plain):  # "…" becomes three dots
        return 3
    return int(not EXTENSION.keys().isdisjoint(plain)) if is_gsm7(plain) else 2


def longest_values(listed: Mapping[str, str]) -> Mapping[str, str]:
    """By placeholder; `listed`: of the columns of a list (Longest.values)."""
    return {**{name: SIGNS[0] * length for name, length in LONGEST.items()}, **listed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """The rules. `segments` counts as the SMS channel that sends; `bases`: all that are declared."""

    agencies: Agencies
    bases: Sequence[Basis]
    segments: Callable[[str], int]
    most_segments: int

    def fits(self, text: str) -> bool:
        """One person's text may leave."""
        return self.segments(text) <= self.most_segments

    def refusal(
        self, broadcast: Broadcast, *, columns: Sequence[str] = (), listed: Mapping[str, str] | None = None
    ) -> Refusal | None:
        """Why it may not leave, if it may not. `columns` of its list, `listed`: the longest value of each."""
        return next(self._refusals(broadcast, columns, longest_values(listed or {})), None)

    def _refusals(self, broadcast: Broadcast, columns: Sequence[str], values: Mapping[str, str]) -> Iterator[Refusal]:
        audience, texts = broadcast.audience, broadcast.texts
        if any(faults(texts, known_placeholders(audience.kind, tuple(columns)))):
            yield Refusal.BAD_TEXT
        if self._unlawful(audience):
            yield Refusal.NO_BASIS
        if not all(self.fits(filled(text, values)) for text in texts.values()):
            yield Refusal.TOO_LONG

    def _unlawful(self, audience: Audience) -> bool:
        """Nobody declared its legal basis, or not for all of its agencies; who follows has asked for it."""
        if audience.kind is AudienceKind.FOLLOWERS:
            return False
        declared = [basis for basis in self.bases if basis.words == audience.basis]
        return bool(undeclared(audience.agencies, declared, self.agencies))
