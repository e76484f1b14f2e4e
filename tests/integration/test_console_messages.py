"""Messages and opinions as officers and attackers meet them: a real listener, a real store, a clock that is told."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer

from channels.sms.numbers import normalise
from console import paths
from console.accounts.audit import Audit
from console.accounts.sessions import Cookies, Who
from console.messages.feedback import FeedbackPages
from console.messages.pages import PAGE, MessagePages
from console.messages.ports import WayBack
from console.messages.routing import Router
from console.messages.wording import AnswerWriter
from console.page import Pages
from console.routes import ConsoleRoute
from console.shell import guarded
from conversation.ports import JournalBatch
from domain.calendar import WorkCalendar, local_day
from domain.codes import CodeReading, DossierCode, read_codes, read_reference
from domain.csv_lines import MARK
from domain.gsm import segments_needed
from domain.message import Address
from domain.officers import OfficerRole as Role
from domain.replies import Voice
from notifications.schedule import ScheduleRules
from tests.contract.stores import SENDER, SqliteKit
from tests.contract.test_conversations import ask, give, tell
from tests.integration.consoles import (
    AGENCIES,
    Browser,
    Console,
    CountingHasher,
    get,
    one,
    patient_store,
    post,
    texts,
)

MINE = "H13.01-260302-0005"
NEXT_DOOR = "H13.02-260302-0005"
TAKEN_OVER = "000.00.03.H13-210302-0005"
OTHER = Address("sms", "84987654321")
HOSTILE = '<script>alert(1)</script> {{ 7*7 }} "\'=HYPERLINK("http://evil")'
NIGHT = ScheduleRules(quiet_from=time(22), quiet_until=time(7), per_day=3, office_from=time(8), office_until=time(17))
CALENDAR = WorkCalendar(days_off=frozenset({date(2026, 3, 10)}))


def code(text: str) -> DossierCode:
    found = read_reference(text)
    assert found is not None
    return found


@dataclass
class MessagesConsole(Console):
    """With messages and opinions beside the accounts."""

    calendar: WorkCalendar = CALENDAR

    def routes(self) -> Iterable[ConsoleRoute]:
        yield from super().routes()
        clock, store = self.kit.clock, self.store
        pages = Pages(texts(), {"bootstrap.css": "/b.css", "console.css": "/c.css"})
        audit = Audit(store.audit(), ids=self.kit.new_id, clock=clock, address_of=lambda request: str(request.remote))

        def read_code(text: str) -> CodeReading:
            return read_codes(text, today=local_day(clock()))

        def voice_of(way_back: WayBack, at: Any) -> Voice:
            accents = way_back.channel != "sms" if way_back.accents is None else way_back.accents
            return Voice(
                language=way_back.language or "vi",
                accents=accents,
                now=at,
                fits=lambda text: segments_needed(text)[1] <= 2,
            )

        messages = MessagePages(
            pages,
            conversations=store.conversations(),
            audit=audit,
            agencies=AGENCIES,
            read_code=read_code,
            read_number=normalise,
        )
        feedback = FeedbackPages(
            pages,
            opinions=store.opinions(),
            router=Router(store.opinions(), agencies=AGENCIES, read_code=read_code, clock=clock),
            writer=AnswerWriter(
                voice_of=voice_of,
                openings={language: words["feedback"]["opening"] for language, words in texts().items()},
                schedule=NIGHT,
                calendar=self.calendar,
                valid_for=timedelta(days=3),
                ids=self.kit.new_id,
                clock=clock,
            ),
            audit=audit,
            agencies=AGENCIES,
            calendar=self.calendar,
            clock=clock,
        )
        who = Who(
            store.sessions(), cookies=Cookies(secure=self.secure), limits=self.limits, agencies=AGENCIES, clock=clock
        )
        yield from guarded([*messages.routes(), *feedback.routes()], who, pages.refuse)

    async def about(self, text: str, **changes: Any) -> int:
        """Somebody asks about a dossier."""
        return (await ask(self.kit, self.store, code(text), **changes)).message.id

    async def opinion(self, about: str = MINE, **changes: Any) -> int:
        """Of somebody who has just asked about a dossier; its number."""
        await self.about(about)
        return await give(self.kit, self.store, **changes)


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[MessagesConsole]:
    kit = SqliteKit(tmp_path)
    hasher = CountingHasher()
    store = patient_store(kit)
    await store.open()
    yield MessagesConsole(kit=kit, store=store, hasher=hasher)
    await hasher.close()
    await store.close()


@pytest.fixture
async def signed(console: MessagesConsole) -> AsyncIterator[Callable[..., Awaitable[Browser]]]:
    """Opens browsers of officers who have signed in."""
    server = TestServer(console.app())
    await server.start_server()
    browsers: list[Browser] = []

    async def open_one(login: str, *roles: Role, agency: str = "H13.01") -> Browser:
        await console.officer(login, *roles, agency=agency)
        browsers.append(await console.browser(server))
        assert (await console.sign_in(browsers[-1], login)).status == 303
        return browsers[-1]

    yield open_one
    for each in browsers:
        await each.session.close()
    await server.close()


Signed = Callable[..., Awaitable[Browser]]


async def shown(response: ClientResponse) -> str:
    """The page's words, as they are read."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", await response.text())))


