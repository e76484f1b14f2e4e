"""Files that are no lists of recipients: what somebody sends who wants the gateway's memory, time, disk or secrets."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MIB: Final = 1 << 20
HEAD: Final = "Họ tên;Số điện thoại\n"
GOOD: Final = f"{HEAD}Lan;0913572468\n".encode()
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SHEET: Final = "xl/worksheets/sheet1.xml"
STRINGS: Final = "xl/sharedStrings.xml"
ROW: Final = '<row r="1"><c r="A1" t="inlineStr"><is><t>SĐT</t></is></c></row>'
PASSWD: Final = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
LAUGHS: Final = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + "]>"
)


def sheet(inside: str = ROW, before: str = "") -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>{before}<worksheet xmlns="{_MAIN}"><sheetData>{inside}</sheetData></worksheet>'


def parts(strings: str = STRINGS) -> dict[str, str]:
    """The least a workbook is; its shared strings may have any name."""
    return {
        "[Content_Types].xml": (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
            f'<Override PartName="/{SHEET}" ContentType="{_KIND}.worksheet+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
            f'<Override PartName="/{strings}" ContentType="{_KIND}.sharedStrings+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"/>',
        SHEET: sheet(),
        strings: f'<sst xmlns="{_MAIN}"/>',
    }


Part = str | bytes | Callable[[], Iterator[bytes]]


def packed(changed: Mapping[str, Part] | None = None, *, strings: str = STRINGS) -> bytes:
    """A workbook with these parts instead of its own, or more."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in {**parts(strings), **(changed or {})}.items():
            if callable(content):
                with archive.open(name, "w", force_zip64=True) as part:
                    for piece in content():
                        part.write(piece)
            else:
                archive.writestr(name, content)
    return file.getvalue()


