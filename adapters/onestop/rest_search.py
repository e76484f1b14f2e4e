"""Of the records that a search brought, which are the dossiers that were asked for (pure).

A record is judged only where its code was asked for: what is wrong with a neighbour's is no trouble of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.onestop.records import Note, RecordReader, Values
from adapters.onestop.rest_reading import AnswerReader, Record
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the records of one source are read. `named`: they carry codes. `note` is told ("several_records", "")."""

    named: bool
    answers: AnswerReader
    records: RecordReader
    note: Note


@dataclass(frozen=True, slots=True)
class _Match:
    record: Record
    values: Values


class Search:
    """What one request, or one for every page, tells of the codes it asks for; one code where records carry none."""

    def __init__(self, codes: Sequence[DossierCode], reading: Reading) -> None:
        self._reading = reading
        self._asked: dict[str, list[DossierCode]] = {}
        for code in codes:
            self._asked.setdefault(code.text, []).append(code)
        self._met: dict[DossierCode, list[_Match]] = {code: [] for code in codes}
        self._nameless: SourceError | None = None  # a record does not say whose it is

    @property
    def texts(self) -> tuple[str, ...]:
        """What is asked for."""
        return tuple(self._asked)

    @property
    def has_met_all(self) -> bool:
        """There is a record of every code, so that another page has nothing to add."""
        return self._reading.named and all(self._met.values())

    def take(self, page: Sequence[Record]) -> None:
        """The records of the next page. One that stood on an earlier page too is the same: a dossier that comes in
        pushes all others on while pages are turned.
        """
        earlier = {code: list(matches) for code, matches in self._met.items() if matches}
        for record in page:
            for code, match in self._matches(record):
                if all(record != each.record for each in earlier.get(code, ())):
                    self._met[code].append(match)

    def told(self, failure: SourceError | None) -> tuple[dict[DossierCode, Dossier], dict[DossierCode, SourceError]]:
        """The dossiers, and of every code of which nothing is known why: `failure` is why the search did not come to its
        end. A code in neither is not there.
        """
        found: dict[DossierCode, Dossier] = {}
        failed: dict[DossierCode, SourceError] = {}
        unseen = failure or self._nameless
        for code, matches in self._met.items():
            wrong = self._reading.answers.lacking(matches[0].record, "status") if len(matches) == 1 else None
            if len(matches) > 1:
                self._reading.note("several_records", "")
            elif wrong is not None:
                failed[code] = wrong
            elif unseen is not None and not matches:
                failed[code] = unseen
            elif matches and not self._reading.records.is_hidden(matches[0].values):
                found[code] = self._reading.records.read(matches[0].values, code)
        return found, failed

    def _matches(self, record: Record) -> Iterator[tuple[DossierCode, _Match]]:
        """The codes whose dossier it may be."""
        reading = self._reading
        nameless = reading.answers.lacking(record, "code")
        if nameless is not None:
            self._nameless = nameless
            return
        match = _Match(record, reading.answers.values(record))
        if not reading.named:
            yield from ((code, match) for code in self._met)
            return
        for code in self._asked.get(reading.records.code_text(match.values), ()):
            if not reading.records.is_hidden(match.values) and reading.records.belongs_to(match.values, code):
                yield code, match
