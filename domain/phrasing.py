"""How a text is written so that it fits: the fullest writing a channel carries, in the reader's language.

The texts are passed in; what "fits" is asked of the channel's own counter. Order of trying: with accents where wanted,
without accents, without accents and the extras dropped one by one, the least urgent first, then the tails. Nothing is
ever cut but an outside system's own words, at a word. What may close a text is added last, and only where it still fits.

A script that lives by its marks (Khmer) has no form without them: its extras and tails are dropped as they are, and if
even the shortest does not fit (two SMS segments hold 134 of its characters), the text is the default language's,
without accents, which every handset shows: one whole answer in another language instead of half of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from domain.calendar import local_day
from domain.catalogue import Catalogue, Template
from domain.gsm import force_gsm7, is_gsm7
from domain.message import require_aware
from domain.procedure import told_in
from domain.text import safe_text, unaccent

VALUE_MAX = 120  # characters of one value; the longest code has 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How to speak to one person now. `fits` tells whether a text can be sent to them; `now` is aware. `answer_to`: the
    number they may write to, where what is said comes from a name nobody can answer; else empty.
    """

    language: str
    accents: bool
    now: datetime
    fits: Callable[[str], bool]
    answer_to: str = ""

    def __post_init__(self) -> None:
        require_aware(self.now, "now")

    @property
    def today(self) -> date:
        """The day in Asia/Ho_Chi_Minh."""
        return local_day(self.now)


@dataclass(frozen=True, slots=True)
class Said:
    """A value that is itself a text of the catalogue, by its dotted key."""

    key: str


@dataclass(frozen=True, slots=True)
class Words:
    """A value as long as it is: whoever makes one has seen to its length."""

    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """A value as every language says it, so that it is in the same language as the text around it."""

    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One text to be said, not yet written: its dotted keys one behind the other, and the values for them. `extras` are
    the keys that may follow, the most urgent first.
    """

    keys: tuple[str, ...]
    params: Mapping[str, object]
    extras: tuple[str, ...] = ()

    def extended(self, extras: int) -> Sentence:
        """The same with so many extras said."""
        return Sentence((*self.keys, *self.extras[:extras]), self.params)


class Phraser:
    """Writes sentences out of one catalogue."""

    __slots__ = ("_catalogue",)

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def fitting(
        self, sentences: Sequence[Sentence], voice: Voice, *, closings: Sequence[Sequence[Sentence]] = ()
    ) -> str:
        """The fullest writing that fits, else the shortest; each sentence is a line.

        Of each of `closings` the first that still fits is put behind it; none where none does.

        Raises:
            KeyError: there is no such text, or a placeholder has no value.
        """
        text, accents = self._fullest(sentences, voice)
        if not voice.fits(text):
            understood = replace(voice, language=self._catalogue.default, accents=False)
            other, _ = self._fullest(sentences, understood)
            if self._has_marks(sentences, voice.language) and voice.fits(other) and self._spelled(sentences):
                text, accents, voice = other, False, understood
                closings = [[each for each in alternatives if self._spelled([each])] for alternatives in closings]
        for alternatives in closings:
            text = self._closed(text, alternatives, voice, accents=accents)
        return text

    def _has_marks(self, sentences: Sequence[Sentence], language: str) -> bool:
        """These have no form without accents in this language."""
        return not all(self._template(each.keys, language, accents=False).ascii for each in sentences)

    def _spelled(self, sentences: Sequence[Sentence]) -> bool:
        """Their values can be written in the default language without accents and lose no letter."""
        language = self._catalogue.default
        values = (
            self._written(sentence.params[name], language, accents=True)
            for sentence in sentences
            for name in self._template(sentence.keys, language, accents=False).placeholders
        )
        return not any(sign.isalpha() and not is_gsm7(sign) for value in values for sign in unaccent(value))

    def _fullest(self, sentences: Sequence[Sentence], voice: Voice) -> tuple[str, bool]:
        """The text, and whether it has its accents."""
        extras = max(len(sentence.extras) for sentence in sentences)
        least = self._has_marks(sentences, voice.language)
        if voice.accents:
            text, _ = self._write(_extended(sentences, extras), voice.language, accents=True, drop=0)
            if voice.fits(text):
                return text, True
        for kept in range(extras, 0, -1):
            text, _ = self._write(_extended(sentences, kept), voice.language, accents=least, drop=0)
            if voice.fits(text):
                return text, least
        drop, tails = 0, 0
        while True:
            text, tails = self._write(sentences, voice.language, accents=least, drop=drop)
            if drop >= tails or voice.fits(text):
                return text, least
            drop += 1

    def _closed(self, text: str, alternatives: Sequence[Sentence], voice: Voice, *, accents: bool) -> str:
        for closing in alternatives:
            longer = text + self._write([closing], voice.language, accents=accents, drop=0)[0]
            if voice.fits(longer):
                return longer
        return text

    def _write(self, sentences: Sequence[Sentence], language: str, *, accents: bool, drop: int) -> tuple[str, int]:
        """The text with the `drop` leftmost tails of each sentence left out, and how many tails the richest has."""
        lines: list[str] = []
        tails = 0
        for sentence in sentences:
            template = self._template(sentence.keys, language, accents=accents)
            values = {
                name: self._written(sentence.params[name], language, accents=accents) for name in template.placeholders
            }
            lines.append(template.render(values, drop))
            tails = max(tails, template.optional)
        return "\n".join(lines), tails

    def _template(self, keys: Sequence[str], language: str, *, accents: bool) -> Template:
        first, *others = (self._catalogue.template(language, key, accents=accents) for key in keys)
        for other in others:
            first += other
        return first

    def _written(self, value: object, language: str, *, accents: bool) -> str:
        """A value as text. What is not ours is data: no control characters, and nothing in it is a template."""
        if isinstance(value, Said):
            return self._catalogue.text(language, value.key, accents=accents)
        if isinstance(value, Told):
            value = Words(told_in(language, value.texts))
        if isinstance(value, datetime):
            return self._catalogue.moment(language, value, accents=accents)
        if isinstance(value, date):
            return self._catalogue.day(language, value, accents=accents)
        limit, data = (len(value.text), value.text) if isinstance(value, Words) else (VALUE_MAX, str(value))
        text = safe_text(data, limit)
        return text if accents else force_gsm7(unaccent(text))[0]


def _extended(sentences: Sequence[Sentence], extras: int) -> list[Sentence]:
    return [sentence.extended(extras) for sentence in sentences]
