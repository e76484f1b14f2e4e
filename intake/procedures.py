"""The catalogue of procedures, held in memory: versions by their days, found by code or words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from domain.procedure import Procedure
from domain.text import fold
from intake.ports import MOST_HITS
from intake.procedure_rows import LEVELS, contradictions, read_catalogue
from intake.search import Entry, SearchIndex, Wording

__all__ = ["LEVELS", "Procedures"]

# In a text: with or without the agency behind it, which says who published it and not what it is.
_TYPED_CODE = re.compile(r"(?<![\d.])(\d)[.,]?(\d{6})(?:[.,]\d{3}[.,]\d{2}[.,]\d{2}[.,][A-Za-z]\d{2})?(?![\dA-Za-z])")


class Procedures:
    """All versions of all procedures, searched in memory. Implements `intake.ports.ProcedureCatalogue`.

    Raises:
        ValueError: two versions of one procedure are in force on the same day.
    """

    __slots__ = ("_all", "_by_code", "_index")

    def __init__(self, procedures: Iterable[Procedure], wording: Wording | None = None) -> None:
        self._all = tuple(procedures)
        faults = [fault.text for fault in contradictions(list(enumerate(self._all)))]
        if faults:
            raise ValueError("\n".join(faults))
        self._by_code: dict[str, list[Procedure]] = {}
        for procedure in self._all:
            self._by_code.setdefault(procedure.code, []).append(procedure)
        entries = [Entry(phrases=(*each.names.values(), *each.keywords), theme=each.field_name) for each in self._all]
        self._index = SearchIndex(entries, wording or Wording())

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Procedures:
        """Build from `{courtesy, abbreviations, shared, procedure: [row, ...]}`, the shape of config/procedures.toml.

        Raises:
            ValueError: every fault of every row, one a line.
        """
        read = read_catalogue(mapping)
        if read.faults:
            raise ValueError("\n".join(fault.text for fault in read.faults))
        wording = Wording(abbreviations=mapping.get("abbreviations", {}), courtesy=mapping.get("courtesy", ()))
        return cls((procedure for _, procedure in read.rows), wording)

    def __iter__(self) -> Iterator[Procedure]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def get(self, code: str, *, today: date) -> Procedure | None:
        """The version in force of the procedure with this code, the agency behind it ignored."""
        typed = _TYPED_CODE.fullmatch(fold(code).strip())
        versions = self._by_code.get(f"{typed[1]}.{typed[2]}", ()) if typed else ()
        return next((each for each in versions if each.in_force(today)), None)

    def search(self, words: str, *, today: date, limit: int = MOST_HITS) -> Sequence[Procedure]:
        """Those in force that `words` may mean, the likeliest first; a code among them finds exactly that or nothing."""
        code = _TYPED_CODE.search(fold(words))
        if code is not None:
            found = self.get(code[0], today=today)
            return [found] if found else []
        places = self._index.search(words, allowed=lambda place: self._all[place].in_force(today), limit=limit)
        return [self._all[place] for place in places]
