"""Filing online, over HTTP against the whole public listener: what must fail fails, nothing is left, sent twice is one."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import pytest_asyncio

from domain.dossier import DossierStatus
from domain.intake import Actor, FileKind, IntakeDossier, IntakeFile
from domain.intake_moves import IntakeAction, IntakeDoing
from gateway.bootstrap.filing import sweep_files
from gateway.bootstrap.intake import Intake
from intake.filing_decisions import digest_of
from tests.unit.handing_in import docx, docx_parts, pdf, picture, zipped
from tests.unit.test_web_answers import solved
from tests.whole.filing import AGENCY, PROCEDURE, Citizen, kept_files, settings_with
from tests.whole.gateways import STORE
from tests.whole.public_listener import BASE_URL, Public, public_listener

pytestmark = pytest.mark.asyncio(loop_scope="module")
OFFICER = Actor(officer=1, login="an", name="An", agency=AGENCY)
XSS = '<script>alert(1)</script>"\'>{{7*7}}=HYPERLINK("x")'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Public]:
    directory = tmp_path_factory.mktemp("filing")
    more = settings_with(
        directory / "files", "drafts_per_address = 3\nuploads_per_draft = 12\nlargest_file_bytes = 200000"
    )
    async with public_listener(directory, trusted='["127.0.0.0/8"]', more=more) as listening:
        yield listening


@pytest.fixture
def citizen(public: Public) -> Citizen:
    return Citizen(public)


@pytest.fixture
def files(public: Public) -> Path:
    return public.directory / "files"


def intake_of(public: Public) -> Intake:
    assert public.made.intake is not None
    return public.made.intake


async def dossier_of(citizen: Citizen) -> IntakeDossier:
    found = await intake_of(citizen.public).service.book.filed(digest_of(citizen.token))
    assert found is not None
    return found


async def done(citizen: Citizen, action: IntakeAction, **more: object) -> None:
    """An officer does it."""
    service, before = intake_of(citizen.public).service, await dossier_of(citizen)
    now = before.received_at + timedelta(minutes=5)
    after = await service.act(before, IntakeDoing(action=action, at=now, **more), OFFICER)  # type: ignore[arg-type]
    assert isinstance(after, IntakeDossier), after


async def until(true: Callable[[], bool]) -> None:
    """A folder tells nobody that it changed."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)


# ---- where there is nothing


async def test_without_an_agency_that_takes_filings_no_route_exists(tmp_path: Path) -> None:
    async with public_listener(tmp_path) as listening:
        assert not [route.path for route in listening.routes if route.path.startswith(("/nop-ho-so", "/ho-so"))]
        async with listening.ask("GET", f"/thu-tuc/{PROCEDURE}") as answer:
            assert "/nop-ho-so" not in await answer.text()


@pytest.mark.parametrize("agency", ["H51.19", "H51.99", "", XSS])
async def test_an_agency_that_takes_nothing_online_gets_no_draft(citizen: Citizen, agency: str) -> None:
    page = await citizen.begin(agency)
    assert (page.status, citizen.token) == (429, "")
    assert "<script>alert" not in page.text


async def test_a_procedure_nobody_knows_is_told_so(citizen: Citizen) -> None:
    assert (await citizen.get("/nop-ho-so/9.999")).status == 404
    assert (await citizen.begin(procedure="9.999")).status == 404


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 5_000, "..%2f..%2fetc", "%00"])
async def test_a_link_that_opens_nothing_says_so_whatever_is_done_with_it(citizen: Citizen, token: str) -> None:
    citizen.token = token
    assert {(await citizen.get(path)).status for path in ("", "giay-to", "so-dien-thoai", "gui", "ket-qua/7")} == {404}
    for path in ("", "so-dien-thoai", "ma-xac-nhan", "gui", "rut", "xoa", "bo-tep"):
        page = await citizen.post(path, citizen.form(sure="1", pin="123456", file="1", declared="1"))
        assert page.status in (303, 404, 409), path
    assert (await citizen.upload(pdf())).status == 404
    assert (await citizen.upload(pdf(), path="bo-sung")).status == 404


