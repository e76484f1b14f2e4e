"""Papers of the desk over a real listener and a real store: who gets them, what is noted, what is a duplicate, and PDF."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest
from aiohttp import ClientResponse, CookieJar
from aiohttp.test_utils import TestClient, TestServer

from channels.media import PictureLimits, PictureReader
from console import paths
from console.accounts.ports import AuditEntry, AuditSearch
from console.intake import follow_up_book, printing
from console.intake.desk import at
from console.intake.pdf import NO_LIBRARY, PdfAbsent, PdfFailed, PdfMaker
from console.intake.pdf_worker import sheet_of
from domain.codes import read_codes
from domain.dossier import DossierStatus
from domain.intake import IntakeDossier
from domain.intake_moves import IntakeAction
from domain.officers import OfficerRole
from tests.browser.browsing import shots
from tests.browser.receipts import ADDRESS, SETTINGS, Archive
from tests.console_made import COOKIE, MadeConsole, made_console
from tests.integration.consoles import Browser
from tests.unit.printed_papers import AGENCY, DOSSIERS

SECRET = "K7M4PX"
R = OfficerRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The console served, and its archive."""

    console: MadeConsole
    archive: Archive
    server: TestServer

    async def enters(self, login: str, *roles: OfficerRole, agency: str = AGENCY) -> Browser:
        officer = await self.console.officer(login, *roles, agency=agency)
        browser: Browser = TestClient(self.server, cookie_jar=CookieJar(unsafe=True))
        browser.session.cookie_jar.update_cookies({COOKIE: await self.console.signed_in(officer)})
        return browser

    async def noted(self) -> list[AuditEntry]:
        return list(
            await self.console.store.audit().find(AuditSearch(agencies=None, action="intake.printed"), limit=50)
        )


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with made_console(tmp_path, SETTINGS) as console:
        server = TestServer(console.console.app)
        await server.start_server()
        try:
            yield Room(console=console, archive=Archive(console), server=server)
        finally:
            await server.close()


@pytest.fixture
async def officer(room: Room) -> AsyncIterator[Browser]:
    browser = await room.enters("lan.mc", R.INTAKE)
    yield browser
    await browser.close()


def address(dossier: IntakeDossier, path: str = paths.INTAKE_RECEIPT, **parts: str) -> str:
    return at(path, dossier.id, **parts)


async def get(browser: Browser, path: str) -> ClientResponse:
    return await browser.get(path, allow_redirects=False)


ALL: list[tuple[str, dict[str, str]]] = [
    (paths.INTAKE_RECEIPT, {}),
    (paths.INTAKE_RECEIPT_PDF, {}),
    (paths.INTAKE_FORM, {"form": "01"}),
    (paths.INTAKE_FORM, {"form": "05"}),
    (paths.INTAKE_SLIP, {}),
]


@pytest.mark.parametrize(("path", "parts"), ALL)
async def test_another_agencys_paper_does_not_exist(room: Room, path: str, parts: dict[str, str]) -> None:
    dossier = await room.archive.keep(**DOSSIERS["everything"])
    stranger = await room.enters("nguoi.la", R.INTAKE, agency="H13.08")
    response = await get(stranger, address(dossier, path, **parts))
    assert response.status == 404
    text = await response.text()
    assert dossier.code.text not in text
    assert SECRET not in text
    assert await room.noted() == []
    await stranger.close()


@pytest.mark.parametrize("role", [R.AUTHOR, R.APPROVER, R.OPERATOR])
async def test_whoever_may_not_see_dossiers_prints_none(room: Room, role: OfficerRole) -> None:
    dossier = await room.archive.keep()
    browser = await room.enters("khac", role, agency="H13")
    for path, parts in ALL:
        assert (await get(browser, address(dossier, path, **parts))).status == 403
    assert (await get(browser, paths.INTAKE_BOOK)).status == 403
    await browser.close()


