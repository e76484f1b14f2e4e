"""The words of an inquiry as a table: which typed phrase means what. The words are data (config/grammar.toml)."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Self

from domain.text import bare, fold

MAX_WORDS = 80  # a longer text is no command; what follows is not examined


class Kind(enum.StrEnum):
    """What a phrase means; the sections of the table."""

    LOOK_UP = "look_up"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    LIST = "list"  # of what is followed
    STOP_ALL = "stop_all"
    RESUME = "resume"
    PROCEDURE = "procedure"
    VIETNAMESE = "vietnamese"
    ENGLISH = "english"
    KHMER = "khmer"
    ACCENTS_ON = "accents_on"
    ACCENTS_OFF = "accents_off"
    SECRET = "secret"  # behind it stands the receipt's secret  # noqa: S105 - the name of a kind
    LINK = "link"  # behind it stands a telephone number
    UNLINK = "unlink"  # the same, or nothing
    LAST_FOUR = "last_four"  # behind it stand the last digits of a telephone number
    FEEDBACK = "feedback"
    HELP = "help"
    GREETING = "greeting"
    THANKS = "thanks"
    FILLER = "filler"


class Phrase(NamedTuple):
    """A stretch of typed words. `kind` None: one word that the grammar does not know."""

    kind: Kind | None
    spelled: tuple[str, ...]  # lower case, accents kept
    end: int  # where it ends in the text
    start: int = 0


_WORD = re.compile(r"[^\s!-/:-@\[-`{-~\u00a1\u00bf\u00ab\u00bb\u2018-\u201f\u17d4-\u17d6]+")
_LETTER = re.compile(r"\w")
_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grammar:
    """The table, made once at start by `from_mapping`. A phrase's key is its words, in order."""

    loose: Mapping[_Key, Kind] = field(repr=False)  # upper case without accents
    exact: Mapping[_Key, Kind] = field(repr=False)  # lower case as spelled
    alone: Mapping[_Key, Kind] = field(repr=False)  # the same, only as a whole text
    signs: Mapping[str, Kind] = field(repr=False)
    longest: Mapping[str, int] = field(repr=False)  # by a phrase's first word without accents: the most words

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> Self:
        """The grammar of a plain table (`{"follow": {"words": ["dk"], "exact": [], "alone": [], "signs": ""}}`).

        Raises:
            ValueError: an unknown section or list, a word that is none, or a word in two places; names it.
        """
        tables: dict[str, dict[_Key, Kind]] = {"words": {}, "exact": {}, "alone": {}, "signs": {}}
        for section, lists in mapping.items():
            kind = _kind(section)
            if not isinstance(lists, Mapping):
                raise ValueError(f"grammar: {section} is no table of word lists")  # noqa: TRY004 - a wrong file is one fault
            for name, words in lists.items():
                for word in _listed(tables, section, name, words):
                    _put(tables, name, word, kind)
        return cls(
            loose=tables["words"],
            exact=tables["exact"],
            alone=tables["alone"],
            signs={key[0]: kind for key, kind in tables["signs"].items()},
            longest=_longest(tables),
        )

    def phrases(self, text: str) -> list[Phrase]:
        """Folded text as phrases, the longest known one at every place; what holds no letter or digit is no word."""
        words = [match for match in islice(_WORD.finditer(text), MAX_WORDS) if _LETTER.search(match[0])]
        spelled = [match[0].lower() for match in words]
        plain = [bare(match[0]) for match in words]
        found: list[Phrase] = []
        place = 0
        while place < len(words):
            kind, last = self._at(spelled, plain, place)
            found.append(Phrase(kind, tuple(spelled[place:last]), words[last - 1].end(), words[place].start()))
            place = last
        return found

    def meaning(self, word: str) -> Kind | None:
        """What one word means by itself, in any case."""
        spelled = (fold(word).lower(),)
        return self.exact.get(spelled) or self.alone.get(spelled) or self.loose.get((bare(spelled[0]),))

    def _at(self, spelled: Sequence[str], plain: Sequence[str], place: int) -> tuple[Kind | None, int]:
        """What the words from `place` on mean, and where the phrase ends."""
        longest = self.longest.get(plain[place], 0)
        for last in range(min(place + longest, len(plain)), place, -1):
            kind = self.exact.get(tuple(spelled[place:last])) or self.loose.get(tuple(plain[place:last]))
            if kind is not None:
                return kind, last
        return None, place + 1

    def sign(self, text: str) -> Kind | None:
        """What a text without words means by its signs."""
        return next((self.signs[sign] for sign in text if sign in self.signs), None)


def _longest(tables: Mapping[str, Mapping[_Key, Kind]]) -> dict[str, int]:
    longest: dict[str, int] = {}
    for key in (*tables["words"], *tables["exact"]):
        first = bare(key[0])
        longest[first] = max(len(key), longest.get(first, 0))
    return longest


def _kind(section: str) -> Kind:
    try:
        return Kind(section)
    except ValueError:
        raise ValueError(f"grammar: unknown section {section!r}") from None


def _listed(tables: Mapping[str, object], section: str, name: object, words: object) -> Sequence[str]:
    if name not in tables:
        raise ValueError(f"grammar: {section}.{name} is neither words, exact, alone nor signs")
    listed: Sequence[object] = words if isinstance(words, Sequence) else ()
    found = [word for word in listed if isinstance(word, str) and word.strip()]
    if (
        isinstance(words, (str, list, tuple))
        and isinstance(words, str) == (name == "signs")
        and len(found) == len(words)
    ):
        return found
    raise ValueError(f"grammar: {section}.{name} holds something that is no word")


def _put(tables: dict[str, dict[_Key, Kind]], name: str, word: str, kind: Kind) -> None:
    if name == "signs":
        keys: dict[str, _Key] = {"signs": (fold(word),)}
    else:
        spelled = tuple(match[0] for match in _WORD.finditer(fold(word).lower()))
        plain = tuple(bare(part) for part in spelled)
        # A word spelled without accents is also found by a loose entry, so the two may not differ.
        keys = {"words": plain, "exact": spelled, "alone": spelled} if plain == tuple(map(str.upper, spelled)) else {}
        keys |= {"words": plain} if name == "words" else {"exact": spelled, "alone": spelled}
        if not spelled:
            raise ValueError(f"grammar: {kind}.{name} holds {word!r}, which is no word")
    for table, key in keys.items():
        if key in tables[table]:
            raise ValueError(f"grammar: {word!r} stands both in {tables[table][key]} and in {kind}")
    tables[name][keys[name]] = kind
