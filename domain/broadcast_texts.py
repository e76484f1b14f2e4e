"""The texts of a broadcast: which placeholders they may hold, what stands in the place of each, what is wrong (pure).

A value is put in literally and once: it is never read as a text with placeholders, whatever a one-stop system or a file
says.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from domain.agencies import Agencies
from domain.broadcasts import AudienceKind
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.gsm import is_gsm7
from domain.procedure import shortened
from domain.reply_keys import STATE_KEYS
from domain.text import safe_text, unaccent

VIETNAMESE = "vi"
LONGEST_VALUE = 60  # characters of what a source or a file says
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,39}")  # a file's column, as a placeholder

# What may stand in a text about a dossier, and what an author is told it means, by language.
PLACEHOLDERS: Mapping[str, Mapping[str, str]] = {
    "ma_ho_so": {"vi": "mã hồ sơ", "en": "the dossier's code"},
    "co_quan": {"vi": "tên ngắn của cơ quan đang giữ hồ sơ", "en": "the short name of the agency that has it"},
    "ngay_hen": {"vi": "ngày hẹn trả", "en": "the promised day"},
    "thu_tuc": {"vi": "tên thủ tục", "en": "the procedure's name"},
    "trang_thai": {"vi": "trạng thái", "en": "the dossier's state"},
}

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_BRACED = re.compile(r"\{[^{}]*\}|[{}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierFacts:
    """What is told of a dossier in the place of placeholders; no name, no number. `status` None: not mapped."""

    code: DossierCode
    agency: str
    procedure: str = ""
    status: DossierStatus | None = None
    due_on: date | None = None


class TextFaultKind(enum.StrEnum):
    """What is wrong with a text."""

    EMPTY = "empty"
    UNKNOWN = "unknown"  # a placeholder nobody can fill
    BRACE = "brace"  # one without a partner, or around what is no name
    SIGN = "sign"  # control characters, or spaces at an end


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFault:
    """Where in which text; `place` counts characters from 0, `piece` is what stands there."""

    language: str
    kind: TextFaultKind
    place: int = 0
    piece: str = ""


def known_placeholders(kind: AudienceKind, columns: tuple[str, ...] | frozenset[str] = ()) -> frozenset[str]:
    """A list of the agency's own knows of no dossier: only its columns can be filled in."""
    return frozenset(columns) if kind is AudienceKind.FILE else frozenset(PLACEHOLDERS)


def faults(texts: Mapping[str, str], known: frozenset[str]) -> Iterator[TextFault]:
    """Every fault of every text; none: they may be sent."""
    if not texts:
        yield TextFault(language=VIETNAMESE, kind=TextFaultKind.EMPTY)
    for language, text in texts.items():
        if not text.strip():
            yield TextFault(language=language, kind=TextFaultKind.EMPTY)
        elif safe_text(text, len(text)) != text:
            yield TextFault(language=language, kind=TextFaultKind.SIGN)
        for found in _BRACED.finditer(text):
            name = _PLACEHOLDER.fullmatch(found[0])
            kind = TextFaultKind.BRACE if name is None else TextFaultKind.UNKNOWN
            if name is None or name[1] not in known:
                yield TextFault(language=language, kind=kind, place=found.start(), piece=found[0])


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its values; a placeholder without one stays, so that it is seen.

    A text of signs every handset has in 7 bits stays one: its values lose their accents.
    """
    plain = is_gsm7(text)

    def value(found: re.Match[str]) -> str:
        said = safe_text(shortened(values.get(found[1], found[0]), LONGEST_VALUE), LONGEST_VALUE)
        return unaccent(said) if plain else said

    return _PLACEHOLDER.sub(value, text)


@dataclass(frozen=True, slots=True)
class Written:
    """A text for one person, and its language."""

    text: str
    language: str


class BroadcastWriter:
    """Writes what one person gets. `procedure_name` gives the name of a procedure's code in a language, or nothing."""

    __slots__ = ("_agencies", "_catalogue", "_procedure_name")

    def __init__(self, catalogue: Catalogue, agencies: Agencies, procedure_name: Callable[[str, str], str]) -> None:
        self._catalogue = catalogue
        self._agencies = agencies
        self._procedure_name = procedure_name

    def write(
        self,
        texts: Mapping[str, str],
        *,
        language: str | None,
        today: date,
        plain: bool = False,
        facts: DossierFacts | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Written:
        """In the person's language where it was written in it, else in Vietnamese. `plain`: they want no accents."""
        wanted = (language, VIETNAMESE, *texts)
        chosen = next(each for each in wanted if each is not None and each in texts)
        known = {**(self.values(facts, chosen, today) if facts else {}), **(values or {})}
        text = filled(texts[chosen], known)
        return Written(unaccent(text) if plain else text, chosen)

    def values(self, facts: DossierFacts, language: str, today: date) -> Mapping[str, str]:
        """What stands in the place of each of PLACEHOLDERS; what is not known says so."""
        text = self._catalogue.text
        agency = self._agencies.answering(facts.agency, today) or self._agencies.default
        state = STATE_KEYS[facts.status]
        unknown = text(language, "broadcast.unknown")
        return {
            "ma_ho_so": facts.code.text,
            "co_quan": agency.short_name,
            "ngay_hen": self._catalogue.day(language, facts.due_on) if facts.due_on else unknown,
            "thu_tuc": self._procedure_name(facts.procedure, language) or facts.procedure or unknown,
            "trang_thai": text(language, f"notice.state.{state}"),
        }