async def test_a_paper_without_an_occasion_does_not_exist(room: Room, officer: Browser) -> None:
    received = await room.archive.keep()
    for form in ("02", "03", "04", "05"):
        assert (await get(officer, address(received, paths.INTAKE_FORM, form=form))).status == 404
    refused = await room.archive.keep(status=DossierStatus.NOT_ACCEPTED, due_at=None, reason="không thuộc thẩm quyền")
    for path in (paths.INTAKE_RECEIPT, paths.INTAKE_RECEIPT_PDF, paths.INTAKE_SLIP):
        assert (await get(officer, address(refused, path))).status == 404
    assert (await get(officer, address(refused, paths.INTAKE_FORM, form="03"))).status == 200
    assert [entry.detail["form"] for entry in await room.noted()] == ["03"]


async def test_every_paper_is_noted_and_kept_by_no_cache(room: Room, officer: Browser) -> None:
    dossier = await room.archive.keep(**DOSSIERS["everything"])
    stopped = await room.archive.does(dossier, IntakeAction.STOP, reason="dừng")
    for path in (
        address(stopped),
        f"{address(stopped)}?kho=80",
        address(stopped, paths.INTAKE_FORM, form="05"),
        address(stopped, paths.INTAKE_SLIP),
        f"{paths.INTAKE_BOOK}?tu=2026-11-23&den=2026-11-23",
    ):
        response = await get(officer, path)
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        page = await response.text()
        assert not re.search(r"\sstyle=|<style", page)
        assert (SECRET in page) == ("bien-nhan" in path)
    noted = sorted((str(entry.detail["form"]), str(entry.detail.get("size", ""))) for entry in await room.noted())
    assert noted == [("01", "80"), ("01", "a5"), ("05", "a5"), ("book", ""), ("slip", "a5")]
    assert all(SECRET not in repr(entry) and "Nguyễn" not in repr(entry.detail) for entry in await room.noted())


