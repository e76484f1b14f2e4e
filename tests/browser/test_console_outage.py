"""Work on paper in a real browser: sheets that fill their page and whose codes a telephone reads, and pages in nobody's
way (SHOTS).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, ViewportSize, expect

from console import paths
from domain.calendar import LOCAL_ZONE
from domain.officers import OfficerRole
from tests.browser.browsing import axe, chromium, page_with, serving, shot
from tests.console_made import COOKIE, MadeConsole, made_console

WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=360, height=740)
SETTINGS = """
[web]
base_url = "https://tracuu.example.gov.vn"
[[intake.agencies]]
agency = "H13.16"
[intake]
files = "{files}"
"""
A5_MM = (148, 210)
HEADS = "Mã hồ sơ;Nhận lúc;Thủ tục;Người nộp;Điện thoại;Giấy tờ nộp;Đồng ý nhận tin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An officer's browser; `address` of the console, `secret` of the session."""

    console: MadeConsole
    browser: Browser
    address: str
    secret: str


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        made_console(tmp_path, SETTINGS.format(files=tmp_path / "files")) as console,
        serving(console.console.app) as address,
        chromium() as browser,
    ):
        officer = await console.officer("lan.tran", OfficerRole.INTAKE, name="Trần Thị Lan", agency="H13.16")
        secret = await console.signed_in(officer)
        yield Scene(console=console, browser=browser, address=address, secret=secret)


async def enter(page: Page, scene: Scene, path: str) -> None:
    await page.context.add_cookies([{"name": COOKIE, "value": scene.secret, "url": scene.address}])
    await page.goto(scene.address + path)


async def look(page: Page, name: str) -> None:
    """Nothing stands in anybody's way, on a desk and on a telephone; and two pictures."""
    for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
        await page.set_viewport_size(viewport)
        assert await axe(page) == [], (name, size)
        fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert await page.evaluate(fits), (name, size)
        assert await page.get_by_role("heading", level=1).count() == 1, (name, size)
        await shot(page, f"outage-{name}-{size}")
    await page.set_viewport_size(WIDE)


async def test_codes_are_set_aside_printed_entered_by_file_and_reconciled(scene: Scene, tmp_path: Path) -> None:
    async with page_with(scene.browser, viewport=WIDE, locale="vi") as page:
        await enter(page, scene, paths.NUMBERS)
        await look(page, "numbers-empty")
        await page.get_by_label("Số lượng").fill("4")
        await page.get_by_role("button", name="Dành số").click()
        await expect(page.get_by_role("status")).to_contain_text("Đã dành số")
        await page.get_by_text("Hủy một số").click()
        await page.get_by_label("Mã hồ sơ").select_option(index=3)
        await page.get_by_label("Lý do").fill("tờ bị rách")
        await page.get_by_role("button", name="Hủy số này").click()
        await expect(page.get_by_role("status")).to_contain_text("Đã ghi lại")
        await page.get_by_text("Từng số:").first.click()
        await look(page, "numbers")
        await page.get_by_role("link", name="In hai liên").click()
        codes = await page.locator(".sheet b.code").all_inner_texts()
        assert len(codes) == 6
        await look(page, "sheets")
        await are_sheets(page, codes)
        await enters_late(page, scene, tmp_path, sorted(set(codes)))
        await page.goto(scene.address + paths.RECONCILE)
        await expect(page.get_by_role("table", name="Số chưa nhập bù, chưa hủy")).to_contain_text(max(codes))
        await look(page, "reconcile")
        await page.goto(scene.address + paths.HELP + "/outage")
        await look(page, "help")


async def are_sheets(page: Page, codes: list[str]) -> None:
    """One A5 page each, whose code a telephone reads off the rendered picture."""
    for number, code in enumerate(codes):
        picture = await page.locator(".sheet").nth(number).screenshot()
        read = await asyncio.to_thread(zxingcpp.read_barcodes, Image.open(io.BytesIO(picture)))
        assert [each.text for each in read] == [code]
    pdf = await page.pdf(prefer_css_page_size=True)
    assert pdf.count(b"/Type /Page\n") == len(codes)
    width, height = (round(each / 25.4 * 72) for each in A5_MM)
    assert f"/MediaBox [0 0 {width}".encode() in pdf, (width, height)
    await page.emulate_media(media="print")
    await page.set_viewport_size(ViewportSize(width=round(130 / 25.4 * 96), height=round(196 / 25.4 * 96)))
    for number in range(len(codes)):  # nothing is cut off: what a sheet holds is not taller than its page
        sheet = page.locator(".sheet").nth(number)
        assert await sheet.evaluate("sheet => sheet.scrollHeight <= sheet.clientHeight + 1")
        assert await sheet.evaluate("sheet => sheet.scrollWidth <= sheet.clientWidth + 1")
    await shot(page, "outage-sheet-print")
    await page.emulate_media(media="screen")
    await page.set_viewport_size(WIDE)


async def enters_late(page: Page, scene: Scene, folder: Path, codes: list[str]) -> None:
    """A file with one good row and three faults, looked at and taken."""
    at = f"{datetime.now(UTC).astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M}"
    person = "Cấp giấy xác nhận tình trạng hôn nhân;Nguyễn Thị Bé;0912345678;Tờ khai (1 chính);có"
    rows = [f"{codes[0]};{at};{person}", f"{codes[1]};hôm qua;?;;12;;", f"{codes[0]};{at};{person}"]
    file = folder / "nhap-bu.csv"
    await asyncio.to_thread(file.write_text, "\n".join([HEADS, *rows, ""]), encoding="utf-8")
    await page.goto(scene.address + paths.LATE)
    await page.get_by_text("Các cột và cách ghi").first.click()
    await look(page, "late-empty")
    await page.get_by_label("Tệp CSV hoặc XLSX").set_input_files(file)
    await page.get_by_role("button", name="Kiểm tra", exact=True).click()
    await expect(page.get_by_role("heading", name="Đã kiểm tra xong, chưa nhập gì")).to_be_visible()
    await look(page, "late-checked")
    await page.get_by_role("button", name="Nhập 1 hồ sơ").click()
    await expect(page.get_by_role("heading", name="Đã nhập xong")).to_be_visible()
    await expect(page.get_by_role("link", name=codes[0])).to_be_visible()
    await look(page, "late-taken")


async def test_it_works_without_a_script(scene: Scene) -> None:
    async with page_with(scene.browser, viewport=WIDE, locale="vi", java_script_enabled=False) as page:
        await enter(page, scene, paths.NUMBERS)
        await page.get_by_role("button", name="Dành số").click()
        await page.get_by_role("link", name="In tờ giấy, mỗi mã một tờ").click()
        await expect(page.locator(".sheet")).to_have_count(20)
        await expect(page.get_by_role("button", name="In", exact=True)).to_have_count(0)
