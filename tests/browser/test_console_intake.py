"""The desk in a real browser: worked by the keyboard alone, whole without a script, and in nobody's way (SHOTS)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from console import paths
from console.intake.desk import at
from domain.officers import OfficerRole
from tests.browser.browsing import axe, chromium, page_with, serving, shot
from tests.console_made import COOKIE, MadeConsole, made_console

WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=360, height=740)
SETTINGS = """
[[intake.agencies]]
agency = "H13.16"
units = ["Phòng Hành chính tư pháp", "Phòng Bổ trợ tư pháp"]
[intake]
files = "{files}"
"""
MARITAL = "Cấp giấy xác nhận tình trạng hôn nhân"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An officer's browser before the desk; `address` of the console, `secret` of the session."""

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


async def enter(page: Page, scene: Scene, path: str = paths.INTAKE) -> None:
    await page.context.add_cookies([{"name": COOKIE, "value": scene.secret, "url": scene.address}])
    await page.goto(scene.address + path)


async def look(page: Page, name: str) -> None:
    """Nothing stands in anybody's way, on a desk and on a telephone; and two pictures."""
    for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
        await page.set_viewport_size(viewport)
        assert await axe(page) == [], (name, size)
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert await page.evaluate(wide), (name, size)
        assert await page.get_by_role("heading", level=1).count() == 1, (name, size)
        await shot(page, f"intake-{name}-{size}")
    await page.set_viewport_size(WIDE)


async def types(page: Page, *words: str) -> None:
    """Each into the field where the keyboard is, then on to the next."""
    for each in words:
        await page.keyboard.type(each)
        await page.keyboard.press("Enter")


async def test_a_dossier_is_registered_with_the_keyboard_alone(scene: Scene) -> None:
    async with page_with(scene.browser, viewport=WIDE, locale="vi") as page:
        await enter(page, scene)
        await look(page, "list-empty")
        await page.get_by_role("link", name="Nhận hồ sơ mới").press("Enter")
        await expect(page).to_have_url(scene.address + paths.INTAKE_NEW)
        words = page.get_by_role("combobox", name="Tên hoặc mã thủ tục")
        await expect(words).to_be_focused()
        await page.keyboard.type("tinh trang hon")
        await expect(page.get_by_role("option").first).to_be_visible()
        await expect(words).to_have_attribute("aria-expanded", "true")
        await look(page, "new-choosing")
        await page.keyboard.press("Enter")
        await expect(words).to_have_value(MARITAL)
        await expect(page.locator("#facts")).to_contain_text("3 ngày làm việc")
        await expect(page.locator("#paper_0_name")).to_contain_text("Tờ khai")
        await expect(page.get_by_label("Nộp qua")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Họ và tên người nộp")).to_be_focused()
        await types(page, "Nguyễn Thị Bé", "0912345678", "094199012345", "Ấp 3, xã Phú Lộc", "", "")
        await page.keyboard.press("Space")  # consent
        for _ in range(2):
            await page.keyboard.press("Enter")
        for _ in ("complete", "legal"):
            await page.keyboard.press("Space")
            await page.keyboard.press("Enter")
        await look(page, "new-filled")
        await page.keyboard.press("Control+Enter")
        await expect(page).to_have_url(re.compile(r"/ho-so/\d+/bien-nhan$"))
        identifier = int(page.url.split("/")[-2])
        kept = await scene.console.store.intake().by_id(identifier)
        assert kept is not None
        assert (kept.person.name, kept.notify, kept.papers[0].legal) == ("Nguyễn Thị Bé", True, True)
        await page.goto(scene.address + at(paths.INTAKE_ONE, identifier))
        await look(page, "one")
        await page.goto(scene.address + paths.INTAKE)
        await look(page, "list")


async def test_faults_lead_to_their_fields_and_enter_never_loses_the_form(scene: Scene) -> None:
    async with page_with(scene.browser, viewport=WIDE, locale="vi") as page:
        await enter(page, scene, paths.INTAKE_NEW)
        await page.keyboard.type("kết h")
        await expect(page.get_by_role("option").first).to_be_visible()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("listbox")).to_be_hidden()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("option").first).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.locator("#facts-box")).to_be_visible()
        await page.get_by_label("Họ và tên người nộp").fill("Trần Văn Tám")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Số điện thoại", exact=True)).to_be_focused()
        await page.get_by_label("Người nộp đồng ý nhận tin báo").check()
        await page.get_by_role("button", name="Ghi, chưa in").click()
        await expect(page.get_by_role("alert")).to_contain_text("số điện thoại di động")
        await expect(page.get_by_label("Họ và tên người nộp")).to_have_value("Trần Văn Tám")
        await look(page, "new-faults")
        await page.get_by_role("alert").get_by_role("link").first.click()
        await expect(page.get_by_label("Số điện thoại", exact=True)).to_be_focused()


