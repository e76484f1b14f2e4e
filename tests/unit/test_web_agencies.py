"""The agencies' part of the API: who answers today, found by any name, a page at a time; nobody who ended is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.agencies import MOST, read_limit
from tests.unit.asking_the_web import Behind
from tests.unit.serving_the_api import Api
from tests.unit.speaking import NOW, shipped_agencies

URL = "/api/v1/agencies"
Client = TestClient[Any, Any]


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(await Api(Behind()).app())


async def listed(client: Client, **query: str) -> Any:
    response = await client.get(URL, params=query)
    assert response.status == 200
    return await response.json()


async def test_those_that_are_no_more_are_not_listed(client: Client) -> None:
    told = await listed(client, limit=str(MOST))
    today = NOW.date()
    gone = {row["identifier"] for row in shipped_agencies()["agency"] if row.get("valid_to", today) < today}
    assert gone
    assert not gone & {each["identifier"] for each in told["agencies"]}


async def test_the_pages_together_are_all_of_them_once_and_in_order(client: Client) -> None:
    found: list[str] = []
    after: Any = ""
    while after is not None:
        page = await listed(client, after=after, limit="7")
        assert len(page["agencies"]) <= 7
        found += [each["identifier"] for each in page["agencies"]]
        after = page["next"]
    everybody = await listed(client, limit=str(MOST))
    assert found == sorted(found) == [each["identifier"] for each in everybody["agencies"]]
    assert everybody["next"] is None


@pytest.mark.parametrize("words", ["xây dựng cần thơ", "XAY DUNG CAN THO", "construction", "H13.14", "h13.14"])
async def test_an_agency_is_found_by_any_of_its_names(client: Client, words: str) -> None:
    told = await listed(client, q=words)
    assert "H13.14" in {each["identifier"] for each in told["agencies"]}


async def test_what_fits_nobody_finds_nobody(client: Client) -> None:
    assert await listed(client, q="zzz") == {"agencies": [], "next": None}


async def test_an_old_agency_tells_who_took_over_and_who_does_its_work_today(client: Client) -> None:
    told = await (await client.get(f"{URL}/H51.06")).json()
    assert (told["valid_to"], told["successor"], told["answered_by"]) == ("2025-02-28", "H51.14", "H13.14")
    assert told["keyword"] == "SGTVT"
    assert told["names"]["vi"] == "Sở Giao thông vận tải tỉnh Sóc Trăng"


async def test_an_agency_has_as_many_names_as_papers_have_printed(client: Client) -> None:
    first, second = await client.get(f"{URL}/H51.04"), await client.get(f"{URL}/000.00.04.h51")
    assert await first.json() == await second.json()


async def test_an_identifier_of_nobody_is_a_problem_and_never_the_one_above_it(client: Client) -> None:
    response = await client.get(f"{URL}/H13.99")
    assert (response.status, (await response.json())["type"]) == (404, "/problems/agency-not-found")


async def test_the_answer_may_be_kept_by_everybody_for_a_while(client: Client) -> None:
    for url in (URL, f"{URL}/H13"):
        first = await client.get(url)
        assert first.headers["Cache-Control"] == "public, max-age=300"
        again = await client.get(url, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "", "x", "1e1", "٣", "9" * 5_000, "+5", " 5"])
async def test_a_limit_that_is_none_is_refused(client: Client, limit: str) -> None:
    response = await client.get(URL, params={"limit": limit})
    assert (response.status, (await response.json())["type"]) == (400, "/problems/unreadable-parameter")


@given(st.text(max_size=10))
def test_a_limit_is_from_one_to_the_most(typed: str) -> None:
    limit = read_limit(typed)
    assert limit is None or 1 <= limit <= MOST
