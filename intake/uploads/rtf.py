"""RTF that is text and pictures: every brace has its other, and nothing is in it that is opened or fetched (RTF 1.9.1)."""

from __future__ import annotations

import re
from typing import Final

from intake.uploads.kinds import Refused, UploadRefusal

_BEGINS: Final = re.compile(rb"\{\\rtf\d?[\s\\{]")
_TOKEN: Final = re.compile(rb"\\bin(?P<raw>\d{1,10}) ?|\\[a-z]+-?\d* ?|\\[^a-z]|(?P<brace>[{}])", re.DOTALL)
_OBJECTS: Final = re.compile(rb"\\(?:object|obj[a-z]*|\*?\\?objdata)(?![a-z])")
_FETCHED: Final = re.compile(
    rb"\\template[\s{]*(?:https?:|ftp:|\\{4}|//)|dde(?:auto)?\s|include(?:text|picture)\s+\"?(?:https?:|ftp:|\\{4}|//)",
    re.IGNORECASE,
)
_FIELD: Final = rb"\\fldinst"
_WIDTH_OF_A_FIELD: Final = 400  # octets of one that are read
MOST_DEPTH: Final = 2_000


def check_rtf(data: bytes) -> None:
    """Refuse what is no whole RTF, or more than a text.

    Raises:
        Refused: BROKEN, MIXED, EMBEDDED or ACTIVE.
    """
    if not _BEGINS.match(data):
        raise Refused(UploadRefusal.BROKEN)
    end = _end_of_the_text(data)
    if data[end:].strip(b"\r\n\t \x00"):
        raise Refused(UploadRefusal.MIXED)
    if _OBJECTS.search(data):
        raise Refused(UploadRefusal.EMBEDDED)
    if any(_FETCHED.search(part) for part in _fields(data)):
        raise Refused(UploadRefusal.ACTIVE)


def _end_of_the_text(data: bytes) -> int:
    """The place behind the brace that closes it."""
    depth, place = 0, 0
    while found := _TOKEN.search(data, place):
        place = found.end()
        if found["raw"]:
            place += int(found["raw"])
        elif found["brace"]:
            depth += 1 if found["brace"] == b"{" else -1
            if depth == 0:
                return place
            if depth > MOST_DEPTH:
                break
    raise Refused(UploadRefusal.BROKEN)


def _fields(data: bytes) -> list[bytes]:
    """The texts of its fields as far as they are read, and the template it names; formatting inside a field is taken out."""
    starts = [found.start() for found in re.finditer(rb"\\fldinst|\\template(?![a-z])", data)]
    return [
        re.sub(rb"\\(?!template)[a-z]+-?\d*|[{}\r\n]|\\\*", b"", data[at : at + _WIDTH_OF_A_FIELD]) for at in starts
    ]
