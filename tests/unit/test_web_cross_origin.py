"""CORS: a page of another origin reads an answer only with the key of its own site; what came of it is counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.base import RouteDef
from channels.web import paths
from channels.web.cross_origin import EXPOSED, CrossOrigin, site_of, varied
from channels.web.problem import ProblemKind, problem_response
from channels.web.sites import Sites
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.sites import SiteUse
from gateway.http import make_app
from tests.unit.keeping_sites import KEY, ORIGIN, OTHER, REVOKED, Book, registry
from tests.unit.speaking import NOW, shipped_agencies, shipped_texts

Client = TestClient[Any, Any]
DOSSIER = "/api/v1/dossiers/H51.18-250701-0004"
EVIL = "https://evil.example"
CORS = "Access-Control-"
TELLER = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))


@dataclass
class Behind:
    """The API behind the wrapper: answers as told, and notes for which site."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Vary": "Accept-Language"})
    kind: ProblemKind | None = None
    fails: bool = False
    sites: list[str] = field(default_factory=list)
    teller: Teller = field(default_factory=lambda: TELLER)

    async def answer(self, request: web.Request) -> web.Response:
        self.sites.append(site_of(request))
        if self.fails:
            raise RuntimeError("a bug")
        if self.kind is not None:
            return problem_response(self.teller.problem(self.kind, "vi"), "vi")
        return web.Response(status=self.status, body=self.body, headers=self.headers)

    def routes(self) -> list[RouteDef]:
        made = ((paths.API_DOSSIER, "GET"), (paths.API_DOSSIER, "POST"), (paths.API_HEALTH, "GET"))
        return [RouteDef(method=method, path=path, handler=self.answer, summary="s") for path, method in made]


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def sites(book: Book) -> Sites:
    return await registry(book)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, behind: Behind, sites: Sites) -> Client:
    cross_origin = CrossOrigin(sites=sites, teller=behind.teller, clock=lambda: NOW, base_url="https://tracuu.example")
    return await aiohttp_client(make_app(cross_origin.wrap(behind.routes())))


def cors(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(CORS)}


async def ask(client: Client, origin: str = "", site: str = "", **more: Any) -> Any:
    headers = ({"Origin": origin} if origin else {}) | more.pop("headers", {})
    method, path = more.pop("method", "GET"), more.pop("path", DOSSIER)
    return await client.request(method, path, params={"site": site} if site else {}, headers=headers, **more)


async def came_to(sites: Sites, book: Book) -> dict[SiteUse, int]:
    await sites.flush()
    return dict(book.told())


# ---- refusals


@pytest.mark.parametrize("origin", ["", ORIGIN, EVIL, "null"])
@pytest.mark.parametrize("key", ["ts_x", REVOKED, "ts_" + "a" * 2_000])
async def test_an_unknown_or_revoked_key_is_told_in_words_a_page_may_read(
    client: Client, behind: Behind, key: str, origin: str
) -> None:
    response = await ask(client, origin, key, headers={"Accept-Language": "en"})
    assert (response.status, response.content_type) == (403, "application/problem+json")
    assert cors(response.headers) == {"Access-Control-Allow-Origin": "*"}
    assert (await response.json())["type"] == ProblemKind.SITE_UNKNOWN.type_uri
    assert response.headers["Content-Language"] == "en"
    assert behind.sites == []


@pytest.mark.parametrize("origin", [EVIL, "null", ORIGIN.replace("https", "http"), ORIGIN.upper(), f"{ORIGIN}:444"])
async def test_a_foreign_origin_with_a_sites_key_is_refused_and_counted(
    client: Client, behind: Behind, sites: Sites, book: Book, origin: str
) -> None:
    response = await ask(client, origin, KEY)
    assert response.status == 403
    assert cors(response.headers) == {"Access-Control-Allow-Origin": "*"}
    assert "Origin" in response.headers["Vary"]
    assert (await response.json())["type"] == ProblemKind.ORIGIN_FOREIGN.type_uri
    assert behind.sites == []
    assert await came_to(sites, book) == {SiteUse.FOREIGN: 1}


@pytest.mark.parametrize("origin", ["", ORIGIN, EVIL, "null"])
async def test_without_a_key_a_program_is_answered_and_no_foreign_page_reads_it(
    client: Client, behind: Behind, sites: Sites, book: Book, origin: str
) -> None:
    response = await ask(client, origin)
    assert (response.status, cors(response.headers)) == (200, {})
    assert behind.sites == [""]
    assert await came_to(sites, book) == {}


# ---- the site's own page


@pytest.mark.parametrize("origin", [ORIGIN, OTHER])
async def test_a_sites_page_reads_the_answer_on_exactly_its_origin(client: Client, behind: Behind, origin: str) -> None:
    for method in ("GET", "POST", "HEAD"):
        response = await ask(client, origin, KEY, method=method)
        assert response.status == 200
        assert cors(response.headers) == {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED,
        }
        assert response.headers["Vary"] == "Accept-Language, Origin"
    assert behind.sites == [KEY] * 3


