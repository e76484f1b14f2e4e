"""What a text will cost before it is sent: segments by the encoder that sends, the signs that double them, đồng, time.

Pure. How many segments a text has is asked of `segments`, the counter of the SMS channel that sends it.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.broadcast_texts import filled
from domain.gsm import is_gsm7
from domain.text import unaccent

Segments = Callable[[str], int]

MOST_NAMED: Final = 30  # signs that are shown one by one


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign that no text of seven bits holds, how often it stands there, and what would be sent in its place; `plain` is
    the sign itself where it has no such form.
    """

    sign: str
    times: int
    plain: str

    @property
    def name(self) -> str:
        """As it is read on a page: what cannot be seen by its number."""
        shown = self.sign if self.sign.isprintable() and not unicodedata.combining(self.sign) else "…"
        return f"{shown} (U+{ord(self.sign):04X})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One language's text. `segments` as it stands with usual values, `most` with the longest ones; `plain_most`: the same
    without accents. `forcing`: the signs because of which a segment holds 70 and not 160.
    """

    language: str
    characters: int
    segments: int
    most: int
    plain_most: int
    forcing: Sequence[Sign]
    longest: str

    @property
    def is_ucs2(self) -> bool:
        return bool(self.forcing)

    @property
    def worth_plain(self) -> bool:
        """It would be cheaper without accents, and there is a way to write it so."""
        return self.plain_most < self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What sending takes at most: segments of all people, đồng, seconds at the present rate (None: nothing is sent now)."""

    segments: int
    dong: int
    seconds: int | None


def size_of(language: str, text: str, values: Mapping[str, tuple[str, str]], segments: Segments) -> Size:
    """`values`: the usual and the longest value of each placeholder."""
    usual = filled(text, {name: each[0] for name, each in values.items()})
    longest = filled(text, {name: each[1] for name, each in values.items()})
    return Size(
        language=language,
        characters=len(usual),
        segments=segments(usual) if usual else 0,
        most=segments(longest) if longest else 0,
        plain_most=segments(unaccent(longest)) if longest else 0,
        forcing=forcing(longest),
        longest=longest,
    )


def forcing(text: str) -> Sequence[Sign]:
    """The signs outside GSM 03.38, the commonest first."""
    counted = Counter(sign for sign in text if not is_gsm7(sign))
    return [Sign(sign, times, unaccent(sign)) for sign, times in counted.most_common(MOST_NAMED)]


def cost_of(most: Sequence[int], people: int, *, dong_per_segment: float, tps: float) -> Cost:
    """The dearest language for everybody: who reads which is not known before they are read from the store."""
    total = max(most, default=0) * people
    return Cost(
        segments=total,
        dong=math.ceil(total * dong_per_segment),
        seconds=math.ceil(total / tps) if tps > 0 else None,
    )
