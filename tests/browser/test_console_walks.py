"""The console as four people use it, in a real browser before a whole gateway that is bound to a simulated SMSC."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Locator, expect

from console import paths
from demo.smsc_faults import Fault
from domain.text import unaccent
from tests.browser.browsing import PATIENCE_MS
from tests.browser.console_walking import (
    APPROVER,
    AUTHOR,
    BASIS,
    OPERATOR,
    Office,
    Walker,
    an_office,
    broadcast_at,
)

RATE: Final = 1_000  # segments a second
ROWS: Final = 100_000
FIRST: Final = 100  # people, before somebody looks
FAILING: Final = 3  # of them
WHILE_RUNNING: Final = 3_000  # messages that have left when somebody holds it, and as many again when it is ended
RESULTS: Final = "Tải kết quả (CSV)"
IN_FULL: Final = "Tải kết quả với số đầy đủ (CSV)"
COUNTED_EVERY: Final = 1.0  # seconds
OWN_NUMBER: Final = "84909111222"  # of the author's own telephone
VIETNAMESE: Final = "Kính gửi {ho_ten}: trung tâm nghỉ ngày 30/4, làm việc lại ngày 02/5."
ENGLISH: Final = "Dear {ho_ten}, the centre is closed on 30 April and opens again on 2 May."
KHMER: Final = "{ho_ten}: មជ្ឈមណ្ឌលឈប់សម្រាកថ្ងៃ 30/4 ។"
Rows = Sequence[Sequence[str]]
WRONG: Final = {  # by position in the file, the heads being the first row
    7: ("Nguyễn Thiếu Số", "", "vi", "không có số điện thoại", ""),
    11: ("Lê Sai Số", "12345", "vi", "số điện thoại không đúng", "…345"),
    12: ("Trần Máy Bàn", "02993 822 123", "vi", "số điện thoại không đúng", "…123"),
    5_000: ("Phan Lạ Tiếng", "0981234567", "fr", "ngôn ngữ không có", "fr"),
    99_999: ("Võ Trùng Số", "0910000000", "vi", "trùng với dòng", "2"),
}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with an_office(tmp_path, rate=RATE) as made:
        yield made


def rows() -> Iterator[Sequence[str]]:
    """A list as an agency would have it: most of it right."""
    yield "Họ tên", "Số điện thoại", "Ngôn ngữ"
    for position in range(2, ROWS + 2):
        language = {0: "en", 1: "km"}.get(position % 50, "vi")
        name, number, called, *_ = WRONG.get(position, (f"Người {position}", number_of(position), language))
        yield name, number, called


def number_of(position: int) -> str:
    return f"09{10_000_000 + position - 2:08d}"


def write_list(path: Path) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows())
    return path


async def test_a_broadcast_is_written_by_one_let_go_by_another_held_and_accounted_for(
    office: Office, tmp_path: Path
) -> None:
    path = await asyncio.to_thread(write_list, tmp_path / "nguoi-nhan.csv")
    async with office.walker(AUTHOR) as author, office.walker(APPROVER) as approver:
        address = await composed(author)
        await imported(author, path)
        await finished(author)
        await tried(office, author)
        await submitted(author)
        office.smsc.dice.arm(Fault.SUBMIT_FAILED, FAILING)
        await approved(approver, address)
        await looked_at_first_ones(office, author, approver)
        await held_and_resumed(office, author, approver)
        await ended(office, author, approver)


async def composed(author: Walker) -> str:
    """A draft to a list; its address."""
    page = author.page
    await author.look("broadcasts-none")
    await author.follow("Soạn tin mới")
    await author.look("form-new")
    await page.get_by_label("Tiêu đề").fill("Nghỉ lễ 30/4")
    await page.get_by_label("Tiếng Việt").fill("Hồ sơ {sai}: nghỉ 30/4")
    await page.get_by_label("Danh sách do cơ quan lập").check()
    await page.get_by_label("Gửi trước cho số người đầu tiên").fill("0")
    await author.press("Lưu bản nháp")
    await expect(page.get_by_role("alert")).to_contain_text("Xin chọn căn cứ pháp lý.")
    await author.look("form-faults")
    await page.get_by_label("Căn cứ pháp lý", exact=True).select_option(BASIS)
    await page.get_by_label("Gửi trước cho số người đầu tiên").fill(str(FIRST))
    await page.get_by_label("Tiếng Việt").fill("Kính gửi: trung tâm nghỉ ngày 30/4.")
    await author.press("Lưu bản nháp")
    await author.is_told("Đã lưu bản nháp.")
    await author.look("draft-without-list")
    return broadcast_at(page)


async def imported(author: Walker, path: Path) -> None:
    """Every row that is wrong is told by its number, before anything is sent."""
    page = author.page
    await author.follow("Danh sách người nhận")
    await author.look("list-none")
    await page.get_by_label("Tệp CSV hoặc XLSX").set_input_files(path)
    await author.press("Nạp và kiểm tra")
    await expect(page.get_by_role("heading", name="Đã đọc xong danh sách")).to_be_visible()
    await expect(page.get_by_role("definition").filter(has_text="100.000")).to_be_visible()
    faults = page.get_by_role("table")
    for position, (*_, fault, hint) in WRONG.items():
        await expect(faults.get_by_role("row", name=f"{position} {fault} {hint}".strip())).to_be_visible()
    await author.look("list-read")
    _, *told = await author.downloads("Tải mọi lỗi (CSV)")
    assert [(int(row), fault, hint) for row, fault, hint in told] == [
        (position, fault, hint) for position, (*_, fault, hint) in WRONG.items()
    ]
    await author.press(f"Dùng danh sách {ROWS - len(WRONG):,} người".replace(",", "."))
    await author.is_told("Đã dùng danh sách.")


async def finished(author: Walker) -> None:
    """The texts, now that it is known what the list brings; counted while they are written."""
    page, counted = author.page, author.page.locator("#count")
    await author.follow("Sửa tin")
    text = page.get_by_label("Tiếng Việt")
    await text.fill("Kính gửi ")
    await author.press("{ho_ten}")
    await expect(text).to_have_value("Kính gửi {ho_ten}")
    await text.fill(VIETNAMESE)
    await expect(counted).to_contain_text("Ký tự buộc dùng UCS-2")
    await expect(counted).to_contain_text("Thời gian gửi")
    await author.look("form-counted")
    await page.get_by_label("Tiếng Anh").fill(ENGLISH)
    await page.get_by_label("Tiếng Khmer").fill(KHMER)
    await expect(counted).to_contain_text("Tiếng Khmer")
    await author.press("Bỏ dấu Tiếng Việt")
    await expect(text).to_have_value(unaccent(VIETNAMESE))
    await expect(counted).to_contain_text("đồng")
    await author.look("form-plain")
    await author.press("Lưu bản nháp")
    await author.is_told("Đã lưu thay đổi.")


async def tried(office: Office, author: Walker) -> None:
    """A test goes to the author's own telephone, as the first of the list would read it."""
    page = author.page
    await page.get_by_label("Số điện thoại hoặc mã trò chuyện").fill("12")
    await author.press("Gửi thử")
    await expect(page.get_by_role("alert")).to_contain_text("không đúng")
    await author.look("draft-test-refused")
    await page.get_by_label("Số điện thoại hoặc mã trò chuyện").fill(f"0{OWN_NUMBER[2:]}")
    await author.press("Gửi thử")
    await author.is_told("Đã gửi thử.")
    (text,) = await office.heard(OWN_NUMBER, 1)
    assert text.startswith("(TIN THU) ")
    assert "Nguoi 2" in text


