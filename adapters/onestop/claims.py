"""Which rows may be told to whoever asked for a code (pure): never a stranger's dossier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adapters.onestop.records import RecordReader, Values, code_text
from domain.codes import DossierCode


def by_text(codes: Sequence[DossierCode]) -> Mapping[str, Sequence[DossierCode]]:
    """Who of the askers means a code's text: receipt numbers of several agencies may be alike."""
    wanted: dict[str, list[DossierCode]] = {}
    for code in codes:
        wanted.setdefault(code.text, []).append(code)
    return wanted


def sorted_out(
    rows: Iterable[Values],
    wanted: Mapping[str, Sequence[DossierCode]],
    code_words: Sequence[str],
    records: RecordReader,
) -> Mapping[DossierCode, list[Values]]:
    """The rows that may be told to whoever asked for them, by any of their codes. `wanted`: see by_text."""
    theirs: dict[DossierCode, list[Values]] = {}
    for values in rows:
        asked = dict.fromkeys(code for word in code_words for code in wanted.get(code_text(values[word]), ()))
        if not asked or records.is_hidden(values):
            continue
        for code in asked:
            if records.belongs_to(values, code):
                theirs.setdefault(code, []).append(values)
    return theirs


def of_one_dossier(code: DossierCode, rows: Sequence[Values]) -> Sequence[Values]:
    """The rows with this as their own code, else those it is another code of; none where these are several dossiers."""
    chosen = [values for values in rows if code_text(values.get("code")) == code.text] or rows
    names = {code_text(values.get("code")) for values in chosen}
    return [] if len(names) > 1 or (len(rows) > 1 and "" in names) else chosen
