"""A planned stoppage on web answers: shown from its announcement until its end, in the answer's language, beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.api import WebApi
from channels.web.asking import Asker
from channels.web.pages import LookUpPage
from channels.web.procedures import ProcedurePages
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.answers import Outcome
from domain.calendar import LOCAL_ZONE
from domain.catalogue import Catalogue
from domain.message import Address
from domain.stoppage import Announced
from gateway.http import make_app, public_routes
from intake.procedures import Procedures
from tests.unit.asking_the_web import CODE, Behind, answered, without_dossier
from tests.unit.speaking import NOW, shipped_agencies, shipped_procedures, shipped_texts

Client = TestClient[web.Request, web.Application]
STARTS = datetime(2026, 10, 18, 22, 0, tzinfo=LOCAL_ZONE).astimezone(UTC)
STOPPAGE = Announced(
    starts_at=STARTS, ends_at=STARTS + timedelta(minutes=90), texts={"vi": "Nâng cấp <Cổng dịch vụ công>"}
)
IN_JSON = {"starts_at": "2026-10-18T22:00:00+07:00", "ends_at": "2026-10-18T23:30:00+07:00"}
URL = f"/api/v1/dossiers/{CODE}"


@dataclass
class Noticeboard:
    announced: Announced | None = STOPPAGE
    now: datetime = NOW
    behind: Behind = field(default_factory=Behind)

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def board() -> Noticeboard:
    return Noticeboard()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, board: Noticeboard) -> Client:
    teller = Teller(
        Catalogue.from_mapping(shipped_texts()),
        Agencies.from_mapping(shipped_agencies()),
        announced=lambda: board.announced,
    )
    asker = Asker(board.behind.ask)
    procedures = ProcedurePages(
        procedures=Procedures.from_mapping(shipped_procedures()), teller=teller, admit=anybody, clock=board.clock
    )
    api = WebApi(asker=asker, teller=teller, clock=board.clock, proofs=True)
    page = LookUpPage(asker=asker, teller=teller, clock=board.clock, proofs=True)
    return await aiohttp_client(make_app(public_routes([*api.routes(), *page.routes(), *procedures.routes()])))


async def anybody(_: Address) -> bool:
    return True


async def told(client: Client, language: str = "vi") -> Any:
    response = await client.get(URL, params={"lang": language})
    return await response.json()


async def test_an_answer_carries_the_announced_stoppage(client: Client) -> None:
    assert (await told(client))["notice"] == IN_JSON | {
        "text": "Trung tâm Phục vụ hành chính công thành phố Cần Thơ: Nâng cấp <Cổng dịch vụ công>. "
        "Từ 22:00 đến 23:30 18/10/2026"
    }


async def test_a_language_the_operator_did_not_write_in_gets_our_words(client: Client) -> None:
    text = (await told(client, "en"))["notice"]["text"]
    assert text.endswith("the look-up stops from 22:00 to 23:30 18 Oct 2026. If urgent, call 02993 000000")


async def test_without_one_nothing_is_said(client: Client, board: Noticeboard) -> None:
    board.announced = None
    assert "notice" not in await told(client)


async def test_an_answer_that_was_ready_before_the_announcement_tells_it_all_the_same(
    client: Client, board: Noticeboard
) -> None:
    board.announced = None
    before = await client.get(URL)
    board.announced = STOPPAGE
    after = await client.get(URL, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    assert "notice" in await after.json()
    again = await client.get(URL, headers={"If-None-Match": after.headers["ETag"]})
    assert again.status == 304


async def test_it_is_shown_until_its_end_and_no_longer(client: Client, board: Noticeboard) -> None:
    board.now = STOPPAGE.ends_at - timedelta(seconds=1)
    assert "notice" in await told(client)
    board.now = STOPPAGE.ends_at
    assert "notice" not in await told(client)


async def test_whoever_is_refused_or_finds_nothing_is_told_as_well(client: Client, board: Noticeboard) -> None:
    for outcome in (Outcome.NOT_FOUND, Outcome.SOURCE_DOWN, Outcome.REFUSED):
        board.behind.says = without_dossier(outcome)
        assert (await told(client))["notice"]["starts_at"] == IN_JSON["starts_at"]
    board.announced = None
    assert "notice" not in await told(client)


async def test_whoever_proves_a_right_is_told_as_well(client: Client, board: Noticeboard) -> None:
    board.behind.says = answered(proved=True)
    response = await client.post(URL, json={"last_four": "5678"})
    assert response.status == 200
    assert (await response.json())["notice"]["ends_at"] == IN_JSON["ends_at"]


def banners(page: str) -> Iterator[str]:
    for line in page.splitlines():
        if 'class="notice announced"' in line:
            yield line


@pytest.mark.parametrize(
    "path", ["/tra-cuu", f"/tra-cuu?ma={CODE}", "/tra-cuu?ma=x", "/thu-tuc", "/thu-tuc?tim=khai+sinh"]
)
async def test_every_page_shows_it_once_to_eyes_and_screen_readers(client: Client, path: str) -> None:
    page = await (await client.get(path)).text()
    (banner,) = banners(page)
    assert 'role="status"' in banner
    assert "Nâng cấp &lt;Cổng dịch vụ công&gt;. Từ 22:00 đến 23:30 18/10/2026" in banner
    assert "<script>" not in page


async def test_a_page_without_a_stoppage_has_no_banner(client: Client, board: Noticeboard) -> None:
    board.announced = None
    assert not list(banners(await (await client.get("/tra-cuu")).text()))
