"""The console in a real browser: nobody is shut out, nothing breaks its own policy, and it can be looked at (SHOTS)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from console import paths
from domain.officers import OfficerRole as Role
from domain.sites import Site
from tests.browser.browsing import axe, chromium, page_with, serving, shot
from tests.console_made import COOKIE, PASSWORD, MadeConsole, code, made_console

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 720}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A browser before a console; `address` of it."""

    console: MadeConsole
    browser: Browser
    address: str


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        made_console(tmp_path) as console,
        serving(console.console.app) as address,
        chromium() as browser,
    ):
        yield Scene(console=console, browser=browser, address=address)


async def sign_in(page: Page, address: str, login: str) -> None:
    await page.goto(address)
    await page.get_by_label("Tên đăng nhập").fill(login)
    await page.get_by_label("Mật khẩu").fill(PASSWORD)
    await page.get_by_label("Mã xác thực").fill(code())
    await page.get_by_role("button", name="Đăng nhập").click()


async def fits(page: Page) -> bool:
    """Nothing makes the page itself wider than the screen."""
    wide: bool = await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return wide


async def test_without_an_officer_the_page_says_how_to_add_one(scene: Scene) -> None:
    async with page_with(scene.browser, viewport=WIDE, locale="vi") as page:
        await page.goto(scene.address)
        await expect(page.get_by_text("tracuu officer add")).to_be_visible()
        assert await axe(page) == []
        await shot(page, "console-nobody")


async def test_every_screen_can_be_used_by_everybody(scene: Scene) -> None:
    operator = await scene.console.officer("van.hanh", Role.OPERATOR, name="Trần Vận Hành")
    await scene.console.officer("lan.tran", Role.AUTHOR, Role.APPROVER, name="Trần Thị Lan", agency="H13.02")
    await scene.console.store.sites().add(
        Site(
            key="ts_aaaaaaaaaaaaaaaa",
            name="Sở Tài nguyên và Môi trường",
            agency="H13.02",
            origins=("https://stnmt.example.gov.vn", "https://dat-dai.stnmt.example.gov.vn"),
            secret_digest="00" * 32,
            created_at=scene.console.made.opened.clock(),
        )
    )
    screens = {
        "health": paths.HEALTH,
        "incident": paths.INCIDENT,
        "officers": paths.OFFICERS,
        "officer": f"{paths.OFFICERS}/{operator.id}",
        "officer-new": paths.OFFICER_NEW,
        "sites": paths.SITES,
        "audit": paths.AUDIT,
        "help": paths.HELP,
        "help-broadcasts": f"{paths.HELP}/broadcasts",
        "account": paths.ACCOUNT,
        "lost": "/khong-co",
    }
    for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
        async with page_with(scene.browser, viewport=viewport, locale="vi") as page:
            secret = await scene.console.signed_in(operator)
            await page.context.add_cookies([{"name": COOKIE, "value": secret, "url": scene.address}])
            for name, path in screens.items():
                await page.goto(scene.address + path)
                assert await axe(page) == [], (name, size)
                assert await fits(page), (name, size)
                assert await page.get_by_role("heading", level=1).count() == 1
                await shot(page, f"console-{name}-{size}")


async def test_an_officer_signs_in_with_a_code_and_lands_on_the_first_screen(scene: Scene) -> None:
    await scene.console.officer("van.hanh", Role.OPERATOR)
    async with page_with(scene.browser, viewport=WIDE, locale="vi") as page:
        await page.goto(scene.address)
        assert await axe(page) == []
        await shot(page, "console-sign-in")
        await sign_in(page, scene.address, "van.hanh")
        await expect(page).to_have_url(scene.address + paths.HEALTH)
        await expect(page.get_by_role("link", name="Tình trạng", exact=True)).to_have_attribute("aria-current", "page")
        await page.get_by_role("button", name="Đăng xuất").click()
        await expect(page).to_have_url(re.compile(paths.SIGN_IN))


async def test_health_goes_on_by_itself_and_draws_its_table(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.health.pages.REFRESH_EVERY", 0.2)
    operator = await scene.console.officer("van.hanh", Role.OPERATOR)
    async with page_with(scene.browser, viewport=WIDE, locale="vi") as page:
        secret = await scene.console.signed_in(operator)
        await page.context.add_cookies([{"name": COOKIE, "value": secret, "url": scene.address}])
        await page.goto(scene.address + paths.HEALTH)
        await expect(page.locator("#chart canvas")).to_be_visible()
        await page.evaluate("document.getElementById('at').textContent = ''")
        await scene.console.console.refresh()
        await expect(page.locator("#at")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"), timeout=30_000)
        await page.get_by_text("Xem số liệu của biểu đồ").click()
        await expect(page.get_by_role("table", name="Tin theo giờ hôm nay")).to_be_visible()
        assert await axe(page) == []


async def test_an_incident_is_looked_at_before_it_leaves(scene: Scene) -> None:
    operator = await scene.console.officer("van.hanh", Role.OPERATOR)
    async with page_with(scene.browser, viewport=WIDE, locale="vi", java_script_enabled=False) as page:
        secret = await scene.console.signed_in(operator)
        await page.context.add_cookies([{"name": COOKIE, "value": secret, "url": scene.address}])
        await page.goto(scene.address + paths.HEALTH)
        await page.get_by_role("link", name="Viết báo cáo sự cố").click()
        await page.get_by_label("Nội dung").fill("Kênh SMS mất kết nối từ 14:00")
        await page.get_by_role("button", name="Xem trước khi gửi").click()
        await expect(page.get_by_text("SU CO he thong tra cuu ho so")).to_be_visible()
        await shot(page, "console-incident-look")
        await page.get_by_role("button", name="Gửi ngay").click()
        await expect(page.get_by_role("status")).to_have_text("Đã chuyển báo cáo để gửi ngay.")


async def test_in_forced_colours_the_marks_stay_readable(scene: Scene) -> None:
    operator = await scene.console.officer("van.hanh", Role.OPERATOR)
    async with page_with(scene.browser, viewport=WIDE, locale="vi", forced_colors="active") as page:
        secret = await scene.console.signed_in(operator)
        await page.context.add_cookies([{"name": COOKIE, "value": secret, "url": scene.address}])
        await page.goto(scene.address + paths.HEALTH)
        await shot(page, "console-health-forced")
        await expect(
            page.get_by_role("cell", name="Mất kết nối")
            .or_(page.get_by_role("cell", name="Không tiến trình nào giữ"))
            .first
        ).to_be_visible()