async def test_our_own_page_and_a_program_need_no_word_about_origins(client: Client, behind: Behind) -> None:
    own = str(client.make_url("/").origin())
    for origin in ("", own, "https://tracuu.example"):
        response = await ask(client, origin, KEY)
        assert (response.status, cors(response.headers)) == (200, {})
        assert response.headers["Vary"] == "Accept-Language, Origin"
    assert behind.sites == [KEY] * 3


async def test_an_error_behind_is_the_sites_to_read_too(client: Client, behind: Behind) -> None:
    behind.kind = ProblemKind.NOT_FOUND
    response = await ask(client, ORIGIN, KEY)
    assert response.status == 404
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("origin", [ORIGIN, EVIL, "null", ""])
@pytest.mark.parametrize("key", ["", KEY, REVOKED])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_never_with_credentials(client: Client, key: str, origin: str, method: str) -> None:
    response = await ask(client, origin, key, method=method)
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert response.headers.get("Access-Control-Allow-Origin", "*") in {"*", ORIGIN}


# ---- counting


@pytest.mark.parametrize(
    ("path", "status", "use"),
    [
        (DOSSIER, 200, SiteUse.FOUND),
        (DOSSIER, 304, SiteUse.FOUND),
        (DOSSIER, 404, SiteUse.NOT_FOUND),
        (DOSSIER, 400, SiteUse.UNREADABLE),
        (DOSSIER, 503, SiteUse.SOURCE_DOWN),
        (DOSSIER, 429, SiteUse.REFUSED),
        (DOSSIER, 201, SiteUse.FOLLOWED),
        (DOSSIER, 403, SiteUse.OTHER),
        (DOSSIER, 418, SiteUse.OTHER),
        (paths.API_HEALTH, 200, SiteUse.OTHER),
        (paths.API_HEALTH, 404, SiteUse.OTHER),
        (paths.API_HEALTH, 429, SiteUse.REFUSED),
    ],
)
async def test_a_use_is_counted_by_what_it_came_to(
    client: Client, behind: Behind, sites: Sites, book: Book, path: str, status: int, use: SiteUse
) -> None:
    behind.status = status
    await ask(client, ORIGIN, KEY, path=path)
    await ask(client, "", "", path=path)
    assert await came_to(sites, book) == {use: 1}


async def test_being_asked_for_work_is_told_from_other_refusals(
    client: Client, behind: Behind, sites: Sites, book: Book
) -> None:
    for kind in (ProblemKind.WORK_NEEDED, ProblemKind.PROOF_NEEDED):
        behind.kind = kind
        await ask(client, ORIGIN, KEY)
    assert await came_to(sites, book) == {SiteUse.WORK: 1, SiteUse.OTHER: 1}


async def test_a_bug_behind_is_counted_and_stays_a_bug(
    client: Client, behind: Behind, sites: Sites, book: Book
) -> None:
    behind.fails = True
    assert (await ask(client, ORIGIN, KEY)).status == 500
    assert await came_to(sites, book) == {SiteUse.OTHER: 1}


# ---- preflights


@pytest.mark.parametrize(
    ("origin", "key"), [(EVIL, KEY), ("null", KEY), (ORIGIN, ""), (ORIGIN, REVOKED), (ORIGIN, "ts_x"), ("", KEY)]
)
async def test_a_preflight_of_anybody_else_is_refused_without_a_word(client: Client, origin: str, key: str) -> None:
    response = await ask(client, origin, key, method="OPTIONS")
    assert (response.status, cors(response.headers)) == (403, {})


@pytest.mark.parametrize(("path", "methods"), [(DOSSIER, "GET, POST"), (paths.API_HEALTH, "GET")])
async def test_a_preflight_of_a_sites_page_says_what_it_may_do(
    client: Client, behind: Behind, sites: Sites, book: Book, path: str, methods: str
) -> None:
    response = await ask(client, ORIGIN, KEY, method="OPTIONS", path=path)
    assert response.status == 204
    assert cors(response.headers) == {
        "Access-Control-Allow-Origin": ORIGIN,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": "600",
    }
    assert "Origin" in response.headers["Vary"]
    assert behind.sites == []
    assert await came_to(sites, book) == {}


async def test_what_a_foreign_page_could_not_even_send_is_counted(client: Client, sites: Sites, book: Book) -> None:
    await ask(client, EVIL, KEY, method="OPTIONS")
    assert await came_to(sites, book) == {SiteUse.FOREIGN: 1}


def test_vary_gets_a_name_once() -> None:
    assert [varied(each, "Origin") for each in ("", "Accept-Language", "origin", "*", " a,, b ")] == [
        "Origin",
        "Accept-Language, Origin",
        "origin",
        "*",
        "a, b, Origin",
    ]
