"""DOC and XLS of 1997 to 2003: the right stream, no macros, no password ([MS-DOC] 2.5.1, [MS-XLS] 2.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from intake.uploads.compound import Compound
from intake.uploads.kinds import FileFormat, Refused, UploadRefusal

_WORD: Final = "WordDocument"
_BOOKS: Final = ("Workbook", "Book")
_ENCRYPTED: Final = frozenset({"EncryptedPackage", "EncryptionInfo"})
_MACROS: Final = frozenset({"macros", "_vba_project_cur", "vba", "_vba_project", "dir"})
_FILES: Final = frozenset({"\x01ole10native", "package"})

_WORD_MAGIC: Final = 0xA5EC
_WORD_ENCRYPTED: Final = 0x0100
_WORD_NEEDS: Final = frozenset({"0Table", "1Table"})
_WORD_HEAD: Final = 32

_RECORD: Final = struct.Struct("<HH")
_BEGIN, _END, _PASSWORD, _SHEET, _PROJECT = 0x0809, 0x000A, 0x002F, 0x0085, 0x00D3
_KIND_OF_SHEET: Final = 5  # octet of its record
_MACRO_SHEETS: Final = frozenset({1, 6})
_BOOK_READ: Final = 8 * 1024 * 1024  # octets of a workbook in which its sheets are named
_MOST_RECORDS: Final = 200_000


def old_kind(compound: Compound) -> FileFormat | None:
    """What its outermost storage holds; None: a presentation, a message, an installer, anything else.

    Raises:
        Refused: ENCRYPTED: a newer document with a password is such a file.
    """
    names = compound.root().keys()
    if names & _ENCRYPTED:
        raise Refused(UploadRefusal.ENCRYPTED)
    if _WORD in names:
        return FileFormat.DOC
    return FileFormat.XLS if names & set(_BOOKS) else None


def check_old(compound: Compound, kind: FileFormat) -> None:
    """Refuse what would do something, or cannot be looked at.

    Raises:
        Refused: MACROS, EMBEDDED, ENCRYPTED or BROKEN.
    """
    names = {name.lower() for name in compound.names}
    if names & _MACROS:
        raise Refused(UploadRefusal.MACROS)
    if names & _FILES:
        raise Refused(UploadRefusal.EMBEDDED)
    (_check_word if kind is FileFormat.DOC else _check_book)(compound)


def _check_word(compound: Compound) -> None:
    root = compound.root()
    head = compound.head(root[_WORD], _WORD_HEAD)
    magic, flags = struct.unpack_from("<H8xH", head)
    if magic != _WORD_MAGIC or not root.keys() & _WORD_NEEDS:
        raise Refused(UploadRefusal.BROKEN)
    if flags & _WORD_ENCRYPTED:
        raise Refused(UploadRefusal.ENCRYPTED)


def _check_book(compound: Compound) -> None:
    root = compound.root()
    book = compound.head(next(root[name] for name in _BOOKS if name in root), _BOOK_READ)
    for number, (kind, body) in enumerate(_records(book)):
        if (number == 0) != (kind == _BEGIN) and number == 0:
            raise Refused(UploadRefusal.BROKEN)
        if kind == _PASSWORD:
            raise Refused(UploadRefusal.ENCRYPTED)
        if kind == _PROJECT or (kind == _SHEET and body[_KIND_OF_SHEET] in _MACRO_SHEETS):
            raise Refused(UploadRefusal.MACROS)
        if kind == _END:
            return
    raise Refused(UploadRefusal.BROKEN)


def _records(book: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    for _ in range(_MOST_RECORDS):
        if place + _RECORD.size > len(book):
            return
        kind, length = _RECORD.unpack_from(book, place)
        yield kind, book[place + _RECORD.size : place + _RECORD.size + length]
        place += _RECORD.size + length
