"""A mistyped address: the reader is told so in his language, and where to go on."""

from __future__ import annotations

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.lost import LostPage
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from gateway.http import make_app
from tests.unit.speaking import shipped_agencies, shipped_texts


@pytest.mark.parametrize(("language", "words"), [("vi", "Không có trang này"), ("en", "There is no such page")])
async def test_a_mistyped_address_leads_on(aiohttp_client: AiohttpClient, language: str, words: str) -> None:
    teller = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))
    client = await aiohttp_client(make_app([], lost=LostPage(teller).show))
    headers = {"Accept": "text/html", "Accept-Language": language}
    response = await client.get("/tra-cu<script>", headers=headers)
    page = await response.text()
    assert response.status == 404
    assert words in page
    assert f"/tra-cuu?lang={language}" in page
    assert "script>" not in page
