"""The texts of every language, as templates: what is said lives in config/texts, how it is filled in lives here.

`{name}` is replaced literally, once: a value is never read as a template. `[ ... ]` is a tail that may be dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from domain.calendar import LOCAL_ZONE
from domain.message import require_aware
from domain.text import safe_text, unaccent

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_STRAY = re.compile(r"[\[\]{}]")
_MONTHS = 12
_FORMATS: Mapping[str, frozenset[str]] = {
    "format.date": frozenset({"day", "month", "year"}),
    "format.moment": frozenset({"time", "date"}),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template: literals at even places, names at odd ones."""

    parts: tuple[str, ...]
    optional: bool


@dataclass(frozen=True, slots=True)
class Template:
    """One text, read once at start."""

    pieces: tuple[Piece, ...]
    placeholders: frozenset[str]
    optional: int  # how many tails may be dropped

    @classmethod
    def parse(cls, text: object) -> Template:
        """Read a text of config/texts.

        Raises:
            TypeError: it is no text.
            ValueError: a bracket or brace has no partner, tails are nested, or a control character is in it.
        """
        if not isinstance(text, str):
            raise TypeError("it must be a text")
        pieces = []
        for place, stretch in enumerate(_OPTIONAL.split(text)):
            parts = tuple(_PLACEHOLDER.split(stretch))
            if any(_STRAY.search(literal) for literal in parts[::2]):
                raise ValueError("a brace or bracket has no partner")
            if parts != ("",):
                pieces.append(Piece(parts, optional=place % 2 == 1))
        if safe_text(text, len(text)) != text:
            raise ValueError("it holds control characters or spaces at its ends")
        return cls._of(pieces)

    @classmethod
    def _of(cls, pieces: Iterable[Piece]) -> Template:
        kept = tuple(pieces)
        names = frozenset(name for piece in kept for name in piece.parts[1::2])
        return cls(kept, names, sum(piece.optional for piece in kept))

    def __add__(self, other: Template) -> Template:
        return self._of((*self.pieces, *other.pieces))

    @property
    def ascii(self) -> bool:
        """It says nothing, beside its values, that needs more than ASCII."""
        return all(part.isascii() for piece in self.pieces for part in piece.parts)

    def without_accents(self) -> Template:
        """The same without accents; itself where a script has no such form (Khmer)."""
        pieces = [
            Piece(
                tuple(part if place % 2 else unaccent(part) for place, part in enumerate(piece.parts)),
                piece.optional,
            )
            for piece in self.pieces
        ]
        plain = self._of(pieces)
        return plain if plain.ascii else self

    def render(self, values: Mapping[str, str], drop: int = 0) -> str:
        """The text; its `drop` leftmost tails are left out.

        Raises:
            KeyError: a placeholder has no value.
        """
        said: list[str] = []
        for piece in self.pieces:
            if piece.optional and drop > 0:
                drop -= 1
                continue
            said += [values[part] if place % 2 else part for place, part in enumerate(piece.parts)]
        return "".join(said)


class Catalogue:
    """All texts by language and dotted key (`reply.help`, `web.label.code`), each with and without accents."""

    __slots__ = ("_accented", "_months", "_plain", "_texts", "default", "languages")

    def __init__(self, texts: Mapping[str, Mapping[str, Template]], raw: Mapping[str, Mapping[str, str]]) -> None:
        """Take checked texts; `from_mapping` is the way to make one."""
        self.languages = tuple(texts)
        self.default = self.languages[0]
        self._texts = raw
        self._accented = texts
        self._plain = {
            language: {key: template.without_accents() for key, template in templates.items()}
            for language, templates in texts.items()
        }
        self._months = {language: raw[language]["format.months"].split() for language in texts}

    @classmethod
    def from_mapping(cls, documents: Mapping[str, Mapping[str, Any]]) -> Catalogue:
        """Build from `{language: tables of texts}`, the shape of config/texts/*.toml; the first is the default.

        Raises:
            ValueError: every fault of every language, one a line: a text that cannot be read, keys or placeholders
                that differ between languages.
        """
        faults: list[str] = [] if documents else ["texts: no language at all"]
        raw: dict[str, dict[str, str]] = {}
        templates: dict[str, dict[str, Template]] = {}
        for language, document in documents.items():
            raw[language], templates[language] = {}, {}
            for key, text in _flat(document):
                try:
                    templates[language][key] = Template.parse(text)
                except (TypeError, ValueError) as error:
                    faults.append(f"texts {language}: {key}: {error}")
                raw[language][key] = str(text)
            if len(raw[language].get("format.months", "").split()) != _MONTHS:
                faults.append(f"texts {language}: format.months must name {_MONTHS} months")
            for key, names in _FORMATS.items():
                if key not in templates[language] or templates[language][key].placeholders != names:
                    faults.append(f"texts {language}: {key} must mention {', '.join(sorted(names))}")
        faults += _differences(templates)
        if faults:
            raise ValueError("\n".join(faults))
        return cls(templates, raw)

    def template(self, language: str, key: str, *, accents: bool) -> Template:
        """One text; an unknown language is answered in the default one.

        Raises:
            KeyError: there is no such text.
        """
        by_language = self._accented if accents else self._plain
        return by_language[language if language in by_language else self.default][key]

    def text(self, language: str, key: str, *, accents: bool = True, **values: str) -> str:
        """One text, filled in as it is (no shortening)."""
        return self.template(language, key, accents=accents).render(values)

    def section(self, language: str, prefix: str) -> Mapping[str, str]:
        """The raw texts under a prefix, by their last name: `section("vi", "web.label")["code"]`."""
        texts = self._texts[language if language in self._texts else self.default]
        start = prefix + "."
        return {key.removeprefix(start): text for key, text in texts.items() if key.startswith(start)}

    def keys(self) -> frozenset[str]:
        """Every key; the same in each language."""
        return frozenset(self._texts[self.default])

    def day(self, language: str, day: date, *, accents: bool = True) -> str:
        """A date as this language writes it: 08/10/2026, 08 Oct 2026 (reference: domain §6.4)."""
        months = self._months[language if language in self._months else self.default]
        return self.template(language, "format.date", accents=accents).render(
            {"day": f"{day.day:02}", "month": months[day.month - 1], "year": f"{day.year:04}"}
        )

    def moment(self, language: str, moment: datetime, *, accents: bool = True) -> str:
        """A moment in Asia/Ho_Chi_Minh: 14:30 08/10/2026.

        Raises:
            ValueError: `moment` has no time zone.
        """
        require_aware(moment, "moment")
        local = moment.astimezone(LOCAL_ZONE)
        return self.template(language, "format.moment", accents=accents).render(
            {"time": f"{local:%H:%M}", "date": self.day(language, local.date(), accents=accents)}
        )


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _differences(templates: Mapping[str, Mapping[str, Template]]) -> list[str]:
    """Keys one language lacks, and texts whose placeholders are not those of the first language."""
    languages: Sequence[str] = tuple(templates)
    every = sorted(set().union(*templates.values()))
    faults = [
        f"texts {language}: {key} is missing"
        for language in languages
        for key in every
        if key not in templates[language]
    ]
    for language in languages[1:]:
        for key, template in templates[language].items():
            first = templates[languages[0]].get(key)
            if first is not None and first.placeholders != template.placeholders:
                here, there = (" ".join(sorted(each.placeholders)) or "none" for each in (template, first))
                faults.append(f"texts {language}: {key} has the placeholders {here}; {languages[0]} has {there}")
    return faults
