"""How to ask by text message, on paper: what a page tells to type is understood, and is nobody's dossier."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.guide_facts import LEVELS, example_code, found, old_receipts, words_to_type
from channels.web.qr import short_link
from domain.agencies import Agencies, Agency
from domain.codes import CodeFamily
from domain.inquiry import (
    Example,
    FindProcedure,
    Follow,
    Inquiry,
    LookUp,
    Resume,
    StopAll,
    Unfollow,
    read_inquiry,
)
from intake.procedures import Procedures
from tests.unit.public_pages import BASE, NUMBERS, THREE, public_app
from tests.unit.speaking import shipped_agencies, shipped_grammar, shipped_procedures
from tests.unit.test_web_pages import HOSTILE, Reader

Client = TestClient[Any, Any]
TODAY = date(2026, 10, 8)
AGENCIES = Agencies.from_mapping(shipped_agencies())
GRAMMAR = shipped_grammar()
LEGACY = AGENCIES.legacy_patterns()
GUIDE = "/huong-dan/H13.10"
OLD = "/huong-dan/H51.18"


def read(text: str) -> Inquiry:
    return read_inquiry(text, GRAMMAR, today=TODAY, legacy=LEGACY)


def real(text: str) -> str:
    """The same with the code of somebody's dossier."""
    assert text.endswith("0000")
    return text.removesuffix("0000") + "0001"


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(public_app())


async def page_of(client: Client, path: str, **query: str) -> Reader:
    response = await client.get(path, params=query)
    assert response.status == 200
    return Reader(await response.text())


def typed_on(page: str) -> list[str]:
    return [part.partition("</kbd>")[0] for part in page.split("<kbd>")[1:]]


def of_level(level: str) -> list[Agency]:
    agencies = [each for each in AGENCIES if each.level == level]
    assert agencies
    return agencies


# ---- what is to be typed


@pytest.mark.parametrize("level", LEVELS)
def test_every_example_is_read_as_the_page_says_and_is_nobodys(level: str) -> None:
    for agency in of_level(level):
        say = words_to_type(example_code(agency))
        for name in ("look_up", "loosely", "follow", "unfollow"):
            assert read(say[name]) == Example(), say[name]
        codes = {name: real(say[name]) for name in ("look_up", "loosely", "follow", "unfollow")}
        looked = read(codes["look_up"])
        assert isinstance(looked, LookUp)
        assert looked.codes[0].agency == agency.identifier
        assert read(codes["loosely"]) == looked
        assert read(codes["follow"]) == Follow(codes=looked.codes)
        assert read(codes["unfollow"]) == Unfollow(codes=looked.codes)


def test_words_without_a_code_do_what_the_page_says() -> None:
    say = words_to_type("H13-250701-0000")
    assert read(say["stop_all"]) == StopAll()
    assert read(say["resume"]) == Resume()
    wanted = read(say["procedure"])
    assert isinstance(wanted, FindProcedure)
    assert Procedures.from_mapping(shipped_procedures()).search(wanted.words, today=TODAY)


@pytest.mark.parametrize("level", LEVELS)
def test_every_old_receipt_number_is_read_as_that_agencys(level: str) -> None:
    for agency in of_level(level):
        for receipt in old_receipts(agency, AGENCIES, TODAY):
            inquiry = read(receipt.typed)
            assert isinstance(inquiry, LookUp), receipt.typed
            (code,) = inquiry.codes
            given = AGENCIES.for_code(code)
            assert code.family is CodeFamily.LEGACY
            assert given is not None
            assert given.short_name == receipt.agency
            assert (given.keyword, AGENCIES.answering(given.identifier, TODAY)) == (
                receipt.keyword,
                AGENCIES.answering(agency.identifier, TODAY),
            )


@pytest.mark.parametrize("language", THREE)
@pytest.mark.parametrize("path", [GUIDE, OLD, "/to-roi"])
async def test_nothing_else_is_told_to_be_typed(client: Client, path: str, language: str) -> None:
    typed = typed_on(await (await client.get(path, params={"lang": language})).text())
    assert len(typed) >= 4
    for text in typed:
        assert isinstance(read(text), Example | LookUp | StopAll | FindProcedure), text


# ---- an agency's page


async def test_an_agencys_page_says_all_that_is_needed(client: Client) -> None:
    page = await page_of(client, GUIDE)
    for words in (
        "Sở Nông nghiệp và Môi trường thành phố Cần Thơ",
        *NUMBERS,
        "STNMT 00000/0000/00000",
        "DK H13.10-250701-0000",
        "HUY H13.10-250701-0000",
        "DUNG",
        "Ho so H13.10-250701-0000 dang xu ly tai So NN-MT Can Tho, hen tra 15/07/2025",
        "tracuu.example.gov.vn/tra-cuu",
        "t.me/tracuu_bot",
        "zalo.me/1234567890",
        "02993 013010",
        "không phải hồ sơ của ai",
    ):
        assert words in page.words, words
    assert len(page.all("svg")) == len(page.all("h1")) == 1