async def test_a_form_of_a_foreign_page_does_nothing(citizen: Citizen) -> None:
    for said in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}):
        assert (await citizen.begin(headers=said)).status == 200
        assert citizen.token == ""
    await citizen.file()
    again = await citizen.post("rut", {"sure": "1"}, headers={"Origin": "https://evil.example"})
    assert again.status == 303
    assert (await dossier_of(citizen)).status is DossierStatus.NEWLY_REGISTERED


async def test_our_own_pages_which_keep_their_address_to_themselves_are_believed(citizen: Citizen) -> None:
    assert (await citizen.begin(headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"})).status == 303
    other = Citizen(citizen.public)
    assert (await other.begin(headers={"Origin": BASE_URL})).status == 303


async def test_an_address_opens_so_many_drafts_a_day_and_no_more(public: Public, citizen: Citizen) -> None:
    assert [(await citizen.begin()).status for _ in range(5)] == [303, 303, 303, 429, 429]
    assert (await Citizen(public).begin()).status == 303


# ---- the form


async def test_the_page_goes_nowhere_by_a_link_and_into_no_cache(citizen: Citizen) -> None:
    await citizen.begin()
    for path in ("", "giay-to", "so-dien-thoai", "gui"):
        headers = (await citizen.get(path)).headers
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "noindex" in headers["X-Robots-Tag"]
        assert "Set-Cookie" not in headers
        assert "unsafe" not in headers["Content-Security-Policy"]


async def test_of_the_secret_only_its_digest_is_kept(citizen: Citizen) -> None:
    await citizen.begin()
    assert len(citizen.token) == 43
    kept = (citizen.public.directory / "tracuu.sqlite3").read_bytes()
    wal = citizen.public.directory / "tracuu.sqlite3-wal"
    kept += wal.read_bytes() if wal.exists() else b""
    assert citizen.token.encode() not in kept
    assert digest_of(citizen.token).encode() in kept


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""),
        ("name", " \u200b "),
        ("phone", "0299 3821 888"),
        ("phone", ""),
        ("id_number", "12"),
        ("email", "a@b"),
    ],
)
async def test_what_is_wrong_is_told_and_what_was_typed_stays(citizen: Citizen, field: str, typed: str) -> None:
    await citizen.begin()
    page = await citizen.fill(**{"address": "12 Hai Bà Trưng", field: typed})
    assert page.status == 422
    assert 'aria-invalid="true"' in page.text
    assert "12 Hai Bà Trưng" in (await citizen.get()).plain


async def test_nothing_typed_becomes_markup_or_a_template(citizen: Citizen) -> None:
    await citizen.begin()
    fields = ("name", "id_number", "email", "address", "owner", "subject")
    await citizen.fill(then="save", **dict.fromkeys(fields, XSS))
    for path in ("", "gui", "so-dien-thoai"):
        page = await citizen.get(path)
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "49=" not in page.text
    await citizen.upload(pdf(), name=f"{XSS}.pdf")
    page = await citizen.get("giay-to")
    assert "<script>alert" not in page.text


