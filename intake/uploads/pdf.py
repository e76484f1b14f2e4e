"""A PDF an officer can look at: whole, in the open, and doing nothing by itself (ISO 32000-2).

No PDF library: what is looked for are names, and those stand in the open or in object streams, which are unpacked here
within bounds. An action of script needs the name /JavaScript, whatever else is left out or misspelt.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

from intake.uploads.kinds import Refused, UploadRefusal

_BEGINS: Final = re.compile(rb"%PDF-[12]\.[0-9]")
_ENDS: Final = re.compile(rb"startxref\s+(\d{1,10})\s+%%EOF[\s\x00]{0,1024}\Z")
_TAIL: Final = 4_096  # octets in which the end is looked for
_OBJECT: Final = re.compile(rb"\d\s+\d+\s+obj\b")
_ROOT: Final = re.compile(rb"/Root\s+\d+\s+\d+\s+R")
_STREAM: Final = re.compile(rb"stream(?:\r\n|\n|\r)")
# A name as the file may write it: any sign may be #xx.
_SIGN: Final = rb"[^\s\x00()<>\[\]{}/%#]"
_ESCAPED_NAME: Final = re.compile(rb"/(?:%b*#[0-9A-Fa-f]{2})+%b*" % (_SIGN, _SIGN))
_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_AFTER_A_NAME: Final = rb"(?=[\s\x00/\[\](<>)%{}]|\Z)"
_ENCRYPTED: Final = re.compile(rb"/Encrypt(?=[\s\x00]+\d|[\s\x00]*<<)")
_ACTIVE: Final = re.compile(rb"/(?:JavaScript|Launch|ImportData|RichMedia|Rendition|XFA)" + _AFTER_A_NAME)
_FILES: Final = re.compile(rb"/(?:EmbeddedFiles?|GoToE)" + _AFTER_A_NAME)
_RULES: Final = (
    (_ENCRYPTED, UploadRefusal.ENCRYPTED),
    (_ACTIVE, UploadRefusal.ACTIVE),
    (_FILES, UploadRefusal.EMBEDDED),
)
_OBJECT_STREAM: Final = re.compile(rb"/ObjStm" + _AFTER_A_NAME)
_FILTER: Final = re.compile(
    rb"/(?:ASCIIHexDecode|AHx|ASCII85Decode|A85|LZWDecode|LZW|RunLengthDecode|RL|Crypt|Predictor)\b"
)
# An object stream begins with numbers of objects and their places.
_NUMBERS: Final = re.compile(rb"[\s\x00]*(?:%[^\r\n]*[\s\x00]+)*\d+[\s\x00]+\d")
_LOOKED_AT: Final = 512
_DICTIONARY: Final = 2_048  # octets before a stream that may tell what it is
MOST_UNPACKED: Final = 64 * 1024 * 1024
MOST_STREAMS: Final = 200_000
_PIECE: Final = 65_536


def check_pdf(data: bytes) -> None:
    """Refuse what is no whole PDF, or cannot be opened without danger.

    Raises:
        Refused: BROKEN, MIXED, ENCRYPTED, ACTIVE, EMBEDDED or UNPACKS.
    """
    if not _BEGINS.match(data) or not _OBJECT.search(data) or not _ROOT.search(_open_names(data)):
        raise Refused(UploadRefusal.BROKEN)
    _check_end(data)
    _check_names(data)
    for part in _object_streams(data):
        _check_names(part)


def _check_end(data: bytes) -> None:
    """After the last %%EOF there is nothing."""
    tail = data[-_TAIL:]
    found = _ENDS.search(tail)
    if found is None:
        raise Refused(UploadRefusal.MIXED if b"%%EOF" in data else UploadRefusal.BROKEN)
    if int(found[1]) >= len(data):
        raise Refused(UploadRefusal.BROKEN)


def _check_names(data: bytes) -> None:
    plain = _open_names(data)
    for pattern, why in _RULES:
        if pattern.search(plain):
            raise Refused(why)


def _open_names(data: bytes) -> bytes:
    """Names without escapes."""
    if b"#" not in data:
        return data
    return _ESCAPED_NAME.sub(lambda name: _ESCAPE.sub(lambda sign: bytes([int(sign[1], 16)]), name[0]), data)


def _object_streams(data: bytes) -> Iterator[bytes]:
    """What is packed and holds objects, told by how it begins and not by what it says it is."""
    left, before = MOST_UNPACKED, 0
    for count, found in enumerate(_STREAM.finditer(data)):
        if count > MOST_STREAMS:
            raise Refused(UploadRefusal.UNPACKS)
        said = _open_names(data[max(before, found.start() - _DICTIONARY) : found.start()])
        before = found.end()
        declared = _OBJECT_STREAM.search(said)
        if declared and _FILTER.search(said, max(0, said.rfind(b"obj", 0, declared.start()))):
            raise Refused(UploadRefusal.ACTIVE)  # packed so that nobody sees what it does; no program writes this
        if declared or _begins_with_numbers(data, found.end()):
            part = _unpacked(data, found.end(), left)
            left -= len(part)
            yield part


def _begins_with_numbers(data: bytes, start: int) -> bool:
    try:
        head = zlib.decompressobj().decompress(data[start : start + 512], _LOOKED_AT)
    except zlib.error:
        return False
    return bool(head) and _NUMBERS.match(head) is not None


def _unpacked(data: bytes, start: int, most: int) -> bytes:
    """As much as can be unpacked: a reader that mends files would, too."""
    machine, parts, left, place = zlib.decompressobj(), [], most, start
    try:
        while not machine.eof and place < len(data):
            part = machine.decompress(data[place : place + _PIECE], left + 1)
            left -= len(part)
            if left < 0:
                raise Refused(UploadRefusal.UNPACKS)
            parts.append(part)
            place += _PIECE
    except zlib.error:
        return b"".join(parts)  # it ends here
    return b"".join(parts)
