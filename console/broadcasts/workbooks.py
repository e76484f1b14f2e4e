"""An XLSX file as rows of text, read without believing what it says about itself.

A workbook is a ZIP of XML: a small one may unpack to anything, and name entities that grow without end. All of it is
unpacked once, counted and looked through, before a parser sees it. Formulas are never worked out.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from console.broadcasts.file_limits import (
    LARGEST_STRINGS,
    LARGEST_UNPACKED,
    MOST_COLUMNS,
    MOST_PARTS,
    FileFault,
    FileRefused,
)
from domain.text import nfc

MAGIC: Final = b"PK\x03\x04"
CHUNK: Final = 1 << 18
NEEDED: Final = frozenset({"[Content_Types].xml", "xl/workbook.xml"})
STRINGS: Final = "xl/sharedstrings.xml"
# A document type of its own is where entities are named; no program writes one into a workbook.
DOCTYPES: Final = tuple("<!DOCTYPE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
LONGEST_DOCTYPE: Final = max(map(len, DOCTYPES))
# What the ZIP reader and the XML reader say of a file that is not whole, or is no workbook.
DAMAGES: Final = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    NotImplementedError,
    RuntimeError,
    AssertionError,
)


def is_workbook(begin: bytes) -> bool:
    """By how the file begins, whatever it is called."""
    return begin.startswith(MAGIC)


def workbook_rows(path: Path) -> Iterator[Sequence[str]]:
    """The rows of its first sheet, each a list of cells, to be read in a worker; one column more than is allowed, so that
    it can be told that there are too many.

    Raises:
        FileRefused: it is no workbook, is damaged, or would unpack to more than is allowed.
    """
    try:
        _look_through(path)
        yield from _rows(path)
    except FileRefused:
        raise
    except DAMAGES as error:
        raise FileRefused(FileFault.DAMAGED) from error


def _look_through(path: Path) -> None:
    """Unpack everything once and keep nothing: a header may lie about how much there is."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if not {part.filename for part in parts} >= NEEDED:
            raise FileRefused(FileFault.NOT_A_TABLE)
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
            raise FileRefused(FileFault.UNPACKED)
        left = LARGEST_UNPACKED
        for part in parts:
            most = min(left, LARGEST_STRINGS) if part.filename.lower() == STRINGS else left
            left -= _unpacked(archive, part, most)


def _unpacked(archive: zipfile.ZipFile, part: zipfile.ZipInfo, most: int) -> int:
    """How many octets this part is."""
    size, before = 0, b""
    with archive.open(part) as content:
        while chunk := content.read(CHUNK):
            size += len(chunk)
            if size > most:
                raise FileRefused(FileFault.UNPACKED)
            if any(doctype in before + chunk for doctype in DOCTYPES):
                raise FileRefused(FileFault.NOT_A_TABLE)
            before = chunk[-LONGEST_DOCTYPE:]
    return size


def _rows(path: Path) -> Iterator[Sequence[str]]:
    from openpyxl import load_workbook  # noqa: PLC0415 - heavy: whoever reads no workbook does not import it

    with (
        path.open("rb") as file,
        closing(load_workbook(file, read_only=True, data_only=True, keep_links=False)) as book,
    ):
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its own size is not believed
        for row in sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS + 1):
            yield [_as_text(value) for value in row]


def _as_text(value: object) -> str:
    """A number as somebody would type it: a telephone number that a sheet took for a quantity keeps its digits."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, datetime) and (value.hour, value.minute) != (0, 0):
        return f"{value:%d/%m/%Y %H:%M}"
    if isinstance(value, datetime | date):
        return f"{value:%d/%m/%Y}"
    return nfc(str(value))
