"""The check list as a form shows and sends it: what was handed in, how many, ticked twice, and what is missing (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from console.forms import one_line
from domain.intake import LONGEST_TEXT, MOST_PAPERS, Paper
from domain.procedure import Procedure

FREE_ROWS: Final = 2  # rows for papers that are on no list
MOST_EACH: Final = 99
_DIGITS: Final = re.compile(r"\d{1,2}", re.ASCII)
_PLACE: Final = re.compile(r"paper_(\d{1,2})_", re.ASCII)
LONGEST_SHOWN: Final = 60  # characters of a paper's name beside a fault
_COUNTS: Final = ("originals", "certified", "copies")
_TICKS: Final = ("complete", "legal", "missing")
# What the name of a paper says of how it is handed in; the first that fits. An officer sees it and may change it.
_USUAL: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (re.compile(r"\b(?:nếu|không có thì|có mặt)\b", re.IGNORECASE), ""),
    (re.compile(r"\bxuất trình\b", re.IGNORECASE), ""),
    (re.compile(r"\bbản (?:chụp|photo|phô tô)\b", re.IGNORECASE), "copies"),
    (re.compile(r"\bbản sao\b", re.IGNORECASE), "certified"),
)

PaperFaults = list[tuple[str, str]]  # (the id of the input, a name under [intake_fault])


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A row as typed. `listed`: the procedure asks for it."""

    name: str = ""
    originals: str = ""
    certified: str = ""
    copies: str = ""
    complete: bool = False
    legal: bool = False
    missing: bool = False
    note: str = ""
    listed: bool = False

    @property
    def empty(self) -> bool:
        """Nothing was typed: no paper."""
        return not (self.name or self.note or any(getattr(self, each) for each in (*_COUNTS, *_TICKS)))

    @property
    def handed_in(self) -> bool:
        return self.complete or self.legal or any(_count(getattr(self, each)) for each in _COUNTS)

    def paper(self) -> Paper:
        """Of a row without faults."""
        values: dict[str, Any] = {each: _count(getattr(self, each)) or 0 for each in _COUNTS}
        values |= {each: getattr(self, each) for each in _TICKS}
        return Paper(name=self.name, note=self.note, **values)


def rows_of_procedure(procedure: Procedure, *, at_the_counter: bool) -> tuple[PaperRow, ...]:
    """Those it asks for, counted as they are usually handed in: away from the counter nobody sees an original."""
    names = procedure.papers.get("vi", ())[: MOST_PAPERS - FREE_ROWS]
    return tuple(_usual(name, at_the_counter=at_the_counter) for name in names)


def rows_of_papers(papers: Iterable[Paper]) -> tuple[PaperRow, ...]:
    """As they are kept."""
    return tuple(_row_of(each) for each in papers)


def with_free(rows: tuple[PaperRow, ...]) -> tuple[PaperRow, ...]:
    """With rows for papers that are on no list; a row that is empty already is one of them."""
    empty = sum(row.empty for row in rows)
    more = max(0, min(FREE_ROWS - empty, MOST_PAPERS - len(rows)))
    return rows + (PaperRow(),) * more


def read_rows(fields: Mapping[str, str]) -> tuple[PaperRow, ...]:
    """What was sent: `paper_<n>_name` and so on; `all_complete` and `all_legal` tick every paper that is there."""
    rows = tuple(_row(fields, place) for place in range(MOST_PAPERS) if f"paper_{place}_name" in fields)
    ticked = {tick: True for tick in ("complete", "legal") if f"all_{tick}" in fields}
    return tuple(_ticked(row, ticked) for row in rows)


def papers_of(rows: Iterable[PaperRow]) -> tuple[Paper, ...]:
    """Of rows without faults; empty ones are no papers."""
    return tuple(row.paper() for row in rows if not row.empty)


def row_faults(rows: Sequence[PaperRow], *, to_accept: bool) -> PaperFaults:
    """What is wrong with them. `to_accept`: all must be there and as the law wants it (art. 7.2)."""
    return [
        fault for place, row in enumerate(rows) if not row.empty for fault in _faults(place, row, to_accept=to_accept)
    ]


def named_fault(where: str, words: str, rows: Sequence[PaperRow]) -> str:
    """The words of a fault with the name of the paper it is about; `where`: the id of the input."""
    found = _PLACE.search(where)
    name = rows[int(found[1])].name if found and int(found[1]) < len(rows) else ""
    return f"{name[:LONGEST_SHOWN]}: {words}" if name else words


def missing_words(rows: Iterable[PaperRow]) -> str:
    """What is asked for, as the citizen reads it."""
    return "; ".join(f"{row.name} ({row.note})" if row.note else row.name for row in rows if row.missing and row.name)


def _faults(place: int, row: PaperRow, *, to_accept: bool) -> Iterator[tuple[str, str]]:
    checks = (
        (not row.name, "name", "paper_unnamed"),
        (len(row.name) > LONGEST_TEXT, "name", "too_long"),
        (len(row.note) > LONGEST_TEXT, "note", "too_long"),
        *((_count(getattr(row, each)) is None, each, "bad_count") for each in _COUNTS),
        (row.missing and row.complete, "missing", "missing_and_complete"),
        (to_accept and row.missing, "missing", "still_missing"),
        (to_accept and row.handed_in and not row.missing and not row.complete, "complete", "not_complete"),
        (to_accept and row.handed_in and not row.missing and not row.legal, "legal", "not_legal"),
    )
    yield from ((f"paper_{place}_{field}", name) for wrong, field, name in checks if wrong)


def _row_of(paper: Paper) -> PaperRow:
    values: dict[str, Any] = {name: str(getattr(paper, name) or "") for name in _COUNTS}
    values |= {name: getattr(paper, name) for name in _TICKS}
    return PaperRow(name=paper.name, note=paper.note, listed=True, **values)


def _row(fields: Mapping[str, str], place: int) -> PaperRow:
    def text(name: str, longest: int) -> str:
        return one_line(fields, f"paper_{place}_{name}", longest)

    values: dict[str, Any] = {each: text(each, 4) for each in _COUNTS}
    values |= {each: f"paper_{place}_{each}" in fields for each in (*_TICKS, "listed")}
    return PaperRow(name=text("name", LONGEST_TEXT + 1), note=text("note", LONGEST_TEXT + 1), **values)


def _ticked(row: PaperRow, ticked: Mapping[str, Any]) -> PaperRow:
    if not ticked or row.missing or not row.handed_in:
        return row
    return replace(row, **ticked)


def _usual(name: str, *, at_the_counter: bool) -> PaperRow:
    counted = next((column for pattern, column in _USUAL if pattern.search(name)), "originals")
    if counted and not at_the_counter:
        counted = "copies"
    row = PaperRow(name=name, listed=True)
    usual: dict[str, Any] = {counted: "1"} if counted else {}
    return replace(row, **usual)


def _count(text: str) -> int | None:
    """None: it is no number."""
    if not text:
        return 0
    number = int(text) if _DIGITS.fullmatch(text) else None
    return number if number is not None and number <= MOST_EACH else None
