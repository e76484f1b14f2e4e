"""A file, looked into: what it truly is by how it is built, not by its name or by what a browser says of it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from intake.uploads.compound import MAGIC, Compound
from intake.uploads.foreign import refuse_foreign
from intake.uploads.kinds import FORMATS, FileFormat, Refused, Sniffed, UploadRefusal
from intake.uploads.names import claimed_ending, safe_file_name
from intake.uploads.office import check_office, office_kind
from intake.uploads.old_office import check_old, old_kind
from intake.uploads.packages import Package
from intake.uploads.pdf import check_pdf
from intake.uploads.pictures import check_picture
from intake.uploads.rtf import check_rtf

LARGEST: Final = 64 * 1024 * 1024  # octets of a file that is looked into
_PDF_SOMEWHERE: Final = 1_024  # octets in which lenient readers look for the beginning of a PDF
# What reading a file that lies may raise.
_DAMAGES: Final = (struct.error, zlib.error, IndexError, KeyError, ValueError, OverflowError, RecursionError)

_Check = Callable[[], None]


def look_into(path: Path, name: str, allowed: Collection[str]) -> Sniffed | UploadRefusal:
    """What this file is, or why it is not taken. `allowed`: names of FileFormat. It reads all of it, and may take seconds
    and hundreds of megabytes over a hostile one: `intake.uploads.inspecting` runs it where that harms nobody.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size == 0:
        return UploadRefusal.EMPTY
    if size > LARGEST:
        return UploadRefusal.TOO_LARGE
    data = path.read_bytes()
    try:
        kind = _looked(data, name, allowed)
    except Refused as refused:
        return refused.why
    except _DAMAGES:
        return UploadRefusal.BROKEN
    except MemoryError:
        return UploadRefusal.UNPACKS
    return Sniffed(format=kind, media_type=FORMATS[kind].media_type, name=safe_file_name(name, kind))


def _looked(data: bytes, name: str, allowed: Collection[str]) -> FileFormat:
    opener = next((open_it for sign, open_it in _OPENERS.items() if data.startswith(sign)), None)
    if opener is None:
        raise Refused(UploadRefusal.MIXED if b"%PDF-" in data[:_PDF_SOMEWHERE] else UploadRefusal.NOT_ALLOWED)
    kind, check = opener(data)
    if kind is None or kind not in allowed:
        raise Refused(UploadRefusal.NOT_ALLOWED)
    if claimed_ending(name) not in ("", *FORMATS[kind].endings):
        raise Refused(UploadRefusal.MISNAMED)
    check()
    refuse_foreign(data, kind)
    return kind


def _pdf(data: bytes) -> tuple[FileFormat | None, _Check]:
    return FileFormat.PDF, lambda: check_pdf(data)


def _rtf(data: bytes) -> tuple[FileFormat | None, _Check]:
    return FileFormat.RTF, lambda: check_rtf(data)


def _picture(kind: FileFormat) -> Callable[[bytes], tuple[FileFormat | None, _Check]]:
    return lambda data: (kind, lambda: check_picture(data, kind))


def _package(data: bytes) -> tuple[FileFormat | None, _Check]:
    package = Package(data)
    kind = office_kind(package)
    return kind, lambda: check_office(package, kind) if kind else None


def _compound(data: bytes) -> tuple[FileFormat | None, _Check]:
    compound = Compound(data)
    kind = old_kind(compound)
    return kind, lambda: check_old(compound, kind) if kind else None


_OPENERS: Final[Mapping[bytes, Callable[[bytes], tuple[FileFormat | None, _Check]]]] = {
    b"%PDF-": _pdf,
    b"\xff\xd8\xff": _picture(FileFormat.JPG),
    b"\x89PNG\r\n\x1a\n": _picture(FileFormat.PNG),
    b"II*\x00": _picture(FileFormat.TIF),
    b"MM\x00*": _picture(FileFormat.TIF),
    b"PK\x03\x04": _package,
    MAGIC: _compound,
    b"{\\rtf": _rtf,
}
