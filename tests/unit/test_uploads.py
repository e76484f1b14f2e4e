"""What a file truly is: honest ones are taken under a name of their kind, everything else is refused with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.intake import FileFormat as NamedInSettings
from intake.uploads import FORMATS, FileFormat, Sniffed, UploadRefusal, safe_file_name
from intake.uploads.kinds import ENDINGS
from intake.uploads.looking import LARGEST, look_into
from intake.uploads.names import LONGEST_NAME, MOST_OCTETS, claimed_ending
from tests.unit.handing_in import HONEST, docx, docx_parts, odf, pages, pdf, picture, zipped

ALL = frozenset(FileFormat)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "file"


def looked(place: Path, data: bytes, name: str = "", allowed: frozenset[str] = ALL) -> Sniffed | UploadRefusal:
    place.write_bytes(data)
    return look_into(place, name, allowed)


# What is none of the kinds.

STRANGE = {
    "a program of Windows": b"MZ" + bytes(200),
    "a program of Linux": b"\x7fELF\x02\x01\x01" + bytes(200),
    "a page": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "a drawing with script": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a script": b"alert(document.cookie)",
    "a script of a server": b"<?php system($_GET['c']); ?>",
    "a script of a shell": b"#!/bin/sh\nrm -rf /\n",
    "a RAR": b"Rar!\x1a\x07\x01\x00" + bytes(100),
    "a 7z": b"7z\xbc\xaf\x27\x1c" + bytes(100),
    "a gzip": b"\x1f\x8b\x08" + bytes(100),
    "a GIF": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "text": "Đơn xin cấp phép".encode(),
    "one octet": b"%",
    "a large TIFF": b"II+\x00" + bytes(100),
}


@pytest.mark.parametrize("ending", ["pdf", "jpg", "docx", "doc", "rtf", ""])
@pytest.mark.parametrize("what", STRANGE)
def test_what_is_none_of_the_kinds_is_refused_whatever_it_is_called(place: Path, what: str, ending: str) -> None:
    assert looked(place, STRANGE[what], f"don.{ending}") is UploadRefusal.NOT_ALLOWED


def test_an_archive_of_files_is_none_of_the_kinds(place: Path) -> None:
    assert looked(place, zipped({"don.pdf": pdf()}), "don.docx") is UploadRefusal.NOT_ALLOWED
    slides = docx_parts("application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml")
    assert looked(place, zipped(slides), "don.docx") is UploadRefusal.NOT_ALLOWED
    template = docx_parts("application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml")
    assert looked(place, zipped(template), "don.docx") is UploadRefusal.NOT_ALLOWED
    assert looked(place, odf("presentation"), "don.odt") is UploadRefusal.NOT_ALLOWED


def test_an_empty_file_is_refused_as_empty(place: Path) -> None:
    assert looked(place, b"", "don.pdf") is UploadRefusal.EMPTY


def test_a_file_larger_than_anything_taken_is_not_read(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(LARGEST + 1)
    assert look_into(place, "don.pdf", ALL) is UploadRefusal.TOO_LARGE


@pytest.mark.parametrize("kind", FileFormat)
def test_a_kind_the_province_does_not_take_is_refused(place: Path, kind: FileFormat) -> None:
    assert looked(place, HONEST[kind](), f"don.{kind}", ALL - {kind}) is UploadRefusal.NOT_ALLOWED


@pytest.mark.parametrize("kind", FileFormat)
def test_a_file_that_is_called_what_it_is_not_is_refused(place: Path, kind: FileFormat) -> None:
    place.write_bytes(HONEST[kind]())
    wrong = ENDINGS - set(FORMATS[kind].endings)
    told = {look_into(place, f"Đơn xin.{ending}", ALL) for ending in wrong}
    told |= {look_into(place, f"Đơn xin.{ending.upper()}", ALL) for ending in wrong}
    assert told == {UploadRefusal.MISNAMED}


def test_no_octets_are_no_error_of_ours() -> None:
    with pytest.raises(FileNotFoundError):
        look_into(Path("no/such/file"), "don.pdf", ALL)


# Honest ones.


@pytest.mark.parametrize("kind", FileFormat)
def test_an_honest_file_is_taken_as_what_it_is(place: Path, kind: FileFormat) -> None:
    for ending in (*FORMATS[kind].endings, FORMATS[kind].endings[0].upper()):
        assert looked(place, HONEST[kind](), f"Đơn xin số 12.{ending}") == Sniffed(
            format=kind,
            media_type=FORMATS[kind].media_type,
            name=f"Đơn xin số 12.{FORMATS[kind].endings[0]}",
        )


@pytest.mark.parametrize("name", ["", "scan", "Hồ sơ số 12.3", "Đơn xin. cấp phép", "IMG_20260801"])
def test_a_name_without_an_ending_gets_the_right_one(place: Path, name: str) -> None:
    found = looked(place, pdf(), name)
    assert isinstance(found, Sniffed)
    assert found.name == f"{name or 'tep'}.pdf"


HONEST_VARIANTS = {
    "a JPEG in steps": lambda: picture("JPEG", progressive=True),
    "a JPEG with a word of its program": lambda: picture("JPEG", comment=b"Created with GIMP"),
    "a JPEG of one dot": lambda: picture("JPEG", (1, 1)),
    "a JPEG with padding": lambda: picture("JPEG") + bytes(512),
    "a JPEG with a smaller one behind": lambda: picture("JPEG", (640, 480)) + picture("JPEG"),
    "a JPEG of a Samsung": lambda: (
        picture("JPEG") + b"\x00\x00\x01\x0a\x0e\x00\x00\x00Image_UTC_Data1756SEFH" + b"SEFT"
    ),
    "a JPEG with a film behind": lambda: (
        picture("JPEG") + b"\x00\x00\x00\x10ftypisom" + bytes(4) + b"\x00\x00\x00\x08mdat"
    ),
    "a PNG of one dot": lambda: picture("PNG", (1, 1)),
    "a TIFF of 40 sheets": lambda: pages(40),
    "a PDF with an object stream": lambda: pdf(b"<< /Length 3 >>\nstream\nq Q\nendstream"),
    "a PDF with a line behind": lambda: pdf(end=b"\r\n\r\n"),
    "a PDF with a link": lambda: pdf(b"<< /Type /Annot /A << /S /URI /URI (https://dichvucong.gov.vn) >> >>"),
    "a document with a document in it": lambda: docx(word__embeddings__Sheet1_dot_xlsx=zipped({"a": b"b"})),
}


@pytest.mark.parametrize("what", HONEST_VARIANTS)
def test_what_programs_and_cameras_make_is_taken(place: Path, what: str) -> None:
    assert isinstance(looked(place, HONEST_VARIANTS[what]()), Sniffed)


# Names.

TYPED = {
    "../../etc/passwd": "passwd",
    "..\\..\\windows\\system32\\drivers\\etc\\hosts": "hosts",
    "/etc/shadow": "shadow",
    "C:\\Users\\Lan\\Desktop\\Đơn xin.pdf": "Đơn xin",
    "\\\\server\\share\\don.pdf": "don",
    "....//....//don.pdf": "don",
    "don.pdf/../../evil": "evil",
    "./don.pdf": "don",
    "..": "tep",
    ".": "tep",
    "/": "tep",
    "": "tep",
    "   ": "tep",
    ".htaccess": "htaccess",
    ".pdf": "tep",
    "-rf.pdf": "rf",
    "~root.pdf": "root",
    "don\x00.pdf": "don",
    "don\r\nSet-Cookie: a=b.pdf": "don Set-Cookie_ a=b",
    "don\u202efdp.pdf": "donfdp",
    "\u2066don\u2069\u200b.pdf": "don",
    "don\uff0fa\uff3cb.pdf": "don_a_b",
    "a\u2044b\u2215c.pdf": "a_b_c",
    "%2e%2e%2fdon.pdf": "2e_2e_2fdon",
    'a"b<c>d|e?f*g.pdf': "a_b_c_d_e_f_g",
    "don.php.pdf": "don_php",
    "don.pdf.exe.pdf": "don_pdf_exe",
    "don.pdf:evil": "don_pdf_evil",
    "`id`$(id);&don.pdf": "id__(id)__don",
    "CON.pdf": "_CON",
    "nul": "_nul",
    "com1.tai.lieu.pdf": "_com1.tai.lieu",
    "LPT¹.pdf": "_LPT¹",
    "aux .pdf": "_aux",
    "don.pdf. . .": "don",
    "D\u031bon xin ca\u0302\u0301p.pdf": "D\u031bon xin cấp",
    "\udcff\ud800don.pdf": "don",
    "ទម្រង់.pdf": "ទម្រង់",
}


@pytest.mark.parametrize("typed", TYPED)
def test_a_name_leads_nowhere_and_hides_nothing(typed: str) -> None:
    assert safe_file_name(typed, FileFormat.PDF) == f"{TYPED[typed]}.pdf"


@pytest.mark.parametrize(
    ("typed", "ending"),
    [
        ("don.pdf", "pdf"),
        ("don.PDF", "pdf"),
        ("don.pdf.exe", "exe"),
        ("don.exe\u200b", "exe"),
        ("don.exe. .", "exe"),
        ("don\u202efdp.exe", "exe"),
        ("don．ｅｘｅ", "exe"),
        ("don.pdf:evil.exe", "exe"),
        ("don.pdf\x00.exe", "exe"),
        ("don.pdf/evil.exe", "exe"),
        ("a.exe/", "exe"),
        ("Hồ sơ 12.3", ""),
        ("don", ""),
        ("", ""),
    ],
)
def test_the_ending_a_reader_would_see_counts(typed: str, ending: str) -> None:
    assert claimed_ending(typed) == ending


@given(typed=st.text(max_size=300), kind=st.sampled_from(FileFormat))
def test_any_name_becomes_one_that_every_machine_can_write(typed: str, kind: FileFormat) -> None:
    made = safe_file_name(typed, kind)
    assert made.endswith(f".{FORMATS[kind].endings[0]}")
    assert len(made) <= LONGEST_NAME
    assert len(made.encode()) <= MOST_OCTETS + 5
    assert made.isprintable()
    assert not set(made) & set('/\\:*?"<>|')
    assert made[0] not in ".-~ "
    assert safe_file_name(made, kind) == made
    claimed_ending(typed)


def test_a_long_name_is_cut_where_no_letter_comes_apart() -> None:
    made = safe_file_name("ទ្រ" * 200, FileFormat.DOCX)
    assert len(made) <= LONGEST_NAME
    assert made.removesuffix(".docx").endswith("ទ្រ")
    assert len(safe_file_name("Đ" * 4_000, FileFormat.PDF)) <= LONGEST_NAME


def test_the_settings_name_every_kind() -> None:
    assert set(get_args(NamedInSettings)) == {kind.value for kind in FileFormat} == {kind.value for kind in FORMATS}
