"""The API's readable page: all that programs read, in the reader's language, whole without a script."""

from __future__ import annotations

import json
import re
import tomllib
from html import unescape
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.api_page import BY_SLUG, CHAPTERS, ApiPages
from channels.web.openapi import ApiDocument
from channels.web.problem import ProblemKind
from channels.web.telling import Teller
from domain.catalogue import Catalogue
from gateway.http import make_app, public_routes
from tests.unit.asking_the_web import Behind
from tests.unit.serving_the_api import BASE, Api, Desk, known_agencies
from tests.unit.speaking import CONFIG, LANGUAGES, NOW, shipped_texts
from tests.unit.test_web_pages import Reader

Client = TestClient[Any, Any]


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(Behind(), Desk())


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, api: Api) -> Client:
    return await aiohttp_client(await api.app(told=True))


async def page(client: Client, path: str = "/api", **query: str) -> str:
    response = await client.get(path, params=query)
    assert response.status == 200
    return await response.text()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_operation_parameter_and_answer_is_on_the_page(client: Client, api: Api, language: str) -> None:
    words = unescape(await page(client, lang=language))
    for path, methods in api.document.told(language)["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in words
            assert operation["summary"] in words
            assert all(each["description"] in words for each in operation["parameters"])
            assert all(each["description"] in words for each in operation["responses"].values())


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_chapter_says_something(client: Client, language: str) -> None:
    told = await page(client, lang=language)
    for name in CHAPTERS:
        chapter = re.search(rf'<section class="result api" aria-labelledby="{name}">(.*?)</section>', told, re.DOTALL)
        assert chapter is not None
        assert "<p>" in chapter[1]


async def test_every_example_answer_is_json_and_every_request_asks_us(client: Client) -> None:
    examples = [unescape(each) for each in re.findall(r"<pre><code>(.*?)</code></pre>", await page(client), re.DOTALL)]
    commands = [each for each in examples if each.startswith("curl")]
    assert commands
    assert all(f"'{BASE}/api/v1/" in each for each in commands)
    assert all("{" not in each.splitlines()[0] for each in commands)
    answers = [each for each in examples if each.startswith("{")]
    assert len([json.loads(each) for each in answers]) > 8


async def test_the_page_is_whole_without_a_script_and_leads_everywhere_it_says(client: Client) -> None:
    reader = Reader(await page(client, lang="en"))
    assert reader.all("script") == []
    assert len(reader.all("h1")) == 1
    identifiers = {attributes.get("id") for _, attributes in reader.elements}
    links = {each["href"] or "" for each in reader.all("a")}
    assert {link[1:] for link in links if link.startswith("#")} <= identifiers
    for link in links:
        if link.startswith(("/problems", "/api")):
            assert (await client.get(link)).status == 200


async def test_what_nobody_has_translated_is_marked_as_english(aiohttp_client: AiohttpClient) -> None:
    texts = shipped_texts() | {"km": tomllib.loads((CONFIG / "texts" / "km.toml").read_text(encoding="utf-8"))}
    teller = Teller(Catalogue.from_mapping(texts), known_agencies())
    document = ApiDocument(routes=[], teller=teller, agencies=known_agencies())
    pages = ApiPages(document=document, teller=teller, clock=lambda: NOW)
    client = await aiohttp_client(make_app(public_routes(pages.routes())))
    told = await page(client, lang="km")
    assert Reader(told).all("html")[0]["lang"] == "km"
    for text in (texts["km"]["web"]["api_text"]["versions_1"], texts["km"]["web"]["api_text"]["op_getDocument"]):
        assert f'<p lang="en">{text}</p>' in told
    assert 'lang="en">' not in re.sub(r'hreflang="en"', "", (await page(client, lang="vi"))).partition("<main")[2]


async def test_without_an_address_of_ours_the_examples_call_what_the_browser_called(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(await Api(Behind(), base_url="").app(told=True))
    assert f"http://{client.host}:{client.port}/api/v1/dossiers/" in unescape(await page(client))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ProblemKind)
async def test_the_type_of_every_problem_is_a_page_that_explains_it(
    client: Client, kind: ProblemKind, language: str
) -> None:
    reader = Reader(await page(client, kind.type_uri, lang=language))
    assert kind.type_uri in reader.words
    assert str(kind.status) in reader.words
    assert len(reader.all("h1")) == 1
    assert reader.all("html")[0]["lang"] == language


async def test_what_is_no_problem_of_ours_is_not_explained(client: Client) -> None:
    assert (await client.get("/problems/haste")).status == 404
    assert len(BY_SLUG) == len(ProblemKind)