def repeated(piece: bytes, size: int, before: bytes = b"", after: bytes = b"") -> Callable[[], Iterator[bytes]]:
    """So many octets of it."""

    def pieces() -> Iterator[bytes]:
        yield before
        block = piece * (MIB // len(piece))
        for _ in range(size // len(block)):
            yield block
        yield after

    return pieces


def around(inside: str = "") -> tuple[bytes, bytes]:
    """What stands before and after the rows of a sheet."""
    begin, end = sheet(f"{inside}\0").split("\0")
    return begin.encode(), end.encode()


def lying(content: bytes) -> bytes:
    """Every part says that it is ten octets."""
    said, at = bytearray(content), 0
    while (at := said.find(b"PK\x01\x02", at)) >= 0:
        said[at + 24 : at + 28] = struct.pack("<I", 10)
        at += 4
    return bytes(said)


def flagged(content: bytes, flag: int) -> bytes:
    """Every part is said to be so: 1, encrypted."""
    said = bytearray(content)
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = 0
        while (at := said.find(mark, at)) >= 0:
            said[at + place] |= flag
            at += 4
    return bytes(said)


def crowd(count: int) -> bytes:
    return packed({f"xl/media/{number}.png": b"" for number in range(count)})


async def flowing(piece: bytes, times: int, before: bytes = b"") -> AsyncIterator[bytes]:
    """Sent piece by piece, so that its length is not said."""
    yield before
    for _ in range(times):
        yield piece


@dataclass(frozen=True, slots=True)
class Bomb:
    """`content` makes it when it is its turn; `may_be_read`: it may be taken for a list without one recipient, or with."""

    name: str
    content: Callable[[], Any]
    may_be_read: bool = False


_BEGIN, _END = around()
BOMBS: Final = (
    # workbooks that unpack to more than there is room for
    Bomb("205 MB of nothing", lambda: packed({"xl/media/a.png": repeated(b"\0", 205 * MIB)})),
    Bomb("205 MB that say they are ten octets", lambda: lying(packed({"xl/media/a.png": repeated(b"\0", 205 * MIB)}))),
    Bomb("66 MB of strings", lambda: packed({STRINGS: repeated(b"<si><t>x</t></si>", 66 * MIB, b"<sst>", b"</sst>")})),
    Bomb(
        "3 MB of strings under another name",
        lambda: packed(
            {"xl/words.xml": repeated(b"<si><t>x</t></si>", 3 * MIB, f'<sst xmlns="{_MAIN}">'.encode(), b"</sst>")},
            strings="xl/words.xml",
        ),
    ),
    Bomb("a cell of 60 MB", lambda: packed({SHEET: repeated(b"x", 60 * MIB, _BEGIN + b'<row><c t="inlineStr"><is><t>', b"</t></is></c></row>" + _END)})),
    Bomb("a million columns", lambda: packed({SHEET: sheet("<row>" + "<c/>" * 1_000_000 + "</row>")})),
    Bomb("a million levels", lambda: packed({SHEET: repeated(b"<a>", 3 * MIB, _BEGIN)})),
    Bomb("styles without end", lambda: packed({"xl/styles.xml": repeated(b"<a/>", 2 * MIB, f'<styleSheet xmlns="{_MAIN}">'.encode(), b"</styleSheet>")})),
    Bomb("a row with a number past all", lambda: packed({SHEET: sheet('<row r="999999999999"><c r="ZZZZZZZ1"><v>1</v></c></row>')})),
    Bomb("two thousand parts", lambda: crowd(2_000)),
    Bomb("a workbook in a workbook", lambda: packed({SHEET: packed()})),
    # XML that names more than it holds
    Bomb("laughs in a sheet", lambda: packed({SHEET: sheet("<row><c><v>&j;</v></c></row>", LAUGHS)})),
    Bomb("laughs in the strings", lambda: packed({STRINGS: f"{LAUGHS}<sst><si><t>&j;</t></si></sst>"})),
    Bomb("another file in a sheet", lambda: packed({SHEET: sheet("<row><c><v>&e;</v></c></row>", PASSWD)})),
    Bomb("another file in UTF-16", lambda: packed({SHEET: sheet("<row><c><v>&e;</v></c></row>", PASSWD).replace("UTF-8", "UTF-16").encode("utf-16")})),
    Bomb("another file, by a name", lambda: packed({"[Content_Types].xml": PASSWD + parts()["[Content_Types].xml"]})),
    # ZIPs that are none, or not whole, or lead elsewhere
    Bomb("half a workbook", lambda: packed()[:-400]),
    Bomb("a workbook that is encrypted", lambda: flagged(packed(), 1)),
    Bomb("a ZIP of something else", lambda: _zip({"a.txt": b"x"})),
    Bomb(
        "names that climb out",
        lambda: packed({"../../../../../../tmp/burgled": b"x", "/tmp/burgled": b"x", "..\\burgled": b"x", "C:\\burgled": b"x", "xl/../../burgled": b"x"}),
    ),
    Bomb("a sheet that is elsewhere", lambda: packed({"xl/_rels/workbook.xml.rels": parts()["xl/_rels/workbook.xml.rels"].replace("worksheets/sheet1.xml", "file:///etc/passwd")})),
    # text
    Bomb("a row of a gigabyte", lambda: flowing(b"1" * MIB, 1_024)),
    Bomb("a row of 19 MB", lambda: b"a;" * (19 * MIB // 2)),
    Bomb("a million columns of text", lambda: GOOD + b"Lan" + b";x" * 1_000_000),
    Bomb("a quote that is never closed", lambda: GOOD + b'"' + b"x\n" * (9 * MIB)),
    Bomb("nothing but quotes", lambda: b'"' * (19 * MIB)),
    Bomb("a million lines and more", lambda: b"\n" * (MIB + 9_000)),
    Bomb("UTF-16 without its mark", lambda: GOOD.decode().encode("utf-16-le")),
    Bomb("half of a sign of UTF-16", lambda: GOOD.decode().encode("utf-16") + b"x"),
    Bomb("UTF-32", lambda: GOOD.decode().encode("utf-32")),
    Bomb("UTF-7", lambda: GOOD.decode().encode("utf-7")),
    Bomb("Latin", lambda: HEAD.replace("Họ", "Ho").replace("Số điện thoại", "Téléphone ÿ þ").encode("latin-1")),
    Bomb("NUL in a number", lambda: GOOD + b"Lan;09123\x0045678\n" * 9),
    Bomb("NUL far behind", lambda: GOOD * 9_000 + b"\0"),
    Bomb("a page", lambda: b"<html><script>alert(1)</script>", may_be_read=True),
)  # fmt: skip


def _zip(content: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, inside in content.items():
            archive.writestr(name, inside)
    return file.getvalue()