# ---- messages by dossier


@pytest.mark.parametrize("typed", [MINE, "h13 01 260302 0005", "ma ho so H13.01-260302-0005 nhe"])
async def test_a_conversation_is_found_however_its_code_is_written(
    console: MessagesConsole, signed: Signed, typed: str
) -> None:
    await console.about(MINE)
    await tell(console.kit, code(MINE), OTHER, text="Ho so da xong", reason="quiet_hours")
    browser = await signed("lan", Role.AGENCY_ADMIN)
    page = await post(browser, paths.MESSAGES, {"code": typed})
    words = await shown(page)
    assert page.status == 200
    assert ("tìm thấy" in words, "Ho so dang xu ly" in words, "Ho so da xong" in words) == (True, True, True)
    assert ("84•••••678" in words, "84•••••321" in words, "giờ nghỉ" in words) == (True, True, True)
    assert "84912345678" not in await page.text()
    assert "84987654321" not in await page.text()


async def test_a_number_within_a_question_is_hidden_too(console: MessagesConsole, signed: Signed) -> None:
    message = console.kit.message(f"{MINE} 0912345678")
    await console.store.commit(JournalBatch(exchanges=[console.kit.decided(message, dossier_code=MINE)]))
    browser = await signed("lan", Role.INSPECTOR)
    page = await (await post(browser, paths.MESSAGES, {"code": MINE})).text()
    assert "09•••••678" in page
    assert "0912345678" not in page


async def test_another_agencys_dossier_is_not_there(console: MessagesConsole, signed: Signed) -> None:
    await console.about(NEXT_DOOR)
    await console.about(TAKEN_OVER)
    browser = await signed("lan", Role.AGENCY_ADMIN)
    theirs = await post(browser, paths.MESSAGES, {"code": NEXT_DOOR})
    nobodys = await post(browser, paths.MESSAGES, {"code": "H13.02-260302-9999"})
    assert (theirs.status, nobodys.status) == (404, 404)
    assert (await theirs.text()).replace(NEXT_DOOR, "") == (await nobodys.text()).replace("H13.02-260302-9999", "")
    unknown = await post(browser, paths.MESSAGES, {"code": "H99-260302-0001"})
    assert unknown.status == 404
    assert (await post(browser, paths.MESSAGES, {"code": "xin chao"})).status == 422