async def test_what_is_typed_is_kept_no_longer_than_it_may_be(citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill(then="save", name="x" * 5_000)
    assert "x" * 301 not in (await citizen.get()).text


# ---- the number


async def test_an_unproved_number_cannot_send(citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill()
    page = await citizen.send()
    assert page.status == 422
    assert "chưa được xác nhận" in page.plain
    assert await intake_of(citizen.public).service.book.filed(digest_of(citizen.token)) is None


async def test_a_wrong_code_may_be_typed_again_so_many_times_and_then_the_right_one_is_none(citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill()
    assert (await citizen.post("so-dien-thoai", {})).status == 202
    right = citizen.codes()[-1]
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    told = [(await citizen.post("ma-xac-nhan", {"pin": wrong})).status for _ in range(5)]
    assert told == [422, 422, 422, 422, 410]
    assert (await citizen.post("ma-xac-nhan", {"pin": right})).status == 410
    assert (await citizen.send()).status == 422


async def test_a_code_of_another_draft_proves_nothing(public: Public, citizen: Citizen) -> None:
    other = Citizen(public)
    for each in (citizen, other):
        await each.begin()
        await each.fill()
        await each.post("so-dien-thoai", {})
    assert (await citizen.post("ma-xac-nhan", {"pin": other.codes()[-1]})).status == 422


async def test_a_code_sent_before_the_number_was_changed_proves_nothing(public: Public, citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill()
    await citizen.post("so-dien-thoai", {})
    await citizen.fill(phone=Citizen(public).phone)
    assert (await citizen.post("ma-xac-nhan", {"pin": citizen.codes()[-1]})).status == 410
    assert (await citizen.send()).status == 422


async def test_another_number_is_not_proved_by_the_one_before(public: Public, citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill()
    assert (await citizen.prove()).status == 303
    await citizen.fill(name="Lê Văn Tám")
    assert "Đã xác nhận" in (await citizen.get("so-dien-thoai")).plain
    await citizen.fill(phone=Citizen(public).phone)
    assert "Đã xác nhận" not in (await citizen.get("so-dien-thoai")).plain
    assert (await citizen.send()).status == 422


async def test_whoever_asks_for_codes_learns_nothing_of_the_number(public: Public, citizen: Citizen) -> None:
    """Three a day go to a number; what is asked for after that looks the same, and no code that was sent fits."""
    told = []
    for _ in range(5):
        other = Citizen(public)
        await other.begin()
        await other.fill(phone=citizen.phone)
        page = await other.post("so-dien-thoai", {})
        token = re.compile(re.escape(other.token))
        told.append((page.status, re.sub(r"\d\d:\d\d", "", token.sub("", page.text.replace(citizen.phone, "")))))
    assert len(set(told)) == 1
    assert told[0][0] == 202


async def test_no_code_goes_to_what_is_no_mobile_number(citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill(phone="1900 1234")
    assert (await citizen.post("so-dien-thoai", {})).status == 400


# ---- files


async def test_a_file_is_kept_for_its_paper_and_can_be_taken_out(citizen: Citizen, files: Path) -> None:
    before = len(kept_files(files))
    await citizen.begin()
    assert (await citizen.upload(pdf(), "đơn của tôi.pdf")).headers["Location"].endswith("#paper-0")
    assert (await citizen.upload(pdf(), "đơn của tôi.pdf")).status == 303  # sent twice is one
    page = await citizen.get("giay-to")
    assert page.plain.count("đơn của tôi.pdf</span>") == 1
    assert len(kept_files(files)) == before + 1
    identifier = re.search(r'name="file" value="(\d+)"', page.text)
    assert identifier is not None
    stranger = Citizen(citizen.public)
    await stranger.begin()
    await stranger.post("bo-tep", {"file": identifier[1]})
    assert len(kept_files(files)) == before + 1
    await citizen.post("bo-tep", {"file": identifier[1]})
    assert len(kept_files(files)) == before


ATTACKS: Mapping[str, tuple[Callable[[], bytes], str, str]] = {
    "a program called PDF": (lambda: b"MZ" + bytes(600), "x.pdf", "không được nhận"),
    "a page": (lambda: b"<!doctype html><script>alert(1)</script>", "x.html", "không được nhận"),
    "a PDF that is a JAR": (lambda: pdf() + zipped({"a.class": b"x" * 99}), "x.pdf", "dữ liệu lạ"),
    "a PDF with script": (lambda: pdf(b"<< /S /JavaScript /JS (a) >>"), "x.pdf", "tự chạy"),
    "a PDF with a password": (lambda: pdf(trailer=b"/Encrypt 9 0 R"), "x.pdf", "mật khẩu"),
    "half a PDF": (lambda: pdf()[:-7], "x.pdf", "hỏng"),
    "a picture called PDF": (lambda: picture("JPEG"), "x.pdf", "Đuôi tên tệp"),
    "a document with a way out": (lambda: zipped({**docx_parts(), "../../evil.sh": b"x"}), "x.docx", "không an toàn"),
    "nothing": (lambda: b"", "x.pdf", "Tệp trống"),
    "too much": (lambda: b"%PDF-" + bytes(300_000), "x.pdf", "quá lớn"),
}


@pytest.mark.parametrize("what", ATTACKS)
async def test_an_attack_is_refused_with_its_reason_and_nothing_is_left(
    citizen: Citizen, files: Path, what: str
) -> None:
    made, name, why = ATTACKS[what]
    before = kept_files(files)
    await citizen.begin()
    page = await citizen.upload(made(), f"../../{name}")
    assert page.status == 422
    assert why in page.plain, what
    assert kept_files(files) == before


async def test_two_gigabytes_are_refused_before_they_are_read(citizen: Citizen, files: Path) -> None:
    before = kept_files(files)
    await citizen.begin()
    port = int(citizen.public.address.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {citizen.path}/giay-to HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {2 * 1024**3}\r\n\r\n--b\r\n".encode()
    )
    async with asyncio.timeout(60):
        assert b" 422 " in await reader.readline()
    writer.close()
    assert kept_files(files) == before


async def test_an_upload_that_is_cut_off_leaves_nothing(citizen: Citizen, files: Path) -> None:
    before = kept_files(files)
    await citizen.begin()
    port = int(citizen.public.address.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.pdf"\r\n\r\n%PDF-1.7\n'
    writer.write(
        f"POST {citizen.path}/giay-to HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: 150000\r\n\r\n".encode()
        + head
        + bytes(70_000)
    )
    await writer.drain()
    await until(lambda: kept_files(files) != before)  # it began to arrive
    writer.close()
    await until(lambda: kept_files(files) == before)
    assert "x.pdf" not in (await citizen.get("giay-to")).text


async def test_a_draft_is_sent_so_many_files_a_day(citizen: Citizen) -> None:
    await citizen.begin()
    told = [(await citizen.upload(b"", name="x.pdf")).plain for _ in range(14)]
    assert ["quá nhiều tệp" in each for each in told] == [False] * 12 + [True] * 2


async def test_a_form_that_is_no_form_is_told_so(citizen: Citizen) -> None:
    await citizen.begin()
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}):
        page = await citizen.ask("POST", f"{citizen.path}/giay-to", data=b"x", headers=headers)
        assert page.status == 422


async def test_a_full_disk_of_drafts_takes_no_more_and_says_so(tmp_path: Path) -> None:
    more = settings_with(tmp_path / "files", "draft_room_mb = 1\nlargest_file_bytes = 1000000")
    async with public_listener(tmp_path, trusted='["127.0.0.0/8"]', more=more) as listening:
        citizen = Citizen(listening)
        await citizen.begin()
        assert (await citizen.upload(pdf())).status == 303
        page = await citizen.upload(pdf(b"(another)"))
        assert page.status == 429
        assert "không còn chỗ" in page.plain


# ---- deleting, and what is over


async def test_a_draft_is_deleted_with_its_files_by_whoever_has_the_link(citizen: Citizen, files: Path) -> None:
    before = kept_files(files)
    await citizen.begin()
    await citizen.upload(pdf())
    assert (await citizen.post("xoa", {})).status == 303
    assert (await citizen.get()).status == 200  # nobody was sure
    assert (await citizen.post("xoa", {"sure": "1"})).headers["Location"].startswith("/nop-ho-so?")
    assert (await citizen.get()).status == 404
    assert kept_files(files) == before


async def test_a_draft_that_is_over_is_gone_and_swept_with_its_files(
    public: Public, citizen: Citizen, files: Path
) -> None:
    before = len(kept_files(files))
    await citizen.begin()
    await citizen.upload(pdf())
    intake = intake_of(public)
    draft = await intake.service.book.draft(digest_of(citizen.token), now=public.made.opened.clock())
    assert draft is not None
    assert draft.expires_at - draft.created_at == timedelta(days=7)
    await intake.service.book.save_draft(replace(draft, expires_at=draft.created_at))
    assert (await citizen.get()).status == 404
    assert (await citizen.send()).status == 404
    assert (await citizen.upload(pdf())).status == 404
    await sweep_files(intake.service.book, intake.vault, public.made.opened.clock)
    assert len(kept_files(files)) == before


# ---- sent


async def test_undeclared_is_not_sent(citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill()
    await citizen.prove()
    page = await citizen.post("gui", {})
    assert page.status == 422
    assert "cam đoan" in page.plain


async def test_what_is_sent_is_one_dossier_not_accepted_yet(citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.upload(pdf(), "đơn.pdf")
    await citizen.fill(notify="1", id_number="094 123 456 789", subject="Xin bản sao")
    await citizen.prove()
    sent = await asyncio.gather(citizen.send(), citizen.send(), citizen.send())
    assert {each.status for each in sent} == {303}
    assert (await citizen.send()).status == 303
    dossier = await dossier_of(citizen)
    page = await citizen.get()
    assert dossier.code.text in page.plain
    assert "Đã nộp, chưa tiếp nhận" in page.plain
    assert dossier.secret in page.plain
    assert (dossier.source.value, dossier.status) == ("online", DossierStatus.NEWLY_REGISTERED)
    assert (dossier.person.name, dossier.person.id_number) == ("Nguyễn Thị Bé", "094123456789")
    assert dossier.notify
    assert dossier.notify_words.startswith("Tôi đồng ý nhận tin nhắn")
    assert dossier.declared_at == dossier.received_at
    assert [paper.copies for paper in dossier.papers[:1]] == [1]
    book = intake_of(citizen.public).service.book
    assert [each.name for each in await book.files(dossier.id)] == ["đơn.pdf"]
    assert [step.action for step in await book.steps(dossier.id)] == ["registered"]


async def test_after_it_was_sent_nothing_of_the_draft_can_be_changed(citizen: Citizen) -> None:
    await citizen.file()
    before = await dossier_of(citizen)
    assert (await citizen.fill(name="Kẻ Khác")).status == 303
    assert (await citizen.upload(pdf())).status == 303  # closed: on to the dossier
    assert (await citizen.post("xoa", {"sure": "1"})).status == 303
    assert (await citizen.post("so-dien-thoai", {})).status == 303
    assert await dossier_of(citizen) == before
    assert await intake_of(citizen.public).service.book.files(before.id) == []


async def test_who_wishes_no_messages_gets_none(citizen: Citizen) -> None:
    await citizen.file()
    dossier = await dossier_of(citizen)
    assert (dossier.notify, dossier.notify_words) == (False, "")


async def test_more_papers_are_taken_only_when_they_are_asked_for(citizen: Citizen) -> None:
    await citizen.file()
    assert (await citizen.upload(pdf(), path="bo-sung")).status == 409
    dossier = await dossier_of(citizen)
    papers = tuple(replace(paper, missing=True) for paper in dossier.papers)
    await done(citizen, IntakeAction.ASK_SUPPLEMENT, reason="Thiếu giấy khai sinh bản chính", papers=papers)
    assert "Thiếu giấy khai sinh bản chính" in (await citizen.get()).plain
    assert (await citizen.upload(b"MZ" + bytes(99), path="bo-sung")).status == 422
    assert (await citizen.upload(docx(), "khai sinh.docx", path="bo-sung")).status == 303
    book, now = intake_of(citizen.public).service.book, await dossier_of(citizen)
    assert now.status is DossierStatus.MORE_DOCUMENTS
    assert [(each.name, each.kind) for each in await book.files(now.id)] == [("khai sinh.docx", FileKind.SUPPLEMENT)]
    last = (await book.steps(now.id))[-1]
    assert (last.action, last.actor.officer) == ("note", None)
    assert last.reason.endswith(" 1 tệp.")  # a name of a file may name people, and the step stays for ever
    assert "Người nộp gửi tệp bổ sung" in (await citizen.get()).plain


async def test_what_officers_note_for_themselves_is_told_to_nobody(citizen: Citizen) -> None:
    await citizen.file()
    await done(citizen, IntakeAction.NOTE, reason="Người này hay nộp thiếu")
    assert "hay nộp thiếu" not in (await citizen.get()).plain


async def test_a_dossier_is_asked_back_once_and_only_by_who_is_sure(citizen: Citizen) -> None:
    await citizen.file()
    assert (await citizen.post("rut", {"reason": "không cần nữa"})).status == 303
    assert (await dossier_of(citizen)).status is DossierStatus.NEWLY_REGISTERED
    assert (await citizen.post("rut", {"reason": "không cần nữa", "sure": "1"})).status == 303
    assert (await dossier_of(citizen)).status is DossierStatus.WITHDRAWAL_ASKED
    assert (await citizen.post("rut", {"sure": "1"})).status == 409


async def test_the_result_is_fetched_once_there_is_one_and_never_opened(public: Public, citizen: Citizen) -> None:
    await citizen.file()
    intake, dossier = intake_of(public), await dossier_of(citizen)

    async def content() -> AsyncIterator[bytes]:
        yield pdf()

    kept = await intake.vault.keep(content(), most=9_999)
    file = IntakeFile(
        id=dossier.id + 1,
        owner=dossier.id,
        kind=FileKind.RESULT,
        name='kết "quả".pdf',
        media_type="application/pdf",
        size=kept.size,
        sha256=kept.sha256,
        key=kept.key,
        added_at=dossier.received_at,
        by_officer=1,
    )
    await intake.service.book.add_file(file, most=9, most_bytes=99_999)
    assert (await citizen.get(f"ket-qua/{file.id}")).status == 404  # it is not done yet
    await done(citizen, IntakeAction.ACCEPT)
    await done(citizen, IntakeAction.FINISH)
    assert f"/ket-qua/{file.id}" in (await citizen.get()).text
    page = await citizen.get(f"ket-qua/{file.id}")
    assert (page.status, page.headers["Content-Type"]) == (200, "application/octet-stream")
    assert page.headers["Content-Disposition"].startswith("attachment; ")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    stranger = Citizen(public)
    await stranger.file()
    assert (await stranger.get(f"ket-qua/{file.id}")).status == 404


async def test_the_page_of_a_procedure_leads_to_filing_it(citizen: Citizen) -> None:
    assert f"/nop-ho-so/{PROCEDURE}?" in (await citizen.get(f"/thu-tuc/{PROCEDURE}")).text
    assert "H51.19" not in (await citizen.get(f"/nop-ho-so/{PROCEDURE}")).text
    assert PROCEDURE in (await citizen.get("/nop-ho-so?tim=khai%20sinh")).text


async def test_a_code_that_comes_too_late_proves_nothing(citizen: Citizen) -> None:
    await citizen.begin()
    await citizen.fill()
    await citizen.post("so-dien-thoai", {})
    with closing(sqlite3.connect(citizen.public.directory / STORE, timeout=60)) as store, store:
        store.execute("UPDATE link_pin SET expires_at = 0 WHERE address = ?", (f"sms:84{citizen.phone[1:]}",))
    assert (await citizen.post("ma-xac-nhan", {"pin": citizen.codes()[-1]})).status == 410
    assert (await citizen.send()).status == 422


async def test_whoever_walked_through_codes_works_before_a_code_is_sent_to_anybody(tmp_path: Path) -> None:
    guards = "misses_before_work = [{ count = 1, seconds = 3600.0 }]"
    more = settings_with(tmp_path / "files")
    async with public_listener(tmp_path, trusted='["127.0.0.0/8"]', guards=guards, more=more) as listening:
        citizen = Citizen(listening)
        await citizen.begin()
        await citizen.fill()
        for serial in range(2):
            await citizen.get(f"/tra-cuu?ma=H51.18-250701-99{serial:02}")
        page = await citizen.post("so-dien-thoai", {})
        assert page.status == 403
        assert citizen.codes() == []
        challenge = re.search(r'data-challenge="([^"]+)"', page.text)
        assert challenge is not None
        work = await asyncio.to_thread(solved, json.loads(unescape(challenge[1])))
        assert (await citizen.post("so-dien-thoai", {"work": work})).status == 202
        assert len(citizen.codes()) == 1
        assert (await citizen.post("so-dien-thoai", {"work": work})).status == 403  # each solution counts once
