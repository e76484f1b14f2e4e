"""What a stranger on the web can waste, poison or write where it does not belong: nothing."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp import AiohttpClient

from channels.base import RouteDef
from channels.web import guide_facts
from channels.web.integrate import IntegratePage
from channels.web.sites import Sites
from channels.web.telling import Teller
from channels.web.widget_files import WidgetFiles
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.csv_lines import safe
from domain.text import fold
from gateway.http import make_app, public_routes
from tests.unit.public_pages import BASE, public_app
from tests.unit.serving_the_api import OneSite
from tests.unit.speaking import NOW, shipped_agencies, shipped_texts

TODAY = date(2026, 10, 8)


# ---- pages that may be kept


@pytest.mark.parametrize("path", ["/huong-dan", "/huong-dan/H51.18", "/to-roi"])
@pytest.mark.parametrize("base_url", [BASE, ""])
async def test_what_shows_the_host_that_was_called_is_kept_by_no_cache_between(
    aiohttp_client: AiohttpClient, path: str, base_url: str
) -> None:
    client = await aiohttp_client(public_app(base_url=base_url))
    response = await client.get(path, headers={"Host": "evil.example"})
    assert response.headers["Cache-Control"].startswith("public" if base_url else "private")
    assert ("evil" in await response.text()) <= (not base_url)


@pytest.mark.parametrize("base_url", [BASE, ""])
async def test_a_picture_of_the_host_that_was_called_is_kept_by_no_cache_between(
    aiohttp_client: AiohttpClient, base_url: str
) -> None:
    client = await aiohttp_client(webmasters_app(base_url))
    response = await client.get("/integrate/qr.svg", headers={"Host": "evil.example"})
    assert response.headers["Cache-Control"].startswith("public" if base_url else "private")


async def test_who_names_no_host_is_not_told_ours(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(webmasters_app(""))
    page = await said(client, b"GET /integrate HTTP/1.0\r\n\r\n")
    assert page.startswith(b"HTTP/1.0 200")
    assert b"127.0.0.1" not in page


# ---- work for nothing


def test_a_search_reads_each_agency_once_however_many_words_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    agencies, read = Agencies.from_mapping(shipped_agencies()), list[str]()

    def counted(text: str) -> str:
        read.append(text)
        return fold(text)

    monkeypatch.setattr("channels.web.guide_facts.fold", counted)
    assert guide_facts.found(agencies, "a " * 60, TODAY)
    assert len(read) <= len(list(agencies)) + 1


async def test_a_body_that_does_not_come_is_not_waited_for_for_ever(aiohttp_client: AiohttpClient) -> None:
    app = make_app([RouteDef(method="POST", path="/", handler=_read, summary="Reads.")], slowest_body_s=0.05)
    client = await aiohttp_client(app)
    answer = await said(client, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nma=")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert b"nosniff" in answer


async def test_a_route_that_takes_files_waits_longer_than_the_others_whatever_stands_in_its_address(
    aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.SLOWEST_UPLOAD_S", 0.05)
    path = "/ho-so/{dossier:[0-9]+}/tep"
    app = make_app(
        [RouteDef(method="POST", path=path, handler=_read, summary="Takes.")], slowest_body_s=3600, uploads=[path]
    )
    client = await aiohttp_client(app)
    answer = await said(client, b"POST /ho-so/7/tep HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nma=")
    assert answer.startswith(b"HTTP/1.1 408 ")  # by its own limit: that of the others is an hour here


async def _read(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


# ---- where texts go that nobody looks at


@pytest.mark.parametrize(
    "cell", ["＝1+1", "＋1", "－1", "＠SUM", "\n=1", " =1", "\u00a0=1", "\ufeff=1", "\u200b=1", "\x00=1"]
)
def test_a_formula_in_any_width_or_behind_what_is_not_seen_is_none(cell: str) -> None:
    assert safe(cell).startswith("'")


# ---- helpers


def webmasters_app(base_url: str) -> web.Application:
    teller = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))
    sites = Sites(OneSite(), lambda: NOW)
    page = IntegratePage(teller=teller, sites=sites, released=WidgetFiles(), clock=lambda: NOW, base_url=base_url)
    return make_app(public_routes(page.routes()))


async def said(client: TestClient[web.Request, web.Application], request: bytes) -> bytes:
    """What is answered to these bytes."""
    server = client.server
    assert isinstance(server, TestServer)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    async with asyncio.timeout(60):
        answer = await reader.read(40_000) + await reader.read(40_000)
    writer.close()
    return answer
