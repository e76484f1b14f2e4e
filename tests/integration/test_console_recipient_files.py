"""Lists of recipients as authors and attackers send them: what is read, told and taken, and what never gets that far."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientResponse, FormData

from console import paths
from console.broadcasts.desk import at
from console.broadcasts.file_limits import LARGEST_FILE, LARGEST_UNPACKED
from console.broadcasts.imports import AT_ONCE, ImportState
from domain.broadcasts import BroadcastState
from domain.errors import StoreUnavailable
from domain.officers import OfficerRole as Role
from tests.integration.broadcast_consoles import FORM, LIST_FORM, Office, an_office, said
from tests.integration.consoles import SAME, Browser, get, one, post
from tests.unit.test_broadcast_files import with_part, workbook

HEAD = "Họ tên;Số điện thoại\n"
GOOD = f"{HEAD}Lan;0913572468\nBình;0987654321\n".encode()


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(uploads))
    async with an_office(tmp_path) as office:
        yield office
    assert list(uploads.iterdir()) == []  # nothing of what was sent is left


@pytest.fixture
async def author(office: Office) -> Browser:
    return await office.enters("author", Role.AUTHOR)


@pytest.fixture
async def draft(office: Office, author: Browser) -> int:
    return await office.drafted(author, **LIST_FORM)


async def shown(browser: Browser, draft: int) -> str:
    return await (await get(browser, at(paths.BROADCAST_FILE, draft))).text()


async def take(browser: Browser, draft: int, **changes: str) -> ClientResponse:
    """As the form on the page sends it."""
    page = await shown(browser, draft)
    fields = {name: one(rf'name="{name}" value="(\d+)"', page) for name in ("version", "upload")}
    return await post(browser, at(paths.BROADCAST_FILE_TAKE, draft), {**fields, **changes})


# ---- the walk of one


async def test_a_list_is_read_looked_at_and_only_then_taken(office: Office, author: Browser, draft: int) -> None:
    content = GOOD + "Chi;0913 572 468\nDũng;12\n=cmd;+1\n;\n".encode()
    assert (await office.sends(author, draft, content)).status == 303
    await office.read("author", draft)
    page = said(await shown(author, draft))
    for part in ("Người nhận 2", "Dòng có lỗi 3", "4 trùng với dòng 2", "5 số điện thoại không đúng …", "{ho_ten}"):
        assert part in page
    standing = await office.console.standing(draft)
    assert (standing.rows, standing.broadcast.audience.file) == (0, "")
    assert (await office.act(author, draft, "submit")).status == 422
    assert (await take(author, draft)).headers["Location"].endswith("?xong=list_taken")
    standing = await office.console.standing(draft)
    assert (standing.rows, list(standing.columns)) == (2, ["ho_ten"])
    assert (await office.act(author, draft, "submit")).status == 303
    one_page = await (await get(author, at(paths.BROADCAST, draft))).text()
    assert "Chào Lan" in one_page
    assert "913572468" not in one_page
    [noted] = await office.console.did(action="broadcast.list_taken")
    assert noted.detail == {"digest": standing.broadcast.audience.file, "recipients": 2, "faults": 3}


async def test_a_workbook_of_a_hundred_thousand_is_streamed_in_while_the_page_tells(
    office: Office, author: Browser, draft: int
) -> None:
    """Here some thousands; the loop turns meanwhile."""
    rows: list[list[object]] = [["SĐT", "Tên"], *([900_000_000 + number, f"Người {number}"] for number in range(3_000))]
    assert (await office.sends(author, draft, workbook(*rows), "list.xlsx")).status == 303
    events = await get(author, at(paths.BROADCAST_FILE_PROGRESS, draft))
    told = [line.decode() async for line in events.content if line.strip()]
    assert (
        json.loads(told[-3 if told[-1].startswith("data") else -2].removeprefix("data: "))["text"]
        == "3.000 dòng, 0 lỗi"
    )
    assert "event: over\n" in told
    assert "Người nhận 3.000" in said(await shown(author, draft))


async def test_all_faults_are_a_file_whose_cells_are_text(
    office: Office, author: Browser, draft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.broadcasts.file_pages.SHOWN", 3)
    bad = "".join(f"x;=1+{number}\n" for number in range(10))
    await office.sends(author, draft, (HEAD + bad).encode())
    await office.read("author", draft)
    page = await shown(author, draft)
    assert page.count('<th scope="row">') == 3
    assert "3 dòng đầu tiên trong 10 dòng có lỗi" in page
    assert "Dùng danh sách" not in page
    answer = await get(author, at(paths.BROADCAST_FILE_FAULTS, draft))
    lines = (await answer.read()).decode("utf-8-sig").splitlines()
    assert (len(lines), lines[1]) == (11, "2,số điện thoại không đúng,…1+0")


async def test_a_formula_in_a_fault_is_no_formula(office: Office, author: Browser, draft: int) -> None:
    content = "SĐT;Ngôn ngữ\n0912345678;=2+5+cmd|' /c calc'!a0\n"
    await office.sends(author, draft, content.encode())
    await office.read("author", draft)
    answer = await get(author, at(paths.BROADCAST_FILE_FAULTS, draft))
    assert ",'=2+5+cmd" in (await answer.text())


# ---- what is refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Xin chọn một tệp"),
        (HEAD.encode(), "Tệp không có dòng nào"),
        ("Tên;Địa chỉ\nLan;Hà Nội\n".encode(), "không có cột nào tên là"),
        (HEAD.encode() + b"Lan\xff\xfe;0912345678\n", "bảng mã"),
        (HEAD.encode("utf-16-le"), "không phải tệp CSV hoặc XLSX"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "xls cũ"),
        (b"PK\x03\x04" + b"nothing more", "bị hỏng"),
        (GOOD + workbook(["SĐT"], ["0912345678"]), "không phải tệp CSV hoặc XLSX"),
        (b"GIF89a" + b"\0" * 20 + GOOD, "không phải tệp CSV hoặc XLSX"),
        (HEAD.encode() + b"x" * 100_000, "quá dài"),
        (with_part(workbook(["SĐT"]), "xl/sharedStrings.xml", b"<!DOCTYPE a>"), "không phải tệp CSV hoặc XLSX"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_words_and_nothing_is_kept(
    office: Office, author: Browser, draft: int, content: bytes, words: str
) -> None:
    answer = await office.sends(author, draft, content)
    page = await answer.text()
    if answer.status == 303:
        await office.read("author", draft)
        answer = await get(author, at(paths.BROADCAST_FILE, draft))
        page = await answer.text()
    assert answer.status == 422
    assert words in page
    assert 'href="#file"' in page
    assert "Dùng danh sách" not in page
    assert await office.console.kit.rows("broadcast_row") == []


async def test_a_bomb_goes_off_nowhere(office: Office, author: Browser, draft: int) -> None:
    large = LARGEST_UNPACKED + 1
    bomb = with_part(workbook(["SĐT"], ["0912345678"]), "xl/worksheets/sheet2.xml", b" " * large)
    assert len(bomb) < large / 500
    await office.sends(author, draft, bomb, "bomb.csv")
    await office.read("author", draft)
    assert "nén ra quá lớn" in await shown(author, draft)


async def endless(sent: list[int]) -> AsyncIterator[bytes]:
    """One row of a gigabyte."""
    while sum(sent) < 1 << 30:
        sent.append(1 << 20)
        yield b"1" * (1 << 20)


async def test_a_gigabyte_is_not_read_to_its_end(office: Office, author: Browser, draft: int) -> None:
    sent: list[int] = []
    form = FormData()
    form.add_field("file", endless(sent), filename="list.csv", content_type="text/csv")
    try:
        answer = await author.post(at(paths.BROADCAST_FILE, draft), data=form, headers=SAME, allow_redirects=False)
        assert answer.status == 413
    except ClientError:  # the door was shut while it was still being pushed in
        pass
    assert sum(sent) < 10 * LARGEST_FILE
    assert office.console.imports.of(draft, office.accounts["author"].officer.id) is None


async def test_what_says_it_is_too_large_is_not_read_at_all(office: Office, author: Browser, draft: int) -> None:
    headers = {**SAME, "Content-Length": str(1 << 30), "Content-Type": "multipart/form-data; boundary=x"}
    reader, writer = await asyncio.open_connection(author.host, author.port)
    cookies = author.session.cookie_jar.filter_cookies(author.make_url("/"))
    headers["Cookie"] = "; ".join(f"{each.key}={each.value}" for each in cookies.values())
    lines = [f"POST {at(paths.BROADCAST_FILE, draft)} HTTP/1.1", f"Host: {author.host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"file=x"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\nnothing"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"1" * 5_000 + b"\r\n--x--\r\n",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nsdt\n09',
        ),
        ("text/csv", GOOD),
    ],
)
async def test_what_no_form_of_ours_sends_is_no_file(
    office: Office, author: Browser, draft: int, kind: str, body: bytes
) -> None:
    answer = await author.post(
        at(paths.BROADCAST_FILE, draft), data=body, headers={**SAME, "Content-Type": kind}, allow_redirects=False
    )
    assert answer.status in (400, 422)
    assert await office.console.kit.rows("broadcast_row") == []


# ---- whose it is, and when


async def test_a_list_of_somebody_elses_is_not_taken(office: Office, author: Browser, draft: int) -> None:
    colleague = await office.enters("colleague", Role.AUTHOR)
    theirs = await office.drafted(colleague, **LIST_FORM)
    await office.sends(colleague, theirs, GOOD)
    await office.read("colleague", theirs)
    upload = one(r'name="upload" value="(\d+)"', await shown(colleague, theirs))
    await office.sends(author, draft, GOOD)
    await office.read("author", draft)
    answer = await take(author, draft, upload=upload)
    assert (answer.status, "không còn" in await answer.text()) == (409, True)
    assert (await office.console.standing(draft)).rows == 0


async def test_another_list_sent_since_is_not_taken_by_an_old_page(office: Office, author: Browser, draft: int) -> None:
    await office.sends(author, draft, GOOD)
    await office.read("author", draft)
    old = one(r'name="upload" value="(\d+)"', await shown(author, draft))
    await office.sends(author, draft, HEAD.encode() + b"X;0911111111\n")
    await office.read("author", draft)
    assert (await take(author, draft, upload=old)).status == 409


async def test_a_list_taken_twice_is_taken_once(office: Office, author: Browser, draft: int) -> None:
    await office.sends(author, draft, GOOD)
    await office.read("author", draft)
    page = await shown(author, draft)
    fields = {name: one(rf'name="{name}" value="(\d+)"', page) for name in ("version", "upload")}
    answers = await asyncio.gather(*(post(author, at(paths.BROADCAST_FILE_TAKE, draft), fields) for _ in range(2)))
    assert sorted(each.status for each in answers) == [303, 409]


async def test_after_it_was_submitted_no_other_list_gets_in(office: Office, author: Browser, draft: int) -> None:
    await office.sends(author, draft, GOOD)
    await office.read("author", draft)
    page = await shown(author, draft)
    assert (await take(author, draft)).status == 303
    assert (await office.act(author, draft, "submit")).status == 303
    before = (await office.console.standing(draft)).broadcast
    upload = one(r'name="upload" value="(\d+)"', page)
    again = {"version": str(before.version), "upload": upload}
    assert (await post(author, at(paths.BROADCAST_FILE_TAKE, draft), again)).status == 409
    assert (await office.sends(author, draft, HEAD.encode() + b"X;0911111111\n")).status == 409
    assert (await office.console.standing(draft)).broadcast == before
    assert before.state is BroadcastState.SUBMITTED


async def test_who_follows_has_no_list(office: Office, author: Browser) -> None:
    followed = await office.drafted(author, **FORM)
    assert (await office.sends(author, followed, GOOD)).status == 404
    assert (await get(author, at(paths.BROADCAST_FILE, followed))).status == 404


async def test_a_text_may_name_only_what_the_list_brings(office: Office, author: Browser, draft: int) -> None:
    await office.sends(author, draft, b"SDT;Ten\n0912345678;Lan\n")
    await office.read("author", draft)
    assert (await take(author, draft)).status == 303
    answer = await office.act(author, draft, "submit")
    assert (answer.status, "Không điền được {ho_ten}" in await answer.text()) == (422, True)


# ---- when it does not go well


async def test_when_many_are_read_the_next_is_asked_to_come_back(office: Office, author: Browser, draft: int) -> None:
    async with office.console.imports._turn:
        for _ in range(AT_ONCE):
            assert (await office.sends(author, draft, GOOD)).status == 303
        assert "Đang đọc danh sách" in await shown(author, draft)
        answer = await office.sends(author, draft, GOOD)
        assert (answer.status, "Nhiều danh sách đang được đọc" in await answer.text()) == (503, True)
    await office.read("author", draft)


async def test_when_the_store_goes_the_list_is_to_be_sent_again(
    office: Office, author: Browser, draft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> int:
        raise StoreUnavailable("away")

    monkeypatch.setattr(office.console.imports._broadcasts, "add_rows", away)
    await office.sends(author, draft, GOOD)
    await office.read("author", draft)
    found = office.console.imports.of(draft, office.accounts["author"].officer.id)
    assert found is not None
    assert found.state is ImportState.BROKEN
    page = await shown(author, draft)
    assert "Xin nạp lại" in page
    assert 'name="upload"' not in page


async def test_the_end_of_the_process_ends_what_is_read_and_leaves_no_file(
    office: Office, author: Browser, draft: int
) -> None:
    rows = [["SĐT"], *([f"09{number:08}"] for number in range(20_000))]
    await office.sends(author, draft, workbook(*rows))
    found = office.console.imports.of(draft, office.accounts["author"].officer.id)
    assert found is not None
    await office.console.imports.close()
    assert found.ended.is_set()
    assert found.state is ImportState.READING
    assert await office.console.kit.rows("broadcast_row") == []
