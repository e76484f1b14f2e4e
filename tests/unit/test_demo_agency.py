"""The sample agency's site: its pages hold what /integrate shows, under a policy with the documented lines and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.snippets import policies, snippets
from demo.agency import SHEETS, AgencySheet, AgencySite, with_lines
from tests.unit.test_web_snippets import GATEWAY, PLACE, read

Client = TestClient[Any, Any]
PLACES = {language: replace(PLACE, language=language) for language in ("vi", "en", "km")}


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(AgencySite(PLACES).app())


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.form)
async def test_every_page_holds_exactly_the_snippet(client: Client, sheet: AgencySheet) -> None:
    async with client.get(sheet.path) as response:
        page = await response.text()
    assert f"\n{snippets(PLACES[sheet.language])[sheet.form]}\n" in page
    assert response.headers["Content-Security-Policy"] == with_lines(
        {"default-src": ("'none'",), "style-src": ("'self'",), "img-src": ("'self'",)}, policies(GATEWAY)[sheet.form]
    )


def test_the_pages_show_every_form_and_every_language() -> None:
    assert {sheet.form for sheet in SHEETS} == set(snippets(PLACE))
    assert {sheet.language for sheet in SHEETS} == set(PLACES)


def test_a_line_joins_what_the_policy_has_already() -> None:
    policy = {"default-src": ("'none'",), "img-src": ("'self'",)}
    assert with_lines(policy, (f"img-src {GATEWAY}", f"frame-src {GATEWAY}")) == (
        f"default-src 'none'; img-src 'self' {GATEWAY}; frame-src {GATEWAY}"
    )


async def test_style_and_picture_are_the_sites_own(client: Client) -> None:
    async with client.get("/") as response:
        elements = read(await response.text()).elements
    for tag, attributes in elements:
        own = attributes.get("href") if tag == "link" else attributes.get("src") if tag == "img" else None
        if own:
            async with client.get(own) as response:
                assert response.status == 200
    async with client.get("/static/demo.css") as response:
        assert response.status == 404