async def submitted(author: Walker) -> None:
    """And whoever wrote it does not approve it."""
    await author.look("draft-ready")
    await author.press("Trình duyệt")
    await author.is_told("Đã trình duyệt.")
    await author.look("submitted-author")
    assert await author.offers("Duyệt và cho gửi", "Trả lại người soạn") == set()
    address = broadcast_at(author.page)
    assert await author.sends(f"{address}/approve", {"version": "3", "code": "000000"}) == 403


async def approved(approver: Walker, address: str) -> None:
    """By somebody else, who proves again who it is."""
    page = approver.page
    await approver.go(paths.BROADCASTS)
    await approver.look("broadcasts-approver")
    await approver.follow("Nghỉ lễ 30/4")
    assert broadcast_at(page) == address
    await approver.look("submitted-approver")
    await page.get_by_label("Mã xác thực").fill("000000")
    await approver.press("Duyệt và cho gửi")
    await expect(page.get_by_role("alert")).to_contain_text("Mã xác thực không đúng")
    await approver.look("submitted-wrong-code")
    await page.get_by_label("Mã xác thực").fill(await approver.telephone.code())
    await approver.press("Duyệt và cho gửi")
    await approver.is_told("Đã duyệt.")


async def looked_at_first_ones(office: Office, author: Walker, approver: Walker) -> None:
    """After the first few it waits until somebody has looked; some of them the network did not take."""
    await office.have_left(1 + FIRST - FAILING)
    await expect(approver.page.locator("#state")).to_have_text("Tạm dừng")
    await author.go(broadcast_at(approver.page))
    await expect(author.page.get_by_text("Đã gửi cho những người đầu tiên")).to_be_visible()
    await expect(figure(author, "Không gửi được")).to_have_text(str(FAILING))
    await author.look("first-ones")


