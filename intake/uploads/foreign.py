"""Files that are two things at once: an archive, a program or a page of script behind or inside an honest picture."""

from __future__ import annotations

import re
from typing import Final

from intake.uploads.kinds import PICTURES, FileFormat, Refused, UploadRefusal

# Long enough that compressed data does not hold one by chance: fewer than one file of 10 MB in ten thousand.
_SCRIPT: Final = re.compile(
    rb"<\?php|<script|<iframe|javascript:|vbscript:|<\?=\s*[\x20-\x7e]{10}|<%[@=!][\x20-\x7e]{12}|<!entity"
)  # in data that was made lower case
_PAGE: Final = re.compile(rb"<html[\s>]|<body[\s>]|<!doctype\s|<svg[\s>]|<object[\s>]|<embed\s")
_PROGRAM: Final = re.compile(
    rb"Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|MSCF\x00{4}|\xfd7zXZ\x00|!<arch>\n|This program cannot be run in DOS mode"
    rb"|\x7fELF[\x01\x02][\x01\x02]\x01|\n#!\s?/(?:usr/)?bin/"
)
_PDF: Final = re.compile(rb"%PDF-[0-9]")
_AT_A_PLACE: Final = ((257, b"ustar"), (32_769, b"CD001"))  # tape archive, image of a disc
_ZIP_MEMBER: Final = re.compile(
    rb"PK\x03\x04[\x00-\x3f]\x00..[\x00-\x63]\x00.{16}(?P<length>..)..(?P<name>.{1,64})", re.DOTALL
)
_LONGEST_MEMBER_NAME: Final = 1_000
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_END_OF_ONE_DISK: Final = b"PK\x05\x06\x00\x00\x00\x00"
_ZIP_READERS_LOOK: Final = 65_557  # octets from the end: the longest comment and the record
# Word and Excel keep the colours of a document as a small archive within it.
_OF_A_THEME: Final = re.compile(rb"\[Content_Types\]\.xml|_rels/|theme/")
_CONTAINERS: Final = frozenset({FileFormat.DOCX, FileFormat.XLSX, FileFormat.ODT, FileFormat.ODS})
_COMPOUND: Final = frozenset({FileFormat.DOC, FileFormat.XLS})
_READERS_OF_PDF_LOOK: Final = 1_024  # octets from the beginning


def refuse_foreign(data: bytes, kind: FileFormat) -> None:
    """Look through all of it for what is no part of such a file.

    Raises:
        Refused: MIXED, or EMBEDDED for an archive within an old document.
    """
    lower = data.lower()
    if (
        _SCRIPT.search(lower)
        or _PROGRAM.search(data)
        or ((kind in PICTURES or kind is FileFormat.PDF) and _PAGE.search(lower))
        or any(data[place:].startswith(sign) for place, sign in _AT_A_PLACE if len(data) > place)
        or _is_a_pdf_too(data, kind)
    ):
        raise Refused(UploadRefusal.MIXED)
    if kind in _COMPOUND:
        _refuse_archives_but_themes(data)
    elif kind not in _CONTAINERS and has_an_archive(data):
        raise Refused(UploadRefusal.MIXED)


def has_an_archive(data: bytes) -> bool:
    """There is a ZIP in it, or the end of one where readers of ZIP look for it."""
    return (
        any(_is_a_member(found) for found in _ZIP_MEMBER.finditer(data))
        or data.find(_ZIP_END, max(0, len(data) - _ZIP_READERS_LOOK)) >= 0
        or _ZIP_END_OF_ONE_DISK in data
    )


def _is_a_member(found: re.Match[bytes]) -> bool:
    length = int.from_bytes(found["length"], "little")
    return 0 < length <= _LONGEST_MEMBER_NAME and min(found["name"][:length]) >= ord(" ")


def _is_a_pdf_too(data: bytes, kind: FileFormat) -> bool:
    if kind is FileFormat.PDF:
        return False
    end = _READERS_OF_PDF_LOOK if kind in _CONTAINERS | _COMPOUND else len(data)
    return _PDF.search(data, 0, end) is not None


def _refuse_archives_but_themes(data: bytes) -> None:
    names = [found["name"] for found in _ZIP_MEMBER.finditer(data) if _is_a_member(found)]
    if not all(_OF_A_THEME.match(name) for name in names) or (not names and has_an_archive(data)):
        raise Refused(UploadRefusal.EMBEDDED)