async def test_an_old_agency_leads_to_who_carries_on_its_work(client: Client) -> None:
    page = await page_of(client, OLD)
    assert "ngừng hoạt động từ ngày 01/03/2025" in page.words
    assert "Nay Sở Nông nghiệp và Môi trường thành phố Cần Thơ giải quyết" in page.words
    assert f"{GUIDE}?lang=vi" in {each["href"] for each in page.all("a")}
    assert "02993 013010" in page.words
    assert "02993 000018" not in page.words
    assert "H51.18-250228-0000" in page.words


async def test_an_old_spelling_is_the_same_agency(client: Client) -> None:
    for name in ("000.00.18.H51", "h51.18"):
        assert "Sở Tài nguyên và Môi trường" in (await page_of(client, f"/huong-dan/{name}")).words


@pytest.mark.parametrize(
    "name", ["H99", "H51.18.99", "%00", "H51.18'--", HOSTILE.translate(dict.fromkeys(map(ord, "/{}")))]
)
async def test_an_agency_nobody_knows_is_a_404_and_never_the_one_above_it(client: Client, name: str) -> None:
    response = await client.get(f"/huong-dan/{name}")
    assert response.status == 404
    page = Reader(await response.text())
    assert "Chưa tìm thấy cơ quan" in page.words
    assert page.strangers() == []


async def test_without_a_number_the_page_speaks_of_the_web_alone(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(public_app(numbers=()))
    for path in (GUIDE, "/to-roi"):
        page = await page_of(client, path)
        assert "Hồ sơ của ông/bà đến đâu rồi?" in page.words
        assert page.all("kbd") == []
        assert "tracuu.example.gov.vn/tra-cuu" in page.words


async def test_the_address_is_what_the_browser_called_unless_it_is_set(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(public_app(base_url=""))
    assert f"{client.host}:{client.port}/tra-cuu" in (await page_of(client, "/to-roi")).words
    for host in ("a.vn/<b>", "a b", "'\"", "a.vn:99999", "user@a.vn"):
        response = await client.get(GUIDE, headers={"Host": host})
        if response.status == 200:
            assert Reader(await response.text()).all("svg") == []


# ---- the list


async def test_the_list_holds_who_exists_today(client: Client) -> None:
    links = {(each["href"] or "").partition("?")[0] for each in (await page_of(client, "/huong-dan")).all("a")}
    named = {link.rpartition("/")[2] for link in links if link.startswith("/huong-dan/")}
    assert named == {each.identifier for each in AGENCIES if each.in_force(TODAY)}


async def test_words_find_agencies_and_those_that_ended_say_who_it_is_now(client: Client) -> None:
    page = await page_of(client, "/huong-dan", tim="tai nguyen soc trang")
    assert "Sở Tài nguyên và Môi trường tỉnh Sóc Trăng" in page.words
    assert "nay là Sở Nông nghiệp và Môi trường thành phố Cần Thơ" in page.words
    assert "Chưa tìm thấy" in (await page_of(client, "/huong-dan", tim="giá vàng")).words


def test_those_that_exist_come_first_and_nothing_finds_nobody() -> None:
    hits = [each.in_force(TODAY) for each in found(AGENCIES, "moi truong", TODAY)]
    assert hits == sorted(hits, reverse=True)
    assert set(hits) == {True, False}
    assert list(found(AGENCIES, "", TODAY)) == list(found(AGENCIES, "  ", TODAY)) == []


# ---- all of them


@pytest.mark.parametrize("language", THREE)
@pytest.mark.parametrize("path", ["/huong-dan", "/huong-dan?tim=my+xuyen", GUIDE, OLD, "/to-roi"])
async def test_pages_are_whole_and_may_be_found(client: Client, path: str, language: str) -> None:
    response = await client.get(f"{path}{'&' if '?' in path else '?'}lang={language}")
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert "X-Robots-Tag" not in response.headers
    assert "style-src 'self'" in response.headers["Content-Security-Policy"]
    text = await response.text()
    page = Reader(text)
    assert "{" not in page.words
    assert page.strangers() == []
    assert not any("style" in attributes for _, attributes in page.elements)
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert page.all("html")[0]["lang"] == language


def test_a_short_link_is_in_capitals_and_holds_any_code() -> None:
    assert short_link(BASE, "H51.18-250701-0004") == "HTTPS://TRACUU.EXAMPLE.GOV.VN/D/H51.18-250701-0004"
    assert short_link(BASE, "H51.18:12345/2016/00123").endswith("/D/H51.18:12345/2016/00123")
    assert short_link("", "H51.18-250701-0004") == ""
