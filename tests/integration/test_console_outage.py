"""Work on paper as officers, strangers and attackers meet it in the console: codes set aside, entered afterwards, reconciled."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console import paths
from console.outage.desk import at_block
from console.outage.files import LateState
from console.outage.rows import MOST_LATE_ROWS, RowFaultKind
from domain.calendar import local_day
from domain.dossier import DossierStatus
from domain.errors import StoreUnavailable
from domain.intake import NumberBlock
from domain.officers import OfficerRole as Role
from intake.outage import FURTHEST, MOST_OF_BLOCK, LateFault
from tests.contract.conftest import make_kit
from tests.contract.intaking import OFFICER
from tests.contract.stores import STORES, SqliteKit, StoreKit
from tests.integration.broadcast_consoles import said
from tests.integration.consoles import Browser, get, one, post
from tests.integration.intake_consoles import CONSENT
from tests.integration.outage_consoles import PATTERNS, Paper, a_paper_desk, lines, row, shown_rows, table
from tests.unit.test_broadcast_files import with_part, workbook

XSS = "<script>alert(1)</script>"
WORKDAY = timedelta(days=1)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Paper]:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(uploads))
    async with a_paper_desk(SqliteKit(tmp_path)) as desk:
        yield desk
    assert list(uploads.iterdir()) == []  # nothing of what was sent is left


@pytest.fixture
async def officer(desk: Paper) -> Browser:
    return await desk.enters("mot.cua")


@pytest.fixture(params=STORES, ids=[kit.name for kit in STORES])
async def everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Paper]:
    """On every store."""
    kit: StoreKit = make_kit(request.param, request, tmp_path)
    async with a_paper_desk(kit) as desk:
        yield desk


def codes(block: NumberBlock) -> list[str]:
    pattern = PATTERNS[block.agency]
    return [pattern.code(block.day, serial).reference for serial in range(block.first, block.last + 1)]


async def a_day_later(desk: Paper, browser: Browser) -> None:
    """And two hours; somebody signs in again."""
    desk.console.kit.clock.advance(26 * 3600)
    assert (await desk.console.sign_in(browser, "mot.cua")).status == 303


# ---- setting aside


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"count": "0"}, "Số lượng từ 1"),
        ({"count": str(MOST_OF_BLOCK + 1)}, "Số lượng từ 1"),
        ({"count": "-3"}, "Số lượng từ 1"),
        ({"count": "9" * 50}, "Số lượng từ 1"),
        ({"day": "2026-03-01"}, "đã qua"),
        ({"day": "2026-03-08"}, "ngày nghỉ"),
        ({"day": "2026-04-02"}, "30 ngày tới"),
        ({"day": "hôm nay"}, "Ngày không đúng"),
        ({"id": "12"}, "để mở quá lâu"),
    ],
)
async def test_codes_that_cannot_be_set_aside_are_not(
    desk: Paper, officer: Browser, changes: dict[str, str], where: str
) -> None:
    refused = await desk.reserve(officer, **changes)
    assert refused.status == 422
    assert where in await refused.text()
    assert await desk.blocks() == []


async def test_nobody_sets_codes_of_another_agency_aside(desk: Paper, officer: Browser) -> None:
    for agency in ("H13.02", "H13", "", "nothing"):
        assert (await desk.reserve(officer, agency=agency)).status == 404
    theirs = await desk.enters("khac", agency="H13.02")
    block = await desk.reserved(theirs, agency="H13.02")
    assert (await get(officer, at_block(paths.NUMBERS_SHEET, block.id))).status == 404
    assert (await desk.void(officer, block.id, 1)).status == 404
    assert codes(block)[0] not in await (await get(officer, paths.NUMBERS)).text()


async def test_who_may_not_does_not(desk: Paper) -> None:
    author, inspector = await desk.enters("tac.gia", Role.AUTHOR), await desk.enters("kiem.tra", Role.INSPECTOR)
    for path in (paths.NUMBERS, paths.LATE, paths.LATE_BLANK, paths.RECONCILE, paths.RECONCILE_FILE):
        assert (await get(author, path)).status == 403
    for path in (paths.NUMBERS, paths.LATE):
        assert (await get(inspector, path)).status == 403
    assert (await get(inspector, paths.RECONCILE)).status == 200


async def test_a_form_sent_twice_sets_aside_once(desk: Paper, officer: Browser) -> None:
    identifier = one(r'name="id" value="(\d+)"', await (await get(officer, paths.NUMBERS)).text())
    answers = await asyncio.gather(*(desk.reserve(officer, id=identifier) for _ in range(3)))
    assert [each.status for each in answers] == [303] * 3
    [block] = await desk.blocks()
    assert (block.first, block.last) == (1, 5)


async def test_an_agency_keeps_no_more_open_codes_than_it_can_account_for(
    desk: Paper, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intake.outage.MOST_OPEN", 12)
    for _ in range(2):
        await desk.reserved(officer)
    refused = await desk.reserve(officer)
    assert "Còn quá nhiều số" in await refused.text()
    assert (await desk.reserve(officer, count="2")).status == 303


async def test_the_day_may_have_none_left(desk: Paper, officer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.store.intake_numbers.LAST_SERIAL", 7)
    await desk.reserved(officer)
    assert "không còn đủ số" in await (await desk.reserve(officer)).text()


async def test_codes_are_set_aside_shown_and_noted_with_who(everywhere: Paper) -> None:
    officer = await everywhere.enters("mot.cua")
    block = await everywhere.reserved(officer)
    later = await everywhere.reserved(officer, day=(everywhere.today + FURTHEST - WORKDAY).isoformat(), count="2")
    assert codes(later)[-1].endswith("-260331-0002")
    page = await (await get(officer, f"{paths.NUMBERS}?xong=reserved")).text()
    for part in ("Đã dành số", "5 số ngày 02/03/2026, CQ H13.01", codes(block)[4], "người dành mot.cua"):
        assert part in said(page)
    noted = await everywhere.console.did(action="intake.reserved")
    assert [(each.login, each.about) for each in noted] == [("mot.cua", f"block:{each.id}") for each in (later, block)]


# ---- a sheet that was spoilt


async def test_a_code_is_voided_once_and_with_a_reason(desk: Paper, officer: Browser) -> None:
    block = await desk.reserved(officer)
    for serial, why in ((1, ""), (1, "  "), (1, "x" * 301), (6, "rách"), (0, "rách")):
        assert (await desk.void(officer, block.id, serial, why)).status == 422
    assert (await desk.void(officer, block.id, 3, XSS)).status == 303
    again = await desk.void(officer, block.id, 3)
    assert "vừa được nhập bù hoặc hủy" in await again.text()
    [now] = await desk.blocks()
    assert (now.open, now.void) == ((1, 2, 4, 5), {3: XSS})
    page = await (await get(officer, paths.NUMBERS)).text()
    assert XSS not in page
    [noted] = await desk.console.did(action="intake.voided")
    assert (noted.login, noted.detail) == ("mot.cua", {"serial": 3})


# ---- sheets


async def test_every_open_code_has_a_sheet_with_its_qr_and_no_other(desk: Paper, officer: Browser) -> None:
    block = await desk.reserved(officer)
    await desk.void(officer, block.id, 2)
    answer = await get(officer, at_block(paths.NUMBERS_SHEET, block.id))
    page = await answer.text()
    assert page.count("<svg") == page.count('class="sheet"') == 4
    assert codes(block)[1] not in page
    for part in (codes(block)[0], CONSENT, "nhắn mã hồ sơ đến 8100", "One-stop desk", "Liên giao người nộp"):
        assert part in said(page)
    assert " style=" not in page
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    two = await (await get(officer, f"{at_block(paths.NUMBERS_SHEET, block.id)}?lien=2")).text()
    assert two.count('class="sheet"') == 8
    assert two.count('aria-label="H13.01') == two.count("Liên lưu tại bộ phận một cửa") == 8


# ---- files: what is refused as a whole


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Xin chọn một tệp"),
        (lines(), "Tệp không có dòng nào"),
        ("Mã hồ sơ;Người nộp\nx;y\n".encode(), "Tệp thiếu cột: Nhận lúc, Thủ tục."),
        (lines() + b"\xff\xfe;0912345678\n", "bảng mã"),
        (lines() + b"x" * 100_000, "quá dài"),
        (lines("y" * 1_001), "quá dài"),
        (b"PK\x03\x04" + b"nothing more", "bị hỏng"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "Tệp .xls cũ"),
        (with_part(workbook(["Mã"]), "xl/sharedStrings.xml", b"<!DOCTYPE a>"), "không phải tệp CSV hoặc XLSX"),
    ],
)
async def test_what_is_no_list_is_refused_with_why(desk: Paper, officer: Browser, content: bytes, words: str) -> None:
    answer = await desk.uploads(officer, content)
    if answer.status == 303:
        await desk.file("mot.cua").ended.wait()
        answer = await get(officer, paths.LATE)
    assert words in said(await answer.text())
    assert await desk.everything() == []


async def test_too_many_rows_are_refused(desk: Paper, officer: Browser) -> None:
    found = await desk.checked(officer, "mot.cua", lines(*["x;;;y"] * (MOST_LATE_ROWS + 1)))
    assert (found.state, found.good) == (LateState.REFUSED, type(found.good)())


async def test_a_file_of_somebody_else_is_nobody_elses_business(desk: Paper, officer: Browser) -> None:
    block = await desk.reserved(officer)
    sent = await desk.checked(officer, "mot.cua", lines(row(codes(block)[0], desk.console.kit.clock())))
    other = await desk.enters("hai.cua")
    assert "Bé" not in await (await get(other, paths.LATE)).text()
    assert (await post(other, paths.LATE_TAKE, {"upload": str(sent.upload)})).status == 409
    assert (await get(other, paths.LATE_FAULTS)).status == 404
    assert (await post(officer, paths.LATE_TAKE, {"upload": "1"})).status == 409
    assert await desk.everything() == []


# ---- files: what is wrong with rows


async def test_everything_wrong_is_told_with_row_column_and_what_was_expected_and_nothing_is_entered(
    desk: Paper, officer: Browser
) -> None:
    block = await desk.reserved(officer)
    theirs = await desk.reserved(await desk.enters("khac", agency="H13.02"), agency="H13.02")
    await desk.void(officer, block.id, 5)
    now, [first, second, third, _, void] = desk.console.kit.clock(), codes(block)
    content = lines(
        row(first, now),
        row("H13.01-260302-0999", now),
        row(codes(theirs)[0], now),
        row(void, now),
        row(first, now),
        row(second, now + timedelta(minutes=1)),
        row(second, now - WORKDAY),
        row(third, now, procedure="không có gì", phone="12", notify="tùy", id_number="!", name=""),
        row("", now, papers="A (5 cái)"),
        f"{third};hôm qua;1.004873;Lan",
    )
    found = await desk.checked(officer, "mot.cua", content)
    assert [(each.row, each.column, each.kind) for each in found.faults] == [
        (3, "code", LateFault.NOT_RESERVED),
        (4, "code", LateFault.NOT_RESERVED),
        (5, "code", LateFault.VOID),
        (6, "code", RowFaultKind.TWICE),
        (7, "received_at", LateFault.FUTURE),
        (8, "code", RowFaultKind.TWICE),
        (8, "received_at", LateFault.BEFORE_DAY),
        (9, "procedure", RowFaultKind.PROCEDURE),
        (9, "name", RowFaultKind.EMPTY),
        (9, "phone", RowFaultKind.PHONE),
        (9, "id_number", RowFaultKind.ID_NUMBER),
        (9, "notify", RowFaultKind.YES_NO),
        (10, "code", RowFaultKind.EMPTY),
        (10, "papers", RowFaultKind.PAPERS),
        (11, "code", RowFaultKind.TWICE),
        (11, "received_at", LateFault.NO_MOMENT),
    ]
    page = said(await (await get(officer, paths.LATE)).text())
    assert "chưa nhập gì" in page
    assert "7 Nhận lúc Muộn hơn bây giờ. Cần ngày và giờ thật, như 23/11/2026 14:05" in page
    assert "Nhập 1 hồ sơ" in page
    assert await desk.everything() == []
    told = table(await (await get(officer, paths.LATE_FAULTS)).read())
    assert (told[0]["Dòng"], told[0]["Cột"], told[0]["Đã ghi"]) == ("3", "Mã hồ sơ", "H13.01-260302-0999")
    assert len(told) == len(found.faults)


async def test_cells_that_would_be_formulas_stay_words(desk: Paper, officer: Browser) -> None:
    [code, *_] = codes(await desk.reserved(officer))
    attack = "=cmd|' /c calc'!a0"
    await desk.checked(officer, "mot.cua", lines(row(attack, desk.console.kit.clock(), name=XSS)))
    told = await (await get(officer, paths.LATE_FAULTS)).text()
    assert "'=cmd" in told
    page = await (await get(officer, paths.LATE)).text()
    assert XSS not in page
    found = await desk.checked(officer, "mot.cua", lines(row(f"'{code}", desk.console.kit.clock(), name=XSS)))
    assert [each.wish.person.name for each in found.good] == [XSS]


# ---- files: taken


async def test_a_file_is_looked_at_and_only_then_entered_with_code_true_time_and_consent(everywhere: Paper) -> None:
    officer = await everywhere.enters("mot.cua")
    block = await everywhere.reserved(officer)
    received = everywhere.console.kit.clock().replace(second=0)  # as one writes it by hand
    await a_day_later(everywhere, officer)
    first, second, *_ = codes(block)
    content = lines(
        row(first, received), row(second.lower(), received, notify="", phone="", procedure="khai sinh là gì")
    )
    found = await everywhere.checked(officer, "mot.cua", content)
    assert [each.kind for each in found.faults] == [RowFaultKind.PROCEDURE]
    assert await everywhere.everything() == []
    assert (await everywhere.takes(officer, "mot.cua")).state is LateState.TAKEN
    [kept] = await everywhere.everything()
    assert (kept.code.reference, kept.late, kept.status) == (first, True, DossierStatus.ACCEPTED)
    assert (kept.received_at, kept.entered_at) == (received, everywhere.console.kit.clock())
    assert (kept.notify, kept.notify_words, kept.declared_at) == (True, CONSENT, received)
    assert [(each.name, each.originals, each.legal) for each in kept.papers] == [("Tờ khai", 1, True)]
    assert kept.person.id_number == "094123456789"
    [step] = await everywhere.console.service.book.steps(kept.id)
    assert (step.at, step.entered_at, step.actor.login, step.reason) == (
        received,
        everywhere.console.kit.clock(),
        "mot.cua",
        "Trần Văn An",
    )
    page = await (await get(officer, paths.LATE)).text()
    assert "Đã nhập xong" in page
    assert f"/ho-so/{kept.id}" in page
    assert table(await (await get(officer, paths.LATE_RESULT)).read()) == [{"Dòng": "2", "Mã hồ sơ": first}]
    [noted] = await everywhere.console.did(action="intake.late_taken")
    assert noted.detail == {"rows": 1, "faults": 1}
    assert await everywhere.console.did(action="intake.registered")


async def test_taking_twice_and_sending_again_doubles_nothing(desk: Paper, officer: Browser) -> None:
    block = await desk.reserved(officer)
    content = lines(*(row(code, desk.console.kit.clock()) for code in codes(block)))
    await desk.checked(officer, "mot.cua", content)
    page = await (await get(officer, paths.LATE)).text()
    upload = one(r'name="upload" value="(\d+)"', page)
    for _ in range(3):
        assert (await post(officer, paths.LATE_TAKE, {"upload": upload})).status == 303
    await desk.file("mot.cua").ended.wait()
    again = await desk.checked(officer, "mot.cua", content)
    assert (again.before, len(again.good), again.faults) == (5, 0, [])
    assert "Dòng của tệp này đã nhập lần trước 5" in said(await (await get(officer, paths.LATE)).text())
    mended = await desk.checked(officer, "mot.cua", content + b"\n")  # another file: its rows are others
    assert [each.kind for each in mended.faults] == [LateFault.USED] * 5
    assert len(await desk.everything()) == 5
    assert (await post(officer, paths.LATE_TAKE, {"upload": str(mended.upload)})).status == 409


async def test_a_crash_in_the_middle_leaves_what_was_entered_and_the_rest_follows(
    desk: Paper, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store goes after two of five; another process is sent the same file."""
    block = await desk.reserved(officer)
    content = lines(*(row(code, desk.console.kit.clock()) for code in codes(block)))
    await desk.checked(officer, "mot.cua", content)
    book, entered = type(desk.console.service.book), 0
    register = book.register

    async def failing(self: Any, *given: Any) -> Any:
        nonlocal entered
        entered += 1
        if entered == 3:
            raise StoreUnavailable("gone")
        return await register(self, *given)

    monkeypatch.setattr(book, "register", failing)
    cut = await desk.takes(officer, "mot.cua")
    assert (cut.state, len(cut.good), len(cut.entered)) == (LateState.CUT, 3, 2)
    assert "Nhập dở dang" in await (await get(officer, paths.LATE)).text()
    again = await desk.checked(officer, "mot.cua", content)
    assert (again.before, len(again.good)) == (2, 3)
    assert (await desk.takes(officer, "mot.cua")).state is LateState.TAKEN
    kept = await desk.everything()
    assert sorted(each.code.reference for each in kept) == codes(block)


