"""The API's document: valid, complete, true to the routes there are, and every example is what it is an example of."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from pytest_aiohttp.plugin import AiohttpClient

from channels.base import RouteDef
from channels.web import paths
from channels.web.api_examples import make_examples
from channels.web.openapi import TEXTS, ApiDocument, template_of
from channels.web.operations import OPERATIONS
from channels.web.problem import ProblemKind
from tests.unit.asking_the_web import Behind
from tests.unit.serving_the_api import BASE, Api, Desk, known_agencies
from tests.unit.speaking import LANGUAGES, shipped_texts

Client = TestClient[Any, Any]


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(Behind(), Desk())


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, api: Api) -> Client:
    return await aiohttp_client(await api.app(told=True))


def listed(document: Any) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_document_is_openapi(api: Api, language: str) -> None:
    OpenAPIV31SpecValidator(msgspec.json.decode(msgspec.json.encode(api.document.told(language)))).validate()


def test_every_route_of_the_api_is_in_it_and_nothing_else(api: Api) -> None:
    routes = [*api.routes, *api.document.routes()]
    served = {(each.method, template_of(each.path)) for each in routes if each.path.startswith(paths.API + "/")}
    assert listed(api.document.told("vi")) == served
    assert len(served) == len(OPERATIONS)


def test_an_installation_tells_only_of_what_it_has() -> None:
    small = listed(Api(Behind(), None, proofs=False).document.told("vi"))
    assert ("GET", "/api/v1/dossiers/{code}") in small
    assert not small & {
        ("POST", "/api/v1/dossiers/{code}"),
        ("POST", "/api/v1/subscriptions"),
        ("GET", "/api/v1/challenge"),
    }


def test_a_route_nobody_described_is_a_fault(api: Api) -> None:
    async def nothing(_: Any) -> Any: ...

    unknown = RouteDef(method="GET", path=f"{paths.API}/secrets", handler=nothing, summary="Secrets.")
    with pytest.raises(ValueError, match="GET /api/v1/secrets"):
        ApiDocument(routes=[unknown], teller=api.teller, agencies=known_agencies())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_example_is_what_it_is_an_example_of(api: Api, language: str) -> None:
    examples = make_examples(api.teller, known_agencies(), language, BASE)
    for body, example in examples.bodies.items():
        assert msgspec.json.decode(msgspec.json.encode(example), type=body) == example
    needed = {each for operation in OPERATIONS for each in (operation.body, operation.success.body) if each}
    assert needed <= examples.bodies.keys()
    assert examples.problems.keys() == set(ProblemKind)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_the_document_is_there_for_nothing(api: Api, language: str) -> None:
    """Those of chapters are on the page."""
    written = msgspec.json.encode(api.document.told(language)).decode()
    texts = shipped_texts()[language]["web"][TEXTS.partition(".")[2]]
    unused = {key for key, text in texts.items() if text not in written and not key[-1].isdecimal()}
    assert unused == set()


async def test_it_is_served_with_a_tag_in_the_readers_language(client: Client) -> None:
    first = await client.get(paths.OPENAPI, params={"lang": "en"})
    told = await first.json()
    assert (first.status, told["openapi"], told["servers"]) == (200, "3.1.0", [{"url": BASE}])
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert first.headers["Content-Language"] == "en"
    again = await client.get(paths.OPENAPI, params={"lang": "en"}, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    vietnamese = await client.get(paths.OPENAPI, headers={"If-None-Match": first.headers["ETag"]})
    assert (vietnamese.status, vietnamese.headers["Content-Language"]) == (200, "vi")


def test_without_an_address_of_ours_it_is_where_it_was_read() -> None:
    assert Api(Behind(), base_url="").document.told("en")["servers"] == [{"url": "/"}]


def test_a_problem_of_the_listener_itself_is_a_problem_of_the_document_too(api: Api) -> None:
    assert api.document.told("en")["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status"]
