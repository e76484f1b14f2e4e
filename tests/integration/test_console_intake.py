"""The desk as officers, strangers and attackers meet it in the console: a real listener, a real store, a real folder."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestServer

from console import paths
from console.intake.acts import ASKED
from console.intake.desk import OLDEST_FORM, at
from domain.dossier import DossierStatus
from domain.intake import FileKind, IntakeDossier, IntakeSource
from domain.intake_moves import ACTS, IntakeAction, IntakeRefusal
from domain.officers import OfficerRole
from intake.mail import MailNote, MailTrouble
from intake.uploads.kinds import UploadRefusal
from tests.console_made import MadeConsole, made_console
from tests.contract.conftest import make_kit
from tests.contract.stores import STORES, SqliteKit, StoreKit
from tests.integration.broadcast_consoles import said
from tests.integration.consoles import SAME, Browser, get, post, texts
from tests.integration.intake_consoles import CONSENT, FORM, LIMITS, MARITAL, Counter, a_counter
from tests.integration.test_console_routes import browser as browser_with
from tests.unit.handing_in import pdf, picture

A, S, R = IntakeAction, DossierStatus, OfficerRole
PAPERS = {name: value for name, value in FORM.items() if name.startswith("paper_")}
MISSING = {"paper_0_listed": "1", "paper_0_name": "Tờ khai", "paper_0_missing": "1"}
XSS = "<script>alert(1)</script>"


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    async with a_counter(SqliteKit(tmp_path)) as counter:
        yield counter


@pytest.fixture
async def officer(counter: Counter) -> Browser:
    return await counter.enters("mot.cua")


@pytest.fixture(params=STORES, ids=[kit.name for kit in STORES])
async def everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Counter]:
    """On every store."""
    kit: StoreKit = make_kit(request.param, request, tmp_path)
    async with a_counter(kit) as counter:
        yield counter


# ---- registering: what is wrong with a form


@pytest.mark.parametrize(
    ("changes", "where", "name"),
    [
        ({"name": ""}, "name", "no_name"),
        ({"name": "Ệ" * 301}, "name", "too_long"),
        ({"procedure": "", "words": ""}, "words", "no_procedure"),
        ({"procedure": "8.888888", "words": "zzzz"}, "words", "no_procedure"),
        ({"listed_for": "1.001193"}, "papers", "papers_of_another"),
        ({"source": "pigeon"}, "source", "no_source"),
        ({"phone": "12"}, "phone", "bad_phone"),
        ({"notify": "1", "phone": "02993 000000"}, "phone", "notify_needs_mobile"),
        ({"notify": "1", "phone": ""}, "phone", "notify_needs_mobile"),
        ({"id_number": "không"}, "id_number", "bad_id"),
        ({"email": "be"}, "email", "bad_email"),
        ({"language": "fr"}, "language", "no_language"),
        ({"sets": "0"}, "sets", "bad_sets"),
        ({"sets": "²"}, "sets", "bad_sets"),
        ({"unit": "Phòng khác"}, "unit", "no_unit"),
        ({"fee_dong": "mười nghìn"}, "fee_dong", "bad_money"),
        ({"due_at": "mai"}, "due_at", "bad_moment"),
        ({"due_at": "2020-01-01T10:00"}, "due_at", "past_moment"),
        ({"due_at": "9998-12-31T23:59"}, "due_at", "past_moment"),
        ({"due_at": "9999-12-31T23:00-12:00"}, "due_at", "bad_moment"),
        ({"outcome": "maybe"}, "outcome", "no_outcome"),
        ({"outcome": "refuse"}, "reason", "no_reason"),
        ({"outcome": "refuse", "reason": "x" * 1001}, "reason", "too_long"),
        ({"outcome": "supplement"}, "papers", "nothing_missing"),
        ({"outcome": "supplement", "paper_1_missing": "1", "by": "2020-01-01"}, "by", "past_day"),
        ({"paper_0_originals": "", "paper_0_complete": "", "paper_0_legal": ""}, "papers", "nothing_handed_in"),
        ({"paper_0_legal": ""}, "paper_0_legal", "not_legal"),
        ({"paper_0_complete": ""}, "paper_0_complete", "not_complete"),
        ({"paper_1_missing": "1"}, "paper_1_missing", "still_missing"),
        ({"paper_0_originals": "-1"}, "paper_0_originals", "bad_count"),
        ({"paper_2_name": " ", "paper_2_copies": "1"}, "paper_2_name", "paper_unnamed"),
        ({"id": "7"}, "form", "stale_form"),
        ({"id": "x" * 40}, "form", "stale_form"),
        ({"id": str(2**63 - 1)}, "form", "stale_form"),
    ],
)
async def test_a_fault_is_told_at_its_field_and_nothing_typed_is_lost(
    counter: Counter, officer: Browser, changes: Mapping[str, str], where: str, name: str
) -> None:
    typed = {"subject": "Xin giấy", "address": "Ấp 3", **changes}
    response = await counter.sends(officer, **typed)
    page = await response.text()
    assert response.status == 422
    (told,) = re.findall(rf'<a href="#{where}">(.*?)</a>', page)
    assert html.unescape(told).endswith(texts()["vi"]["intake_fault"][name])
    assert 'value="Xin giấy"' in page
    assert 'value="Ấp 3"' in page
    assert not await counter.console.kit.rows("intake_dossier")


async def test_a_form_of_yesteryear_is_shown_again_with_an_id_of_today(counter: Counter, officer: Browser) -> None:
    old = await counter.form_id(officer)
    counter.console.kit.clock.advance(OLDEST_FORM.total_seconds() + 1)
    again = await counter.enters("nguoi.khac")
    response = await counter.sends(again, id=old)
    page = await response.text()
    assert response.status == 422
    assert f'name="id" value="{old}"' not in page
    assert "Nguyễn Thị Bé" in page


# ---- registering: who may, for whom


async def test_nobody_registers_for_an_agency_of_others(counter: Counter, officer: Browser) -> None:
    assert (await counter.sends(officer, agency="H13.02")).status == 404
    assert not await counter.console.kit.rows("intake_dossier")


async def test_an_agency_that_does_not_work_with_it_is_told_so(counter: Counter) -> None:
    browser = await counter.enters("tinh", agency="H13.01.02")
    page = await (await get(browser, paths.INTAKE_NEW)).text()
    assert texts()["vi"]["intake_list"]["not_receiving"] in page
    assert "<form" not in page.partition("<main")[2]


async def test_a_province_chooses_for_which_agency(counter: Counter) -> None:
    browser = await counter.enters("tinh", agency="H13")
    made = await counter.registered(browser, agency="H13.02")
    assert made.code.text == "H13.02-260302-0001"


async def test_an_id_of_a_dossier_of_others_tells_and_does_nothing(counter: Counter, officer: Browser) -> None:
    other = await counter.enters("ban", agency="H13.02")
    theirs = await counter.registered(other, agency="H13.02")
    assert (await counter.sends(officer, id=str(theirs.id))).status == 404
    assert await counter.kept(theirs.id) == theirs


async def test_files_of_somebody_elses_form_are_not_taken_over(counter: Counter, officer: Browser) -> None:
    other = await counter.enters("ban")
    page = await (await opens_mail(counter, other, letter(("don.pdf", pdf())))).text()
    (identifier,) = re.findall(r'name="id" value="(\d+)"', page)
    response = await counter.sends(officer, id=identifier)
    assert response.status == 422
    shown = await response.text()
    assert f'name="id" value="{identifier}"' not in shown
    assert "don.pdf" not in shown


# ---- registering


async def test_what_was_typed_is_kept_and_the_receipt_is_next(everywhere: Counter) -> None:
    officer = await everywhere.enters("mot.cua")
    response = await everywhere.sends(
        officer,
        then="print",
        notify="1",
        unit="Phòng Hộ tịch",
        id_number="094 199 012 345",
        email="be@example.vn",
        owner="Trần Văn Tám",
        language="km",
        fee_dong="10.000",
        paid="1",
        paper_2_name="Giấy khác <i>",
        paper_2_copies="2",
        all_complete="1",
        all_legal="1",
    )
    (identifier,) = re.findall(r"^/ho-so/(\d+)/bien-nhan$", response.headers["Location"])
    made = await everywhere.kept(int(identifier))
    assert (made.status, made.code.text) == (S.ACCEPTED, "H13.01-260302-0001")
    assert (made.person.id_number, made.person.owner, made.language) == ("094199012345", "Trần Văn Tám", "km")
    assert (made.notify, made.notify_words, made.unit) == (True, CONSENT, "Phòng Hộ tịch")
    assert (made.fee_dong, made.paid_at is not None) == (10_000, True)
    assert made.due_at == everywhere.console.service.promised(
        everywhere.console.service.procedure(MARITAL, made.received_at), made.received_at
    )
    assert [(paper.name, paper.complete, paper.legal) for paper in made.papers] == [
        ("Tờ khai", True, True),
        ("Bản án ly hôn", False, False),
        ("Giấy khác <i>", True, True),
    ]
    assert everywhere.console.announced.codes == [made.code]
    (noted,) = await everywhere.console.did(about=f"dossier:{made.code.reference}")
    assert (noted.action, noted.login) == ("intake.registered", "mot.cua")
    assert "Bé" not in str(noted.detail)


async def test_a_form_sent_twice_is_one_dossier(everywhere: Counter) -> None:
    officer = await everywhere.enters("mot.cua")
    identifier = await everywhere.form_id(officer)
    first = await everywhere.sends(officer, id=identifier)
    second = await everywhere.sends(officer, id=identifier, subject="Khác")
    assert first.headers["Location"] == second.headers["Location"]
    assert len(await everywhere.console.kit.rows("intake_dossier")) == 1


async def test_without_consent_nobody_is_notified(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer)
    assert (made.notify, made.notify_words) == (False, "")


async def test_a_supplement_may_be_asked_for_at_once(counter: Counter, officer: Browser) -> None:
    response = await counter.sends(
        officer,
        outcome="supplement",
        then="print",
        paper_0_complete="",
        paper_0_legal="",
        paper_1_missing="1",
        paper_1_note="bản sao",
    )
    (identifier,) = re.findall(r"^/ho-so/(\d+)/mau/02$", response.headers["Location"])
    made = await counter.kept(int(identifier))
    assert (made.status, made.missing) == (S.MORE_DOCUMENTS, "Bản án ly hôn (bản sao)")
    assert made.supplement_by is not None
    assert made.due_at is None
    page = said(await (await get(officer, at(paths.INTAKE_ONE, made.id))).text())
    assert "mẫu 02" in page
    assert "Bản án ly hôn (bản sao)" in page


async def test_a_dossier_may_be_refused_at_once(counter: Counter, officer: Browser) -> None:
    response = await counter.sends(officer, outcome="refuse", then="print", reason="Không thuộc thẩm quyền")
    (identifier,) = re.findall(r"^/ho-so/(\d+)/mau/03$", response.headers["Location"])
    made = await counter.kept(int(identifier))
    assert (made.status, made.reason, made.due_at) == (S.NOT_ACCEPTED, "Không thuộc thẩm quyền", None)
    (step,) = await counter.console.service.book.steps(made.id)
    assert step.reason == "Không thuộc thẩm quyền"


async def test_an_officer_may_promise_another_moment(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer, due_at="2026-03-20T16:00")
    assert made.due_at is not None
    assert made.due_at.isoformat() == "2026-03-20T09:00:00+00:00"


async def test_a_full_day_is_told_and_nothing_typed_is_lost(counter: Counter, officer: Browser) -> None:
    await counter.console.kit.put("intake_number", {"agency": "H13.01", "day": "2026-03-02", "last": 99_999_999})
    response = await counter.sends(officer)
    assert response.status == 422
    page = await response.text()
    assert texts()["vi"]["intake_fault"]["number_full"] in page
    assert "Nguyễn Thị Bé" in page


async def test_names_are_text_wherever_they_stand(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer, name=XSS, subject=XSS, paper_0_name=XSS, owner=XSS)
    assert made.person.name == XSS
    for path in (paths.INTAKE, at(paths.INTAKE_ONE, made.id)):
        page = await (await get(officer, path)).text()
        assert XSS not in page
        assert "&lt;script&gt;" in page
    faulty = await (await counter.sends(officer, name=XSS, sets="0", words=XSS, paper_0_note=XSS, reason=XSS)).text()
    assert XSS not in faulty


# ---- the procedure, without and with a script


async def checked(browser: Browser, counter: Counter, **fields: str) -> str:
    sent = {"id": await counter.form_id(browser), "agency": "H13.01", "source": "counter", "name": "Bé", **fields}
    response = await post(browser, paths.INTAKE_CHECK, sent)
    assert response.status == 200
    return await response.text()


async def test_words_that_mean_one_procedure_bring_its_papers_fee_and_day(counter: Counter, officer: Browser) -> None:
    page = await checked(officer, counter, words="tình trạng hôn")
    assert f'name="procedure" value="{MARITAL}"' in page
    assert 'value="Tờ khai cấp giấy xác nhận tình trạng hôn nhân"' in page
    assert "05/03/2026 17:00" in page
    assert 'value="Bé"' in page


async def test_words_that_mean_several_are_chosen_from(counter: Counter, officer: Browser) -> None:
    page = await checked(officer, counter, words="hôn nhân gia đình kết hôn")
    several = await checked(officer, counter, words="khai s")
    assert 'name="choice"' in several
    chosen = await checked(officer, counter, words="khai s", choice="1.001193")
    assert 'name="procedure" value="1.001193"' in chosen
    assert "Giấy chứng sinh" in chosen
    assert 'value="Bé"' in page


async def test_words_that_mean_nothing_are_told(counter: Counter, officer: Browser) -> None:
    assert texts()["vi"]["intake_new"]["none_found"] in await checked(officer, counter, words="qwxyz")


async def test_other_words_after_a_choice_are_looked_for_anew(counter: Counter, officer: Browser) -> None:
    page = await checked(officer, counter, words="Đăng ký lại khai sinh", procedure=MARITAL, listed_for=MARITAL)
    assert 'name="procedure" value="1.004884"' in page


async def test_another_procedure_brings_another_list_and_keeps_what_was_typed_beside_it(
    counter: Counter, officer: Browser
) -> None:
    own = {"paper_0_name": "Giấy riêng", "paper_0_copies": "1"}
    page = await checked(
        officer, counter, words="", procedure="", choice="1.001193", listed_for=MARITAL, **PAPERS | own
    )
    assert "Bản án ly hôn" not in page
    beside = await checked(officer, counter, choice="1.001193", listed_for=MARITAL, **own)
    assert 'value="Giấy riêng"' in beside


async def test_a_script_is_told_what_it_shows(counter: Counter, officer: Browser) -> None:
    asks = {"Accept": "application/json"}
    found = json.loads(await (await post(officer, paths.INTAKE_CHECK, {"words": "ket h"}, **asks)).text())
    assert {"code": "1.000894", "name": "Đăng ký kết hôn"} in found
    facts = json.loads(await (await post(officer, paths.INTAKE_CHECK, {"procedure": MARITAL}, **asks)).text())
    assert facts["code"] == MARITAL
    assert facts["papers"][0]["name"].startswith("Tờ khai")
    assert (await post(officer, paths.INTAKE_CHECK, {"procedure": "8.888888"}, **asks)).status == 404


async def test_away_from_the_counter_papers_are_copies(counter: Counter, officer: Browser) -> None:
    asks = {"Accept": "application/json"}
    sent = {"procedure": MARITAL, "source": "email"}
    facts = json.loads(await (await post(officer, paths.INTAKE_CHECK, sent, **asks)).text())
    assert (facts["papers"][0]["originals"], facts["papers"][0]["copies"]) == ("", "1")


# ---- an e-mail


def letter(*files: tuple[str, bytes]) -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"] = "Lan <lan@example.vn>"
    made["To"] = "motcua@example.vn"
    made["Subject"] = f"Xin giấy xác nhận {XSS}"
    made["Date"] = "Mon, 02 Mar 2026 14:05:00 +0700"
    made.set_content(f"Tôi tên là Nguyễn Thị Lan.\nThủ tục {MARITAL}.\nĐiện thoại: 0912 345 678.\n{XSS}")
    for name, content in files:
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()


async def opens_mail(counter: Counter, browser: Browser, content: bytes) -> Any:
    return await counter.puts(browser, paths.INTAKE_NEW_MAIL, ("thu.eml", content))


async def test_what_is_no_mail_is_told_and_nothing_is_kept(counter: Counter, officer: Browser) -> None:
    words = texts()["vi"]["intake_mail_trouble"]
    for content, trouble in (
        (b"", "empty"),
        (b"just text", "not_a_mail"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1x", "outlook"),
    ):
        response = await opens_mail(counter, officer, content)
        assert response.status == 422
        assert words[trouble] in await response.text()
    form = await officer.post(paths.INTAKE_NEW_MAIL, data={"file": "x"}, headers=SAME)
    assert form.status == 422
    assert counter.on_disk() == []


async def test_a_mail_fills_the_form_and_brings_its_files(everywhere: Counter) -> None:
    officer = await everywhere.enters("mot.cua")
    attached = [("đơn.pdf", pdf()), ("virus.exe", b"MZ" + bytes(100)), ("ảnh.png", b"MZ not a picture")]
    response = await opens_mail(everywhere, officer, letter(*attached))
    page = await response.text()
    assert response.status == 200
    assert XSS not in page
    for part in (
        'value="Nguyễn Thị Lan"',
        'value="0912 345 678"',
        'value="lan@example.vn"',
        f'name="procedure" value="{MARITAL}"',
        '<option value="email" selected>',
        "đơn.pdf",
        "virus.exe</strong>: " + texts()["vi"]["intake_file_fault"]["not_allowed"],
        "ảnh.png</strong>: ",
    ):
        assert part in page, part
    (identifier,) = re.findall(r'name="id" value="(\d+)"', page)
    faulty = await (
        await everywhere.sends(officer, id=identifier, source="email", sets="0", refused="not_allowed virus.exe")
    ).text()
    assert "đơn.pdf" in faulty
    assert "virus.exe</strong>" in faulty
    made = await everywhere.registered(officer, id=identifier, source="email")
    assert (made.source, str(made.id)) == (IntakeSource.EMAIL, identifier)
    files = await everywhere.console.service.book.files(made.id)
    assert sorted((file.kind, file.name) for file in files) == [
        (FileKind.MAIL, "thu-dien-tu.eml"),
        (FileKind.PAPER, "đơn.pdf"),
    ]
    assert len(everywhere.on_disk()) == 2


# ---- one dossier: who sees it, who does what


async def test_a_dossier_of_others_is_not_there_whatever_is_asked(counter: Counter, officer: Browser) -> None:
    other = await counter.enters("ban", agency="H13.02")
    made = await counter.registered(officer)
    await counter.puts(officer, at(paths.INTAKE_FILES, made.id), ("a.pdf", pdf()))
    (file,) = await counter.console.service.book.files(made.id)
    for path in (paths.INTAKE_ONE, paths.INTAKE_FILE):
        assert (await get(other, at(path, made.id, file=str(file.id)))).status == 404
    assert (await counter.acts(other, made.id, "note", reason="x")).status == 404
    assert (await counter.puts(other, at(paths.INTAKE_FILES, made.id), ("b.pdf", pdf()))).status == 404
    assert made.code.text not in await (await get(other, paths.INTAKE)).text()
    found = await post(other, paths.INTAKE, {"tim": made.code.text})
    assert (found.status, made.person.name in await found.text()) == (200, False)
    for wrong in ("1", "999999999999999999999"):
        assert (await get(officer, f"{paths.INTAKE}/{wrong}")).status == 404


async def test_who_holds_it_now_sees_it_as_well(counter: Counter, officer: Browser) -> None:
    other = await counter.enters("ban", agency="H13.02")
    made = await counter.registered(officer)
    assert (await counter.acts(officer, made.id, "forward", to="H13.02|")).status == 303
    assert (await get(other, at(paths.INTAKE_ONE, made.id))).status == 200
    assert made.code.text in await (await get(other, paths.INTAKE)).text()
    assert (await counter.acts(other, made.id, "finish")).status == 303
    assert (await get(officer, at(paths.INTAKE_ONE, made.id))).status == 200


@pytest.mark.parametrize("role", OfficerRole)
async def test_the_table_of_rights_is_what_the_server_obeys(
    counter: Counter, officer: Browser, role: OfficerRole
) -> None:
    made = await counter.registered(officer)
    browser = await counter.enters("ai.do", role)
    sees, works = role in (R.INTAKE, R.AGENCY_ADMIN, R.INSPECTOR), role is R.INTAKE
    assert ((await get(browser, paths.INTAKE)).status == 200) is sees
    page = await get(browser, at(paths.INTAKE_ONE, made.id))
    assert (page.status == 200) is sees
    assert ('<form action="/ho-so' in await page.text()) is works
    assert ((await get(browser, paths.INTAKE_NEW)).status == 200) is works
    assert ((await counter.acts(browser, made.id, "note", reason="x")).status == 303) is works
    assert ((await counter.puts(browser, at(paths.INTAKE_FILES, made.id), ("a.pdf", pdf()))).status == 303) is works
    assert ((await opens_mail(counter, browser, letter())).status == 200) is works


async def test_a_form_that_no_page_of_ours_sent_does_nothing(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer)
    foreign = {"Sec-Fetch-Site": "cross-site"}
    for path in (
        paths.INTAKE_NEW,
        paths.INTAKE,
        paths.INTAKE_NEW_MAIL,
        paths.INTAKE_CHECK,
        at(paths.INTAKE_ACT, made.id, action="note"),
        at(paths.INTAKE_FILES, made.id),
    ):
        assert (await officer.post(path, data={"reason": "x"}, headers=foreign)).status == 403, path
    assert await counter.kept(made.id) == made


# ---- one dossier: what is done to it


async def online(counter: Counter, officer: Browser) -> IntakeDossier:
    """One that a citizen filed and nobody looked at yet."""
    made = await counter.registered(
        officer, outcome="supplement", paper_1_missing="1", paper_0_complete="", paper_0_legal=""
    )
    assert (await counter.acts(officer, made.id, "take_supplement", **PAPERS)).status == 303
    filed = await counter.kept(made.id)
    assert filed.status is S.NEWLY_REGISTERED
    return filed


WALKS: Mapping[str, tuple[tuple[str, Mapping[str, str]], ...]] = {
    "accept": (("accept", PAPERS),),
    "refuse": (("refuse", {"reason": "sai"}),),
    "ask_supplement": (("ask_supplement", MISSING),),
    "take_supplement": (("ask_supplement", MISSING), ("take_supplement", PAPERS)),
    "forward": (("accept", PAPERS), ("forward", {"to": "H13.01|Phòng Đất đai"})),
    "ask_payment": (("ask_payment", {"reason": "Lệ phí", "fee_dong": "20000"}),),
    "take_payment": (("ask_payment", {"reason": "Lệ phí"}), ("take_payment", {})),
    "ask_withdrawal": (("ask_withdrawal", {}),),
    "agree_withdrawal": (("ask_withdrawal", {}), ("agree_withdrawal", {})),
    "decline_withdrawal": (("ask_withdrawal", {}), ("decline_withdrawal", {"reason": "đã xong"})),
    "stop": (("accept", PAPERS), ("stop", {"reason": "hết hạn"})),
    "resume": (("accept", PAPERS), ("stop", {"reason": "x"}), ("resume", {"reason": "y"})),
    "finish": (("accept", PAPERS), ("finish", {})),
    "reopen": (("accept", PAPERS), ("finish", {}), ("reopen", {"reason": "sai"})),
    "return": (("accept", PAPERS), ("finish", {}), ("return", {"reason": "con trai nhận"})),
    "take_back": (("accept", PAPERS), ("finish", {}), ("return", {}), ("take_back", {"reason": "nhầm"})),
    "apologise": (("accept", PAPERS), ("apologise", {"reason": "quá tải", "due_at": "2026-04-20T10:00"})),
    "note": (("note", {"reason": "đã gọi điện"}),),
}
LEADS: Mapping[str, DossierStatus] = {
    "accept": S.ACCEPTED,
    "refuse": S.NOT_ACCEPTED,
    "ask_supplement": S.MORE_DOCUMENTS,
    "take_supplement": S.NEWLY_REGISTERED,
    "forward": S.IN_PROCESS,
    "ask_payment": S.PAYMENT_DUE,
    "take_payment": S.ACCEPTED,
    "ask_withdrawal": S.WITHDRAWAL_ASKED,
    "agree_withdrawal": S.NOT_ACCEPTED,
    "decline_withdrawal": S.IN_PROCESS,
    "stop": S.STOPPED,
    "resume": S.IN_PROCESS,
    "finish": S.DONE,
    "reopen": S.IN_PROCESS,
    "return": S.RETURNED,
    "take_back": S.DONE,
    "apologise": S.ACCEPTED,
    "note": S.NEWLY_REGISTERED,
}


def test_every_action_has_a_form_and_a_walk() -> None:
    assert set(ASKED) == set(ACTS) == {IntakeAction(name) for name in WALKS}


@pytest.mark.parametrize("action", WALKS)
async def test_each_act_leads_to_its_state_and_says_so(counter: Counter, officer: Browser, action: str) -> None:
    made = await online(counter, officer)
    for name, fields in WALKS[action]:
        page = await (await get(officer, at(paths.INTAKE_ONE, made.id))).text()
        assert f'id="act-{name}"' in page
        response = await counter.acts(officer, made.id, name, **fields)
        assert response.status == 303, await response.text()
    assert (await counter.kept(made.id)).status is LEADS[action]
    told = await (await get(officer, response.headers["Location"])).text()
    assert texts()["vi"]["intake_done"][action] in told
    assert texts()["vi"]["intake_act"][action] in said(told).partition("Các bước")[2]


async def test_only_what_the_state_allows_is_offered_and_done(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer)
    page = await (await get(officer, at(paths.INTAKE_ONE, made.id))).text()
    offered = {A(name) for name in re.findall(r'id="act-(\w+)"', page)}
    assert offered == {action for action, act in ACTS.items() if made.status in act.of}
    refused = await counter.acts(officer, made.id, "return")
    assert refused.status == 409
    assert texts()["vi"]["intake_refusal"]["not_from_here"] in await refused.text()
    for unknown in ("register", "delete", "tep"):
        path = at(paths.INTAKE_ACT, made.id, action=unknown)
        assert (await post(officer, path, {"version": "1"})).status in (404, 422)
    assert await counter.kept(made.id) == made


@pytest.mark.parametrize(
    ("action", "fields", "where"),
    [
        ("stop", {"reason": " "}, "stop-reason"),
        ("stop", {"reason": "x" * 1001}, "stop-reason"),
        ("forward", {"to": ""}, "forward-to"),
        ("forward", {"to": "H13.01|"}, "forward-to"),
        ("forward", {"to": "H99|Phòng ma"}, "forward-to"),
        ("ask_supplement", {"reason": "thiếu", **PAPERS}, "ask_supplement-papers"),
        ("ask_supplement", {**MISSING, "by": "hôm qua"}, "ask_supplement-by"),
        ("apologise", {"reason": "x"}, "apologise-due_at"),
        ("apologise", {"reason": "x", "due_at": "2026-03-03T10:00"}, "apologise-due_at"),
        ("ask_payment", {"reason": "x", "fee_dong": "-1"}, "ask_payment-fee_dong"),
    ],
)
async def test_what_an_act_lacks_is_told_at_its_field(
    counter: Counter, officer: Browser, action: str, fields: Mapping[str, str], where: str
) -> None:
    made = await counter.registered(officer)
    response = await counter.acts(officer, made.id, action, **fields)
    page = await response.text()
    assert response.status == 422
    assert f'href="#{where}"' in page
    assert f'id="{where}"' in page
    assert re.search(rf'id="act-{action}" open', page)
    assert await counter.kept(made.id) == made


async def test_a_filing_is_accepted_once_its_papers_are_ticked_twice(counter: Counter, officer: Browser) -> None:
    made = await online(counter, officer)
    nothing = {name: value for name, value in PAPERS.items() if name.endswith(("listed", "name"))}
    for papers, where in (
        (nothing, "accept-papers"),
        ({**nothing, "paper_0_copies": "1"}, "accept-paper_0_complete"),
        ({**nothing, "paper_0_complete": "1"}, "accept-paper_0_legal"),
        ({**PAPERS, "paper_1_missing": "1"}, "accept-paper_1_missing"),
    ):
        response = await counter.acts(officer, made.id, "accept", **papers)
        assert response.status == 422
        assert f'href="#{where}"' in await response.text()
    assert (await counter.acts(officer, made.id, "accept", **PAPERS)).status == 303
    accepted = await counter.kept(made.id)
    assert accepted.due_at is not None
    assert accepted.papers[0].legal


async def test_a_fee_is_taken_before_the_result_is_handed_over(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer, fee_dong="10000")
    await counter.acts(officer, made.id, "finish")
    refused = await counter.acts(officer, made.id, "return")
    assert refused.status == 422
    assert 'href="#return-paid"' in await refused.text()
    assert (await counter.acts(officer, made.id, "return", paid="1")).status == 303
    assert (await counter.kept(made.id)).paid_at is not None


async def test_a_later_day_is_promised_once(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer)
    later = {"reason": "quá tải", "due_at": "2026-04-20T10:00"}
    assert (await counter.acts(officer, made.id, "apologise", **later)).status == 303
    page = await (await get(officer, at(paths.INTAKE_ONE, made.id))).text()
    assert 'id="act-apologise"' not in page
    assert "mẫu 04" in said(page)
    again = await counter.acts(officer, made.id, "apologise", **later | {"due_at": "2026-05-20T10:00"})
    assert again.status == 422
    assert texts()["vi"]["intake_refusal"]["apologised"] in await again.text()


async def test_somebody_elses_change_meanwhile_is_shown_and_never_overwritten(everywhere: Counter) -> None:
    officer, colleague = await everywhere.enters("mot.cua"), await everywhere.enters("dong.nghiep")
    made = await everywhere.registered(officer)
    assert (await everywhere.acts(colleague, made.id, "note", reason="Đã gọi điện")).status == 303
    response = await everywhere.acts(officer, made.id, "stop", version=str(made.version), reason="Lý do đã gõ")
    page = await response.text()
    assert response.status == 409
    assert texts()["vi"]["intake_refusal"]["changed"] in page
    assert re.search(r'<tr class="new">.*?Đã gọi điện', page, re.DOTALL)
    assert "Lý do đã gõ" in page
    assert (await everywhere.kept(made.id)).status is S.ACCEPTED


async def test_an_act_sent_twice_is_done_once(everywhere: Counter) -> None:
    officer = await everywhere.enters("mot.cua")
    made = await everywhere.registered(officer)
    for _ in range(2):
        response = await everywhere.acts(officer, made.id, "finish", version=str(made.version))
        assert response.status == 303
    assert len(await everywhere.console.service.book.steps(made.id)) == 2


@pytest.mark.parametrize("version", ["", "x", "-1", "99999999999999999999", "0"])
async def test_a_version_nobody_was_shown_does_nothing(counter: Counter, officer: Browser, version: str) -> None:
    made = await counter.registered(officer)
    assert (await counter.acts(officer, made.id, "finish", version=version)).status == 409
    assert await counter.kept(made.id) == made


# ---- files


async def test_a_file_is_downloaded_and_never_opened_in_the_page(everywhere: Counter) -> None:
    officer = await everywhere.enters("mot.cua")
    made = await everywhere.registered(officer)
    content = picture("PNG")
    sent = await everywhere.puts(officer, at(paths.INTAKE_FILES, made.id), ("../kết quả.png", content), kind="result")
    assert sent.status == 303
    (file,) = await everywhere.console.service.book.files(made.id)
    assert (file.kind, file.media_type) == (FileKind.RESULT, "image/png")
    response = await get(officer, at(paths.INTAKE_FILE, made.id, file=str(file.id)))
    assert await response.read() == content
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert "filename*=UTF-8''k%E1%BA%BFt" in response.headers["Content-Disposition"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    did = [each.action for each in await everywhere.console.did(about=f"dossier:{made.code.reference}")]
    assert did == ["intake.file_taken", "intake.file_added", "intake.registered"]


async def test_files_that_are_not_taken_are_named_with_why_and_leave_nothing(
    counter: Counter, officer: Browser
) -> None:
    made = await counter.registered(officer)
    words = texts()["vi"]["intake_file_fault"]
    sent = await counter.puts(
        officer,
        at(paths.INTAKE_FILES, made.id),
        ("trang.html", b"<html><script>alert(1)</script>"),
        ("<script>alert(1)<script>.pdf", b"MZ"),
        ("lớn.pdf", pdf() + bytes(LIMITS.largest)),
        ("giả.docx", pdf()),
        ("tốt.pdf", pdf()),
    )
    page = await sent.text()
    assert sent.status == 422
    assert "<script>alert" not in page
    for line in (
        f"trang.html: {words['not_allowed']}",
        f"lớn.pdf: {words['too_large']}",
        f"giả.docx: {words['misnamed']}",
    ):
        assert line in page, line
    assert [file.name for file in await counter.console.service.book.files(made.id)] == ["tốt.pdf"]
    assert len(counter.on_disk()) == 1


async def test_a_dossier_takes_so_many_files(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer)
    files = [(f"{number}.png", picture("PNG", (8 + number, 8))) for number in range(LIMITS.most + 1)]
    sent = await counter.puts(officer, at(paths.INTAKE_FILES, made.id), *files)
    assert sent.status == 422
    assert f"{LIMITS.most}.png: {texts()['vi']['intake_file_fault']['too_many']}" in await sent.text()
    assert len(counter.on_disk()) == LIMITS.most
    again = await counter.puts(officer, at(paths.INTAKE_FILES, made.id), files[0])
    assert again.status == 303
    assert len(counter.on_disk()) == LIMITS.most


async def test_a_form_without_a_file_is_told(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer)
    path = at(paths.INTAKE_FILES, made.id)
    empty = FormData({"kind": "paper"})
    empty.add_field("file", b"", filename="", content_type="application/octet-stream")
    for data in (empty, {"file": "x"}, None):
        response = await officer.post(path, data=data, headers=SAME, allow_redirects=False)
        assert response.status == 422
    broken = {**SAME, "Content-Type": "multipart/form-data; boundary=x"}
    half = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-'
    response = await officer.post(path, data=half, headers=broken, allow_redirects=False)
    assert response.status == 422
    assert counter.on_disk() == []


async def test_a_file_whose_bytes_are_gone_is_no_bug(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer)
    await counter.puts(officer, at(paths.INTAKE_FILES, made.id), ("a.pdf", pdf()))
    (file,) = await counter.console.service.book.files(made.id)
    for path in counter.on_disk():
        path.unlink()
    assert (await get(officer, at(paths.INTAKE_FILE, made.id, file=str(file.id)))).status == 503


# ---- the list


async def test_the_list_says_what_is_to_be_done(everywhere: Counter) -> None:
    officer = await everywhere.enters("mot.cua")
    await online(everywhere, officer)
    await everywhere.registered(officer, due_at="2026-03-02T23:00")
    await everywhere.registered(officer, due_at="2026-03-02T15:30")
    finished = await everywhere.registered(officer)
    await everywhere.acts(officer, finished.id, "finish")
    everywhere.console.kit.clock.advance(timedelta(hours=1).total_seconds())
    officer = await everywhere.enters("sau.do")
    page = said(await (await get(officer, paths.INTAKE)).text())
    for part in (
        "Chờ tiếp nhận 1",
        "Chờ bổ sung 0",
        "Đến hạn hôm nay 1",
        "Quá hạn 1",
        "Có kết quả, chưa trả 1",
        "Tất cả 4",
    ):
        assert part in page, part
    done = await (await get(officer, f"{paths.INTAKE}?loc=done")).text()
    assert re.findall(r'href="/ho-so/(\d+)"', done) == [str(finished.id)]
    for name in ("today", "overdue"):
        assert (
            len(re.findall(r'href="/ho-so/\d+"', await (await get(officer, f"{paths.INTAKE}?loc={name}")).text())) == 1
        )
    empty = await (await get(officer, f"{paths.INTAKE}?loc=supplement")).text()
    assert texts()["vi"]["intake_list"]["nothing"]["supplement"] in empty


@pytest.mark.parametrize(
    "typed", ["H13.01-260302-0001", "h13.01 260302 0001", "260302-0001", "0912345678", "thi be nguyen"]
)
async def test_a_dossier_is_found_by_what_one_has_of_it(counter: Counter, officer: Browser, typed: str) -> None:
    made = await counter.registered(officer)
    other = await counter.registered(officer, name="Trần Văn Tám", phone="0987654321")
    response = await post(officer, paths.INTAKE, {"tim": typed})
    assert response.status == 303, (typed, other.code.text)
    assert response.headers["Location"] == at(paths.INTAKE_ONE, made.id)


async def test_names_and_numbers_never_stand_in_an_address(
    counter: Counter, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.intake.listing.PAGE", 1)
    await counter.registered(officer)
    await counter.registered(officer)
    page = await (await post(officer, paths.INTAKE, {"tim": "Nguyễn Thị Bé"})).text()
    assert not [link for link in re.findall(r'(?:href|action)="([^"]*)"', page) if "tim" in link or "Nguy" in link]
    (before,) = re.findall(r'name="truoc" value="(\d+)"', page)
    second = await (await post(officer, paths.INTAKE, {"tim": "Nguyễn Thị Bé", "truoc": before})).text()
    assert len(set(re.findall(r'href="/ho-so/(\d+)"', page + second))) == 2
    unheard = await (await get(officer, f"{paths.INTAKE}?tim=Nguyen")).text()
    assert 'value="Nguyen"' not in unheard


async def test_the_list_goes_on_where_it_ended(
    counter: Counter, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.intake.listing.PAGE", 2)
    made = [(await counter.registered(officer)).id for _ in range(3)]
    first = await (await get(officer, f"{paths.INTAKE}?nguon=counter")).text()
    (older,) = re.findall(r'href="([^"]*truoc=[^"]*)"', first)
    second = await (await get(officer, older.replace("&amp;", "&"))).text()
    assert [int(each) for each in re.findall(r'href="/ho-so/(\d+)"', first + second)] == made[::-1]
    assert 'rel="next"' not in second


async def test_filters_narrow_and_bad_days_are_told(counter: Counter, officer: Browser) -> None:
    made = await counter.registered(officer, unit="Phòng Đất đai", source="post")
    for query, there in (
        ("phong=Phòng Đất đai", 1),
        ("phong=Phòng Hộ tịch", 0),
        ("nguon=post", 1),
        ("nguon=edoc", 0),
        (f"thu_tuc={MARITAL}", 1),
        ("thu_tuc=1.001193", 0),
        ("tu=2026-03-02&den=2026-03-02", 1),
        ("tu=2026-03-03", 0),
        ("loc=nothing", 1),
        ("truoc=x", 1),
    ):
        page = await (await get(officer, f"{paths.INTAKE}?{query}")).text()
        assert (f'href="/ho-so/{made.id}"' in page) == bool(there), query
    for query in ("tu=x", "den=31/3", "tu=2026-03-03&den=2026-03-02"):
        assert (await get(officer, f"{paths.INTAKE}?{query}")).status == 422


# ---- as bootstrap makes it


AGENCY = """
[[intake.agencies]]
agency = "H13.16"
[intake]
files = "{files}"
"""


async def seen_by(console: MadeConsole, agency: str) -> Mapping[str, tuple[int, str]]:
    """The status and the words of some pages, for an officer of this agency who does everything."""
    officer = await console.officer("lan.tran", *OfficerRole, agency=agency)
    server = TestServer(console.console.app)
    await server.start_server()
    browser = await browser_with(server, await console.signed_in(officer))
    try:
        found = {}
        for path in (paths.HELP, paths.INTAKE, paths.INTAKE_NEW, f"{paths.HELP}/intake"):
            response = await get(browser, path)
            found[path] = response.status, await response.text()
        return found
    finally:
        await browser.session.close()
        await server.close()


async def test_without_agencies_there_is_no_desk_and_no_menu_of_it(tmp_path: Path) -> None:
    async with made_console(tmp_path) as console:
        found = await seen_by(console, "H13.16")
    assert [status for status, _ in found.values()] == [200, 404, 404, 404]
    assert f'href="{paths.INTAKE}"' not in found[paths.HELP][1]
    assert f'href="{paths.HELP}/intake"' not in found[paths.HELP][1]


async def test_with_an_agency_there_is_a_desk_with_its_menu_and_help(tmp_path: Path) -> None:
    async with made_console(tmp_path, AGENCY.format(files=tmp_path / "files")) as console:
        found = await seen_by(console, "H13.16")
    assert [status for status, _ in found.values()] == [200, 200, 200, 200]
    assert f'href="{paths.INTAKE}"' in found[paths.HELP][1]
    assert f'href="{paths.HELP}/intake"' in found[paths.HELP][1]


# ---- words


@pytest.mark.parametrize("language", ["vi", "en"])
def test_there_are_words_for_everything_that_may_be_told(language: str) -> None:
    words = texts()[language]
    assert words["intake_refusal"].keys() == {str(each) for each in IntakeRefusal}
    assert words["intake_act_do"].keys() == {str(each) for each in IntakeAction}
    assert words["intake_act_do"].keys() <= words["intake_done"].keys()
    assert words["intake_act"].keys() == words["intake_act_do"].keys() | {"registered"}
    assert words["intake_source"].keys() == {str(each) for each in IntakeSource}
    assert words["intake_file_kind"].keys() == {str(each) for each in FileKind}
    assert words["intake_file_fault"].keys() >= {str(each) for each in UploadRefusal}
    assert words["intake_mail_trouble"].keys() == {str(each) for each in MailTrouble}
    assert words["intake_mail_note"].keys() == {str(each) for each in MailNote}
    assert words["intake_status"].keys() == {str(int(each)) for each in DossierStatus}
    assert {f"intake.{each}" for each in (*IntakeAction, "registered", "file_added", "file_taken")} <= words[
        "action"
    ].keys()
