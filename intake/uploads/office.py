"""DOCX, XLSX, ODT and ODS: the right parts in the package, and none that would do something (ECMA-376, ODF 1.3 part 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from intake.uploads.kinds import FORMATS, RUNNABLE, FileFormat, Refused, UploadRefusal
from intake.uploads.packages import Member, Package

_TYPES: Final = "[Content_Types].xml"
_MAIN: Final = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml": FileFormat.DOCX,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml": FileFormat.XLSX,
}
_MIMETYPES: Final = {FORMATS[kind].media_type.encode(): kind for kind in (FileFormat.ODT, FileFormat.ODS)}
_ODF_NEEDS: Final = ("content.xml", "META-INF/manifest.xml")
_MANIFEST: Final = "META-INF/manifest.xml"
LARGEST_INDEX: Final = 4 * 1024 * 1024  # octets of a part that is read as a whole

_MACRO_TYPES: Final = re.compile(rb"vbaproject|macroenabled|macrosheet", re.IGNORECASE)
_MACRO_PARTS: Final = re.compile(
    r"(?:^|/)(?:vbaproject[^/]*\.bin|vbadata\.xml|macrosheets/.*|intlmacrosheets/.*|dialogsheets/.*)$|^(?:basic|scripts)/",
    re.IGNORECASE,
)
_ACTIVE_PARTS: Final = re.compile(r"(?:^|/)(?:activex|customui)/", re.IGNORECASE)
_XML: Final = (".xml", ".rels", ".vml")
_RUNNABLE: Final = RUNNABLE - {"xml", "bin", "svg"}
_RELATIONS: Final = ".rels"
_FAR: Final = re.compile(r"\s*(?:[a-z][a-z0-9+.-]+:|\\\\|//)", re.IGNORECASE)
_SHARE: Final = re.compile(r"\s*(?:file:/*)?[/\\]{2}|\s*file://[^/]", re.IGNORECASE)
_NEAR: Final = re.compile(r"\s*(?:file:/+)?[a-z][:|][\\/]", re.IGNORECASE)  # on a disk of its author: nothing is there
# What a program fetches by itself; a picture from the web tells its server no more than that somebody looks at it.
_FETCHED: Final = (
    ("/attachedTemplate", _FAR),
    ("/oleObject", _FAR),
    ("/subDocument", _FAR),
    ("/frame", _FAR),
    ("/image", _SHARE),
)

_ENTITY: Final = tuple("<!ENTITY".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
_DOCTYPE: Final = tuple("<!DOCTYPE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
_HIDDEN_PROGRAM: Final = "\x01Ole10Native".encode("utf-16-le")
_OVERLAP: Final = max(map(len, (*_ENTITY, _HIDDEN_PROGRAM))) - 1
_LONGEST_SIGN: Final = 16
_ARCHIVES: Final = (b"PK\x03\x04", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"MSCF\x00", b"\x1f\x8b\x08")
_PROGRAMS: Final = (b"MZ", b"\x7fELF")
_COMPOUND: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_EMBEDDINGS: Final = re.compile(r"^(?:word|xl)/embeddings/[^/]+\.(?:docx|xlsx)$", re.IGNORECASE)


def office_kind(package: Package) -> FileFormat | None:
    """What the package says it is, and has the parts of; None: something else.

    Raises:
        Refused: MACROS: one of these with macros by its type; BROKEN, UNPACKS.
    """
    first = min(package.members, key=lambda member: member.at, default=None)
    if first is not None and first.name == "mimetype":
        kind = _MIMETYPES.get(package.read("mimetype", LARGEST_INDEX).strip())
        return kind if first.method == 0 and all(part in package for part in _ODF_NEEDS) else None
    types = package.read(_TYPES, LARGEST_INDEX)
    if not types:
        return None
    if _MACRO_TYPES.search(types):
        raise Refused(UploadRefusal.MACROS)
    return _main_part(package, types)


def check_office(package: Package, kind: FileFormat) -> None:
    """Look at every part of it.

    Raises:
        Refused: MACROS, ACTIVE, EMBEDDED, ENCRYPTED, UNPACKS or BROKEN.
    """
    if _MIMETYPES.get(FORMATS[kind].media_type.encode()) and b"encryption-data" in package.read(
        _MANIFEST, LARGEST_INDEX
    ):
        raise Refused(UploadRefusal.ENCRYPTED)
    for member in package.members:
        _check_name(member.name)
        _check_content(package, member)
        if member.name.lower().endswith(_RELATIONS):
            _check_relations(package.read(member.name, LARGEST_INDEX))


def _main_part(package: Package, types: bytes) -> FileFormat | None:
    for element in _elements(types):
        kind = _MAIN.get(element.get("ContentType", ""))
        if kind and element.get("PartName", "").lstrip("/") in package:
            return kind
    return None


def _elements(xml: bytes) -> Iterator[Element]:
    """All elements of a small part. No document type gets to the parser, so no entity does."""
    if any(sign in xml for sign in _DOCTYPE):
        raise Refused(UploadRefusal.ACTIVE)
    try:
        return fromstring(xml).iter()  # noqa: S314 - bounded, and without a document type
    except (ParseError, ValueError, LookupError) as error:
        raise Refused(UploadRefusal.BROKEN) from error


def _check_name(name: str) -> None:
    if _MACRO_PARTS.search(name):
        raise Refused(UploadRefusal.MACROS)
    if _ACTIVE_PARTS.search(name):
        raise Refused(UploadRefusal.ACTIVE)
    if name.lower().rpartition(".")[2] in _RUNNABLE and "." in name:
        raise Refused(UploadRefusal.EMBEDDED)


def _check_content(package: Package, member: Member) -> None:
    """All of it is unpacked once, and nothing is kept."""
    before, head, hides = b"", b"", False
    is_xml = member.name.lower().endswith(_XML)
    for piece in package.unpacked(member):
        head += piece[: _LONGEST_SIGN - len(head)]
        joined = before + piece
        if is_xml and any(sign in joined for sign in _ENTITY):
            raise Refused(UploadRefusal.ACTIVE)
        hides = hides or _HIDDEN_PROGRAM in joined
        before = joined[-_OVERLAP:]
    _check_beginning(head, member.name)
    if hides and head.startswith(_COMPOUND):
        raise Refused(UploadRefusal.EMBEDDED)


def _check_beginning(head: bytes, name: str) -> None:
    if head.startswith(_PROGRAMS) and not name.lower().endswith(_XML):
        raise Refused(UploadRefusal.EMBEDDED)
    if head.startswith(_ARCHIVES) and not (_EMBEDDINGS.match(name) and head.startswith(b"PK")):
        raise Refused(UploadRefusal.EMBEDDED)


def _check_relations(xml: bytes) -> None:
    """Links that a reader clicks are let be; what a program would fetch by itself from another machine is not."""
    for element in _elements(xml):
        if element.get("TargetMode", "") != "External":
            continue
        target, kind = element.get("Target", ""), element.get("Type", "")
        if any(kind.endswith(end) and where.match(target) for end, where in _FETCHED) and not _NEAR.match(target):
            raise Refused(UploadRefusal.ACTIVE)
