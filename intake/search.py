"""Finds texts by words as people type them: without accents, shortened, joined, with what a Telex keyboard left behind.

A syllable says little in Vietnamese, two together are a word: neighbours that match count more than single ones, and
rare ones more than common ones. A find must hold half of what was asked, by weight; else nothing is shown.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise

from domain.text import bare, fold

LONGEST_QUERY = 200  # characters that are read
MOST_WORDS = 24
MOST_SCORED = 100  # of the entries that hold most of the question
LONGEST_JOINED = 32  # letters of words typed without a space between them

_PAIR = 1.6  # two neighbours against the same two apart
_UNKNOWN = 0.5  # a word no entry holds, against the rarest one that is held
_RELEVANT = 0.5  # the least share of the question an entry must hold
_DIGITS = 6  # sets have no order, so the last digits of a sum differ from run to run
_CLOSE = 0.85  # of the best score: as likely as the best

_WORD = re.compile(r"[a-z0-9]+")
_LONE_Y = re.compile(r"(h|k|l|m|qu|s|t|v)y")
_VNI = re.compile(r"(?<=[a-z])[1-9]+")
_FIRST_VOWEL = re.compile(r"[aeiouy]")
_TELEX_TONES = re.compile(r"[sfrxjwz]")  # none of them ends a Vietnamese syllable
_TELEX_TWICE = re.compile(r"([aeod])\1")

Terms = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one thing is known by: its names and what people call it; and the field it belongs to, with others."""

    phrases: Iterable[str]
    theme: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How people write: `abbreviations` are written out, phrases of `courtesy` say nothing about what is looked for."""

    abbreviations: Mapping[str, str] = field(default_factory=dict)
    courtesy: Iterable[str] = ()


@dataclass(frozen=True, slots=True)
class _Phrase:
    terms: frozenset[str]
    weight: float


class SearchIndex:
    """Finds entries by their place among `entries`. Everything is in memory; nothing waits."""

    __slots__ = (
        "_abbreviations",
        "_courtesy",
        "_entries",
        "_exact",
        "_known",
        "_longest_courtesy",
        "_postings",
        "_weights",
    )

    def __init__(self, entries: Sequence[Entry], wording: Wording) -> None:
        self._abbreviations = {_plain(short)[0]: _plain(full) for short, full in wording.abbreviations.items()}
        self._courtesy = frozenset(_plain(phrase) for phrase in wording.courtesy)
        self._longest_courtesy = max(map(len, self._courtesy), default=0)
        read = [
            ({self._written(each) for each in entry.phrases} - {()}, self._written(entry.theme)) for entry in entries
        ]
        self._postings = _postings([{*phrases, theme} for phrases, theme in read])
        self._known = {word for phrase in self._courtesy for word in phrase} | self._abbreviations.keys()
        self._known |= {term for term in self._postings if " " not in term}
        self._weights = _weights(self._postings, len(read))
        self._entries = [tuple(map(self._phrase, (*phrases, theme) if theme else phrases)) for phrases, theme in read]
        self._exact: dict[Terms, list[int]] = {}
        for place, (phrases, _) in enumerate(read):
            for words in phrases:
                self._exact.setdefault(words, []).append(place)

    def search(self, typed: str, *, allowed: Callable[[int], bool], limit: int) -> list[int]:
        """Places of the entries that `typed` may mean, the likeliest first; one if it is clear, none if nothing fits.

        An entry known by exactly these words is meant before all others.
        """
        words = self._read(typed[:LONGEST_QUERY])[:MOST_WORDS]
        exact = [place for place in self._exact.get(words, ()) if allowed(place)]
        if exact:
            return exact[:limit]
        scores = self._scores(words, allowed)
        least = _CLOSE * max(scores.values(), default=0.0)
        close = sorted((-score, place) for place, score in scores.items() if score >= least)
        return [place for _, place in close[:limit]]

    # ---- reading

    def _written(self, text: str) -> Terms:
        """The words of a phrase of ours that count."""
        return self._without_courtesy(
            [word for each in _plain(text) for word in self._abbreviations.get(each, (each,))]
        )

    def _read(self, text: str) -> Terms:
        """The words of a question that count, each as it is spelled in the entries where that can be told."""
        return self._without_courtesy([word for typed in _plain(text) for word in self._spelled(typed)])

    def _spelled(self, typed: str) -> Terms:
        """A word nobody knows may be an unfinished accent, or several words: the first reading that somebody knows."""
        for word in (typed, _without_vni(typed), _without_telex(typed)):
            if word in self._known:
                return self._abbreviations.get(word, (word,))
        return self._parted(typed[:LONGEST_JOINED]) or (typed,)

    def _parted(self, joined: str, before: str = "") -> Terms:
        """`dangkykethon` as words that stand together somewhere; empty if it is none."""
        for size in range(len(joined), 0, -1):
            word = _respelled(joined[:size])
            if word in self._known and (not before or f"{before} {word}" in self._postings):
                rest = self._parted(joined[size:], word)
                if rest or size == len(joined):
                    return (word, *rest)
        return ()

    def _without_courtesy(self, words: Sequence[str]) -> Terms:
        kept: list[str] = []
        place = 0
        while place < len(words):
            said = (
                size
                for size in range(self._longest_courtesy, 0, -1)
                if tuple(words[place : place + size]) in self._courtesy
            )
            size = next(said, 0)
            if not size:
                kept.append(words[place])
            place += size or 1
        return tuple(kept)

    # ---- weighing

    def _phrase(self, words: Terms) -> _Phrase:
        terms = frozenset(_terms(words))
        return _Phrase(terms, sum(self._weights[term] for term in sorted(terms)))

    def _weight(self, term: str) -> float:
        """A pair nobody writes weighs nothing; a word nobody writes does: it was asked for and is not here."""
        unknown = 0.0 if " " in term else _UNKNOWN * math.log1p(len(self._entries))
        return self._weights.get(term, unknown)

    def _scores(self, words: Terms, allowed: Callable[[int], bool]) -> Mapping[int, float]:
        """The entries that are relevant. A score is half how much of the question the entry holds, and half how alike
        the question and its best phrase are.
        """
        weights = {term: self._weight(term) for term in _terms(words)}
        total = sum(weights.values())
        held = self._held(weights)
        relevant = sorted(
            (-weight, place) for place, weight in held.items() if weight >= _RELEVANT * total and allowed(place)
        )
        pairs = [self._postings[term] for term in weights if " " in term and term in self._postings]
        return {
            place: round((held[place] / total + self._alike(place, weights)) / 2, _DIGITS)
            for _, place in relevant[:MOST_SCORED]
            if self._means(place, weights.keys(), pairs)
        }

    def _held(self, weights: Mapping[str, float]) -> Mapping[int, float]:
        """How much of the question each entry holds. The heaviest terms come first: once the rest is too light to make
        an entry relevant by itself, no new one is taken in.
        """
        rest = sum(weights.values())
        enough = _RELEVANT * rest
        held: dict[int, float] = {}
        for term, weight in sorted(weights.items(), key=lambda each: (-each[1], each[0])):
            places = self._postings.get(term, frozenset())
            for place in places if rest >= enough else places & held.keys():
                held[place] = held.get(place, 0.0) + weight
            rest -= weight
        return held

    def _means(self, place: int, asked: AbstractSet[str], pairs: Sequence[frozenset[int]]) -> bool:
        """Single words that match by chance are no find: two must stand together, or a whole phrase must be there."""
        return any(place in places for places in pairs) or any(phrase.terms <= asked for phrase in self._entries[place])

    def _alike(self, place: int, weights: Mapping[str, float]) -> float:
        """How much the question and the likest phrase share, of what both hold (Dice)."""
        total = sum(weights.values())
        return max(
            2 * sum(weights[term] for term in phrase.terms & weights.keys()) / (total + phrase.weight)
            for phrase in self._entries[place]
        )


def _plain(text: str) -> Terms:
    """The words of a text without accents; "ky" and "ki" are one spelling."""
    words = _WORD.findall(bare(fold(text)).lower())
    return tuple(word[:-1] + "i" if _LONE_Y.fullmatch(word) else word for word in words)


def _without_vni(typed: str) -> str:
    """`ke61t` as VNI leaves it is "ket"."""
    return _respelled(_VNI.sub("", typed))


def _without_telex(typed: str) -> str:
    """`keets` as Telex leaves it is "ket", `ddawng` is "dang"."""
    vowel = _FIRST_VOWEL.search(typed)
    head, tail = (typed[: vowel.start()], typed[vowel.start() :]) if vowel else (typed, "")
    return _respelled(_TELEX_TWICE.sub(r"\1", head + _TELEX_TONES.sub("", tail)))


def _respelled(word: str) -> str:
    return "".join(_plain(word))


def _terms(words: Terms) -> Iterable[str]:
    """Every word, and every two that stand together."""
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))


def _postings(entries: Sequence[Iterable[Terms]]) -> Mapping[str, frozenset[int]]:
    """Term -> places of the entries that hold it."""
    places: dict[str, set[int]] = {}
    for place, phrases in enumerate(entries):
        for words in phrases:
            for term in _terms(words):
                places.setdefault(term, set()).add(place)
    return {term: frozenset(each) for term, each in places.items()}


def _weights(postings: Mapping[str, frozenset[int]], entries: int) -> Mapping[str, float]:
    """The rarer the heavier (inverse document frequency)."""
    counts = Counter({term: len(places) for term, places in postings.items()})
    return {term: (_PAIR if " " in term else 1.0) * math.log1p(entries / count) for term, count in counts.items()}
