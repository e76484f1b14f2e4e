"""What the desk prints, in a real browser: it fits its paper, can be read, and a telephone reads its QR code."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image, ImageFilter
from playwright.async_api import Browser, Page, expect

from channels.media import PictureLimits, PictureReader
from console import paths
from console.intake.desk import at
from domain.codes import read_codes
from domain.dossier import DossierStatus
from domain.intake import IntakeDossier
from domain.intake_moves import IntakeAction
from domain.officers import Officer
from domain.officers import OfficerRole as Role
from tests.browser.browsing import axe, chromium, page_with, serving, shot, shots
from tests.browser.receipts import ADDRESS, SETTINGS, Archive
from tests.console_made import COOKIE, MadeConsole, made_console
from tests.unit.printed_papers import AGENCY, DOSSIERS, RECEIVED_AT, missing, papers

DPI = 203.2  # of a thermal printer: eight dots a millimetre
PIXEL = DPI / 96  # dots of one CSS pixel
MM = 96 / 25.4  # CSS pixels
POINTS_PER_MM = 72 / 25.4
WIDE = {"width": 1000, "height": 1200}
ONE_SHEET = {"plain", "bare", "everything", "khmer", "english", "late"}
A = IntakeAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A browser before a console whose agency receives dossiers."""

    console: MadeConsole
    archive: Archive
    browser: Browser
    address: str
    officer: Officer

    @asynccontextmanager
    async def page(self, **options: Any) -> AsyncIterator[Page]:
        """Of the officer, signed in."""
        async with page_with(self.browser, viewport=WIDE, locale="vi", **options) as page:
            secret = await self.console.signed_in(self.officer)
            await page.context.add_cookies([{"name": COOKIE, "value": secret, "url": self.address}])
            yield page

    async def opens(self, page: Page, dossier: IntakeDossier, path: str = paths.INTAKE_RECEIPT, **parts: str) -> None:
        query = parts.pop("query", "")
        response = await page.goto(f"{self.address}{at(path, dossier.id, **parts)}{query}")
        assert response is not None
        assert response.status == 200, await response.text()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with (
        made_console(tmp_path, SETTINGS) as console,
        serving(console.console.app) as address,
        chromium() as browser,
    ):
        officer = await console.officer("lan.mc", Role.INTAKE, agency=AGENCY, name="Trần Thị Ngọc Lan")
        yield Desk(console=console, archive=Archive(console), browser=browser, address=address, officer=officer)


@pytest.fixture
async def reader() -> AsyncIterator[PictureReader]:
    """As the chats read pictures."""
    reader = PictureReader(PictureLimits(decoding=60.0, starting=60.0))
    yield reader
    await reader.close()


