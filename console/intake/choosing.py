"""A procedure found by what an officer types: as the citizens' search finds it, and by the beginnings of its words (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from domain.procedure import Procedure
from domain.text import bare, fold
from intake.ports import ProcedureCatalogue

MOST_FOUND: Final = 8


def procedures_for(
    words: str, *, catalogue: ProcedureCatalogue, known: Iterable[Procedure], today: date
) -> Sequence[Procedure]:
    """Those in force that may be meant, the likeliest first; all beginnings of words are enough."""
    if not words.strip():
        return ()
    typed = _words(words)
    begun = [each for each in known if each.in_force(today) and _begins(each, typed)]
    begun.sort(key=lambda each: len(each.names["vi"]))
    found = [*catalogue.search(words, today=today, limit=MOST_FOUND), *begun]
    return list({each.code: each for each in found}.values())[:MOST_FOUND]


def clear_choice(words: str, found: Sequence[Procedure]) -> Procedure | None:
    """The one that is meant without a doubt: the only one, or the one whose name was typed."""
    if len(found) == 1:
        return found[0]
    typed = _words(words)
    return next((each for each in found if _words(each.names["vi"]) == typed), None)


def _begins(procedure: Procedure, typed: Sequence[str]) -> bool:
    texts = (*procedure.names.values(), *procedure.keywords, procedure.code)
    return any(_all_begin(_words(text), typed) for text in texts)


def _all_begin(words: Sequence[str], typed: Sequence[str]) -> bool:
    return all(any(word.startswith(each) for word in words) for each in typed)


def _words(text: str) -> list[str]:
    return bare(fold(text)).split()
