"""The first officer of a whole gateway: made on its server, set up in a browser, signed in with a code from then on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import expect

from domain.officers import OfficerRole
from gateway.officer_command import GIVEN
from tests.browser.browsing import page_with
from tests.browser.console_walking import OPERATOR, WIDE, Office, Telephone, Walker, an_office

NEW_PASSWORD: Final = "mot cau dai de nho hon mot tu"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with an_office(tmp_path, rate=50) as made:
        yield made


async def test_the_first_officer_is_made_on_the_server_and_sets_up_what_opens_the_doors(office: Office) -> None:
    login = "dau.tien"
    said = await office.command("officer", "add", login, "--name", "Bùi Đầu Tiên", "--role", str(OfficerRole.OPERATOR))
    given = said.partition(GIVEN)[2].split()[0]
    newcomer = replace(OPERATOR, login=login, name="Bùi Đầu Tiên", password=given)
    async with page_with(office.browser, viewport=WIDE, locale="vi") as page:
        walker = Walker(page=page, address=office.gateway.staff, officer=newcomer, telephone=Telephone(""))
        await page.goto(walker.address)
        await walker.look("sign-in")
        await walker.signs_in("")
        await expect(page.get_by_text("Trước khi làm việc")).to_be_visible()
        await walker.look("first-time")
        await page.get_by_label("Mật khẩu hiện tại").fill(given)
        for label in ("Mật khẩu mới", "Nhập lại mật khẩu mới"):
            await page.get_by_label(label, exact=True).fill(NEW_PASSWORD)
        await walker.press("Đổi mật khẩu")
        await walker.is_told("Đã đổi mật khẩu.")
        await walker.press("Bắt đầu cài đặt")
        await walker.look("first-time-code")
        walker.telephone = Telephone((await page.locator("code").inner_text()).replace(" ", ""))
        await page.get_by_label("Mã sáu chữ số").fill(await walker.telephone.code())
        await walker.press("Xác nhận")
        await walker.is_told("Đã cài đặt mã xác thực.")
        await walker.press("Đăng xuất")
        walker.officer = replace(newcomer, password=NEW_PASSWORD)
        await walker.signs_in("000000")
        await expect(page.get_by_role("alert")).to_contain_text("Không đăng nhập được")
        await walker.look("sign-in-refused")
        await walker.sign_in()