def png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def worse(picture: Image.Image) -> dict[str, Image.Image]:
    """As it comes out of a thermal printer, and as a hand photographs it."""
    grey = picture.convert("L")
    return {
        "as_drawn": grey,
        "thermal": grey.point(lambda level: 255 if level > 127 else 0),
        "askew": grey.rotate(11, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC),
        "upside_down": grey.rotate(180),
        "blurred": grey.filter(ImageFilter.GaussianBlur(2)),
        "far_away": grey.resize((grey.width // 2, grey.height // 2)),
    }


def sheets(pdf: bytes) -> Sequence[Image.Image]:
    """The pages of a PDF, as a printer of 203 dpi draws them."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.render(scale=DPI / 72).to_pil() for page in document]
    finally:
        document.close()


def sizes_mm(pdf: bytes) -> Sequence[tuple[int, int]]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [tuple(round(side / POINTS_PER_MM) for side in page.get_size()) for page in document]
    finally:
        document.close()


async def printed(page: Page) -> bytes:
    """What the browser hands to a printer."""
    return await page.pdf(prefer_css_page_size=True, print_background=False)


async def overflow(page: Page) -> list[str]:
    """What stands out of the sheet to its sides, and signatures that run into what follows."""
    found: list[str] = await page.evaluate(
        """() => {
            const sheet = document.querySelector("main").getBoundingClientRect();
            return [...document.querySelectorAll("main *")]
                .filter(each => { const box = each.getBoundingClientRect();
                                  return box.width && (box.right > sheet.right + 1 || box.left < sheet.left - 1); })
                .concat([...document.querySelectorAll(".signs > div")].filter(each => each.lastElementChild
                    ?.getBoundingClientRect().bottom > each.getBoundingClientRect().bottom + 1))
                .map(each => each.tagName + " " + each.textContent.slice(0, 60));
        }"""
    )
    return found


def same_code(text: str, dossier: IntakeDossier) -> bool:
    """What a QR code says is that dossier for SMS, chats and the web alike: all read with this."""
    read = read_codes(text, today=RECEIVED_AT.date())
    return [code.text for code in read.codes] == [dossier.code.text]


@pytest.mark.parametrize("name", DOSSIERS)
async def test_a_receipt_fits_its_paper_and_its_code_is_read(desk: Desk, reader: PictureReader, name: str) -> None:
    dossier = await desk.archive.keep(**DOSSIERS[name])
    for size, query in (("a5", ""), ("80", "?kho=80")):
        async with desk.page(device_scale_factor=PIXEL) as page:
            await desk.opens(page, dossier, query=query)
            await expect(page.get_by_role("button", name="In (Enter)")).to_be_focused()
            assert await axe(page) == [], (name, size)
            assert await overflow(page) == [], (name, size)
            await shot(page, f"receipt-{name}-{size}")
            figure = page.locator("figure.scan svg")
            box = await figure.bounding_box()
            assert box is not None
            assert box["width"] / MM > 25 + 6  # with the white around it
            taken = Image.open(io.BytesIO(await page.locator("figure.scan [role=img]").screenshot()))
            for how, picture in worse(taken).items():
                texts = await reader.read(png(picture))
                assert texts, (name, size, how)
                assert same_code(texts[0], dossier), (name, size, how, texts)
            assert texts[0] == f"{ADDRESS.upper()}/D/{dossier.code.text}"
            pdf = await printed(page)
            pages = sheets(pdf)
            await keep_pictures(f"receipt-{name}-{size}", pages)
            if size == "a5":
                assert set(sizes_mm(pdf)) == {(148, 210)}
                assert len(pages) == 1 if name in ONE_SHEET else 1 < len(pages) < 4, (name, len(pages))
            else:
                assert {width for width, _ in sizes_mm(pdf)} == {80}
                assert len(pages) == 1, (name, sizes_mm(pdf))
            assert same_code((await reader.read(png(pages[0])))[0], dossier), (name, size)


async def test_a_dossier_of_forty_papers_breaks_between_papers_and_keeps_signatures_whole(desk: Desk) -> None:
    dossier = await desk.archive.keep(**DOSSIERS["forty"])
    async with desk.page() as page:
        await desk.opens(page, dossier)
        pages = sheets(await printed(page))
        assert len(pages) == 2
        texts = await printed_texts(page)
        assert all("Bản chính" in text for text in texts)  # the head of the table stands on each
        assert "Người nộp hồ sơ".upper() in texts[-1]
        assert "Trần Thị Ngọc Lan" in texts[-1]


async def test_a_receipt_prints_without_a_script_too(desk: Desk) -> None:
    dossier = await desk.archive.keep(**DOSSIERS["khmer"])
    async with desk.page(java_script_enabled=False) as page:
        await desk.opens(page, dossier, query="?kho=80")
        await expect(page.get_by_role("button", name="In (Enter)")).to_be_hidden()
        await expect(page.get_by_text("Ctrl+P")).to_be_visible()
        pdf = await printed(page)
        assert set(sizes_mm(pdf)) == {(80, 297)}
        assert len(sheets(pdf)) == 2


async def test_enter_prints_and_the_next_key_receives_another(desk: Desk) -> None:
    dossier = await desk.archive.keep()
    async with desk.page() as page:
        await page.add_init_script("window.print = () => { window.printed = (window.printed || 0) + 1; }")
        await desk.opens(page, dossier)
        await expect(page.get_by_role("button", name="In (Enter)")).to_be_focused()
        await page.keyboard.press("Enter")
        assert await page.evaluate("window.printed") == 1
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Tiếp nhận hồ sơ mới")).to_be_focused()


async def test_khmer_is_shaped(desk: Desk) -> None:
    """A run whose signs join is narrower than its signs one by one: a coeng takes the next sign under the one before."""
    dossier = await desk.archive.keep(**DOSSIERS["khmer"])
    async with desk.page() as page:
        await desk.opens(page, dossier)
        together, apart = await page.evaluate(
            """() => {
                const shown = document.querySelector("h1 .second"), font = getComputedStyle(shown).font;
                const pen = document.createElement("canvas").getContext("2d");
                pen.font = font;
                const wide = text => pen.measureText(text).width;
                const text = "ប្រគល់";
                return [wide(text), [...text].reduce((sum, sign) => sum + wide(sign), 0)];
            }"""
        )
        assert together < apart * 0.8
        assert await page.locator("h1 .second").get_attribute("lang") == "km"


async def test_every_other_paper_fits_its_sheet(desk: Desk) -> None:
    does, keep = desk.archive.does, desk.archive.keep
    km = {**DOSSIERS["khmer"], "papers": papers(4)}
    asked = await does(
        await keep(**km),
        A.ASK_SUPPLEMENT,
        reason="Giấy tờ nộp chưa đúng quy định",
        papers=missing(papers(4)),
        by=RECEIVED_AT.date(),
    )
    refused = await keep(
        **{**km, "status": DossierStatus.NOT_ACCEPTED, "due_at": None, "reason": "Không thuộc thẩm quyền"}
    )
    sorry = await does(
        await keep(**km),
        A.APOLOGISE,
        reason="Chờ cơ quan phối hợp xác minh",
        due_at=RECEIVED_AT.replace(day=30, month=12),
    )
    stopped = await does(
        await keep(**{**km, "language": "en"}), A.STOP, reason="Người nộp đã mất, không có người thừa kế"
    )
    moved = await does(await keep(**km), A.FORWARD, to_unit="Phòng Hành chính tư pháp", reason="chuyển xử lý")
    finished = await does(moved, A.FINISH)
    shown = {
        "02": at(paths.INTAKE_FORM, asked.id, form="02"),
        "03": at(paths.INTAKE_FORM, refused.id, form="03"),
        "04": at(paths.INTAKE_FORM, sorry.id, form="04"),
        "05": at(paths.INTAKE_FORM, stopped.id, form="05"),
        "slip": at(paths.INTAKE_SLIP, finished.id),
        "book": f"{paths.INTAKE_BOOK}?tu=2026-11-01&den=2026-11-30",
    }
    async with desk.page(device_scale_factor=PIXEL) as page:
        for name, address in shown.items():
            response = await page.goto(desk.address + address)
            assert response is not None
            assert response.status == 200, name
            assert response.headers["cache-control"] == "no-store"
            assert await axe(page) == [], name
            assert await overflow(page) == [], name
            pdf = await printed(page)
            assert sizes_mm(pdf) == [(297, 210) if name == "book" else (148, 210)], name
            await keep_pictures(f"form-{name}", sheets(pdf))
            await shot(page, f"form-{name}-screen")


@asynccontextmanager
async def reading(pdf: bytes) -> AsyncIterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield document
    finally:
        document.close()


async def printed_texts(page: Page) -> list[str]:
    """What stands on each sheet."""
    async with reading(await printed(page)) as document:
        return [" ".join(sheet.get_textpage().get_text_bounded().split()) for sheet in document]


async def keep_pictures(name: str, pictures: Sequence[Image.Image]) -> None:
    """For whoever wants to look."""
    for number, picture in enumerate(pictures, start=1):
        await asyncio.to_thread(picture.save, shots() / f"{name}-print-{number}.png")
