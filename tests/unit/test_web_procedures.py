"""Procedures on the web: the page is whole without a script, the API answers in JSON, both ask the same guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.asking import Asker
from channels.web.form_files import FormFiles
from channels.web.pages import LookUpPage
from channels.web.procedure_telling import LEVELS, procedure_facts
from channels.web.procedures import PATH, ProcedurePages
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.errors import StoreUnavailable
from domain.message import Address
from domain.procedure import Procedure
from gateway.bootstrap.words import form_files
from gateway.http import make_app, public_routes
from intake.procedures import LEVELS as CATALOGUE_LEVELS
from intake.procedures import Procedures
from tests.unit.asking_the_web import Behind
from tests.unit.speaking import CONFIG, LANGUAGES, NOW, shipped_agencies, shipped_procedures, shipped_texts
from tests.unit.test_web_pages import HOSTILE, Reader

Client = TestClient[Any, Any]
API = "/api/v1/procedures"
MARRIAGE = "1.000894"
TODAY = date(2026, 10, 8)
SIZE = (CONFIG / "forms" / "to-khai-ket-hon.docx").stat().st_size


@dataclass
class Gate:
    """Admits whoever asks, or does not; remembers who asked."""

    admits: bool = True
    fails: bool = False
    asked: list[Address] = field(default_factory=list)

    async def admit(self, asker: Address) -> bool:
        self.asked.append(asker)
        if self.fails:
            raise StoreUnavailable("away")
        return self.admits


def listener(gate: Gate, rows: Sequence[dict[str, Any]] | None = None) -> web.Application:
    catalogue = shipped_procedures() if rows is None else {"procedure": list(rows)}
    teller = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))
    procedures = Procedures.from_mapping(catalogue)
    files = form_files(procedures, CONFIG / "forms")
    titles = {form.file: form.name for each in procedures for form in each.forms if form.file}
    pages = ProcedurePages(
        procedures=procedures, teller=teller, admit=gate.admit, clock=lambda: NOW, forms=FormFiles(files, titles)
    )
    look_up = LookUpPage(asker=Asker(Behind().ask), teller=teller, clock=lambda: NOW, procedures=PATH)
    return make_app(public_routes([*look_up.routes(), *pages.routes()]))


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, gate: Gate) -> Client:
    return await aiohttp_client(listener(gate))


async def read(client: Client, path: str = PATH, **query: str) -> Reader:
    response = await client.get(path, params=query)
    assert response.status == 200
    return Reader(await response.text())


def row(**more: Any) -> dict[str, Any]:
    texts = {"names": {"vi": "Đăng ký thử"}, "where": {"vi": "UBND xã"}, "fee": {"vi": "không thu"}}
    return {"code": "1.000001", "days": 1, **texts, **more}


# ---- the page


async def test_an_empty_page_asks_nobody_and_offers_what_many_ask(client: Client, gate: Gate) -> None:
    for query in ({}, {"tim": "  "}):
        page = await read(client, **query)
        assert "Nhiều người hỏi" in page.words
        assert "sang tên sổ đỏ" in page.words
    assert gate.asked == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_example_finds_something(language: str) -> None:
    procedures = Procedures.from_mapping(shipped_procedures())
    for words in Catalogue.from_mapping(shipped_texts()).section(language, "web.examples").values():
        assert procedures.search(words, today=TODAY), words


async def test_one_procedure_is_told_whole(client: Client) -> None:
    page = await read(client, tim="dang ky ket hon")
    for words in (
        "Đăng ký kết hôn",
        MARRIAGE,
        "trong ngày",
        "không thu",
        "UBND xã, phường",
        "Hộ tịch",
        "Một phần",
        "Tờ khai đăng ký kết hôn",
        "Giấy tờ tùy thân của hai bên (xuất trình)",
    ):
        assert words in page.words
    assert any((each["href"] or "").startswith("tel:") for each in page.all("a"))


async def test_several_are_listed_and_each_leads_to_itself(client: Client) -> None:
    page = await read(client, tim="chung thuc")
    links = [each["href"] for each in page.all("a") if (each["href"] or "").startswith(PATH + "/")]
    assert len(links) == 5
    assert "Phí, lệ phí: 10.000 đồng một trường hợp" in page.words
    assert "Chứng thực chữ ký" in (await read(client, links[1] or "")).words


async def test_nothing_found_says_how_to_ask_and_whom_to_call(client: Client) -> None:
    page = await read(client, tim="giá vàng")
    assert "Chưa tìm thấy thủ tục" in page.words
    assert "Ông/bà viết ngắn lại" in page.words
    assert {"value": "giá vàng"}.items() <= next(each for each in page.all("input") if each["name"] == "tim").items()


async def test_a_code_nobody_knows_is_a_404_with_help(client: Client) -> None:
    for code in ("9.999999", "khai-sinh", "%00", HOSTILE.replace("/", "")):
        response = await client.get(f"{PATH}/{code}")
        assert response.status == 404
        page = Reader(await response.text())
        assert "Chưa tìm thấy thủ tục" in page.words
        assert page.all("script") == page.all("img") == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_speaks_one_language_and_keeps_what_was_typed_in_the_other(
    client: Client, language: str
) -> None:
    for path, query in ((PATH, {"tim": ["ket hon"]}), (f"{PATH}/{MARRIAGE}", {})):
        page = await read(client, path, lang=language, **{name: values[0] for name, values in query.items()})
        assert page.all("html")[0]["lang"] == language
        (other,) = (each for each in page.all("a") if each.get("hreflang"))
        address = urlsplit(other["href"] or "")
        assert (address.path, parse_qs(address.query)) == (path, {**query, "lang": [other["hreflang"]]})


async def test_vietnamese_within_an_english_page_is_marked_as_such(client: Client) -> None:
    page = await read(client, f"{PATH}/{MARRIAGE}", lang="en")
    assert "Marriage registration" in page.words
    assert len([each for each in page.all("span") if each.get("lang") == "vi"]) >= 5
    assert "the same day" in page.words


async def test_nothing_typed_and_nothing_in_the_catalogue_becomes_markup(aiohttp_client: AiohttpClient) -> None:
    texts = {"vi": HOSTILE, "en": HOSTILE}
    hostile = row(names=texts, where=texts, fee=texts, papers={"vi": [HOSTILE]}, forms=[HOSTILE], field=HOSTILE)
    client = await aiohttp_client(listener(Gate(), [hostile, row(code="1.000002", keywords=[HOSTILE])]))
    for path, query in ((PATH, {"tim": HOSTILE}), (f"{PATH}/1.000001", {}), (PATH, {"tim": "thử", "lang": HOSTILE})):
        page = await read(client, path, **query)
        assert page.all("script") == page.all("img") == []
    assert HOSTILE in (await read(client, f"{PATH}/1.000001")).words


async def test_every_field_has_a_label_and_every_reference_a_target(client: Client) -> None:
    for path, query in ((PATH, {}), (PATH, {"tim": "chung thuc"}), (PATH, {"tim": "x"}), (f"{PATH}/{MARRIAGE}", {})):
        page = await read(client, path, **query)
        identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(identifiers) == len(set(identifiers))
        assert {label["for"] for label in page.all("label")} <= set(identifiers)
        for _, attributes in page.elements:
            for name in ("aria-labelledby", "aria-describedby"):
                assert set((attributes.get(name) or "").split()) <= set(identifiers)
        assert len(page.all("h1")) == len(page.all("main")) == 1
        assert {"class": "skip", "href": "#main"} in page.all("a")


async def test_the_page_loads_our_style_and_nothing_else(client: Client) -> None:
    response = await client.get(PATH, params={"tim": "ket hon"})
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "script-src 'self';" in response.headers["Content-Security-Policy"]
    page = Reader(await response.text())
    assert page.all("script") == []
    (style,) = page.all("link")
    assert (await client.get(style["href"] or "")).status == 200


async def test_the_two_pages_lead_to_each_other(client: Client) -> None:
    assert f"{PATH}?lang=vi" in {each["href"] for each in (await read(client, "/tra-cuu")).all("a")}
    assert "/tra-cuu?lang=vi" in {each["href"] for each in (await read(client)).all("a")}


# ---- the API


async def test_a_search_is_answered_in_json(client: Client) -> None:
    response = await client.get(API, params={"q": "dang ky ket hon", "lang": "en"})
    assert (response.status, response.headers["Content-Language"]) == (200, "en")
    (found,) = (await response.json())["procedures"]
    assert found == {
        "code": MARRIAGE,
        "name": "Marriage registration",
        "field": "Hộ tịch",
        "level": "In part",
        "days": None,
        "time": "the same day",
        "fee": "free",
        "where": "Commune or ward People's Committee",
        "papers": found["papers"],
        "forms": [{"name": "Tờ khai đăng ký kết hôn", "url": "/bieu-mau/to-khai-ket-hon.docx", "bytes": SIZE}],
        "valid_from": None,
        "valid_to": None,
    }
    assert len(found["papers"]) == 5


async def test_nothing_found_is_an_empty_list(client: Client) -> None:
    response = await client.get(API, params={"q": "giá vàng"})
    assert (response.status, await response.json()) == (200, {"procedures": []})


async def test_a_code_is_answered_with_and_without_its_agency(client: Client) -> None:
    for code in ("1.004946", "1.004946.000.00.00.H51"):
        response = await client.get(f"{API}/{code}")
        assert (response.status, (await response.json())["code"]) == (200, "1.004946")


@pytest.mark.parametrize("code", ["", "9.999999", "a/b", "khai%0Asinh", "H51.18-250701-0004"])
async def test_an_unknown_code_is_a_problem_and_not_a_page(client: Client, code: str) -> None:
    response = await client.get(f"{API}/{code}")
    assert (response.status, response.content_type) == (404, "application/problem+json")
    problem = await response.json()
    assert problem["type"] == "/problems/procedure-not-found"
    assert problem["agency"]["phone"]


async def test_a_search_for_nothing_says_what_is_missing(client: Client, gate: Gate) -> None:
    for query in ({}, {"q": " "}):
        response = await client.get(API, params=query)
        assert (response.status, (await response.json())["type"]) == (400, "/problems/no-search-words")
    assert gate.asked == []


# ---- the guard


@pytest.mark.parametrize("path", [f"{PATH}?tim=ket+hon", f"{PATH}/{MARRIAGE}", f"{API}?q=ket+hon", f"{API}/{MARRIAGE}"])
async def test_every_way_of_asking_passes_the_guard(client: Client, gate: Gate, path: str) -> None:
    assert (await client.get(path)).status == 200
    assert gate.asked == [Address("web", "127.0.0.1")]
    gate.admits = False
    refused = await client.get(path)
    assert (refused.status, "Retry-After" in refused.headers) == (429, True)
    assert "Đăng ký kết hôn" not in await refused.text()
    gate.fails = True
    assert (await client.get(path)).status == 503


# ---- what is told


def test_every_level_of_the_catalogue_has_its_words() -> None:
    assert LEVELS.keys() == set(CATALOGUE_LEVELS)
    for language in LANGUAGES:
        section = Catalogue.from_mapping(shipped_texts()).section(language, "web.level")
        assert section.keys() == set(LEVELS.values())


def test_one_day_is_not_told_as_many() -> None:
    catalogue = Catalogue.from_mapping(shipped_texts())
    for days, told in ((1, "1 working day"), (2, "2 working days")):
        procedure = Procedure(code="1.000001", names={"vi": "Thử"}, where={}, fee={}, days=days)
        assert procedure_facts(procedure, catalogue, "en").time.text == told
