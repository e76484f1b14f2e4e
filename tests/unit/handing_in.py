"""Files as people hand them in, made here: honest ones of every kind, and the pieces attacks are put together from."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence

import openpyxl
from PIL import Image

from intake.uploads.kinds import FileFormat

# ---- PDF


def pdf(*objects: bytes, trailer: bytes = b"", end: bytes = b"") -> bytes:
    """A page, and whatever objects besides; their numbers begin at 4."""
    body = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        *objects,
    ]
    made = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for number, each in enumerate(body, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(body) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, rows)
    return (
        made
        + table
        + b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n%b"
        % (
            size,
            trailer,
            len(made),
            end,
        )
    )


def stream(content: bytes, more: bytes = b"") -> bytes:
    packed = zlib.compress(content)
    return b"<< /Length %d /Filter /FlateDecode %b >>\nstream\n%b\nendstream" % (len(packed), more, packed)


def object_stream(content: bytes) -> bytes:
    head = b"7 0 "
    return stream(head + content, b"/Type /ObjStm /N 1 /First %d" % len(head))


# ---- pictures


def picture(kind: str, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    made = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(made, kind, **options)
    return made.getvalue()


def pages(count: int, size: tuple[int, int] = (64, 48)) -> bytes:
    made = io.BytesIO()
    sheets = [Image.new("1", size, 1) for _ in range(count)]
    sheets[0].save(made, "TIFF", save_all=True, append_images=sheets[1:], compression="group4")
    return made.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_claiming(width: int, height: int, packed: bytes) -> bytes:
    """What stands in it is not what it says."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A segment more, behind the first two octets."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


# ---- ZIP and what is made of it


def zipped(parts: Mapping[str, bytes], *, stored: Sequence[str] = ()) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            how = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return made.getvalue()


OOXML = "application/vnd.openxmlformats-officedocument"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DOCX_MAIN = f"{OOXML}.wordprocessingml.document.main+xml"


def docx_parts(main: str = _DOCX_MAIN) -> dict[str, bytes]:
    types = (
        '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>'
    )
    return {
        "[Content_Types].xml": types.encode(),
        "_rels/.rels": relations(("officeDocument", "word/document.xml", False)),
        "word/document.xml": b"<w:document xmlns:w='urn:w'><w:body/></w:document>" * 20,
    }


def relations(*rows: tuple[str, str, bool]) -> bytes:
    """Each: the kind, the target, and whether it is outside."""
    made = "".join(
        f'<Relationship Id="r{number}" Type="{_KIND}/{kind}" Target="{target}"'
        + (' TargetMode="External"/>' if outside else "/>")
        for number, (kind, target, outside) in enumerate(rows)
    )
    return f'<Relationships xmlns="{RELATIONS}">{made}</Relationships>'.encode()


def docx(**more: bytes) -> bytes:
    """`more`: parts by name, "__" for "/" and "_dot_" for "."."""
    parts = {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()}
    return zipped(docx_parts() | parts)


def xlsx() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["Họ tên", "Số điện thoại"])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def odf(kind: str, **more: bytes) -> bytes:
    parts = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(),
        "content.xml": b"<office:document-content xmlns:office='urn:o'/>",
        "META-INF/manifest.xml": b"<manifest:manifest xmlns:manifest='urn:m'/>",
    }
    more_parts = {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()}
    return zipped(parts | more_parts, stored=["mimetype"])


# ---- OLE2

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SECTOR = 512


def compound(streams: Mapping[str, bytes], storages: Sequence[str] = ()) -> bytes:
    """A compound file of these streams and empty storages, all in its root."""
    table: list[int] = [_FAT] * _fat_sectors(streams)
    body: list[bytes] = []
    rows = [(name, 1, _END, 0) for name in storages]
    for name, content in streams.items():
        padded = content.ljust(max(4096, -(-len(content) // _SECTOR) * _SECTOR), b"\x00")
        start = len(table)
        table += [*range(start + 1, start + len(padded) // _SECTOR), _END]
        body.append(padded)
        rows.append((name, 2, start, len(padded)))
    folder = b"".join(
        _row(name, kind, start, size, number, len(rows)) for number, (name, kind, start, size) in enumerate(rows, 1)
    )
    folder = _row("Root Entry", 5, _END, 0, 0, len(rows)) + folder
    folder = folder.ljust(-(-len(folder) // _SECTOR) * _SECTOR, b"\x00")
    first_folder = len(table)
    table += [*range(first_folder + 1, first_folder + len(folder) // _SECTOR), _END]
    fats = _fat_sectors(streams)
    table += [_FREE] * (fats * 128 - len(table))
    head = struct.pack(
        "<8s16x5H6x9L",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        fats,
        first_folder,
        0,
        4096,
        _END,
        0,
        _END,
        0,
    )
    listed = [*range(fats), *[_FREE] * (109 - fats)]
    return head + struct.pack("<109L", *listed) + struct.pack(f"<{len(table)}L", *table) + b"".join(body) + folder


def _fat_sectors(streams: Mapping[str, bytes]) -> int:
    sectors = sum(max(8, -(-len(content) // _SECTOR)) for content in streams.values()) + 16
    return -(-sectors // 120)


def _row(name: str, kind: int, start: int, size: int, number: int, last: int) -> bytes:
    """Each has the next to its right; the root has the first as its child."""
    text = name.encode("utf-16-le")
    right = number + 1 if 0 < number < last else _FREE
    child = 1 if number == 0 and last else _FREE
    return struct.pack("<64sHBxLLL36xLQ", text, len(text) + 2, kind, _FREE, right, child, start, size)


def doc(flags: int = 0, storages: Sequence[str] = (), more: Mapping[str, bytes] | None = None) -> bytes:
    head = struct.pack("<H8xH", 0xA5EC, flags)
    return compound({"WordDocument": head, "1Table": b"", **(more or {})}, storages)


def record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def xls(*records: bytes, **streams: bytes) -> bytes:
    sheet = struct.pack("<LBB", 0, 0, 0) + b"\x06\x00Sheet1"
    book = record(0x0809, b"\x00\x06\x05\x00" + bytes(12)) + record(0x0085, sheet) + b"".join(records) + record(0x000A)
    return compound({"Workbook": book, **streams})


# ---- RTF


def rtf(inside: str = "") -> bytes:
    return (
        r"{\rtf1\ansi\deff0{\fonttbl{\f0 Times New Roman;}}\f0 \u272?\u417?n xin c\'e2p " + inside + r"\par}"
    ).encode()


HONEST: Mapping[FileFormat, Callable[[], bytes]] = {
    FileFormat.PDF: pdf,
    FileFormat.JPG: lambda: picture("JPEG"),
    FileFormat.PNG: lambda: picture("PNG"),
    FileFormat.TIF: lambda: pages(3),
    FileFormat.DOCX: docx,
    FileFormat.XLSX: xlsx,
    FileFormat.ODT: lambda: odf("text"),
    FileFormat.ODS: lambda: odf("spreadsheet"),
    FileFormat.DOC: doc,
    FileFormat.XLS: xls,
    FileFormat.RTF: rtf,
}
