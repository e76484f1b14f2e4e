"""What stands in a code column -> the codes somebody could have asked for (pure but for its notes)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adapters.onestop.mapping import SourceMapping
from adapters.onestop.plain import shown_length
from adapters.onestop.records import Note, code_text
from domain.agencies import from_the_province_down
from domain.codes import CodeFamily, DossierCode, LegacyPattern, parse_canonical


class RowCodes:
    """Reads the code columns of one source.

    A number from before the national codes does not say whose it is: every agency whose mask it fits is named. Reading
    the dossier tells them apart (RecordReader.belongs_to); the others are not found.
    """

    def __init__(self, mapping: SourceMapping, legacy: Sequence[LegacyPattern], note: Note) -> None:
        """`legacy`: the agencies' masks; none: such numbers are skipped. `note` is told "code_unreadable"."""
        giver = mapping.agency if isinstance(mapping.agency, str) else ""
        self._legacy = [each for each in legacy if not giver or _levels(each.agency) == _levels(giver)]
        self._note = note

    def of(self, values: Iterable[object]) -> list[DossierCode]:
        """Every code in these columns of one row; a row without any is counted and skipped."""
        texts = [text for text in map(code_text, values) if text]
        found = list(dict.fromkeys(code for text in texts for code in self._read(text)))
        if not found:
            self._note("code_unreadable", shown_length(texts[0]) if texts else "")
        return found

    def _read(self, text: str) -> Iterator[DossierCode]:
        code = parse_canonical(text)
        if code is None:
            yield from self._numbers(text)
        elif not code.is_example:
            yield code

    def _numbers(self, text: str) -> Iterator[DossierCode]:
        for pattern in self._legacy:
            match = pattern.compiled.fullmatch(text)
            if match and text in pattern.readings(match):
                yield DossierCode(text=text, family=CodeFamily.LEGACY, agency=pattern.agency)


def _levels(agency: str) -> Sequence[str]:
    return list(from_the_province_down(agency.upper()))