async def test_a_receipt_printed_later_says_that_it_is_a_duplicate(
    room: Room, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier = await room.archive.keep()
    for _ in range(2):  # a jammed sheet is printed again at once
        assert "Bản in lại" not in await (await get(officer, address(dossier))).text()
    monkeypatch.setattr(printing, "FIRST_PRINTING", timedelta(0))
    assert "Bản in lại lúc" in await (await get(officer, address(dossier))).text()


async def test_the_book_refuses_days_that_are_none_and_shows_its_own_agencies_only(
    room: Room, officer: Browser
) -> None:
    dossier = await room.archive.keep()
    for query in (
        "tu=2026-13-01",
        "tu=x&den=y",
        "tu=2026-11-24&den=2026-11-23",
        "tu=2026-01-01&den=2026-12-31",
        "den=9999-12-31&tu=9999-12-31",
    ):
        response = await get(officer, f"{paths.INTAKE_BOOK}?{query}")
        assert response.status == 422, query
        assert dossier.code.text not in await response.text()
    days = f"{paths.INTAKE_BOOK}?tu=2026-11-23&den=2026-11-23"
    assert dossier.code.text in await (await get(officer, days)).text()
    stranger = await room.enters("nguoi.la", R.INTAKE, agency="H13.08")
    assert dossier.code.text not in await (await get(stranger, days)).text()
    await stranger.close()


async def test_a_book_that_is_too_long_is_not_cut_in_silence(
    room: Room, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_up_book, "MOST_ROWS", 2)
    monkeypatch.setattr(follow_up_book, "AT_ONCE", 1)
    days = f"{paths.INTAKE_BOOK}?tu=2026-11-23&den=2026-11-23"
    codes = [(await room.archive.keep()).code.text for _ in range(2)]
    page = await (await get(officer, days)).text()
    assert [page.index(code) for code in codes] == sorted(page.index(code) for code in codes)
    await room.archive.keep()
    assert (await get(officer, days)).status == 422


# ---- PDF


def drawn(pdf: bytes) -> tuple[str, list[tuple[int, int]]]:
    """Its text, and the sizes of its pages in mm."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        assert pypdfium2.raw.FPDFCatalog_IsTagged(document.raw)  # PDF/UA: for a screen reader
        text = " ".join(page.get_textpage().get_text_bounded() for page in document)
        return text, [tuple(round(side * 25.4 / 72) for side in page.get_size()) for page in document]
    finally:
        document.close()


async def read_from(pdf: bytes) -> Sequence[str]:
    """What the chats' reader of pictures finds on its first page, printed with 203 dots an inch."""
    document, reader = pypdfium2.PdfDocument(pdf), PictureReader(PictureLimits(decoding=60.0, starting=60.0))
    try:
        picture = document[0].render(scale=203.2 / 72).to_pil()
        await asyncio.to_thread(picture.save, shots() / "receipt-pdf.png")
        written = io.BytesIO()
        picture.save(written, "PNG")
        return await reader.read(written.getvalue())
    finally:
        document.close()
        await reader.close()


@pytest.mark.parametrize("name", ["everything", "khmer"])
async def test_the_pdf_is_the_same_receipt(room: Room, officer: Browser, name: str) -> None:
    dossier = await room.archive.keep(**DOSSIERS[name])
    response = await get(officer, address(dossier, paths.INTAKE_RECEIPT_PDF))
    assert response.status == 200, await response.text()
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Disposition"] == f'attachment; filename="bien-nhan-{dossier.code.text}.pdf"'
    body = await response.read()
    text, sizes = drawn(body)
    assert sizes == [(148, 210)]
    assert "Nguyễn Thị Bé" in text
    assert [code.text for code in read_codes(text, today=datetime(2026, 11, 23, tzinfo=UTC).date()).codes] == [
        dossier.code.text
    ]
    assert list(await read_from(body)) == [f"{ADDRESS.upper()}/D/{dossier.code.text}"]
    assert [entry.detail["size"] for entry in await room.noted()] == ["pdf"]


async def test_without_the_extra_a_page_says_how_to_get_it(
    room: Room, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def absent(_: PdfMaker, page: str) -> bytes:
        raise PdfAbsent

    monkeypatch.setattr(PdfMaker, "make", absent)
    dossier = await room.archive.keep()
    response = await get(officer, address(dossier, paths.INTAKE_RECEIPT_PDF))
    assert response.status == 501
    page = await response.text()
    assert "tracuu-gateway[pdf]" in page
    assert address(dossier) in page
    assert await room.noted() == []


async def test_a_maker_without_its_library_says_so() -> None:
    with pytest.raises(PdfAbsent):
        await PdfMaker(installed=False).make("<p>x</p>")


@pytest.mark.parametrize(
    ("worker", "error"),
    [
        (f"import sys; sys.exit({NO_LIBRARY})", PdfAbsent),
        ("import sys; sys.exit(1)", PdfFailed),
        ("print('no PDF')", PdfFailed),
        ("import os; os.kill(os.getpid(), 9)", PdfFailed),
    ],
)
async def test_a_worker_that_fails_is_no_pdf(tmp_path: Path, worker: str, error: type[Exception]) -> None:
    script = tmp_path / "worker.py"
    script.write_text(worker)
    with pytest.raises(error):
        await PdfMaker(worker=script, installed=True).make("<p>x</p>" * 100_000)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file:///static/../../../../etc/passwd",
        "file:///static/print.0123456789abcdef.js",
        "file:///static/console.0123456789abcdef.css",
        "https://example.vn/static/print.0123456789abcdef.css",
        "data:text/css,",
    ],
)
def test_the_worker_opens_nothing_but_our_sheets_for_paper(url: str) -> None:
    with pytest.raises(ValueError, match="style sheets only"):
        sheet_of(url)
    assert b"A5" in sheet_of("file:///static/print-a5.0123456789abcdef.css")


async def test_a_page_that_wants_a_file_of_the_machine_gets_none_of_it(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.svg"
    hidden.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><text y="20">HIDDEN</text></svg>')
    page = f'<!doctype html><html lang="vi"><title>x</title><p>seen <img src="file://{hidden}" alt="x"></p></html>'
    text, _ = drawn(await PdfMaker().make(page))
    assert "seen" in text
    assert "HIDDEN" not in text
