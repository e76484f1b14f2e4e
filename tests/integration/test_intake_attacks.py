"""The desk under attack, and under haste: whom it tells secrets and neighbours' dossiers, what is lost when two things meet."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from console import paths
from console.intake.desk import at
from domain.dossier import DossierStatus
from domain.intake_moves import IntakeAction
from domain.officers import OfficerRole as Role
from tests.browser.receipts import SETTINGS, Archive
from tests.console_made import made_console
from tests.contract.stores import SqliteKit
from tests.integration.consoles import Browser, get, texts
from tests.integration.outage_consoles import Paper, a_paper_desk, lines, row, shown_rows
from tests.integration.test_console_outage import codes
from tests.integration.test_console_routes import browser as browser_with
from tests.unit.printed_papers import AGENCY, missing

SECRET = "K7WQ4Z"
PAGES = (  # (path, form, query)
    (paths.INTAKE_ONE, "", ""),
    (paths.INTAKE_RECEIPT, "", ""),
    (paths.INTAKE_RECEIPT, "", "?kho=80"),
    (paths.INTAKE_FORM, "01", ""),
    (paths.INTAKE_FORM, "02", ""),
    (paths.INTAKE_SLIP, "", ""),
)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Paper]:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(uploads))
    async with a_paper_desk(SqliteKit(tmp_path)) as desk:
        yield desk


@pytest.fixture
async def officer(desk: Paper) -> Browser:
    return await desk.enters("mot.cua")


# ---- who is told the secret


@pytest.mark.parametrize(("role", "told"), [(Role.INSPECTOR, False), (Role.AGENCY_ADMIN, False), (Role.INTAKE, True)])
async def test_the_secret_of_a_receipt_is_told_to_who_hands_it_out_and_to_nobody_else(
    tmp_path: Path, role: Role, *, told: bool
) -> None:
    async with made_console(tmp_path, SETTINGS) as console:
        archive = Archive(console)
        made = await archive.keep(secret=SECRET)
        kept = await archive.does(made, IntakeAction.ASK_SUPPLEMENT, reason="Thiếu", papers=missing(made.papers))
        officer = await console.officer("ai.do", role, agency=AGENCY)
        server = TestServer(console.console.app)
        await server.start_server()
        browser = await browser_with(server, await console.signed_in(officer))
        try:
            pages = [
                await (await get(browser, at(path, kept.id, form=form) + query)).text() for path, form, query in PAGES
            ]
        finally:
            await browser.session.close()
            await server.close()
    assert all(kept.code.text in page for page in pages)
    assert any(SECRET in page for page in pages) is told
    assert sum("*" * len(SECRET) in page for page in pages) == (0 if told else 3)


# ---- a neighbour's dossiers


async def test_reconciling_what_was_passed_on_tells_nothing_of_the_senders_other_dossiers(
    desk: Paper, officer: Browser
) -> None:
    system = await desk.registered(officer)
    first = codes(await desk.reserved(officer))[0]
    late = await desk.registered(officer, late_code=first, late_at="2026-03-02T14:30")
    assert (await desk.acts(officer, late.id, "forward", to="H13.02|")).status == 303
    taker = await desk.enters("ban", agency="H13.02")
    page = await (await get(taker, paths.RECONCILE)).text()
    assert late.code.reference in page
    assert system.code.reference not in page
    assert shown_rows(await (await get(officer, paths.RECONCILE)).text(), "twice-caption") == 1


# ---- what is lost when two things meet


async def test_a_form_gone_back_to_for_somebody_else_is_told_and_not_taken_for_the_first(
    desk: Paper, officer: Browser
) -> None:
    identifier = await desk.form_id(officer)
    made = await desk.registered(officer, id=identifier)
    again = await desk.sends(officer, id=identifier, name="Lê Văn Tám")
    page = await again.text()
    assert again.status == 422
    assert texts()["vi"]["intake_fault"]["form_used"] in page
    assert "Lê Văn Tám" in page
    assert f'name="id" value="{identifier}"' not in page
    assert (await desk.kept(made.id)).person == made.person


async def test_two_notes_of_one_officer_from_two_pages_are_not_taken_for_one(desk: Paper, officer: Browser) -> None:
    made = await desk.registered(officer)
    shown = str(made.version)
    assert (await desk.acts(officer, made.id, "note", version=shown, reason="Đã gọi điện")).status == 303
    second = await desk.acts(officer, made.id, "note", version=shown, reason="Hẹn lại thứ hai")
    assert second.status == 409
    assert "Hẹn lại thứ hai" in await second.text()
    assert (await desk.acts(officer, made.id, "note", version=shown, reason="Đã gọi điện")).status == 303
    assert len(await desk.console.service.book.steps(made.id)) == 2


async def test_forwarding_to_two_from_two_pages_says_where_it_went(desk: Paper, officer: Browser) -> None:
    made = await desk.registered(officer)
    shown = str(made.version)
    assert (await desk.acts(officer, made.id, "forward", version=shown, to="H13.01|Phòng Hộ tịch")).status == 303
    assert (await desk.acts(officer, made.id, "forward", version=shown, to="H13.02|")).status == 409
    assert (await desk.acts(officer, made.id, "forward", version=shown, to="H13.01|Phòng Hộ tịch")).status == 303
    kept = await desk.kept(made.id)
    assert (kept.unit, kept.status) == ("Phòng Hộ tịch", DossierStatus.IN_PROCESS)


async def test_who_it_was_passed_on_from_sees_nothing_of_it_any_more(desk: Paper, officer: Browser) -> None:
    ward = await desk.enters("ban", agency="H13.02")
    made = await desk.registered(officer)
    assert (await desk.acts(officer, made.id, "forward", to="H13.02|")).status == 303
    assert (await get(ward, at(paths.INTAKE_ONE, made.id))).status == 200
    assert (await desk.acts(officer, made.id, "forward", to="H13.01|Phòng Hộ tịch")).status == 303
    assert (await get(ward, at(paths.INTAKE_ONE, made.id))).status == 404
    assert (await desk.acts(ward, made.id, "note", reason="x")).status == 404
    assert made.code.text not in await (await get(ward, paths.INTAKE)).text()


# ---- days at the ends of the calendar


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
async def test_a_day_one_cannot_count_with_is_told(desk: Paper, officer: Browser, day: str) -> None:
    assert (await get(officer, f"{paths.INTAKE}?tu={day}")).status == 422
    assert (await get(officer, f"{paths.INTAKE}?den={day}")).status == 422


async def test_a_moment_one_cannot_count_with_is_told(desk: Paper, officer: Browser) -> None:
    code = codes(await desk.reserved(officer))[0]
    refused = await desk.sends(officer, late_code=code, late_at="0001-01-01T00:00+14:00")
    assert refused.status == 422


async def test_a_file_of_a_list_may_name_days_before_counting(desk: Paper, officer: Browser) -> None:
    code = codes(await desk.reserved(officer))[0]
    at_first = desk.console.kit.clock().replace(year=1)
    found = await desk.checked(officer, "mot.cua", lines(row(code, at_first).replace("/1 ", "/0001 ")))
    assert [each.row for each in found.faults] == [2]
