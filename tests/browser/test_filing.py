"""A citizen files online in a real Chromium, with a script and without, in three languages; then asks by text message."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from demo.process import GatewayProcess
from demo.smsc import Smsc, SmscOptions
from gateway.bootstrap import migrate
from gateway.configuration import load_settings
from tests.browser.browsing import PATIENCE_MS, axe, chromium, page_with, shot
from tests.unit.handing_in import pdf
from tests.whole.filing import AGENCY, PROCEDURE, kept_files, settings_with
from tests.whole.gateways import SHORT_CODE, Account, make_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
PHONE, DESK = {"width": 320, "height": 640}, {"width": 900, "height": 1100}
MORE = """
[disclosure]
proof_key = "of the tests and of nobody else"
"""
CODE = re.compile(r"^(\d{6}) ")


@dataclass(frozen=True, kw_only=True)
class Town:
    """A gateway with an agency that takes filings, its SMSC, and a browser."""

    gateway: GatewayProcess
    smsc: Smsc
    browser: Browser
    files: Path

    def heard(self, number: str) -> list[str]:
        return [each.text for each in self.smsc.replies if each.destination.removeprefix("+") == number]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    directory = tmp_path_factory.mktemp("town")
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(Smsc(SmscOptions()))
        settings = {"TRACUU_NOTICES__PINS_PER_ADDRESS": "100", "TRACUU_NOTICES__PINS_PER_BLOCK": "100"}
        gateway = make_gateway(directory, Account(port=smsc.port), settings=settings)
        text = gateway.config.read_text(encoding="utf-8")
        gateway.config.write_text(text + MORE + settings_with(directory / "files"), encoding="utf-8")
        await migrate(load_settings(gateway.config))
        browser = await stack.enter_async_context(chromium())
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        await smsc.bound()
        yield Town(gateway=gateway, smsc=smsc, browser=browser, files=directory / "files")


@asynccontextmanager
async def opened(town: Town, **options: Any) -> AsyncIterator[Page]:
    """A page of somebody who reads Vietnamese; nothing is left behind in the browser."""
    async with page_with(town.browser, **{"locale": "vi-VN", "viewport": DESK, **options}) as page:
        page.set_default_timeout(PATIENCE_MS)
        yield page
        assert await page.context.cookies() == []


async def fits(page: Page) -> None:
    """Nothing is wider than the screen, and axe has nothing to say."""
    assert await page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth") <= 0
    assert await axe(page) == []


async def code_for(town: Town, number: str, before: int) -> str:
    await town.smsc.until(lambda: len(town.heard(number)) > before)
    found = CODE.match(town.heard(number)[-1])
    assert found is not None, town.heard(number)
    return found[1]


async def file_one(town: Town, page: Page, phone: str, *, look: bool = False, name: str = "") -> str:
    """From the first page to the last, by what stands on them; gives the code of the dossier."""
    number, base = f"84{phone[1:]}", town.gateway.public

    async def seen(step: str) -> None:
        if look:
            await fits(page)
            await shot(page, f"filing-{name}-{step}")

    await page.goto(f"{base}/nop-ho-so")
    await seen("1-find")
    await page.get_by_label("Ông/bà cần làm gì?").fill("khai sinh")
    await page.get_by_role("button", name="Tìm").click()
    await page.goto(f"{base}/nop-ho-so/{PROCEDURE}")
    await seen("2-procedure")
    if await page.get_by_role("radio").count() > 1:
        await page.locator(f'input[value="{AGENCY}"]').check()
    await page.get_by_role("button", name="Bắt đầu").click()
    await expect(page.locator("h1")).to_have_text("Người nộp")
    await page.get_by_label("Họ và tên người nộp").fill("Nguyễn Thị Bé")
    await page.get_by_label("Số điện thoại di động").fill("0299 3821888")
    await page.get_by_role("button", name="Tiếp tục").click()
    await expect(page.get_by_role("alert")).to_contain_text("di động Việt Nam")
    await seen("3-mend")
    await page.get_by_label("Số điện thoại di động").fill(phone)
    await page.get_by_label("Tôi đồng ý nhận tin nhắn").check()
    await page.get_by_role("button", name="Tiếp tục").click()
    await expect(page.locator("h1")).to_have_text("Giấy tờ")
    first = page.locator("#paper-0")
    await first.locator("input[type=file]").set_input_files(
        {"name": "lừa.pdf", "mimeType": "application/pdf", "buffer": b"MZ" + bytes(99)}
    )
    await first.get_by_role("button", name="Gửi tệp").click()
    await expect(page.get_by_role("alert")).to_contain_text("Loại tệp này không được nhận")
    await page.locator("#paper-0 input[type=file]").set_input_files(
        {"name": "tờ khai.pdf", "mimeType": "application/pdf", "buffer": pdf()}
    )
    await page.locator("#paper-0").get_by_role("button", name="Gửi tệp").click()
    await expect(page.locator("#paper-0 .file")).to_have_text("tờ khai.pdf")
    await seen("4-papers")
    await page.get_by_role("link", name="Tiếp tục").click()
    before = len(town.heard(number))
    await page.get_by_role("button", name="Gửi mã").click()
    await seen("5-number")
    await page.get_by_label("Mã 6 chữ số").fill(await code_for(town, number, before))
    await page.get_by_role("button", name="Xác nhận").click()
    await expect(page.locator("h1")).to_have_text("Xem lại và nộp")
    await seen("6-review")
    await page.get_by_label("Tôi cam đoan").check()
    await page.get_by_role("button", name="Nộp hồ sơ").click()
    await expect(page.locator("h1")).to_have_text("Hồ sơ đã nộp")
    await expect(page.get_by_text("Đã nộp, chưa tiếp nhận")).to_be_visible()
    await seen("7-filed")
    return await page.locator("#code").inner_text()


@pytest.mark.parametrize(
    ("viewport", "scripts", "phone", "name"),
    [(DESK, True, "0912000001", "wide"), (PHONE, False, "0912000002", "narrow-without-a-script")],
)
async def test_a_citizen_files_and_a_text_message_finds_the_dossier(
    town: Town, viewport: dict[str, int], phone: str, name: str, *, scripts: bool
) -> None:
    async with opened(town, viewport=viewport, java_script_enabled=scripts) as page:
        code = await file_one(town, page, phone, look=scripts, name=name)
        if not scripts:
            await shot(page, f"filing-{name}-7-filed")
        assert await page.locator("#secret").inner_text()
        await page.reload()
        await expect(page.locator("#code")).to_have_text(code)
    asker = f"8491300000{phone[-1]}"
    await town.smsc.send_mo(asker, SHORT_CODE, code)
    await town.smsc.until(lambda: bool(town.heard(asker)))
    assert code in town.heard(asker)[0]
    assert "dang kiem tra de tiep nhan" in town.heard(asker)[0]


@pytest.mark.parametrize("language", ["vi", "en", "km"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["wide", "narrow"])
async def test_every_page_is_whole_in_every_language_and_on_a_small_screen(
    town: Town, language: str, viewport: dict[str, int]
) -> None:
    async with opened(town, viewport=viewport) as page:
        name = f"filing-{language}-{viewport['width']}"
        await page.goto(f"{town.gateway.public}/nop-ho-so?lang={language}&tim=khai%20sinh")
        await fits(page)
        await shot(page, f"{name}-1-find")
        await page.goto(f"{town.gateway.public}/nop-ho-so/{PROCEDURE}?lang={language}")
        await fits(page)
        await shot(page, f"{name}-2-procedure")
        await page.locator("form.filing button").click()
        await page.wait_for_url("**/ho-so/*")
        path = page.url.partition("?")[0]
        for number, step in enumerate(("", "/giay-to", "/so-dien-thoai", "/gui"), 3):
            await page.goto(f"{path}{step}?lang={language}")
            assert await page.locator("html").get_attribute("lang") == language
            await fits(page)
            await shot(page, f"{name}-{number}")
        await page.goto(f"{path[:-3]}xyz?lang={language}")
        await fits(page)


async def test_a_secret_link_goes_to_no_other_page(town: Town) -> None:
    async with opened(town) as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.headers.get("referer", "")))
        await file_one(town, page, "0912000003")
        token = re.search(r"/ho-so/([\w-]+)", page.url)
        assert token is not None
        await page.get_by_role("link", name="Tra cứu hồ sơ này").click()
        await page.wait_for_url("**/tra-cuu*")
        assert not any(token[1] in each for each in sent)
    log = town.gateway.log
    assert log is not None
    assert token[1] not in log.read_text(encoding="utf-8")


async def test_nothing_of_what_was_refused_is_left_on_the_disk(town: Town) -> None:
    before = len(kept_files(town.files))
    async with opened(town) as page:
        await file_one(town, page, "0912000004")
    assert len(kept_files(town.files)) == before + 1
    async with aiohttp.ClientSession() as http, http.get(f"{town.gateway.public}/ho-so/nobodys") as answer:
        assert answer.status == 404
