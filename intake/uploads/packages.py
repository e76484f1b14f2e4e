"""A ZIP as an office program writes it: every octet accounted for, every size true, no name leading anywhere.

zipfile reads what it can find; this refuses what has no reason to be there (members over one another, gaps, data in front
or behind, two names for one member, sizes that lie), so that whatever opens the file later sees what was looked at here.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from intake.uploads.kinds import Refused, UploadRefusal

_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_END_64: Final = 56 + 20  # a record and its locator that some writers add without need
_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
_SIZE_FOLLOWS: Final = 0x0008
_NAME_IN_UTF_8: Final = 0x0800
_FOLLOWING: Final = frozenset({0, 12, 16, 20, 24})  # octets of sizes that follow a member
_FULL: Final = 0xFFFFFFFF
_UNSAFE_NAME: Final = re.compile(r"[\x00-\x1f\\:\x7f]|^/|//|(?:^|/)\.{1,2}(?:/|$)|[. ](?:/|$)")

MOST_MEMBERS: Final = 4_000
MOST_UNPACKED: Final = 300 * 1024 * 1024  # octets of all members
MOST_TIMES: Final = 250  # as much as what came, beyond ALWAYS_FINE
ALWAYS_FINE: Final = 10 * 1024 * 1024
LONGEST_NAME: Final = 250
_PIECE: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in the package, as its directory tells of it. `at`: where it begins; `packed` and `size` are octets."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    at: int


class Package:
    """The members of a ZIP.

    Raises:
        Refused: BROKEN, MIXED, ENCRYPTED, UNPACKS or UNSAFE_PATHS.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.members = _directory(data)
        _check_sizes(self.members, len(data))
        self._starts = _check_places(data, self.members)
        self._by_name = {member.name: member for member in self.members}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def read(self, name: str, most: int) -> bytes:
        """One member as a whole; b"" when it is not there.

        Raises:
            Refused: UNPACKS: it is more than `most`. BROKEN.
        """
        member = self._by_name.get(name)
        if member is None:
            return b""
        if member.size > most:
            raise Refused(UploadRefusal.UNPACKS)
        return b"".join(self.unpacked(member))

    def unpacked(self, member: Member) -> Iterator[bytes]:
        """A member piece by piece; never more than it was said to be.

        Raises:
            Refused: UNPACKS: there is more. BROKEN: there is less, or something else.
        """
        start = self._starts[member.name]
        packed = memoryview(self._data)[start : start + member.packed]
        size, crc = 0, 0
        for piece in _inflated(packed) if member.method == _DEFLATED else _cut(packed):
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            if size > member.size:
                raise Refused(UploadRefusal.UNPACKS)
            yield piece
        if (size, crc) != (member.size, member.crc):
            raise Refused(UploadRefusal.BROKEN)


def _cut(packed: memoryview) -> Iterator[bytes]:
    for place in range(0, len(packed), _PIECE):
        yield bytes(packed[place : place + _PIECE])


def _inflated(packed: memoryview) -> Iterator[bytes]:
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for rest in _cut(packed):
            piece = machine.decompress(rest, _PIECE)
            yield piece
            while machine.unconsumed_tail:
                yield machine.decompress(machine.unconsumed_tail, _PIECE)
        while piece := machine.decompress(machine.unconsumed_tail, _PIECE):
            yield piece
    except zlib.error as error:
        raise Refused(UploadRefusal.BROKEN) from error
    if not machine.eof or machine.unused_data:
        raise Refused(UploadRefusal.BROKEN)


def _directory(data: bytes) -> tuple[Member, ...]:
    """What its directory tells, which stands at the very end."""
    end = len(data) - _END.size
    if end < 0 or not data.startswith(b"PK\x05\x06", end):
        raise Refused(UploadRefusal.MIXED if b"PK\x05\x06" in data else UploadRefusal.BROKEN)
    _, disk, first_disk, here, count, size, at, comment = _END.unpack_from(data, end)
    if disk or first_disk or here != count or comment:
        raise Refused(UploadRefusal.BROKEN)
    if count > MOST_MEMBERS or size > MOST_MEMBERS * (_CENTRAL.size + LONGEST_NAME):
        raise Refused(UploadRefusal.UNPACKS)
    if not _reaches_the_end(data, at + size, end):
        raise Refused(UploadRefusal.MIXED)
    members = tuple(_central(data, at, at + size))
    if len(members) != count:
        raise Refused(UploadRefusal.BROKEN)
    return members


