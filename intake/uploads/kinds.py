"""The kinds of files that may be handed in, what is found in one, and why one is refused."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class FileFormat(enum.StrEnum):
    """What a file truly is (after circular 22/2013/TT-BTTTT); the names are those of the setting `intake.formats`."""

    PDF = "pdf"
    JPG = "jpg"
    PNG = "png"
    TIF = "tif"
    DOCX = "docx"
    XLSX = "xlsx"
    ODT = "odt"
    ODS = "ods"
    DOC = "doc"
    XLS = "xls"
    RTF = "rtf"


class UploadRefusal(enum.StrEnum):
    """Why a file is not taken: what is wrong with it, and at the end what is wrong with us."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_ALLOWED = "not_allowed"  # none of the kinds that are taken, whatever it is called
    MISNAMED = "misnamed"  # it is called what it is not
    BROKEN = "broken"  # not whole, or not as a program writes it
    MIXED = "mixed"  # there is something in front of, behind or hidden in it that does not belong to it
    ENCRYPTED = "encrypted"
    ACTIVE = "active"  # it would do something when it is opened
    MACROS = "macros"
    EMBEDDED = "embedded"  # other files are in it
    UNPACKS = "unpacks"  # a small file that would be a very large one
    TOO_MANY_PIXELS = "too_many_pixels"
    UNSAFE_PATHS = "unsafe_paths"  # names in it that lead out of where it is unpacked
    TOO_SLOW = "too_slow"
    BUSY = "busy"  # too many wait already
    FAILED = "failed"  # it could not be looked into


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What a file is. `name` is fit to be kept, shown and offered for download: it ends as its kind does."""

    format: FileFormat
    media_type: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRow:
    """`endings`: of file names, without the dot; the first is the one that is given."""

    media_type: str
    endings: tuple[str, ...]


_OOXML = "application/vnd.openxmlformats-officedocument"
_ODF = "application/vnd.oasis.opendocument"

FORMATS: Final[Mapping[FileFormat, FormatRow]] = {
    FileFormat.PDF: FormatRow(media_type="application/pdf", endings=("pdf",)),
    FileFormat.JPG: FormatRow(media_type="image/jpeg", endings=("jpg", "jpeg", "jpe", "jfif")),
    FileFormat.PNG: FormatRow(media_type="image/png", endings=("png",)),
    FileFormat.TIF: FormatRow(media_type="image/tiff", endings=("tif", "tiff")),
    FileFormat.DOCX: FormatRow(media_type=f"{_OOXML}.wordprocessingml.document", endings=("docx",)),
    FileFormat.XLSX: FormatRow(media_type=f"{_OOXML}.spreadsheetml.sheet", endings=("xlsx",)),
    FileFormat.ODT: FormatRow(media_type=f"{_ODF}.text", endings=("odt",)),
    FileFormat.ODS: FormatRow(media_type=f"{_ODF}.spreadsheet", endings=("ods",)),
    FileFormat.DOC: FormatRow(media_type="application/msword", endings=("doc",)),
    FileFormat.XLS: FormatRow(media_type="application/vnd.ms-excel", endings=("xls",)),
    FileFormat.RTF: FormatRow(media_type="application/rtf", endings=("rtf",)),
}

PICTURES: Final = frozenset({FileFormat.JPG, FileFormat.PNG, FileFormat.TIF})

# What is opened by a program, run by a shell or shown by a browser when a name ends so.
_RUNNABLE: Final = (
    "apk app asp aspx bat bin cgi chm cmd com cpl dll dmg exe gadget hlp hta htm html iso jar jnlp js jse jsp lnk mht"
    " mhtml msc msi msp mst phar php php3 php4 php5 phtml pif pl ps1 psm1 py rb reg scf scr sct settingcontent-ms sh shs"
    " shtml svg swf sys url vb vbe vbs wasm ws wsc wsf wsh xhtml xll xht xml xsl"
)
_OTHERS: Final = (
    "7z arj bmp bz2 cab csv doc docm dot dotm dotx eml epub gif gz heic heif ics lzh mdb mov mp3 mp4 msg odb odg odp otp"
    " ots ott pot potm potx pps ppsm ppsx ppt pptm pptx psd rar slk tar tgz txt vcf webp xlam xls xlsb xlsm xlt xltm xltx"
    " xps xz z zip zst"
)
RUNNABLE: Final = frozenset(_RUNNABLE.split())
ENDINGS: Final = RUNNABLE | frozenset(_OTHERS.split()) | {ending for row in FORMATS.values() for ending in row.endings}


class Refused(Exception):
    """Raised by who looks into a file; `look_into` gives its `why`."""

    def __init__(self, why: UploadRefusal) -> None:
        super().__init__(why.value)
        self.why = why
