"""An ordinary day at the console of a whole gateway: who runs it, who answers people, who only looks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import expect

from console import paths
from console.help.pages import SCREENS
from tests.browser.console_walking import (
    ADMINISTRATOR,
    AUTHOR,
    INCIDENT,
    INSPECTOR,
    OPERATOR,
    Office,
    Walker,
    an_office,
)

CODE: Final = "H13.18-250701-0003"
ASKER: Final = "84912000001"
CRITIC: Final = "84912000008"
OPINION: Final = "xin thêm ghế ở phòng chờ"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with an_office(tmp_path, rate=50) as made:
        yield made


async def people_wrote(office: Office) -> None:
    """One asked and follows, one has an opinion."""
    assert CODE in await office.hears(ASKER, CODE)
    assert CODE in await office.hears(ASKER, f"DK {CODE}")
    assert "gop y" in await office.hears(CRITIC, f"GY {OPINION}")


async def test_an_operator_sees_what_happens_and_tells_whoever_must_know(office: Office) -> None:
    await people_wrote(office)
    async with office.walker(OPERATOR) as operator:
        await watched(office, operator)
        await told_of_it(office, operator)
        await conversation_found(operator)
        await officer_added(operator)
        await site_added(operator)
        await noted(operator)
        await helped(operator)


async def watched(office: Office, operator: Walker) -> None:
    """The screen goes on by itself; its chart has a table."""
    page = operator.page
    await expect(page.get_by_role("heading", name="Tình trạng hệ thống")).to_be_visible()
    await expect(page.locator("#chart canvas")).to_be_visible()
    await expect(page.locator("#channels").get_by_role("row", name=re.compile("^SMS 3 3 "))).to_be_visible()
    await operator.look("health")
    await page.get_by_text("Xem số liệu của biểu đồ").click()
    await expect(page.get_by_role("table", name="Tin theo giờ hôm nay")).to_be_visible()
    await operator.look("health-as-table")
    await office.smsc.stop()
    await expect(page.locator("#wrong")).to_contain_text("mất kết nối")
    await operator.look("health-wrong")


async def told_of_it(office: Office, operator: Walker) -> None:
    """What is wrong stands in the report already; it leaves once the way is there again."""
    await operator.follow("Viết báo cáo sự cố")
    await expect(operator.page.get_by_label("Nội dung")).to_have_value(re.compile("mất kết nối"))
    await expect(operator.page.get_by_role("link", name="Trợ giúp về màn hình này")).to_be_visible()
    await operator.look("incident")
    await operator.press("Xem trước khi gửi")
    await operator.look("incident-look")
    await operator.press("Gửi ngay")
    await operator.is_told("Đã chuyển báo cáo để gửi ngay.")
    await operator.look("incident-done")
    await office.smsc.start()
    (text,) = await office.heard(INCIDENT, 1)
    assert text.startswith("SU CO he thong tra cuu ho so")


async def conversation_found(operator: Walker) -> None:
    """By the code, with the number hidden; by a number typed in full."""
    page = operator.page
    await operator.follow("Tin nhắn")
    await operator.look("messages")
    await page.get_by_label("Mã hồ sơ").fill("khong co ma")
    await page.get_by_role("button", name="Tìm").first.click()
    await expect(page.get_by_role("alert")).to_contain_text("Không đọc được mã hồ sơ nào.")
    await operator.look("messages-no-code")
    await page.get_by_label("Mã hồ sơ").fill(f"{CODE} va H13.18-250701-0001")
    await page.get_by_role("button", name="Tìm").first.click()
    await operator.look("messages-which")
    await operator.press(CODE)
    await expect(page.get_by_role("table", name=re.compile("Câu hỏi"))).to_contain_text(CODE)
    assert ASKER[2:] not in await page.content()
    await operator.look("messages-by-code")
    await page.get_by_role("textbox", name="Số điện thoại").fill(f"0{ASKER[2:]}")
    await page.get_by_role("button", name="Tìm").last.click()
    await expect(page.get_by_role("heading", name=ASKER)).to_be_visible()
    await operator.look("messages-by-number")


async def officer_added(operator: Walker) -> None:
    page = operator.page
    await operator.follow("Cán bộ")
    await operator.look("officers")
    await operator.follow("Thêm cán bộ")
    await page.get_by_label("Tên đăng nhập").fill("A B")
    await page.get_by_label("Họ và tên").fill("Vũ Mới Vào")
    await operator.press("Thêm cán bộ")
    await expect(page.get_by_role("alert")).to_contain_text("Tên đăng nhập không đúng dạng.")
    await operator.look("officer-new-faults")
    await page.get_by_label("Tên đăng nhập").fill("moi.vao")
    await page.get_by_label("Người soạn tin").check()
    await operator.press("Thêm cán bộ")
    await expect(page.get_by_role("heading", name="Mật khẩu dùng một lần")).to_be_visible()
    await operator.look("officer-given")
    await operator.follow("Đến trang của cán bộ")
    await operator.look("officer")


async def site_added(operator: Walker) -> None:
    page = operator.page
    await operator.follow("Trang tích hợp")
    await operator.look("sites-none")
    await page.get_by_label("Tên").fill("Sở Tài nguyên")
    await page.get_by_label("Địa chỉ").fill("https://stnmt.example.gov.vn")
    await operator.press("Thêm trang")
    await expect(page.get_by_role("heading", name="Khóa của trang")).to_be_visible()
    await operator.look("site-given")
    await operator.follow("Về danh sách")
    await operator.look("sites")


async def noted(operator: Walker) -> None:
    """Whoever looked for a number is known, and the file says the same."""
    page = operator.page
    await operator.follow("Nhật ký")
    await operator.look("audit")
    await page.get_by_label("Việc", exact=True).select_option(label="Tìm tin nhắn theo số điện thoại")
    await operator.press("Tìm")
    await expect(page.get_by_role("row", name=re.compile("van.hanh"))).to_have_count(1)
    await operator.look("audit-filtered")
    _, line = await operator.downloads("Tải tệp CSV")
    assert "van.hanh" in line


async def helped(operator: Walker) -> None:
    """There is a page for each screen, which says who may what there."""
    await operator.follow("Trợ giúp về màn hình này")
    await operator.follow("Mọi trang trợ giúp")
    await operator.look("help")
    for screen in SCREENS:
        await operator.go(f"{paths.HELP}/{screen}")
        await operator.look(f"help-{screen}")
    await operator.go("/khong-co")
    await operator.look("lost")


async def test_an_inspector_sees_everything_and_changes_nothing(office: Office) -> None:
    await people_wrote(office)
    async with office.walker(AUTHOR) as author, office.walker(INSPECTOR) as inspector:
        address = await submitted(author)
        await inspected(inspector, address)


async def submitted(author: Walker) -> str:
    """A broadcast to whoever follows; its address."""
    await author.follow("Soạn tin mới")
    await author.page.get_by_label("Tiêu đề").fill("Mời nhận kết quả")
    await author.page.get_by_label("Tiếng Việt").fill("Ho so {ma_ho_so} da co ket qua.")
    await author.press("Lưu bản nháp")
    await author.is_told("Đã lưu bản nháp.")
    return author.page.url.removeprefix(author.address).partition("?")[0]


async def inspected(inspector: Walker, address: str) -> None:
    """Each page of the menu is there; what a page could change it does not offer, and nobody does it without."""
    page = inspector.page
    await expect(page.get_by_role("navigation", name="Chức năng").get_by_role("link")).to_have_text(
        ["Tình trạng", "Gửi tin", "Tin nhắn", "Góp ý", "Cán bộ", "Nhật ký", "Trợ giúp"]
    )
    for name, path in (
        ("health", paths.HEALTH),
        ("broadcasts", paths.BROADCASTS),
        ("broadcast", address),
        ("feedback", paths.FEEDBACK),
        ("feedback-one", f"{paths.FEEDBACK}/1"),
        ("officers", paths.OFFICERS),
        ("audit", paths.AUDIT),
        ("account", paths.ACCOUNT),
    ):
        await inspector.go(path)
        await inspector.look(f"inspector-{name}")
        if path != paths.ACCOUNT:
            assert await offered(inspector) <= {"Đăng xuất", "Tìm", "Lọc"}, name
    await inspector.go(paths.MESSAGES)
    await expect(page.get_by_label("Số điện thoại")).to_have_count(0)
    await page.get_by_label("Mã hồ sơ").fill(CODE)
    await inspector.press("Tìm")
    await expect(page.get_by_role("table").first).to_contain_text(CODE)
    await inspector.look("inspector-messages")
    await refused(inspector, address)


async def offered(walker: Walker) -> set[str]:
    """All buttons of the page."""
    return {text.strip() for text in await walker.page.get_by_role("button").all_inner_texts()}


async def refused(inspector: Walker, address: str) -> None:
    for path in (
        *(f"{address}/{action}" for action in ("edit", "submit", "approve", "send_back", "pause", "resume", "stop")),
        *(f"{address}/{action}" for action in ("thu", "danh-sach", "resend")),
        *(paths.BROADCAST_NEW, paths.BROADCAST_COUNT, paths.MESSAGES_NUMBER, paths.INCIDENT, paths.OFFICER_NEW),
        *(f"{paths.FEEDBACK}/1/tra-loi", f"{paths.FEEDBACK}/1/chuyen", f"{paths.OFFICERS}/1/khoa", paths.SITES),
    ):
        assert await inspector.sends(path) == 403, path
    await inspector.go(paths.INCIDENT)
    await expect(inspector.page.get_by_role("heading", name="Không có quyền")).to_be_visible()
    await inspector.look("inspector-refused")


async def test_an_administrator_answers_people_and_looks_after_the_own_account(office: Office) -> None:
    await people_wrote(office)
    async with office.walker(ADMINISTRATOR) as administrator:
        await answered(office, administrator)
        await another_session_ended(office, administrator)
        await in_english(administrator)


async def answered(office: Office, administrator: Walker) -> None:
    """By the same way it came."""
    page = administrator.page
    await administrator.follow("Góp ý")
    await administrator.look("feedback")
    await administrator.follow("1")
    await administrator.look("feedback-one")
    answer = page.get_by_label("Câu trả lời")
    await answer.fill("Cảm ơn ông/bà. " * 30)
    await administrator.press("Gửi trả lời")
    await expect(page.get_by_role("alert")).to_contain_text("dài hơn hai tin SMS")
    await administrator.look("feedback-too-long")
    await answer.fill("Cảm ơn ông/bà, phòng chờ đã có thêm 20 ghế.")
    await administrator.press("Gửi trả lời")
    await administrator.is_told("Đã trả lời góp ý.")
    told = await office.heard(CRITIC, 2)
    assert "20" in told[1]
    await administrator.look("feedback-answered")
    await administrator.go(f"{paths.FEEDBACK}?loai=overdue")
    await administrator.look("feedback-none")


async def another_session_ended(office: Office, administrator: Walker) -> None:
    """One sees where one is signed in, and ends what one does not know."""
    async with office.walker(ADMINISTRATOR) as elsewhere:
        await administrator.go(paths.ACCOUNT)
        await administrator.look("account")
        other = (
            administrator.page.get_by_role("row")
            .filter(has_not_text="phiên này")
            .filter(has=administrator.page.get_by_role("button"))
        )
        await other.get_by_role("button").click()
        await administrator.is_told("Đã kết thúc phiên.")
        await elsewhere.go(paths.FEEDBACK)
        await expect(elsewhere.page.get_by_role("heading", name="Đăng nhập")).to_be_visible()
        await elsewhere.look("signed-out")


async def in_english(administrator: Walker) -> None:
    """Every page, in the other language."""
    page = administrator.page
    await page.get_by_label("Ngôn ngữ của bảng điều hành").select_option("en")
    await administrator.press("Chọn")
    await expect(page.get_by_role("heading", level=1)).to_have_text("My account")
    for name, path in (
        ("health", paths.HEALTH),
        ("incident", paths.INCIDENT),
        ("broadcasts", paths.BROADCASTS),
        ("messages", paths.MESSAGES),
        ("feedback", f"{paths.FEEDBACK}?loai=all"),
        ("feedback-one", f"{paths.FEEDBACK}/1"),
        ("officers", paths.OFFICERS),
        ("sites", paths.SITES),
        ("audit", paths.AUDIT),
        ("help", paths.HELP),
        ("account", paths.ACCOUNT),
    ):
        await administrator.go(path)
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await administrator.look(f"english-{name}")
