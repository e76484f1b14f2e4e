"""Files of recipients: what is read, what is wrong with a row, and what is refused as a whole before anybody is hurt."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.broadcasts import file_limits, workbooks
from console.broadcasts.csv_files import csv_rows
from console.broadcasts.file_limits import LONGEST_CELL, MOST_COLUMNS, FileFault, FileRefused
from console.broadcasts.ports import FileRow
from console.broadcasts.recipients import Recipients, RowFault, RowFaultKind, columns_of, placeholder_of
from console.broadcasts.workbooks import workbook_rows
from domain.message import Address
from domain.phones import is_mobile, significant_number

HEADS = ["Họ tên", "Số điện thoại", "Ngôn ngữ"]
LAN = ["Lan", "0912 345 678", ""]


def normalise(typed: str) -> Address | None:
    digits = f"84{significant_number(typed)}"
    return Address("sms", digits) if is_mobile(digits) else None


def reader() -> Recipients:
    return Recipients(normalise=normalise, languages=frozenset({"vi", "en", "km"}))


def read(*rows: Sequence[str]) -> list[FileRow | RowFault]:
    reading = reader()
    found = list(reading.read(rows))
    reading.end()
    return found


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def workbook(*rows: Sequence[object]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def with_part(content: bytes, name: str, body: bytes) -> bytes:
    """The same workbook with another part, or another one in its place."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as after:
        for each in before.namelist():
            if each != name:
                after.writestr(each, before.read(each))
        after.writestr(name, body)
    return kept.getvalue()


# ---- CSV

