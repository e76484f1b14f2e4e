"""What a file of recipients may be: how large, and why one is refused. Nothing of a refused file is kept."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from domain.errors import GatewayError

LARGEST_FILE: Final = 20 * 1024 * 1024  # octets as they are sent
LARGEST_UNPACKED: Final = 200 * 1024 * 1024  # octets of all parts of a workbook
LARGEST_STRINGS: Final = 64 * 1024 * 1024  # octets of the one part of it that is held in memory
MOST_PARTS: Final = 1_000
MOST_ROWS: Final = 200_000  # with something in them
LONGEST_SHEET: Final = 1_048_576  # rows, empty ones included: what a spreadsheet has
MOST_COLUMNS: Final = 50
LONGEST_CELL: Final = 1_000  # characters


class FileFault(enum.StrEnum):
    """Why a file is refused; the words stand under [broadcast_file_fault] in the texts."""

    NO_FILE = "no_file"
    TOO_LARGE = "too_large"
    UNPACKED = "unpacked"  # a small file that would be a very large one
    NOT_A_TABLE = "not_a_table"  # neither CSV nor XLSX, whatever it is called
    DAMAGED = "damaged"
    ENCODING = "encoding"
    ROWS = "rows"
    COLUMNS = "columns"
    CELL = "cell"
    NO_ROWS = "no_rows"
    NO_NUMBERS = "no_numbers"  # no column is called as one of telephone numbers is
    BUSY = "busy"
    HEAVY = "heavy"  # reading it takes more time or memory than any list of ours
    GONE = "gone"  # what was read is not there any more, or another list was sent since


class FileRefused(GatewayError):
    """Nothing of this file is taken over. `row`: where the fault is, counted from 1; 0: in the whole file."""

    def __init__(self, fault: FileFault, row: int = 0) -> None:
        super().__init__(f"the file of recipients is refused: {fault}")
        self.fault = fault
        self.row = row


def within_limits(position: int, row: Sequence[str]) -> Sequence[str]:
    """The cells of row `position` that may be told something, as they stand.

    Raises:
        FileRefused: no list of ours has so many rows, such a cell or so many columns.
    """
    if position > LONGEST_SHEET:
        raise FileRefused(FileFault.ROWS, position)
    if any(len(cell) > LONGEST_CELL for cell in row):
        raise FileRefused(FileFault.CELL, position)
    if len(row) > MOST_COLUMNS and any(cell.strip() for cell in row[MOST_COLUMNS:]):
        raise FileRefused(FileFault.COLUMNS, position)
    return row[:MOST_COLUMNS]
