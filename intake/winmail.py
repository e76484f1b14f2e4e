"""winmail.dat: the wrapping in which Outlook sends files to those who do not use it ([MS-OXTNEF])."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from intake.mail_parts import decoded

_MAGIC: Final = 0x223E9F78
_ATTRIBUTE: Final = struct.Struct("<BLL")
_FILE_BEGINS, _TITLE, _CONTENT, _PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_LONG_NAME: Final = 0x3707
_NAMED: Final = 0x8000
_FIXED: Final = {2: 4, 3: 4, 4: 4, 0xB: 4, 0xA: 4, 5: 8, 6: 8, 7: 8, 0x14: 8, 0x40: 8, 0x48: 16}
_COUNTED: Final = frozenset({0x1E, 0x1F, 0x102, 0x0D})
_UNICODE: Final = 0x1F
MOST_FILES: Final = 100
_MOST_ATTRIBUTES: Final = 5_000
_MOST_PROPERTIES: Final = 500


def is_winmail(data: bytes) -> bool:
    """By how it begins."""
    return data[:4] == struct.pack("<L", _MAGIC)


def files_of_winmail(data: bytes) -> tuple[list[tuple[str, bytes]], bool]:
    """The files in it by name, and whether it was whole."""
    files: list[list[object]] = []
    whole = False
    try:
        for kind, body in _attributes(data):
            if kind == _FILE_BEGINS:
                if len(files) == MOST_FILES:
                    break
                files.append(["", b""])
            elif files and kind == _TITLE:
                files[-1][0] = files[-1][0] or _text(body)
            elif files and kind == _CONTENT:
                files[-1][1] = body
            elif files and kind == _PROPERTIES:
                files[-1][0] = _long_name(body) or files[-1][0]
        else:
            whole = True
    except (struct.error, ValueError):
        whole = False
    return [(str(name), bytes(content)) for name, content in files if isinstance(content, bytes)], whole


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 6  # the sign and a key
    for _ in range(_MOST_ATTRIBUTES):
        if place == len(data):
            return
        _, kind, length = _ATTRIBUTE.unpack_from(data, place)
        place += _ATTRIBUTE.size
        body = data[place : place + length]
        (told,) = struct.unpack_from("<H", data, place + length)
        if sum(body) & 0xFFFF != told:
            raise ValueError("a sum is wrong")
        yield kind, body
        place += length + 2
    raise ValueError("more attributes than a letter has")


def _long_name(body: bytes) -> str:
    """The name as its sender saw it, among the properties of a file."""
    (count,) = struct.unpack_from("<L", body)
    place = 4
    for _ in range(min(count, _MOST_PROPERTIES)):
        kind, identifier = struct.unpack_from("<HH", body, place)
        place = _behind_the_name(body, place + 4) if identifier >= _NAMED else place + 4
        if kind in _FIXED:
            place += _FIXED[kind]
        elif kind in _COUNTED:
            value, place = _counted(body, place)
            if identifier == _LONG_NAME:
                return value.decode("utf-16-le", "replace").rstrip("\x00") if kind == _UNICODE else _text(value)
        else:
            return ""  # several values, or a kind of its own: the short name will do
    return ""


def _behind_the_name(body: bytes, place: int) -> int:
    (by_name,) = struct.unpack_from("<L", body, place + 16)
    (length,) = struct.unpack_from("<L", body, place + 20)
    return place + 24 + (_padded(length) if by_name else 0)


def _counted(body: bytes, place: int) -> tuple[bytes, int]:
    """The first of its values; others are passed by."""
    (values,) = struct.unpack_from("<L", body, place)
    place, first = place + 4, b""
    for number in range(min(values, _MOST_PROPERTIES)):
        (length,) = struct.unpack_from("<L", body, place)
        first = first if number else body[place + 4 : place + 4 + length]
        place += 4 + _padded(length)
    return first, place


def _padded(length: int) -> int:
    return -(-length // 4) * 4


def _text(octets: bytes) -> str:
    return decoded(octets.split(b"\x00", 1)[0], "")[0]
