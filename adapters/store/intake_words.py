"""What a dossier of the intake module is found by: words of names, and the end of its code (pure)."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.codes import DossierCode, parse_canonical
from domain.intake import Person
from domain.phones import significant_number
from domain.text import bare, fold

MOST_WORDS = 12  # of a name
_WORD = re.compile(r"\w+")
_END = re.compile(r"(?:.*\D)?(\d{6}|\d{8})-(\d{1,8})", re.ASCII)
_SERIAL = re.compile(r"\d{1,8}", re.ASCII)


class Wanted(enum.Enum):
    """What was typed into the field of the search."""

    CODE = "code"
    PHONE = "phone"
    WORDS = "words"  # all of them


@dataclass(frozen=True, slots=True)
class Reading:
    wanted: Wanted
    values: tuple[str, ...]


def words_of(code: DossierCode, person: Person) -> Sequence[str]:
    """Each once."""
    names = [word for name in (person.name, person.owner) for word in _names(name)[:MOST_WORDS]]
    return list(dict.fromkeys([*_of_code(code), *names]))


def _of_code(code: DossierCode) -> Sequence[str]:
    """No word of a name has a dash in it."""
    _, day, serial = code.text.rsplit("-", 2)
    return f"-{int(serial)}", f"-{day}-{int(serial)}"


def _names(text: str) -> list[str]:
    return _WORD.findall(bare(fold(text)))


def read_search(text: str) -> Reading | None:
    """A code or its end, a telephone number in full, words; None: nothing was typed."""
    typed = bare(fold(text)).strip()
    code = parse_canonical(typed)
    if code is not None:
        return Reading(Wanted.CODE, (code.reference,))
    if end := _END.fullmatch(typed):
        return Reading(Wanted.WORDS, (f"-{end[1]}-{int(end[2])}",))
    if _SERIAL.fullmatch(typed):
        return Reading(Wanted.WORDS, (f"-{int(typed)}",))
    if (number := significant_number(typed)) and not any(sign.isalpha() for sign in typed):
        return Reading(Wanted.PHONE, (number,))
    words = tuple(dict.fromkeys(_names(typed)))[:MOST_WORDS]
    return Reading(Wanted.WORDS, words) if words else None