async def test_without_a_script_the_desk_is_whole(scene: Scene) -> None:
    async with page_with(scene.browser, viewport=WIDE, locale="vi", java_script_enabled=False) as page:
        await enter(page, scene, paths.INTAKE_NEW)
        await page.get_by_label("Họ và tên người nộp").fill("Trần Văn Tám")
        await page.get_by_label("Tên hoặc mã thủ tục").fill("khai s")
        await page.keyboard.press("Enter")
        await page.get_by_role("radio", name=re.compile(r"^Đăng ký khai sinh 1\.")).check()
        await page.keyboard.press("Enter")
        await expect(page.locator("#paper_0_name")).to_contain_text("Tờ khai đăng ký khai sinh")
        await expect(page.get_by_label("Họ và tên người nộp")).to_have_value("Trần Văn Tám")
        await page.get_by_role("radio", name=re.compile("Yêu cầu bổ sung")).check()
        await page.locator("#paper_1_missing").check()
        await page.locator("#paper_1_originals").fill("")
        await page.get_by_role("button", name="Ghi, chưa in").click()
        await expect(page.get_by_role("status")).to_contain_text("Đã ghi hồ sơ.")
        await expect(page.locator("#state")).to_have_text("Yêu cầu bổ sung giấy tờ")


async def test_what_is_done_to_a_dossier_is_done_by_its_page(scene: Scene) -> None:
    async with page_with(scene.browser, viewport=WIDE, locale="vi") as page:
        await enter(page, scene, paths.INTAKE_NEW_MAIL)
        await look(page, "mail")
        mail = "From: Lan <lan@example.vn>\r\nSubject: Xin cấp giấy xác nhận tình trạng hôn nhân\r\n\r\nTôi tên là Nguyễn Thị Lan"
        await page.get_by_label("Tệp thư").set_input_files(
            {"name": "thu.eml", "mimeType": "message/rfc822", "buffer": mail.encode()}
        )
        await page.get_by_role("button", name="Mở thư").click()
        await expect(page.get_by_label("Họ và tên người nộp")).to_have_value("Nguyễn Thị Lan")
        await look(page, "new-mail")
        await page.get_by_role("radio", name=re.compile("Yêu cầu bổ sung")).check()
        await page.locator("#paper_0_copies").fill("")
        await page.locator("#paper_0_missing").check()
        await page.get_by_role("button", name="Ghi, chưa in").click()
        await expect(page.locator("#state")).to_have_text("Yêu cầu bổ sung giấy tờ")
        await page.locator("#act-take_supplement summary").press("Enter")
        await page.locator("#take_supplement-paper_0_missing").uncheck()
        await page.locator("#take_supplement-paper_0_copies").fill("1")
        await page.locator("#take_supplement-all_complete").check()
        await look(page, "one-supplement")
        await page.get_by_role("button", name="Nhận bổ sung").click()
        await expect(page.get_by_role("alert")).to_contain_text("Chưa đánh dấu hợp lệ")
        await look(page, "one-faults")
        await page.locator("#take_supplement-paper_0_legal").check()
        await page.get_by_role("button", name="Nhận bổ sung").click()
        await expect(page.locator("#state")).to_have_text("Mới đăng ký")
        await page.locator("#act-accept summary").click()
        await page.get_by_role("button", name="Tiếp nhận").click()
        await expect(page.locator("#state")).to_have_text("Được tiếp nhận")
        await page.locator("#act-forward summary").click()
        await page.get_by_label("Chuyển đến").select_option(label="Phòng Bổ trợ tư pháp")
        await page.get_by_role("button", name="Chuyển hồ sơ").click()
        await expect(page.locator("#state")).to_have_text("Đang xử lý")
        await look(page, "one-forwarded")
