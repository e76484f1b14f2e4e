"""Broadcasts as authors, approvers and attackers meet them in the console: a real listener, a real store."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from console import paths
from console.broadcasts.actions import ACTS
from console.broadcasts.desk import at
from console.broadcasts.ports import TESTS_A_DAY
from domain.broadcasts import MOVES, NEEDS, BroadcastAction, BroadcastState, Refusal
from domain.officers import RIGHTS, OfficerRole, Right
from tests.contract.broadcasting import person
from tests.contract.stores import SHORT_CODE
from tests.integration.broadcast_consoles import BASIS, FORM, LIST_FORM, Office, an_office, said
from tests.integration.consoles import SAME, Browser, get, one, post, texts

A, S, R = BroadcastAction, BroadcastState, OfficerRole
OFFICERS_DO = (A.EDIT, *(each.action for each in ACTS))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with an_office(tmp_path) as office:
        await office.console.follow(1, 2)
        yield office


@pytest.fixture
async def author(office: Office) -> Browser:
    return await office.enters("author", R.AUTHOR)


@pytest.fixture
async def approver(office: Office) -> Browser:
    return await office.enters("approver", R.APPROVER)


async def state(office: Office, identifier: int) -> BroadcastState:
    return (await office.console.standing(identifier)).broadcast.state


# ---- the walk of one


async def test_one_writes_another_approves_and_both_stand_in_the_log(
    office: Office, author: Browser, approver: Browser
) -> None:
    identifier = await office.submitted(author)
    page = await (await get(approver, at(paths.BROADCAST, identifier))).text()
    told = said(page)
    standing = await office.console.standing(identifier)
    assert standing.broadcast.people == 2
    for part in (
        "Hồ sơ H51.18-210817-0001: cơ quan nghỉ ngày 30/4.",
        standing.broadcast.seal,
        "Cán bộ author",
        "Trình duyệt tin",
    ):
        assert part in told
    assert person(1).value not in page
    approved = await office.approves(approver, identifier)
    assert (approved.status, approved.headers["Location"]) == (
        303,
        f"{at(paths.BROADCAST, identifier)}?xong=approved",
    )
    assert await state(office, identifier) is S.APPROVED
    did = [each.action for each in await office.console.did(about=f"broadcast:{identifier}")]
    assert did == ["broadcast.approved", "broadcast.submitted", "broadcast.created"]


async def test_a_draft_is_changed_and_listed(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    form = await (await get(author, at(paths.BROADCAST_ACT, identifier, "edit"))).text()
    version = one(r'name="version" value="(\d+)"', form)
    changed = await post(
        author, at(paths.BROADCAST_ACT, identifier, "edit"), {**FORM, "version": version, "title": "Tết <b>"}
    )
    assert changed.status == 303
    page = await (await get(author, paths.BROADCASTS)).text()
    assert "Tết &lt;b&gt;" in page
    assert "Tết <b>" not in page
    other = await (await get(author, f"{paths.BROADCASTS}?trang_thai=running")).text()
    assert "Tết" not in other
    assert "Chưa có tin nào." in other


async def test_the_list_goes_on_where_it_ended(
    office: Office, author: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.broadcasts.pages.PAGE", 2)
    made = [await office.drafted(author, title=f"Tin {number}") for number in range(3)]
    first = await (await get(author, paths.BROADCASTS)).text()
    older = one(r'href="([^"]*truoc=[^"]*)"', first).replace("&amp;", "&")
    second = await (await get(author, older)).text()
    assert [int(each) for each in re.findall(r'href="/gui-tin/(\d+)"', first + second)] == made[::-1]
    assert 'rel="next"' not in second


async def test_what_is_given_back_says_why(office: Office, author: Browser, approver: Browser) -> None:
    identifier = await office.submitted(author)
    assert (await office.act(approver, identifier, "send_back", reason=" ")).status == 422
    assert (await office.act(approver, identifier, "send_back", reason="Sai ngày <i>")).status == 303
    page = await (await get(author, at(paths.BROADCAST, identifier))).text()
    assert "Người duyệt trả lại: Sai ngày &lt;i&gt;" in page
    assert await state(office, identifier) is S.DRAFT


# ---- every action, every state, every role


def fields_of(office: Office, action: BroadcastAction, version: int) -> dict[str, str]:
    sent = {"version": str(version)}
    more: Mapping[BroadcastAction, Mapping[str, str]] = {
        A.EDIT: FORM,
        A.SEND_BACK: {"reason": "Xem lại"},
        A.STOP: {"sure": "1"},
    }
    code = {"code": office.console.code()} if action is A.APPROVE else {}
    return {**sent, **more.get(action, {}), **code}


@pytest.mark.parametrize("role", OfficerRole)
async def test_each_role_does_in_each_state_what_the_tables_say_and_nothing_else(
    office: Office, author: Browser, role: OfficerRole
) -> None:
    identifier = await office.submitted(author)
    before = (await office.console.standing(identifier)).broadcast
    somebody = await office.enters("somebody", role)
    for state_before in BroadcastState:
        for action in OFFICERS_DO:
            office.console.force(
                identifier,
                state_before,
                version=before.version,
                people=before.people,
                seal=before.seal,
                editors="[]",
                submitted_by=before.submitted_by,
            )
            fields = fields_of(office, action, before.version)
            done = await post(somebody, at(paths.BROADCAST_ACT, identifier, action), fields)
            if role not in RIGHTS[NEEDS[action]]:
                expected, after = 403, state_before
            else:
                following = MOVES.get((state_before, action))
                expected, after = (303, following) if following else (409, state_before)
            assert (done.status, await state(office, identifier)) == (expected, after), (state_before, action)
            await done.release()


@pytest.mark.parametrize("role", OfficerRole)
async def test_the_page_offers_what_may_be_done(office: Office, author: Browser, role: OfficerRole) -> None:
    identifier = await office.submitted(author)
    somebody = await office.enters("somebody", role)
    for state_now in BroadcastState:
        office.console.force(identifier, state_now)
        shown = await get(somebody, at(paths.BROADCAST, identifier))
        if role not in RIGHTS[Right.BROADCASTS_SEE]:
            assert shown.status == 403
            continue
        page = await shown.text()
        for action in OFFICERS_DO:
            may = role in RIGHTS[NEEDS[action]] and (state_now, action) in MOVES
            assert (f'="{at(paths.BROADCAST_ACT, identifier, action)}"' in page) == may, (state_now, action)


async def test_every_route_of_one_is_404_for_another_agency(office: Office, author: Browser) -> None:
    """And the store is asked nothing that could tell more."""
    identifier = await office.submitted(author)
    strangers = await office.enters("stranger", *OfficerRole, agency="H13.02")
    before = (await office.console.standing(identifier)).broadcast
    routes = [route for route in office.console.routes() if "{broadcast" in route.path]
    assert len(routes) > 15
    for route in routes:
        address = at(route.path, identifier)
        fields = {**FORM, "version": str(before.version), "sure": "1", "reason": "x", "agency": "H13.02"}
        for given in (address, at(route.path, 404), at(route.path, 2**70)):
            answer = await strangers.request(
                route.method,
                given,
                data=fields if route.method == "POST" else None,
                headers=SAME,
                allow_redirects=False,
            )
            assert answer.status == 404, (route.method, given)
    assert (await office.console.standing(identifier)).broadcast == before
    assert str(identifier) not in await (await get(strangers, paths.BROADCASTS)).text()


async def test_nobody_writes_to_the_dossiers_of_another_agency(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    for address in (paths.BROADCAST_NEW, paths.BROADCAST_COUNT, at(paths.BROADCAST_ACT, identifier, "edit")):
        assert (await post(author, address, {**FORM, "version": "1", "agency": "H13.02"})).status == 404
    assert (await office.console.standing(identifier)).broadcast.audience.agencies == ("H13.01",)


async def test_a_form_of_another_site_does_nothing(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    posts = [route for route in office.console.routes() if route.method == "POST" and route.path.startswith("/gui-tin")]
    for route in posts:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}, {}):
            answer = await author.post(
                at(route.path, identifier), data={"version": "1"}, headers=headers, allow_redirects=False
            )
            assert answer.status == 403, route.path
    assert await state(office, identifier) is S.DRAFT


# ---- four eyes


async def both(office: Office, login: str = "both") -> Browser:
    return await office.enters(login, R.AUTHOR, R.APPROVER)


async def refused_as_own(office: Office, browser: Browser, identifier: int) -> None:
    answer = await office.approves(browser, identifier)
    assert answer.status == 403
    assert "không được tự duyệt" in await answer.text()
    assert await state(office, identifier) is S.SUBMITTED


async def test_nobody_approves_what_they_wrote_whoever_submitted_it(office: Office) -> None:
    me, other = await both(office), await both(office, "other")
    identifier = await office.drafted(me)
    assert (await office.act(other, identifier, "submit")).status == 303
    await refused_as_own(office, me, identifier)
    await refused_as_own(office, other, identifier)


async def test_nobody_approves_what_they_changed_a_word_of(office: Office, author: Browser) -> None:
    me = await both(office)
    identifier = await office.drafted(author)
    assert (await office.act(me, identifier, "edit", **{**FORM, "title": "Khác"})).status == 303
    assert (await office.act(author, identifier, "submit")).status == 303
    await refused_as_own(office, me, identifier)


async def test_giving_it_back_and_again_makes_nobody_a_stranger_to_it(office: Office) -> None:
    me, other = await both(office), await both(office, "other")
    identifier = await office.submitted(me)
    assert (await office.act(other, identifier, "send_back", reason="x")).status == 303
    assert (await office.act(other, identifier, "submit")).status == 303
    await refused_as_own(office, me, identifier)


async def test_a_resend_is_not_approved_by_whose_words_it_has(office: Office, author: Browser) -> None:
    me = await both(office)
    identifier = await office.submitted(me)
    office.console.force(identifier, S.DONE, results='[["rejected", "", "x", 1]]')
    again = await post(author, at(paths.BROADCAST_ACT, identifier, "resend"), {})
    new = int(one(r"/gui-tin/(\d+)", again.headers["Location"]))
    office.console.force(new, S.SUBMITTED, people=1)
    await refused_as_own(office, me, new)


async def test_two_sessions_at_once_do_not_approve_what_one_of_them_changes(office: Office, author: Browser) -> None:
    """An author with both roles races: whichever comes first, nobody approves their own words."""
    me = await both(office)
    again = await office.opens("both")
    identifier = await office.drafted(author)
    await asyncio.gather(
        office.act(me, identifier, "edit", **{**FORM, "title": "Của tôi"}),
        office.act(author, identifier, "submit"),
        office.approves(again, identifier),
    )
    broadcast = (await office.console.standing(identifier)).broadcast
    mine = office.accounts["both"].officer.id
    assert broadcast.approved_by is None or mine not in broadcast.hands


async def test_what_is_changed_after_it_was_looked_at_is_not_approved(
    office: Office, author: Browser, approver: Browser
) -> None:
    identifier = await office.submitted(author)
    looked_at = (await office.console.standing(identifier)).broadcast.version
    assert (await office.act(approver, identifier, "send_back", reason="x")).status == 303
    assert (await office.act(author, identifier, "edit", **{**FORM, "text_vi": "Khác hẳn"})).status == 303
    assert (await office.act(author, identifier, "submit")).status == 303
    answer = await office.approves(approver, identifier, version=str(looked_at))
    assert answer.status == 409
    assert "đã được thay đổi" in await answer.text()
    assert await state(office, identifier) is S.SUBMITTED


@pytest.mark.parametrize(
    "columns",
    [{"texts": '{"vi": "Khác hẳn"}'}, {"starts_at": 1_800_000_000_000}, {"people": 3}],
)
async def test_a_row_that_was_changed_behind_our_back_is_not_approved(
    office: Office, author: Browser, approver: Browser, columns: dict[str, Any]
) -> None:
    identifier = await office.submitted(author)
    office.console.force(identifier, S.SUBMITTED, **columns)
    assert (await office.approves(approver, identifier)).status == 409
    assert await state(office, identifier) is S.SUBMITTED


async def test_an_audience_that_has_grown_is_not_approved(office: Office, author: Browser, approver: Browser) -> None:
    identifier = await office.submitted(author)
    await office.console.follow(*range(3, 30))
    assert (await office.approves(approver, identifier)).status == 409
    assert await state(office, identifier) is S.SUBMITTED


async def test_approving_takes_a_new_code_of_the_second_factor(
    office: Office, author: Browser, approver: Browser
) -> None:
    """A stolen session is not enough, and guessing locks the account."""
    identifier = await office.submitted(author)
    used = office.console.code()
    assert (await office.console.sign_in(approver, "approver", code=used)).status == 303
    for code in (used, "", "000000"):
        answer = await office.approves(approver, identifier, code=code)
        assert answer.status == 422
        assert 'href="#code"' in await answer.text()
    assert (await office.approves(approver, identifier)).status == 422  # locked by now
    assert await state(office, identifier) is S.SUBMITTED
    assert [each.action for each in await office.console.did(login="approver")][:3] == [
        "sign_in.locked",
        "sign_in.failed",
        "sign_in.failed",
    ]


async def test_a_code_approves_once(office: Office, author: Browser, approver: Browser) -> None:
    first, second = await office.submitted(author), await office.submitted(author)
    code = office.console.code()
    answers = await asyncio.gather(*(office.approves(approver, each, code=code) for each in (first, second)))
    assert sorted(each.status for each in answers) == [303, 422]


async def test_what_would_be_refused_anyhow_uses_up_no_code(office: Office) -> None:
    me = await both(office)
    identifier = await office.submitted(me)
    code = office.console.code()
    assert (await office.approves(me, identifier, code=code)).status == 403
    assert (await office.console.sign_in(me, "both", code=code)).status == 303


# ---- twice, late


async def test_a_form_sent_twice_makes_one(office: Office, author: Browser) -> None:
    fields = {**FORM, "id": str(office.console.kit.new_id())}
    answers = await asyncio.gather(*(post(author, paths.BROADCAST_NEW, fields) for _ in range(3)))
    assert {(each.status, each.headers["Location"]) for each in answers} == {
        (303, f"/gui-tin/{fields['id']}?xong=created")
    }
    assert len(await office.console.did(action="broadcast.created")) == 1


async def test_the_number_of_a_form_is_one_of_today_or_another_is_taken(office: Office, author: Browser) -> None:
    for identifier in ("1", "x", str(2**63 - 1), str(2**90), ""):
        made = await post(author, paths.BROADCAST_NEW, {**FORM, "id": identifier})
        assert made.headers["Location"] != f"/gui-tin/{identifier}?xong=created"


async def test_nobody_takes_the_number_of_anothers(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    stranger = await office.enters("stranger", R.AUTHOR, agency="H13.02")
    taken = await post(stranger, paths.BROADCAST_NEW, {**FORM, "id": str(identifier), "agency": "H13.02"})
    assert taken.status == 404


@pytest.mark.parametrize("action", ["submit", "pause", "stop"])
async def test_a_button_pressed_twice_does_it_once(office: Office, author: Browser, action: str) -> None:
    identifier = await office.drafted(author)
    if action != "submit":
        office.console.force(identifier, S.RUNNING)
    sent = {"version": "1", "sure": "1"}
    answers = [await post(author, at(paths.BROADCAST_ACT, identifier, action), sent) for _ in range(2)]
    assert [each.status for each in answers] == [303, 409]
    assert len(await office.console.did(action=next(each.noted for each in ACTS if each.action == action))) == 1


async def test_a_draft_that_somebody_else_changed_is_not_written_over(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    stale = {**FORM, "version": "1", "title": "Cũ"}
    assert (await office.act(author, identifier, "edit", **{**FORM, "title": "Mới"})).status == 303
    answer = await post(author, at(paths.BROADCAST_ACT, identifier, "edit"), stale)
    assert answer.status == 409
    assert (await office.console.standing(identifier)).broadcast.title == "Mới"


async def test_stopping_holds_whatever_was_looked_at_and_is_asked_for_once_more(
    office: Office, author: Browser
) -> None:
    identifier = await office.drafted(author)
    office.console.force(identifier, S.RUNNING, version=9)
    address = at(paths.BROADCAST_ACT, identifier, "stop")
    asked = await get(author, address)
    assert (asked.status, "Dừng hẳn việc gửi?" in await asked.text()) == (200, True)
    assert (await post(author, address, {"version": "1"})).status == 422
    assert await state(office, identifier) is S.RUNNING
    assert (await post(author, address, {"version": "1", "sure": "1"})).status == 303
    assert await state(office, identifier) is S.STOPPED


async def test_what_failed_is_sent_again_once(office: Office, author: Browser) -> None:
    identifier = await office.submitted(author)
    address = at(paths.BROADCAST_ACT, identifier, "resend")
    assert (await post(author, address, {})).status == 409
    office.console.force(identifier, S.DONE, results='[["rejected", "", "x", 2]]')
    page = await (await get(author, at(paths.BROADCAST, identifier))).text()
    assert "bị" not in one(r"<caption[^>]*>(Số tin[^<]*)", page)
    new = one(r'resend" method="post">\s*<input type="hidden" name="id" value="(\d+)"', page)
    answers = [await post(author, address, {"id": new}) for _ in range(2)]
    assert {each.headers["Location"] for each in answers} == {f"/gui-tin/{new}?xong=resend_made"}
    assert len(await office.console.did(action="broadcast.resend_made")) == 1
    again = await (await get(author, at(paths.BROADCAST, identifier))).text()
    assert f'href="/gui-tin/{new}"' in again


# ---- counting while somebody writes


async def counted(browser: Browser, **fields: str) -> Any:
    answer = await post(browser, paths.BROADCAST_COUNT, {**FORM, **fields}, Accept="application/json")
    assert answer.status == 200
    return (await answer.json())["sections"]


def rows_of(sections: Any) -> dict[str, str]:
    return {name: value for section in sections for name, value in section["rows"]}


async def test_it_is_counted_while_somebody_writes(office: Office, author: Browser) -> None:
    told = rows_of(await counted(author, text_vi="Hồ sơ {ma_ho_so}: cơ quan nghỉ lễ ngày 30/4, xin đến vào ngày sau."))
    assert told["SMS"] == "2"
    assert (told["Số đoạn SMS"], told["Số đoạn SMS khi dài nhất"]) == ("2", "2")
    assert told["Chi phí SMS, nhiều nhất"] == "1.400 đồng"
    assert told["Tổng số đoạn SMS, nhiều nhất"] == "4"
    assert "ơ (U+01A1) ×2" in told["Ký tự buộc dùng UCS-2"]
    assert told["Nếu bỏ dấu"] == "1 đoạn"


async def test_an_author_is_warned_of_an_invitation_nobody_can_follow_and_not_kept_from_it(
    office: Office, author: Browser, approver: Browser
) -> None:
    text = "Hồ sơ {ma_ho_so}: xin trả lời tin này."
    assert "TRACUU" in rows_of(await counted(author, text_vi=text))["Lưu ý"]
    assert "Lưu ý" not in rows_of(await counted(author, text_vi=f"{text} Soạn CO gửi {SHORT_CODE.value}"))
    fields = {**FORM, "text_vi": text}
    assert "<dt>Lưu ý</dt>" in await (await post(author, paths.BROADCAST_COUNT, fields)).text()
    identifier = await office.submitted(author, text_vi=text)
    page = await (await get(approver, at(paths.BROADCAST, identifier))).text()
    assert "<dt>Lưu ý</dt>" in page


async def test_who_stopped_everything_is_taken_out_and_told(office: Office, author: Browser) -> None:
    await office.console.kit.put("person", {"address": person(1).urn, "stopped_at": 1, "updated_at": 1})
    told = rows_of(await counted(author))
    assert (told["SMS"], told["Đã yêu cầu dừng mọi tin"]) == ("1", "1")


async def test_what_is_not_complete_yet_is_counted_as_far_as_it_is(office: Office, author: Browser) -> None:
    assert await counted(author, text_vi="", agency="", kind="") == []
    [section] = await counted(author, text_vi="x" * 161, kind="numbers")
    assert dict(section["rows"])["Số đoạn SMS"] == "2"


async def test_letters_typed_count_nobody_anew(office: Office, author: Browser) -> None:
    await counted(author)
    await office.console.follow(3)
    assert rows_of(await counted(author, text_vi="Khác"))["SMS"] == "2"
    office.console.kit.clock.advance(11)
    assert rows_of(await counted(author, text_vi="Khác"))["SMS"] == "3"


async def test_without_a_script_the_form_comes_back_with_the_count(office: Office, author: Browser) -> None:
    fields = {**FORM, "title": "Giữ nguyên", "plain": "vi"}
    page = await (await post(author, paths.BROADCAST_COUNT, fields)).text()
    assert 'value="Giữ nguyên"' in page
    assert "Ho so {ma_ho_so}: co quan nghi ngay 30/4.</textarea>" in page
    assert "GSM-7" in page
    assert f'action="{paths.BROADCAST_NEW}"' in page


async def test_faults_stand_above_the_form_and_beside_their_fields(office: Office, author: Browser) -> None:
    answer = await post(author, paths.BROADCAST_NEW, {**FORM, "title": "", "text_vi": "Chào {ten}"})
    page = await answer.text()
    assert answer.status == 422
    for field in ("title", "text_vi"):
        assert f'href="#{field}"' in page
        assert f'id="{field}-error"' in page
    assert "Không điền được {ten}" in page
    assert "Chào {ten}</textarea>" in page


async def test_only_a_declared_basis_opens_numbers(office: Office, author: Browser) -> None:
    elsewhere = await office.enters("elsewhere", R.AUTHOR, agency="H13.02")
    for browser, words, agency, status in (
        (author, BASIS.words, "H13.01", 303),
        (author, "vì tôi muốn", "H13.01", 422),
        (author, "", "H13.01", 422),
        (elsewhere, BASIS.words, "H13.02", 422),
    ):
        fields = {**FORM, "kind": "numbers", "basis": words, "agency": agency}
        assert (await post(browser, paths.BROADCAST_NEW, fields)).status == status


async def test_a_form_too_large_is_refused(office: Office, author: Browser) -> None:
    assert (await post(author, paths.BROADCAST_NEW, {**FORM, "text_vi": "x" * 70_000})).status == 413
    many = "&".join(["agency=H13.01"] * 2_000)
    answer = await author.post(paths.BROADCAST_NEW, data=many, headers=SAME, allow_redirects=False)
    assert answer.status == 422


# ---- a test to oneself


async def try_out(browser: Browser, identifier: int, **fields: str) -> ClientResponse:
    sent = {"by": "sms", "to": "0987 654 321", "language": "vi", **fields}
    return await post(browser, at(paths.BROADCAST_TEST, identifier), sent)


async def test_a_test_goes_to_the_address_typed_marked_as_one_and_noted(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    assert (await try_out(author, identifier)).headers["Location"].endswith("?xong=tested")
    [row] = await office.console.kit.rows("outbox")
    assert (row["recipient"], row["category"], row["state"]) == ("sms:84987654321", "broadcast", "ready")
    assert row["text"] == "(TIN THU) Hồ sơ H51.18-210817-0001: cơ quan nghỉ ngày 30/4."
    [noted] = await office.console.did(action="broadcast.tested")
    assert noted.detail["to"] == "sms …321"


@pytest.mark.parametrize(
    "fields",
    [
        {"to": "113"},
        {"to": ""},
        {"by": "telegram", "to": "@lan"},
        {"by": "telegram", "to": "12345"},
        {"by": "fax"},
        {"language": "km"},
    ],
)
async def test_a_test_to_nowhere_is_refused_with_words(office: Office, author: Browser, fields: dict[str, str]) -> None:
    identifier = await office.drafted(author)
    answer = await try_out(author, identifier, **fields)
    assert answer.status == 422
    assert 'href="#to"' in await answer.text()
    assert await office.console.kit.rows("outbox") == []


async def test_tests_have_an_end_each_day(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    for _ in range(TESTS_A_DAY):
        assert (await try_out(author, identifier)).status == 303
    assert (await try_out(author, identifier)).status == 409
    assert len(await office.console.kit.rows("outbox")) == TESTS_A_DAY


# ---- while it runs


async def events(answer: ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    name = "message"
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            yield name, json.loads(text.removeprefix("data: "))
            name = "message"
        elif text.startswith(":"):
            yield "quiet", None


async def test_progress_is_told_turn_by_turn_until_it_is_over(office: Office, author: Browser) -> None:
    identifier = await office.submitted(author)
    office.console.force(identifier, S.RUNNING, results='[["ready", "", "", 2]]', written=2, all_written=True)
    answer = await get(author, at(paths.BROADCAST_PROGRESS, identifier))
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.content_type == "text/event-stream"
    told = events(answer)
    name, news = await anext(told)
    assert (name, news["text"], dict(news["rows"])["Còn chờ"]) == ("message", "0 / 2", "2")
    results = '[["accepted", "delivered", "", 1], ["rejected", "", "x", 1]]'
    office.console.force(identifier, S.DONE, results=results)
    office.console.turns.on()
    name, news = await anext(told)
    assert (news["text"], news["state_name"]) == ("2 / 2", "Đã xong")
    assert dict(news["rows"]) == {"Đã giao cho kênh": "1", "Đã đến máy": "1", "Không gửi được": "1", "Còn chờ": "0"}
    assert await anext(told) == ("over", {})
    page = await (await get(author, at(paths.BROADCAST, identifier))).text()
    assert "<progress" in page
    assert "kênh từ chối" in said(page)


async def test_an_open_page_keeps_nobody_signed_in_and_ends_with_the_session(office: Office, author: Browser) -> None:
    identifier = await office.submitted(author)
    office.console.force(identifier, S.RUNNING)
    told = events(await get(author, at(paths.BROADCAST_PROGRESS, identifier)))
    assert (await anext(told))[0] == "message"
    office.console.turns.on(29)
    assert await anext(told) == ("quiet", None)
    office.console.kit.clock.advance(31 * 60)
    office.console.turns.on()
    assert await anext(told) == ("ended", {})


async def test_progress_of_what_is_no_longer_ours_ends(office: Office, author: Browser) -> None:
    identifier = await office.submitted(author)
    office.console.force(identifier, S.RUNNING)
    told = events(await get(author, at(paths.BROADCAST_PROGRESS, identifier)))
    await anext(told)
    office.console.force(identifier, S.RUNNING, agency="H13.02")
    office.console.turns.on()
    assert await anext(told) == ("ended", {})


async def test_a_draft_has_no_progress(office: Office, author: Browser) -> None:
    identifier = await office.drafted(author)
    told = [each async for each in events(await get(author, at(paths.BROADCAST_PROGRESS, identifier)))]
    assert [name for name, _ in told] == ["message", "over"]


# ---- the file of results


async def with_results(office: Office, author: Browser) -> int:
    """A broadcast two people did not get."""
    identifier = await office.submitted(author)
    kit = office.console.kit
    rows = [
        kit.notice(
            category="broadcast",
            priority=2,
            recipient=person(number).urn,
            broadcast_id=identifier,
            source=None,
            version=None,
            dossier_code=None,
            state="rejected",
            reason='=HYPERLINK("http://evil.example")',
        )
        for number in (1, 2)
    ]
    await kit.put("outbox", *rows)
    chunk = {"broadcast_id": identifier, "first_id": rows[0]["id"], "last_id": rows[1]["id"], "results": "[]"}
    await kit.put("broadcast_chunk", chunk)
    office.console.force(identifier, S.DONE)
    return identifier


async def test_results_are_a_file_whose_cells_are_text_and_whose_numbers_are_masked(
    office: Office, author: Browser
) -> None:
    identifier = await with_results(office, author)
    answer = await get(author, at(paths.BROADCAST_RESULTS, identifier))
    content = await answer.read()
    assert content.startswith(b"\xef\xbb\xbf")
    lines = content.decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert all("'=HYPERLINK" in line and "kênh từ chối" in line for line in lines[1:])
    assert all(person(number).value not in content.decode() for number in (1, 2))
    assert "attachment" in answer.headers["Content-Disposition"]
    [noted] = await office.console.did(action="broadcast.results_exported")
    assert noted.detail == {"numbers": "masked"}


@pytest.mark.parametrize("role", OfficerRole)
async def test_numbers_in_full_are_for_who_may_search_by_them_and_are_noted(
    office: Office, author: Browser, role: OfficerRole
) -> None:
    identifier = await with_results(office, author)
    somebody = await office.enters("somebody", role)
    address = f"{at(paths.BROADCAST_RESULTS, identifier)}?so-day-du=1"
    answer, page = await get(somebody, address), await get(somebody, at(paths.BROADCAST, identifier))
    may = role in RIGHTS[Right.BROADCASTS_RESULTS] & RIGHTS[Right.MESSAGES_FIND]
    assert (answer.status, "so-day-du" in await page.text()) == ((200, True) if may else (403, False))
    content = await answer.text()
    assert all((person(number).value in content) == may for number in (1, 2))
    noted = await office.console.did(action="broadcast.results_exported")
    assert [(each.login, each.detail) for each in noted] == ([("somebody", {"numbers": "full"})] if may else [])


async def test_looking_at_the_heads_of_a_file_takes_nothing_away(office: Office, author: Browser) -> None:
    identifier = await office.submitted(author)
    for path in (paths.BROADCAST_RESULTS, paths.BROADCAST_PROGRESS):
        assert (await author.head(at(path, identifier))).status == 200
    assert await office.console.did(action="broadcast.results_exported") == []


# ---- both languages, and a page that runs nothing inline


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_every_page_has_its_words_and_one_heading(office: Office, author: Browser, language: str) -> None:
    await office.console.store.officers().set_language(office.accounts["author"].officer.id, language)
    identifier = await office.drafted(author, **LIST_FORM)
    pages = [
        paths.BROADCASTS,
        paths.BROADCAST_NEW,
        at(paths.BROADCAST, identifier),
        at(paths.BROADCAST_FILE, identifier),
    ]
    pages += [at(paths.BROADCAST_ACT, identifier, action) for action in ("edit", "stop")]
    for address in pages:
        answer = await get(author, address)
        page = await answer.text()
        assert answer.status == 200, address
        assert len(re.findall(r"<h1", page)) == 1
        assert not re.search(r"\son\w+=|style=|<script(?! type=\"module\" src=)", page)
        assert f'<html lang="{language}">' in page


def test_there_are_words_for_whatever_is_refused_and_wherever_it_stands() -> None:
    for words in texts().values():
        assert {str(each) for each in Refusal} == words["broadcast_refusal"].keys()
        assert {str(each) for each in BroadcastState} == words["broadcast_state"].keys()


async def test_the_route_of_an_action_needs_what_the_table_of_actions_says(office: Office) -> None:
    needs = {(route.method, route.path): route.needs for route in office.console.routes()}
    for action, right in NEEDS.items():
        assert needs["POST", paths.BROADCAST_ACT.replace("{action:[a-z_]+}", action)] is right


def test_the_matrix_has_every_action_of_officers() -> None:
    assert set(OFFICERS_DO) == set(NEEDS)
