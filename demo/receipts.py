"""Photographs of receipts that nobody took: a sheet with a QR code on a desk, held a little askew."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import segno
from PIL import Image, ImageDraw, ImageFilter

QR_CODE = "000.00.18.H51-161220-0001"  # both are of the demo's dossiers
LINKED_CODE = "H51.18-250701-0005"

WOOD, PAPER, INK, FAINT, STAMP = "#8a6a4a", "#fbfaf4", "#2b2b2b", "#b9b6aa", "#b5121b"
SIZE = (720, 960)
SHEET = (520, 720)
QR_SIDE = 230  # pixels
LINES = ((90, 340), (120, 280), (410, 400), (440, 360), (470, 420), (500, 300), (560, 380), (590, 340))  # y and length


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A ready-made photograph. `content` is what its QR code holds; `turned` in degrees; `blur` in pixels."""

    name: str
    vi: str
    en: str
    content: str
    turned: float = 0.0
    blur: float = 0.0


RECEIPTS: Sequence[Receipt] = (
    Receipt(name="qr", vi="Biên nhận có mã QR", en="a receipt with a QR code", content=QR_CODE, turned=7.0),
    Receipt(
        name="link",
        vi="Mã QR là một địa chỉ",
        en="a QR code that holds an address",
        content=f"https://onestop.example/tra-cuu?ma={LINKED_CODE}",
        turned=-12.0,
    ),
    Receipt(name="blurred", vi="Ảnh mờ, không đọc được", en="too blurred to be read", content=QR_CODE, blur=14.0),
)


def photographs(receipts: Sequence[Receipt] = RECEIPTS) -> Mapping[str, bytes]:
    """Each of them as a JPEG, by name. Takes a moment: not for the event loop."""
    return {receipt.name: photograph(receipt) for receipt in receipts}


def photograph(receipt: Receipt) -> bytes:
    """As a telephone would send it."""
    picture = Image.new("RGB", SIZE, WOOD)
    sheet = _sheet(receipt.content).convert("RGBA").rotate(receipt.turned, Image.Resampling.BICUBIC, expand=True)
    picture.paste(sheet, ((SIZE[0] - sheet.width) // 2, (SIZE[1] - sheet.height) // 2), sheet)
    if receipt.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(receipt.blur))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=80)
    return written.getvalue()


def _sheet(content: str) -> Image.Image:
    """The paper: a heading, a QR code, lines that stand for words, a stamp."""
    sheet = Image.new("RGB", SHEET, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((40, 45, 360, 65), fill=INK)
    for y, length in LINES:
        draw.rectangle((40, y, 40 + length, y + 9), fill=FAINT)
    draw.ellipse((340, 570, 460, 690), outline=STAMP, width=6)
    sheet.paste(_qr(content), (40, 155))
    return sheet


def _qr(content: str) -> Image.Image:
    made = io.BytesIO()
    segno.make_qr(content, error="m").save(made, kind="png", border=4)
    made.seek(0)
    return Image.open(made).convert("RGB").resize((QR_SIDE, QR_SIDE), Image.Resampling.NEAREST)
