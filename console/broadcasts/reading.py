"""A file of recipients read in a process of its own: `python -m console.broadcasts.reading FILE MEMORY SECONDS`.

Whoever reads a large workbook is busy for a quarter of a minute, and nobody who waits for an answer shall notice; a
hostile one may take what it likes of a process that is not ours. Rows go to the output as they are found, some to a line;
the last line says how it ended. Nothing but the file is told to this process: it has no settings and no secrets.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from console.broadcasts.csv_files import csv_rows
from console.broadcasts.file_limits import LONGEST_CELL, MOST_COLUMNS, FileFault, FileRefused
from console.broadcasts.workbooks import is_workbook, workbook_rows

ROWS_OF_A_LINE: Final = 200
CHARACTERS_OF_A_LINE: Final = 1 << 16  # and those of one row more
POLITE: Final = 10  # as `nice` counts: whoever answers people comes first
UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last line. `fault`: a FileFault, if the file is refused, and in which `row`; `bug`: the error nobody thought of."""

    fault: str = ""
    row: int = 0
    bug: str = ""


Row = list[str]
Line = list[Row] | Ended


def rows_of(path: Path) -> Iterator[Sequence[str]]:
    """The rows of a CSV file or of the first sheet of a workbook, by how the file begins, whatever it is called.

    Raises:
        FileRefused: it is neither, or not as it should be.
    """
    with path.open("rb") as file:
        begin = file.read(4096)
    if is_workbook(begin):
        return workbook_rows(path)
    if b"\0" in begin and not begin.startswith(UTF16_MARKS):
        raise FileRefused(FileFault.NOT_A_TABLE)
    return csv_rows(path)


def lines_of(rows: Iterator[Sequence[str]]) -> Iterator[list[Row]]:
    """Some rows at a time, none of them longer than it takes to say that it is too long."""
    line: list[Row] = []
    characters = 0
    for row in rows:
        line.append(_cut(row))
        characters += sum(map(len, line[-1]))
        if len(line) >= ROWS_OF_A_LINE or characters >= CHARACTERS_OF_A_LINE:
            yield line
            line, characters = [], 0
    if line:
        yield line


def _cut(row: Sequence[str]) -> Row:
    """Without the empty cells at its end; one cell, and one sign of a cell, more than are allowed."""
    cells = [cell[: LONGEST_CELL + 1] for cell in row]
    while cells and not cells[-1].strip():
        cells.pop()
    return cells if len(cells) <= MOST_COLUMNS else [*cells[:MOST_COLUMNS], cells[-1]]


def _limit(memory: int, seconds: int) -> None:
    """Of octets of address space and of processor time; nothing may be written to a file."""
    for which, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (most, most))
    os.nice(POLITE)


def main(path: str, memory: str, seconds: str) -> None:
    """Tell everything, and how it ended."""
    _limit(int(memory), int(seconds))
    ended = Ended()
    try:
        for line in lines_of(rows_of(Path(path))):
            _tell(line)
    except FileRefused as error:  # told to whoever asked
        ended = Ended(fault=error.fault.value, row=error.row)
    except MemoryError:  # told to whoever asked
        ended = Ended(fault=FileFault.HEAVY.value)
    _tell(ended)


def _name_bug(kind: type[BaseException], *_: object) -> None:
    """Only its name: what an error says may be of the file."""
    _tell(Ended(bug=kind.__name__))


def _tell(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.excepthook = _name_bug
    main(*sys.argv[1:])
