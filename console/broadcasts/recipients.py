"""Rows of a file to recipients: which column is which, what is wrong with a row, who stands there twice. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from console.broadcasts.file_limits import (
    LONGEST_CELL,
    MOST_ROWS,
    FileFault,
    FileRefused,
    within_limits,
)
from console.broadcasts.ports import FileRow
from domain.message import Address
from domain.text import safe_text, unaccent

# How people call the column of the number, and that of the language, without accents, spaces and case.
NUMBER_NAMES: Final = frozenset(
    "sodienthoai dienthoai sdt dt sodt sodidong didong phone phonenumber mobile mobilenumber tel telephone".split()  # noqa: SIM905
)
LANGUAGE_NAMES: Final = frozenset({"ngonngu", "language", "lang"})
LONGEST_NAME: Final = 30  # characters of a placeholder
LONGEST_VALUE: Final = 120  # characters of a value that are sent
_NOT_OF_A_NAME: Final = re.compile(r"[^a-z0-9]+")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_TOLD: Final = 3  # last signs of a number that may be told

Normalise = Callable[[str], Address | None]


class RowFaultKind(enum.StrEnum):
    """What is wrong with a row; the words stand under [broadcast_row_fault] in the texts."""

    EMPTY = "empty"  # no number
    NUMBER = "number"  # what stands there is none
    TWICE = "twice"
    LANGUAGE = "language"  # none of those there are texts of


@dataclass(frozen=True, slots=True)
class RowFault:
    """`hint`: of a number its last three signs, of somebody who stands there twice the first row."""

    row: int
    kind: RowFaultKind
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where what stands: places counted from 0. `values` by placeholder."""

    number: int
    language: int | None
    values: Mapping[str, int]


def columns_of(heads: Sequence[str]) -> Columns:
    """What the first row calls the columns.

    Raises:
        FileRefused: none of them is that of the numbers.
    """
    called = [_NOT_OF_A_NAME.sub("", unaccent(head).lower()) for head in heads]
    number = _first(called, NUMBER_NAMES)
    if number is None:
        raise FileRefused(FileFault.NO_NUMBERS, 1)
    language = _first(called, LANGUAGE_NAMES)
    values: dict[str, int] = {}
    for place, head in enumerate(heads):
        name = placeholder_of(head)
        if name and place not in (number, language):
            values.setdefault(name, place)
    return Columns(number=number, language=language, values=values)


def placeholder_of(head: str) -> str:
    """`Họ và tên` is {ho_va_ten}; empty: nothing that could be one."""
    name = _NOT_OF_A_NAME.sub("_", unaccent(head).lower()).strip("_")[:LONGEST_NAME].rstrip("_")
    return name if _NAME.fullmatch(name) else ""


def _first(called: Sequence[str], names: Collection[str]) -> int | None:
    return next((place for place, name in enumerate(called) if name in names), None)


@dataclass(slots=True, kw_only=True)
class Recipients:
    """Reads one file; remembers who stood where, so that nobody is written to twice."""

    normalise: Normalise
    languages: frozenset[str]
    columns: Columns | None = None
    rows: int = 0  # with something in them, the heads not counted
    _position: int = 0
    _seen: dict[Address, int] = field(default_factory=dict)

    def read(self, rows: Iterable[Sequence[str]]) -> Iterator[FileRow | RowFault]:
        """Each of the next rows that is not empty, as it is or what is wrong with it; after the last of all to be followed
        by `end`.

        Raises:
            FileRefused: the file as a whole is not taken.
        """
        for row in rows:
            self._position = position = self._position + 1
            cells = [cell.strip() for cell in within_limits(position, row)]
            if not any(cells):
                continue
            if self.columns is None:
                self.columns = columns_of(cells)
                continue
            self.rows += 1
            if self.rows > MOST_ROWS:
                raise FileRefused(FileFault.ROWS, position)
            yield self._recipient(position, cells, self.columns)

    def end(self) -> None:
        """Raises FileRefused: there was nobody in it."""
        if not self.rows:
            raise FileRefused(FileFault.NO_ROWS)

    def _recipient(self, position: int, cells: Sequence[str], columns: Columns) -> FileRow | RowFault:
        typed = _cell(cells, columns.number)
        language = _cell(cells, columns.language).lower()
        if not typed:
            return RowFault(position, RowFaultKind.EMPTY)
        address = self.normalise(typed)
        if address is None:
            return RowFault(position, RowFaultKind.NUMBER, _last(typed))
        if language and language not in self.languages:
            return RowFault(position, RowFaultKind.LANGUAGE, safe_text(language, LONGEST_NAME))
        first = self._seen.setdefault(address, position)
        if first != position:
            return RowFault(position, RowFaultKind.TWICE, str(first))
        values = {name: safe_text(_cell(cells, place), LONGEST_VALUE) for name, place in columns.values.items()}
        return FileRow(position=position, recipient=address, values=values, language=language or None)


def _cell(cells: Sequence[str], place: int | None) -> str:
    """A row may be shorter than the heads."""
    return cells[place] if place is not None and place < len(cells) else ""


def _last(typed: str) -> str:
    """So that whoever has the file knows it again."""
    return f"…{safe_text(typed, LONGEST_CELL)[-_TOLD:]}" if len(typed) > _TOLD else "…"
