"""The outside of pictures: where a JPEG or a PNG ends, and that nothing but what a camera adds comes behind it."""

from __future__ import annotations

import re
import struct
import zlib
from typing import Final

from intake.uploads.kinds import Refused, UploadRefusal

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_SCAN_ENDS: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_START, _END, _SCAN, _APP0, _COMMENT = 0xD8, 0xD9, 0xDA, 0xE0, 0xFE
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_COMMENT_OF_A_PROGRAM: Final = re.compile(rb"\*/|<[?%!a-z]", re.IGNORECASE)
_JFIF_SIZE: Final = 16  # octets of its segment before the small picture
_PADDING: Final = b"\x00\xff\r\n\t "
_SAMSUNG: Final = b"SEFT"
_BOX: Final = struct.Struct(">L4s")
_BOXES: Final = frozenset({b"ftyp", b"mdat", b"moov", b"free", b"uuid", b"mpvd", b"wide", b"skip", b"meta"})
_MOST_PICTURES: Final = 8  # in one file: cameras add smaller ones and maps of brightness


def end_of_jpeg(data: bytes) -> int:
    """Where the picture ends; what comes behind it is of a camera.

    Raises:
        Refused: BROKEN: it does not end; MIXED: there is something else.
        IndexError, struct.error: it is cut off.
    """
    end = first = _jpeg_end(data, 0)
    for _ in range(_MOST_PICTURES):
        behind = data[end:]
        tail = behind.lstrip(b"\x00")
        if not tail.strip(_PADDING) or tail.endswith(_SAMSUNG) or _is_a_film(behind):
            return first
        if not tail.startswith(_JPEG):
            break
        end = _jpeg_end(data, len(data) - len(tail))
    raise Refused(UploadRefusal.MIXED)


def _jpeg_end(data: bytes, at: int) -> int:
    at += 2
    while True:
        if data[at] != 0xFF:  # noqa: PLR2004 - a marker begins so
            raise Refused(UploadRefusal.BROKEN)
        while data[at] == 0xFF:  # noqa: PLR2004 - and may be filled up
            at += 1
        marker, at = data[at], at + 1
        if marker == _END:
            return at
        if marker in _ALONE:
            continue
        at = _behind_the_segment(data, at, marker)


def _behind_the_segment(data: bytes, at: int, marker: int) -> int:
    length: int = struct.unpack_from(">H", data, at)[0]
    body = data[at + 2 : at + length]
    if marker in (0, _START) or len(body) != length - 2:
        raise Refused(UploadRefusal.BROKEN)
    if marker == _APP0 and body.startswith(b"JFIF\x00") and length != _JFIF_SIZE + 3 * body[12] * body[13]:
        raise Refused(UploadRefusal.MIXED)  # its length is the beginning of a comment of another language
    if marker == _COMMENT and _COMMENT_OF_A_PROGRAM.search(body):
        raise Refused(UploadRefusal.MIXED)
    if marker != _SCAN:
        return at + length
    found = _SCAN_ENDS.search(data, at + length)
    if found is None:
        raise Refused(UploadRefusal.BROKEN)
    return found.start()


def _is_a_film(tail: bytes) -> bool:
    """The short film some telephones put behind a photograph: boxes up to the end, the first of them a film's."""
    at = 0
    while at + _BOX.size <= len(tail):
        size, kind = _BOX.unpack_from(tail, at)
        if kind not in _BOXES or size < _BOX.size:
            return False
        at += size
    return at == len(tail) and tail[4:8] == b"ftyp"


def check_png(data: bytes) -> None:
    """Chunk by chunk to the end of the picture, which is the end of the file.

    Raises:
        Refused: BROKEN, MIXED, or UNPACKS: much more data than the picture has room for.
        struct.error: it is cut off.
    """
    at, packed, kind = len(_PNG), 0, b""
    while kind != b"IEND":
        length, kind = _BOX.unpack_from(data, at)
        body = memoryview(data)[at + 8 : at + 8 + length]
        (crc,) = struct.unpack_from(">L", data, at + 8 + length)
        if zlib.crc32(body, zlib.crc32(kind)) != crc or (at == len(_PNG)) != (kind == b"IHDR"):
            raise Refused(UploadRefusal.BROKEN)
        packed += length if kind == b"IDAT" else 0
        at += 12 + length
    if data[at:].strip(b"\x00"):
        raise Refused(UploadRefusal.MIXED)
    width, height = struct.unpack_from(">LL", data, len(_PNG) + 8)
    if packed > width * height * 8 + height * 9 + 1_024 + (width * height >> 8):
        raise Refused(UploadRefusal.UNPACKS)