def _reaches_the_end(data: bytes, directory_end: int, end: int) -> bool:
    return directory_end == end or (directory_end == end - _END_64 and data.startswith(b"PK\x06\x06", directory_end))


def _central(data: bytes, at: int, until: int) -> Iterator[Member]:
    while at < until:
        if until - at < _CENTRAL.size or not data.startswith(b"PK\x01\x02", at):
            raise Refused(UploadRefusal.BROKEN)
        (_, _, _, flags, method, _, _, crc, packed, size, named, extra, comment, disk, _, outer, place) = (
            _CENTRAL.unpack_from(data, at)
        )
        raw_name = data[at + _CENTRAL.size : at + _CENTRAL.size + named]
        packed, size, place = _true_sizes(data[at + _CENTRAL.size + named :][:extra], packed, size, place)
        _check_kind(flags, method, outer >> 16, disk)
        yield Member(
            name=_checked_name(raw_name, flags),
            raw_name=raw_name,
            flags=flags,
            method=method,
            crc=crc,
            packed=packed,
            size=size,
            at=place,
        )
        at += _CENTRAL.size + named + extra + comment


def _true_sizes(extra: bytes, packed: int, size: int, place: int) -> tuple[int, int, int]:
    """Those that are too large for their fields stand in a field of their own."""
    if _FULL not in (packed, size, place):
        return packed, size, place
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            size, packed, place = (next(wide, _FULL) if each == _FULL else each for each in (size, packed, place))
            return packed, size, place
        at += 4 + length
    return packed, size, place


def _check_kind(flags: int, method: int, mode: int, disk: int) -> None:
    if flags & _ENCRYPTED or method == 99:  # noqa: PLR2004 - AES, as WinZip marks it
        raise Refused(UploadRefusal.ENCRYPTED)
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(UploadRefusal.UNSAFE_PATHS)
    if method not in (_STORED, _DEFLATED) or disk:
        raise Refused(UploadRefusal.BROKEN)


def _checked_name(raw: bytes, flags: int) -> str:
    try:
        name = raw.decode("utf-8" if flags & _NAME_IN_UTF_8 else "cp437")
    except UnicodeDecodeError as error:
        raise Refused(UploadRefusal.BROKEN) from error
    if not name or len(raw) > LONGEST_NAME or _UNSAFE_NAME.search(name):
        raise Refused(UploadRefusal.UNSAFE_PATHS)
    return name


def _check_sizes(members: tuple[Member, ...], came: int) -> None:
    total = sum(member.size for member in members)
    if total > MOST_UNPACKED or total > came * MOST_TIMES + ALWAYS_FINE:
        raise Refused(UploadRefusal.UNPACKS)
    if len({member.name.casefold() for member in members}) != len(members):
        raise Refused(UploadRefusal.BROKEN)


def _check_places(data: bytes, members: tuple[Member, ...]) -> dict[str, int]:
    """Where the data of each begins; they follow one another from the first octet to the directory."""
    starts: dict[str, int] = {}
    expected, may_follow = 0, frozenset({0})
    for member in sorted(members, key=lambda each: each.at):
        if member.at < expected:
            raise Refused(UploadRefusal.UNPACKS)  # one over another: the way of the smallest bombs
        if member.at - expected not in may_follow:
            raise Refused(UploadRefusal.MIXED)
        start = starts[member.name] = _start(data, member)
        expected = start + member.packed
        may_follow = _FOLLOWING if member.flags & _SIZE_FOLLOWS else frozenset({0})
    directory = _END.unpack_from(data, len(data) - _END.size)[6]
    if directory - expected not in may_follow:
        raise Refused(UploadRefusal.MIXED if directory > expected else UploadRefusal.UNPACKS)
    return starts


def _start(data: bytes, member: Member) -> int:
    """What stands before the member says the same of it as the directory."""
    if member.at + _LOCAL.size > len(data):
        raise Refused(UploadRefusal.BROKEN)
    named: int
    extra: int
    sign, _, flags, method, _, _, _, _, _, named, extra = _LOCAL.unpack_from(data, member.at)
    name = data[member.at + _LOCAL.size : member.at + _LOCAL.size + named]
    if sign != b"PK\x03\x04" or name != member.raw_name or method != member.method or flags & _ENCRYPTED:
        raise Refused(UploadRefusal.BROKEN)
    return member.at + _LOCAL.size + named + extra
