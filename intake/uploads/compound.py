"""Compound files (OLE2): the folder inside DOC and XLS, read within bounds ([MS-CFB] 2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from intake.uploads.kinds import Refused, UploadRefusal

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER: Final = struct.Struct("<8s16x5H6x9L")
_IN_HEADER: Final = 109  # sectors of the table of sectors that the header names
_ENTRY: Final = struct.Struct("<64sHBxLLL36xLQ")
_SECTOR_SIZES: Final = {3: 9, 4: 12}  # by version, as powers of two
_SMALL: Final = 6  # power of two of a small sector
_NONE: Final = 0xFFFFFFFA  # this and above are no sectors
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_NO_ENTRY: Final = 0xFFFFFFFF
MOST_ENTRIES: Final = 20_000
_SPARE_SECTORS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stream or a storage."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


class Compound:
    """A compound file.

    Raises:
        Refused: BROKEN: it is none; MIXED: there is more behind it than it knows of.
        struct.error: it is cut off.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        _, _, version, order, sector, small, *counts = _HEADER.unpack_from(data)
        _, fats, self._first_folder, _, self._cutoff, first_small, _, first_more, _ = counts
        if not data.startswith(MAGIC) or order != 0xFFFE or _SECTOR_SIZES.get(version) != sector or small != _SMALL:  # noqa: PLR2004 - little-endian
            raise Refused(UploadRefusal.BROKEN)
        self._sector = 1 << sector
        self._most = len(data) // self._sector + 1
        self._fat = self._table(self._fat_sectors(first_more, fats))
        self._refuse_a_tail()
        self._small_fat = self._table(self._chain(self._fat, first_small))
        self.entries = tuple(self._folder())

    @property
    def names(self) -> frozenset[str]:
        """Of all streams and storages, wherever they are."""
        return frozenset(entry.name for entry in self.entries if entry.kind in (_STORAGE, _STREAM))

    def root(self) -> dict[str, Entry]:
        """What stands in no storage but the outermost."""
        found: dict[int, Entry] = {}
        ahead = [self.entries[0].child]
        while ahead:
            number = ahead.pop()
            if number == _NO_ENTRY or number in found:
                continue
            if number >= len(self.entries):
                raise Refused(UploadRefusal.BROKEN)
            found[number] = self.entries[number]
            ahead += [self.entries[number].left, self.entries[number].right]
        return {entry.name: entry for entry in found.values()}

    def head(self, entry: Entry, most: int) -> bytes:
        """The first octets of a stream."""
        most = min(most, entry.size)
        if entry.size >= self._cutoff:
            return self._joined(self._chain(self._fat, entry.start), most)
        all_small = self._joined(self._chain(self._fat, self.entries[0].start), self.entries[0].size)
        width = 1 << _SMALL
        places = self._chain(self._small_fat, entry.start)
        return b"".join(all_small[place * width : (place + 1) * width] for place in places)[:most]

    def _joined(self, sectors: Iterator[int], most: int) -> bytes:
        parts, size = [], 0
        for sector in sectors:
            if size >= most:
                break
            parts.append(self._at(sector))
            size += len(parts[-1])
        return b"".join(parts)[:most]

    def _at(self, sector: int) -> bytes:
        begin = (sector + 1) * self._sector
        if begin >= len(self._data):
            raise Refused(UploadRefusal.BROKEN)
        return self._data[begin : begin + self._sector]

    def _chain(self, table: tuple[int, ...], sector: int) -> Iterator[int]:
        """The sectors that follow one another; a ring has no end."""
        count = 0
        while sector < _NONE:
            count += 1
            if sector >= len(table) or count > len(table):
                raise Refused(UploadRefusal.BROKEN)
            yield sector
            sector = table[sector]

    def _fat_sectors(self, more: int, count: int) -> Iterator[int]:
        """Where the table of sectors stands: first as the header says, then as sectors of their own do."""
        most = self._most * 4 // self._sector + _IN_HEADER
        listed = list(struct.unpack_from(f"<{_IN_HEADER}L", self._data, _HEADER.size))
        for _ in range(self._most):
            if more >= _NONE or len(listed) > most + _IN_HEADER:
                break
            *further, more = self._numbers(self._at(more))
            listed += further
        used = [sector for sector in listed if sector < _NONE]
        if len(used) > most or count > most:
            raise Refused(UploadRefusal.BROKEN)
        return iter(used)

    def _table(self, sectors: Iterator[int]) -> tuple[int, ...]:
        numbers: list[int] = []
        for sector in sectors:
            numbers += self._numbers(self._at(sector))
        return tuple(numbers)

    @staticmethod
    def _numbers(sector: bytes) -> tuple[int, ...]:
        return struct.unpack_from(f"<{len(sector) // 4}L", sector)

    def _refuse_a_tail(self) -> None:
        """Sectors that the table does not know are no part of it."""
        known = (len(self._fat) + 1 + _SPARE_SECTORS) * self._sector
        if len(self._data) > known:
            raise Refused(UploadRefusal.MIXED)

    def _folder(self) -> Iterator[Entry]:
        count = 0
        for sector in self._chain(self._fat, self._first_folder):
            for raw in _ENTRY.iter_unpack(self._at(sector)):
                count += 1
                if count > MOST_ENTRIES:
                    raise Refused(UploadRefusal.BROKEN)
                yield _entry(raw)
        if not count:
            raise Refused(UploadRefusal.BROKEN)


def _entry(raw: tuple[bytes, int, int, int, int, int, int, int]) -> Entry:
    name, length, kind, left, right, child, start, size = raw
    text = name[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
    return Entry(
        name=text, kind=kind, left=left, right=right, child=child, start=start, size=size & 0x7FFFFFFF
    )  # the upper half is rubbish in files of version 3