async def test_who_took_over_sees_what_was_taken_over_and_the_province_everything(
    console: MessagesConsole, signed: Signed
) -> None:
    old = "H13.03-210302-0005"
    await console.about(old)
    for login, agency in (("lan", "H13.01"), ("binh", "H13")):
        browser = await signed(login, Role.INSPECTOR, agency=agency)
        page = await post(browser, paths.MESSAGES, {"code": old})
        assert (page.status, "tìm thấy" in await shown(page)) == (200, True)


async def test_of_several_codes_one_is_chosen(console: MessagesConsole, signed: Signed) -> None:
    other = "H13.01-260302-0006"
    await console.about(other)
    browser = await signed("lan", Role.AGENCY_ADMIN)
    page = await (await post(browser, paths.MESSAGES, {"code": f"{MINE} {other} {NEXT_DOOR}"})).text()
    chosen = re.findall(r'type="hidden" name="code" value="([^"]*)"', page)
    assert chosen == [MINE, other]
    assert "tìm thấy" in await shown(await post(browser, paths.MESSAGES, {"code": chosen[1]}))


async def test_a_long_conversation_has_pages(console: MessagesConsole, signed: Signed) -> None:
    for _ in range(PAGE + 1):
        await tell(console.kit, code(MINE))
    browser = await signed("lan", Role.AGENCY_ADMIN)
    first = await (await post(browser, paths.MESSAGES, {"code": MINE})).text()
    assert first.count('<th scope="row">') == PAGE
    before = one(r'name="before" value="(\d+)"', first)
    second = await (await post(browser, paths.MESSAGES, {"code": MINE, "before": before})).text()
    assert second.count('<th scope="row">') == 1
    assert 'name="before"' not in second


async def test_who_follows_is_shown_masked(console: MessagesConsole, signed: Signed) -> None:
    await console.kit.put("subscription", console.kit.following(MINE, recipient=OTHER.urn))
    browser = await signed("lan", Role.AGENCY_ADMIN)
    page = await shown(await post(browser, paths.MESSAGES, {"code": MINE}))
    assert "Đang theo dõi" in page
    assert "84•••••321" in page


# ---- messages by number


async def test_a_number_typed_in_full_finds_what_is_the_agencys_and_is_noted(
    console: MessagesConsole, signed: Signed
) -> None:
    await console.about(MINE)
    await console.about(NEXT_DOOR)
    await ask(console.kit, console.store, None)
    await console.kit.put("subscription", console.kit.following(MINE), console.kit.following(NEXT_DOOR))
    browser = await signed("lan", Role.AGENCY_ADMIN)
    found = await post(browser, paths.MESSAGES_NUMBER, {"number": "0912 345 678"})
    page = await found.text()
    assert (found.status, page.count('<th scope="row">')) == (200, 2)
    assert (MINE in page, NEXT_DOOR in page) == (True, False)
    assert str(found.url).endswith(paths.MESSAGES_NUMBER)
    [entry] = await console.did(action="messages.found_by_number")
    assert (entry.login, entry.about, entry.detail) == ("lan", "", {"number": "678", "older": False})
    province = await signed("binh", Role.OPERATOR, agency="H13")
    page = await (await post(province, paths.MESSAGES_NUMBER, {"number": "+84912345678"})).text()
    assert page.count('<th scope="row">') == 5


@pytest.mark.parametrize("typed", ["", "678", "091234567", "abc", "0912345678 0987654321", "84%", "8079"])
async def test_a_part_of_a_number_finds_nobody(console: MessagesConsole, signed: Signed, typed: str) -> None:
    browser = await signed("lan", Role.AGENCY_ADMIN)
    assert (await post(browser, paths.MESSAGES_NUMBER, {"number": typed})).status == 422
    assert await console.did(action="messages.found_by_number") == []


async def test_who_may_only_look_finds_nobody_by_number(console: MessagesConsole, signed: Signed) -> None:
    browser = await signed("lan", Role.INSPECTOR, agency="H13")
    assert (await post(browser, paths.MESSAGES_NUMBER, {"number": "0912345678"})).status == 403
    assert "so-dien-thoai" not in await (await get(browser, paths.MESSAGES)).text()
    author = await signed("binh", Role.AUTHOR)
    assert (await get(author, paths.MESSAGES)).status == 403