async def held_and_resumed(office: Office, author: Walker, approver: Walker) -> None:
    """The page goes on by itself; nothing leaves while it is held, and what was held leaves when it goes on."""
    await approver.go(broadcast_at(author.page))
    await approver.press("Gửi tiếp")
    await approver.is_told("Đang gửi tiếp.")
    shown = approver.page.locator("#progress-text")
    before = await shown.inner_text()
    await office.have_left(WHILE_RUNNING)
    await expect(shown).not_to_have_text(before)  # nobody loaded the page again
    await approver.look("running")
    await approver.press("Tạm dừng")
    await approver.is_told("Đã tạm dừng.")
    held = await settled(office, approver)
    await approver.look("held")
    assert office.handsets.messages == held
    await author.go(broadcast_at(author.page))
    await author.press("Gửi tiếp")
    await author.is_told("Đang gửi tiếp.")
    await office.have_left(held + WHILE_RUNNING)


async def settled(office: Office, walker: Walker) -> int:
    """Until the page says of as many that they left as the SMSC took; how many that are, the test with them."""
    async with asyncio.timeout(2 * PATIENCE_MS / 1_000):
        while True:
            taken = office.handsets.messages
            await walker.go(broadcast_at(walker.page))
            said = (await figure(walker, "Đã giao cho kênh").inner_text()).replace(".", "")
            if int(said) == taken - 1:
                return taken
            await asyncio.sleep(COUNTED_EVERY)  # another process has no event to await


async def ended(office: Office, author: Walker, approver: Walker) -> None:
    """Ended for good after somebody was asked; whoever got something stands in the file, once."""
    await approver.go(broadcast_at(author.page))
    await approver.press("Dừng hẳn")
    await expect(approver.page.get_by_role("dialog")).to_be_visible()
    await approver.look("stop-asked")
    await approver.press("Không dừng")
    await approver.press("Dừng hẳn")
    await approver.page.get_by_role("dialog").get_by_role("button", name="Dừng hẳn", exact=True).click()
    await approver.is_told("Đã dừng hẳn.")
    await settled(office, approver)
    await approver.look("stopped")
    masked = await approver.downloads(RESULTS)
    async with office.walker(OPERATOR) as operator:
        await operator.go(broadcast_at(approver.page))
        await operator.look("stopped-operator")
        await accounted_for(office, masked, await operator.downloads(IN_FULL))
    await author.go(broadcast_at(approver.page))
    await author.press("Soạn gửi lại cho người chưa nhận")
    await author.is_told("Đã tạo bản nháp gửi lại.")
    await expect(author.page.get_by_text("chỉ những người lần trước chưa nhận được")).to_be_visible()
    await author.look("resend")
    await author.go(paths.BROADCASTS)
    await author.look("broadcasts-two")


async def accounted_for(office: Office, masked: Rows, full: Rows) -> None:
    """The file says of nobody more or less than the SMSC saw; whoever may not search by numbers reads none in it."""
    heads, *lines = full
    assert heads[0] == "Người nhận"
    assert [row[1:] for row in masked] == [row[1:] for row in full]
    assert all("***" in recipient for recipient, *_ in masked[1:])
    states = {number: state for number, _, _, _, state, *_ in lines}
    assert len(states) == len(lines), "somebody stands in the file twice"
    taken = office.handsets.often()
    del taken[OWN_NUMBER]
    assert set(taken.values()) == {1}, "somebody got it twice"
    assert {number for number, state in states.items() if state == "kênh đã nhận"} == set(taken)
    assert Counter(states.values())["kênh từ chối"] == FAILING
    assert set(states.values()) <= {"kênh đã nhận", "kênh từ chối", "đã bỏ, không gửi"}
    for position, written in ((90, unaccent(VIETNAMESE)), (50, ENGLISH), (51, KHMER)):
        (text,) = office.handsets.texts[f"84{number_of(position)[1:]}"]
        assert unaccent(text) == unaccent(written.replace("{ho_ten}", f"Người {position}"))


def figure(walker: Walker, name: str) -> Locator:
    """What the page says of it while the broadcast runs."""
    return walker.page.locator("#progress-rows dt", has_text=name).locator("xpath=following-sibling::dd[1]")