TEXT = "Họ tên;Số điện thoại\r\nNguyễn Thị Lan;0912345678\r\n"
ROWS = [["Họ tên", "Số điện thoại"], ["Nguyễn Thị Lan", "0912345678"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_encoding_a_spreadsheet_writes_is_read(tmp_path: Path, encoding: str) -> None:
    assert list(csv_rows(written(tmp_path, TEXT.encode(encoding)))) == ROWS


def test_vietnamese_of_windows_is_read_with_its_tones_put_together(tmp_path: Path) -> None:
    toned = TEXT.replace("ọ", "o\u0323").replace("ố", "ô\u0301").replace("ạ", "a\u0323").replace("ễ", "ê\u0303")
    toned = toned.replace("ệ", "ê\u0323").replace("ị", "i\u0323")
    assert list(csv_rows(written(tmp_path, toned.encode("cp1258")))) == ROWS


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-8")[:-20] + b"\xc3\n",  # cut within a letter
        "Họ tên".encode().replace(b"\xe1", b"\xff"),
        bytes(range(1, 256)),
        "số,tên\n".encode("utf-16-le"),  # no mark
        b"sdt\n09\x0012345678\n",
        "電話\n".encode("shift_jis"),
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"\x89PNG\r\n\x1a\n\x00\x00",
    ],
)
def test_what_is_no_text_we_know_is_refused_and_never_guessed(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        list(csv_rows(written(tmp_path, content)))
    assert refused.value.fault is FileFault.ENCODING


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_found_out(tmp_path: Path, separator: str) -> None:
    content = f'SĐT{separator}Tên\n0912345678{separator}"Lan{separator} ""Bé"""\n'
    assert list(csv_rows(written(tmp_path, content.encode())))[1] == ["0912345678", f'Lan{separator} "Bé"']


@pytest.mark.parametrize("content", [b"a" * 200_000, b'sdt\n"' + b"1" * 140_000, b'sdt\n"' + b"1\n" * 80_000])
def test_a_row_without_an_end_is_not_read_into_memory(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        list(csv_rows(written(tmp_path, content)))
    assert refused.value.fault is FileFault.CELL


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert list(csv_rows(written(tmp_path, b""))) == []


@given(st.binary(max_size=400))
def test_whatever_it_is_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    for rows in (csv_rows, workbook_rows):
        with suppress(FileRefused):
            list(reader().read(rows(path)))


# ---- workbooks


def test_a_workbook_is_read_as_somebody_would_type_it(tmp_path: Path) -> None:
    content = workbook(HEADS, ["Lan", 912345678, None], ["Bình", 84912345679.0, True], ["=1+1", "0912", 1.5])
    assert [list(row[:3]) for row in workbook_rows(written(tmp_path, content))] == [
        HEADS,
        ["Lan", "912345678", ""],
        ["Bình", "84912345679", ""],
        ["", "0912", "1.5"],  # a formula is not worked out
    ]


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    """12 MB of it are 12 kB on the way; the header may lie about it."""
    bomb = with_part(workbook(HEADS), "xl/media/image1.png", b"\0" * 12_000_000)
    small = pytest.MonkeyPatch()
    small.setattr(workbooks, "LARGEST_UNPACKED", 10_000_000)
    with small.context(), pytest.raises(FileRefused) as refused:
        list(workbook_rows(written(tmp_path, bomb)))
    small.undo()
    assert refused.value.fault is FileFault.UNPACKED


def test_a_bomb_that_lies_about_its_size_is_damaged(tmp_path: Path) -> None:
    bomb = bytearray(with_part(workbook(HEADS), "zz.bin", b"\0" * 3_000_000))
    size = (3_000_000).to_bytes(4, "little")
    for _ in range(bomb.count(size)):
        at = bomb.index(size)
        bomb[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(FileRefused) as refused:
        list(workbook_rows(written(tmp_path, bytes(bomb))))
    assert refused.value.fault is FileFault.DAMAGED


def test_the_part_that_is_held_in_memory_has_a_bound_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "LARGEST_STRINGS", 1_000)
    content = with_part(workbook(HEADS), "xl/sharedStrings.xml", b"<sst>" + b"x" * 2_000 + b"</sst>")
    with pytest.raises(FileRefused) as refused:
        list(workbook_rows(written(tmp_path, content)))
    assert refused.value.fault is FileFault.UNPACKED


def test_so_many_parts_are_no_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_PARTS", 3)
    with pytest.raises(FileRefused) as refused:
        list(workbook_rows(written(tmp_path, workbook(HEADS))))
    assert refused.value.fault is FileFault.UNPACKED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_not_even_parsed(tmp_path: Path, encoding: str) -> None:
    laughs = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'
    content = with_part(workbook(HEADS), "xl/worksheets/sheet1.xml", laughs.encode(encoding))
    with pytest.raises(FileRefused) as refused:
        list(workbook_rows(written(tmp_path, content)))
    assert refused.value.fault is FileFault.NOT_A_TABLE


@pytest.mark.parametrize(
    "sheet",
    [
        b"<worksheet><sheetData><row></worksheet>",
        b"",
        b"not xml",
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="x">',
    ],
)
def test_a_sheet_that_is_none_is_damaged(tmp_path: Path, sheet: bytes) -> None:
    content = with_part(workbook(HEADS), "xl/worksheets/sheet1.xml", sheet)
    with pytest.raises(FileRefused) as refused:
        list(workbook_rows(written(tmp_path, content)))
    assert refused.value.fault is FileFault.DAMAGED


def test_a_sheet_whose_next_row_is_far_away_is_not_filled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.broadcasts.file_limits.LONGEST_SHEET", 1_000)
    far = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>SDT</t></is></c></row>'
        '<row r="999999999"><c r="A999999999"><v>912345678</v></c></row></sheetData></worksheet>'
    )
    content = with_part(workbook(HEADS), "xl/worksheets/sheet1.xml", far.encode())
    with pytest.raises(FileRefused) as refused:
        list(reader().read(workbook_rows(written(tmp_path, content))))
    assert (refused.value.fault, refused.value.row) == (FileFault.ROWS, 1_001)


def test_a_zip_that_is_no_workbook_is_no_table(tmp_path: Path) -> None:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("sdt.csv", "sdt\n0912345678\n")
    with pytest.raises(FileRefused) as refused:
        list(workbook_rows(written(tmp_path, kept.getvalue())))
    assert refused.value.fault is FileFault.NOT_A_TABLE


def test_a_table_that_is_a_workbook_as_well_is_neither(tmp_path: Path) -> None:
    """Text before a ZIP: one program reads this, another that."""
    with pytest.raises(FileRefused):
        list(csv_rows(written(tmp_path, b"sdt\n0912345678\n" + workbook(HEADS))))


# ---- rows


def test_a_row_is_a_recipient_with_the_values_of_its_columns() -> None:
    [row] = read(HEADS, ["Nguyễn Thị Lan", "+84 912 345 678", "EN"])
    assert row == FileRow(
        position=2,
        recipient=Address("sms", "84912345678"),
        values={"ho_ten": "Nguyễn Thị Lan"},
        language="en",
    )


def test_what_is_wrong_is_told_by_row_and_no_number_is_told_in_full() -> None:
    found = read(
        HEADS,
        LAN,
        ["", "", ""],
        ["Bình", "", ""],
        ["Chi", "0212345678", ""],
        ["D", "84912345678"],
        ["E", "0912000000", "fr"],
    )
    assert found[1:] == [
        RowFault(4, RowFaultKind.EMPTY),
        RowFault(5, RowFaultKind.NUMBER, "…678"),
        RowFault(6, RowFaultKind.TWICE, "2"),
        RowFault(7, RowFaultKind.LANGUAGE, "fr"),
    ]


def test_without_a_column_of_numbers_nothing_is_taken() -> None:
    with pytest.raises(FileRefused) as refused:
        read(["Họ tên", "Địa chỉ"], ["Lan", "0912345678"])
    assert (refused.value.fault, refused.value.row) == (FileFault.NO_NUMBERS, 1)


@pytest.mark.parametrize("head", ["SĐT", "sdt", "Số ĐT", "Điện thoại", "Phone number", "MOBILE", "Số điện thoại "])
def test_the_column_of_numbers_has_many_names(head: str) -> None:
    assert columns_of(["Tên", head]).number == 1


@pytest.mark.parametrize(
    ("head", "name"),
    [("Họ và tên", "ho_va_ten"), ("Ngày hẹn (dự kiến)", "ngay_hen_du_kien"), ("1", ""), ("", ""), ("{x}", "x")],
)
def test_a_column_is_a_placeholder_by_its_name_without_accents(head: str, name: str) -> None:
    assert placeholder_of(head) == name


def test_a_file_has_bounds_in_every_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.broadcasts.recipients.MOST_ROWS", 2)
    wide = [*HEADS, *[""] * (MOST_COLUMNS - len(HEADS)), "x"]
    for rows, fault, row in (
        ([HEADS, LAN, LAN, LAN], FileFault.ROWS, 4),
        ([HEADS, wide], FileFault.COLUMNS, 2),
        ([HEADS, ["x" * (LONGEST_CELL + 1), "0912345678"]], FileFault.CELL, 2),
        ([HEADS], FileFault.NO_ROWS, 0),
        ([], FileFault.NO_ROWS, 0),
    ):
        with pytest.raises(FileRefused) as refused:
            read(*rows)
        assert (refused.value.fault, refused.value.row) == (fault, row)


def test_what_a_cell_holds_is_plain_text() -> None:
    [row] = read(HEADS, ["Lan\u202e\x07\nBé", "0912345678", ""])
    assert isinstance(row, FileRow)
    assert row.values == {"ho_ten": "Lan Bé"}


def test_the_bounds_are_those_that_are_told() -> None:
    assert (file_limits.LARGEST_FILE, file_limits.LARGEST_UNPACKED) == (20 << 20, 200 << 20)
    assert (file_limits.MOST_ROWS, MOST_COLUMNS, LONGEST_CELL) == (200_000, 50, 1_000)