async def test_what_is_the_agencys_is_found_beyond_what_is_not(
    console: MessagesConsole, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.messages.pages.LOOK", 2)
    await console.about(MINE)
    for _ in range(5):
        await console.about(NEXT_DOOR)
    browser = await signed("lan", Role.AGENCY_ADMIN)
    page = await (await post(browser, paths.MESSAGES_NUMBER, {"number": "0912345678"})).text()
    assert page.count('<th scope="row">') == 1
    assert 'name="before"' not in page


# ---- opinions


async def test_an_opinion_is_shown_to_the_agency_it_is_about_and_to_no_neighbour(
    console: MessagesConsole, signed: Signed
) -> None:
    number = await console.opinion(text="cham qua")
    browser = await signed("lan", Role.AGENCY_ADMIN)
    page = await get(browser, paths.FEEDBACK)
    text = await page.text()
    assert (page.status, f'href="{paths.FEEDBACK}/{number}"' in text) == (200, True)
    assert ("84•••••678" in text, "84912345678" in text, "cham qua" in text) == (True, False, True)
    assert "17/03/2026" in text
    assert (one(r'id="waiting">(\d+)', text), one(r'id="overdue">(\d+)', text)) == ("1", "0")
    neighbour = await signed("binh", Role.AGENCY_ADMIN, agency="H13.02")
    assert "cham qua" not in await (await get(neighbour, paths.FEEDBACK)).text()
    for path in (f"{paths.FEEDBACK}/{number}", f"{paths.FEEDBACK}/999", f"{paths.FEEDBACK}/{10**30}"):
        assert (await get(neighbour, path)).status == 404
    for action in ("tra-loi", "chuyen"):
        fields = {"answer": "x", "agency": "H13.02"}
        assert (await post(neighbour, f"{paths.FEEDBACK}/{number}/{action}", fields)).status == 404
    province = await signed("chi", Role.INSPECTOR, agency="H13")
    assert "cham qua" in await (await get(province, f"{paths.FEEDBACK}/{number}")).text()


async def test_the_clock_counts_working_days(console: MessagesConsole, signed: Signed) -> None:
    await console.opinion()
    console.kit.clock.advance(15 * 86_400)  # the 17th, the tenth working day, since the 10th was none
    browser = await signed("lan", Role.AGENCY_ADMIN)
    assert "Không có góp ý nào" in await (await get(browser, f"{paths.FEEDBACK}?loai=overdue")).text()
    console.kit.clock.advance(86_400)
    again = await console.browser(browser.server)
    await console.sign_in(again, "lan")
    page = await (await get(again, f"{paths.FEEDBACK}?loai=overdue")).text()
    assert ('<tr class="overdue">' in page, one(r'id="overdue">(\d+)', page)) == (True, "1")
    await again.session.close()


async def test_an_answer_goes_back_the_way_the_opinion_came_and_once(console: MessagesConsole, signed: Signed) -> None:
    number = await console.opinion()
    browser = await signed("lan", Role.AGENCY_ADMIN)
    await get(browser, paths.FEEDBACK)
    address = f"{paths.FEEDBACK}/{number}"
    done = await post(browser, f"{address}/tra-loi", {"answer": "Đã  xử lý,\nxin cảm ơn."})
    assert (done.status, done.headers["Location"]) == (303, f"{address}?xong=answered")
    assert (await post(browser, f"{address}/tra-loi", {"answer": "Lần nữa"})).status == 422
    [row] = [row for row in await console.kit.rows("outbox") if row["category"] == "notice"]
    assert row["text"] == f"Tra loi gop y so {number}: Da  xu ly, xin cam on."
    assert (row["account"], row["recipient"], row["sender"]) == ("smsc-1", SENDER.urn, "sms:8079")
    assert (row["inbound_id"], row["dossier_code"], row["reason"]) == (None, None, None)
    page = await shown(await get(browser, done.headers["Location"]))
    assert ("Đã trả lời góp ý." in page, "chờ gửi" in page, "Đã trả lời" in page) == (True, True, True)
    [entry] = await console.did(action="feedback.answered")
    assert (entry.login, entry.about, entry.detail) == ("lan", f"feedback:{number}", {"sent": True})
    assert "Không có góp ý nào" in await (await get(browser, paths.FEEDBACK)).text()
    assert f"{address}" in await (await get(browser, f"{paths.FEEDBACK}?loai=answered")).text()


async def test_at_night_an_answer_waits_for_the_morning(console: MessagesConsole, signed: Signed) -> None:
    number = await console.opinion()
    console.kit.clock.advance(8 * 3600)  # 23:00 in Viet Nam
    browser = await signed("lan", Role.AGENCY_ADMIN)
    await get(browser, paths.FEEDBACK)
    assert (await post(browser, f"{paths.FEEDBACK}/{number}/tra-loi", {"answer": "Xong"})).status == 303
    page = await shown(await get(browser, f"{paths.FEEDBACK}/{number}"))
    assert "sẽ gửi lúc 03/03/2026 07:00" in page


@pytest.mark.parametrize("answer", ["", " \n\u200b", "a" * 400, "đ" * 2100])
async def test_what_cannot_be_sent_is_not_sent(console: MessagesConsole, signed: Signed, answer: str) -> None:
    number = await console.opinion()
    browser = await signed("lan", Role.AGENCY_ADMIN)
    await get(browser, paths.FEEDBACK)
    refused = await post(browser, f"{paths.FEEDBACK}/{number}/tra-loi", {"answer": answer})
    page = await refused.text()
    assert refused.status == 422
    assert 'href="#answer"' in page
    assert 'aria-describedby="answer-hint answer-error"' in page
    assert [row for row in await console.kit.rows("outbox") if row["category"] == "notice"] == []
    assert await console.did(action="feedback.answered") == []


async def test_to_who_was_forgotten_nothing_is_sent_but_the_answer_is_kept(
    console: MessagesConsole, signed: Signed
) -> None:
    number = await console.opinion()
    browser = await signed("lan", Role.AGENCY_ADMIN)
    await get(browser, paths.FEEDBACK)
    await console.store.mask(console.kit.clock.now, 10)
    address = f"{paths.FEEDBACK}/{number}"
    assert "Lưu trả lời" in await (await get(browser, address)).text()
    assert (await post(browser, f"{address}/tra-loi", {"answer": "Đã sửa"})).status == 303
    assert [row for row in await console.kit.rows("outbox") if row["category"] == "notice"] == []
    [entry] = await console.did(action="feedback.answered")
    assert entry.detail == {"sent": False}


async def test_an_opinion_is_passed_on_within_the_own_agencies(console: MessagesConsole, signed: Signed) -> None:
    number = await console.opinion()
    browser = await signed("lan", Role.AGENCY_ADMIN)
    await get(browser, paths.FEEDBACK)
    address = f"{paths.FEEDBACK}/{number}/chuyen"
    assert (await post(browser, address, {"agency": "H13.02"})).status == 404
    assert (await post(browser, address, {"agency": "H13"})).status == 404
    assert (await post(browser, address, {"agency": "H13.01"})).status == 422
    assert (await post(browser, address, {})).status == 422
    assert (await post(browser, address, {"agency": "H13.01.02"})).status == 303
    [entry] = await console.did(action="feedback.passed_on")
    assert entry.detail == {"agency": "H13.01.02", "agency_before": "H13.01"}
    below = await signed("binh", Role.AGENCY_ADMIN, agency="H13.01.02")
    assert (await get(below, f"{paths.FEEDBACK}/{number}")).status == 200


async def test_who_only_looks_answers_nothing(console: MessagesConsole, signed: Signed) -> None:
    number = await console.opinion()
    for login, role in (("lan", Role.INSPECTOR), ("binh", Role.OPERATOR)):
        browser = await signed(login, role)
        page = await get(browser, f"{paths.FEEDBACK}/{number}")
        assert (page.status, "<textarea" in await page.text()) == (200, False)
        for action in ("tra-loi", "chuyen"):
            fields = {"answer": "x", "agency": "H13.01.02"}
            assert (await post(browser, f"{paths.FEEDBACK}/{number}/{action}", fields)).status == 403


async def test_another_sites_form_answers_nothing(console: MessagesConsole, signed: Signed) -> None:
    number = await console.opinion()
    browser = await signed("lan", Role.AGENCY_ADMIN)
    await get(browser, paths.FEEDBACK)
    forms = (
        (paths.MESSAGES, {"code": MINE}),
        (paths.MESSAGES_NUMBER, {"number": "0912345678"}),
        (f"{paths.FEEDBACK}/{number}/tra-loi", {"answer": "x"}),
        (f"{paths.FEEDBACK}/{number}/chuyen", {"agency": "H13.01.02"}),
    )
    for path, fields in forms:
        for site in ("cross-site", "same-site"):
            foreign = {"Sec-Fetch-Site": site}
            refused = await browser.post(path, data=fields, headers=foreign, allow_redirects=False)
            assert refused.status == 403
    did = {each.action for each in await console.did()}
    assert did.isdisjoint({"messages.found_by_number", "feedback.answered", "feedback.passed_on"})


# ---- what people write


async def test_what_people_write_is_shown_as_text(console: MessagesConsole, signed: Signed) -> None:
    number = await console.opinion(text=HOSTILE)
    await tell(console.kit, code(MINE), text=HOSTILE)
    browser = await signed("lan", Role.AGENCY_ADMIN)
    for page in (
        await get(browser, paths.FEEDBACK),
        await get(browser, f"{paths.FEEDBACK}/{number}"),
        await post(browser, paths.MESSAGES, {"code": MINE}),
        await post(browser, paths.MESSAGES, {"code": HOSTILE}),
        await post(browser, f"{paths.FEEDBACK}/{number}/tra-loi", {"answer": HOSTILE + "a" * 300}),
    ):
        text = await page.text()
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "{{ 7*7 }}" in text


async def test_a_file_of_opinions_holds_no_formula_and_no_number(console: MessagesConsole, signed: Signed) -> None:
    formula = '=HYPERLINK("http://evil";"x")'
    await console.opinion(text=formula)
    await console.opinion(NEXT_DOOR, text="cua co quan khac")
    browser = await signed("lan", Role.INSPECTOR)
    file = await get(browser, f"{paths.FEEDBACK_FILE}?loai=all")
    body = await file.read()
    assert file.headers["Content-Disposition"].startswith('attachment; filename="gop-y-')
    assert body.startswith(MARK)
    heads, *rows = csv.reader(io.StringIO(body.removeprefix(MARK).decode()))
    assert heads[:3] == ["Số", "Nhận lúc", "Kênh"]
    [row] = rows
    assert (row[2], row[3], row[4], row[5], row[7]) == ("sms", "84•••••678", f"'{formula}", "H13.01", "open")
    [entry] = await console.did(action="feedback.exported")
    assert entry.detail == {"which": "all"}


async def test_every_page_speaks_the_officers_language(console: MessagesConsole, signed: Signed) -> None:
    number = await console.opinion()
    browser = await signed("lan", Role.AGENCY_ADMIN)
    await post(browser, paths.ACCOUNT_LANGUAGE, {"language": "en"})
    for path in (paths.MESSAGES, paths.FEEDBACK, f"{paths.FEEDBACK}/{number}"):
        page = await get(browser, path)
        assert (page.status, page.headers["Content-Language"]) == (200, "en")