async def test_what_was_cut_short_goes_on_from_the_same_page(
    desk: Paper, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = await desk.reserved(officer)
    await desk.checked(officer, "mot.cua", lines(*(row(code, desk.console.kit.clock()) for code in codes(block))))
    book = type(desk.console.service.book)

    async def failing(*_: Any) -> Any:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(book, "register", failing)
        assert (await desk.takes(officer, "mot.cua")).state is LateState.CUT
    assert (await desk.takes(officer, "mot.cua")).state is LateState.TAKEN
    assert len(await desk.everything()) == 5


async def test_a_code_that_was_used_meanwhile_is_told_and_not_given_twice(desk: Paper, officer: Browser) -> None:
    [first, second, *_] = codes(block := await desk.reserved(officer))
    now = desk.console.kit.clock()
    await desk.checked(officer, "mot.cua", lines(row(first, now), row(second, now)))
    await desk.void(officer, block.id, 1)
    taken = await desk.takes(officer, "mot.cua")
    assert [(each.row, each.kind) for each in taken.faults] == [(2, LateFault.USED)]
    assert [each.code for each in taken.entered] == [second]


async def test_a_long_file_tells_how_far_it_is(desk: Paper, officer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    block = await desk.reserved(officer, count="40")
    heads = lines().decode().strip().split(";")
    now = desk.console.kit.clock()
    rows: list[list[object]] = [
        list[object](heads),
        *([code, now.replace(tzinfo=None) + timedelta(hours=7), "1.004873", "Lan"] for code in codes(block)),
    ]
    found = await desk.checked(officer, "mot.cua", workbook(*rows), "list.xlsx")
    assert (len(found.good), found.faults) == (40, [])
    gate, reached = asyncio.Event(), asyncio.Event()
    book = type(desk.console.service.book)
    register = book.register

    async def waiting(self: Any, *given: Any) -> Any:
        if len(found.entered) == 10:
            reached.set()
            await gate.wait()
        return await register(self, *given)

    monkeypatch.setattr(book, "register", waiting)
    assert (await post(officer, paths.LATE_TAKE, {"upload": str(found.upload)})).status == 303
    await reached.wait()
    told = await (await get(officer, paths.LATE_PROGRESS)).json()
    assert told == {"over": False, "text": "Đã xong 10 trên 40 hồ sơ", "done": 10, "of": 40}
    assert 'value="10"' in await (await get(officer, paths.LATE)).text()
    assert (await desk.uploads(officer, lines())).status == 503
    gate.set()
    await found.ended.wait()
    assert (await (await get(officer, paths.LATE_PROGRESS)).json())["over"] is True
    assert len(await desk.everything()) == 40


async def test_the_blank_file_can_be_filled_in_and_sent(desk: Paper, officer: Browser) -> None:
    answer = await get(officer, paths.LATE_BLANK)
    heads = (await answer.read()).decode("utf-8-sig").strip()
    [code, *_] = codes(await desk.reserved(officer))
    at = f"{desk.console.kit.clock() + timedelta(hours=7):%d/%m/%Y %H:%M}"
    found = await desk.checked(officer, "mot.cua", f"{heads}\r\n{code},{at},1.004873,Lan\r\n".encode("utf-8-sig"))
    assert (len(found.good), found.faults) == (1, [])


# ---- one by one, with the form of a new dossier


async def test_a_form_with_a_code_from_paper_is_refused_with_why_or_entered_late(desk: Paper, officer: Browser) -> None:
    [first, second, *_] = codes(block := await desk.reserved(officer))
    assert "Số dự phòng (5)" in said(await (await get(officer, paths.INTAKE)).text())
    await desk.void(officer, block.id, 2)
    for code, at, words in (
        ("H13.01-260302-0999", "2026-03-02T14:30", "không có trong số đã dành"),
        (second, "2026-03-02T14:30", "Mã này đã hủy"),
        (first, "", "Xin ghi ngày giờ"),
        (first, "2026-03-02T15:30", "muộn hơn bây giờ"),
        (first, "2026-03-01T15:30", "trước ngày ghi trong mã"),
        ("", "2026-03-02T14:30", "không có trong số đã dành"),
    ):
        refused = await desk.sends(officer, late_code=code, late_at=at)
        assert refused.status == 422
        assert words in said(await refused.text())
    kept = await desk.registered(officer, late_code=first.lower(), late_at="2026-03-02T14:30")
    assert (kept.code.reference, kept.late, kept.declared_at) == (first, True, kept.received_at)
    assert kept.entered_at - kept.received_at > timedelta(minutes=29)
    assert "Mã này đã nhập rồi" in await (await desk.sends(officer, late_code=first, late_at="2026-03-02T14:30")).text()


# ---- reconciliation


async def test_reconciliation_names_what_is_left_what_was_late_and_what_may_be_there_twice(everywhere: Paper) -> None:
    officer = await everywhere.enters("mot.cua")
    block = await everywhere.reserved(officer)
    await everywhere.reserved(officer, day="2026-03-10", count="2")  # not due to be accounted for yet
    received = everywhere.console.kit.clock()
    first, second, third, *rest = codes(block)
    twice = await everywhere.console.service.register(
        replace((await _wish(everywhere, officer, third, received)), id=everywhere.console.kit.new_id()), OFFICER
    )
    assert not isinstance(twice, str)
    await a_day_later(everywhere, officer)
    await everywhere.checked(
        officer,
        "mot.cua",
        lines(row(first, received), row(second, received, name="Lê Văn Tám", phone="", id_number="", notify="")),
    )
    await everywhere.takes(officer, "mot.cua")
    page = await (await get(officer, paths.RECONCILE)).text()
    assert shown_rows(page, "open-caption") == len(rest) + 1
    assert shown_rows(page, "late-caption") == 2
    assert shown_rows(page, "days-caption") == shown_rows(page, "twice-caption") == 1
    assert "1 ngày 2 giờ" in page
    assert "họ tên, số điện thoại" in page
    told = table(await (await get(officer, paths.RECONCILE_FILE)).read())
    assert [each["Loại"] for each in told].count("Nghi trùng") == 1
    assert next(each for each in told if each["Loại"] == "Nghi trùng")["Hồ sơ trong hệ thống"] == twice.code.reference
    assert "Nguyễn" not in str(told)
    assert await everywhere.console.did(action="intake.reconciled")
    other = await everywhere.enters("khac", agency="H13.02")
    assert first not in await (await get(other, paths.RECONCILE)).text()


async def test_days_that_are_none_are_told(desk: Paper, officer: Browser) -> None:
    for query in ("tu=x", "tu=2026-03-02&den=2026-03-01", "tu=2020-01-01", "den=0001-01-01"):
        for path in (paths.RECONCILE, paths.RECONCILE_FILE):
            assert (await get(officer, f"{path}?{query}")).status == 422, query
    assert (await get(officer, f"{paths.RECONCILE}?den=9999-12-31&tu=9999-12-01")).status in (200, 422)
    assert local_day(desk.console.kit.clock()) == desk.today


async def _wish(desk: Paper, officer: Browser, code: str, received: Any) -> Any:
    """What the system took of the same person, read from a row that is then forgotten."""
    found = await desk.checked(officer, "mot.cua", lines(row(code, received)))
    return replace(found.good[0].wish, late=False, block=None, serial=None)
