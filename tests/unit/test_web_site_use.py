"""/webmaster: the use of a site is for whoever holds its secret; a wrong key and a wrong secret are the same."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.ports import UseKey
from channels.web.site_figures import as_csv, figures
from channels.web.site_use import DAYS, PATH, SiteUsePage
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.calendar import local_day
from domain.catalogue import Catalogue
from domain.csv_lines import safe
from domain.errors import StoreUnavailable
from domain.sites import Site, SiteUse, Used, digest
from gateway.http import make_app
from tests.unit.keeping_sites import CLOSED, KEY, ORIGIN, OTHER, REVOKED, SECRET, SITE, Book, registry
from tests.unit.speaking import LANGUAGES, NOW, shipped_agencies, shipped_texts
from tests.unit.test_khmer import khmer
from tests.unit.test_web_pages import HOSTILE, Reader
from tests.unit.test_web_procedures import Gate

Client = TestClient[Any, Any]
TODAY = local_day(NOW)
CATALOGUE = Catalogue.from_mapping(shipped_texts() | {"km": khmer()})
AGENCIES = Agencies.from_mapping(shipped_agencies())
WORDS = CATALOGUE.section("vi", "web.site_use")


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, book: Book, gate: Gate) -> Client:
    page = SiteUsePage(
        sites=await registry(book),
        teller=Teller(CATALOGUE, AGENCIES),
        agencies=AGENCIES,
        admit=gate.admit,
        clock=lambda: NOW,
    )
    return await aiohttp_client(make_app(page.routes()))


async def post(client: Client, key: str = KEY, secret: str = SECRET, **fields: str) -> Any:
    return await client.post(PATH, data={"site": key, "secret": secret, **fields})


def counted(book: Book, use: SiteUse, count: int, day: date = TODAY, site: str = KEY) -> None:
    book.counted[UseKey(site, day, use)] += count


# ---- who may not see it


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        (KEY, SECRET[:-1]),
        (KEY, SECRET.upper()),
        (KEY, ""),
        (KEY, digest(SECRET)),
        ("ts_x", SECRET),
        ("", ""),
        ("ts_x", ""),
    ],
)
async def test_a_wrong_key_and_a_wrong_secret_are_the_same_and_cost_a_try(
    client: Client, gate: Gate, key: str, secret: str
) -> None:
    response = await post(client, key, secret)
    page = Reader(await response.text())
    assert response.status == 403
    assert WORDS["wrong"] in page.words
    assert SITE.name not in page.words
    assert len(gate.asked) == 1


async def test_a_spent_budget_opens_nothing_even_with_the_right_secret(client: Client, gate: Gate) -> None:
    gate.admits = False
    response = await post(client)
    assert (response.status, response.headers["Retry-After"]) == (429, "60")
    assert SITE.name not in await response.text()


async def test_while_the_store_is_away_it_is_said(client: Client, book: Book) -> None:
    book.fails = StoreUnavailable("away")
    for fields in ({}, {"as": "csv"}):
        response = await post(client, **fields)
        assert (response.status, response.content_type) == (503, "text/html")


async def test_somebody_elses_page_cannot_make_its_readers_guess(client: Client, gate: Gate) -> None:
    response = await client.post(PATH, data={"site": KEY, "secret": SECRET}, headers={"Sec-Fetch-Site": "cross-site"})
    assert SITE.name not in await response.text()
    assert gate.asked == []


async def test_a_body_that_is_no_form_opens_nothing(client: Client) -> None:
    for body in (b"\xff\x00", b"site=" * 50, b'{"site":1}'):
        assert (await client.post(PATH, data=body)).status == 403


# ---- the form


@pytest.mark.parametrize("language", [*LANGUAGES, "km"])
async def test_the_form_is_whole_without_a_script_or_a_cookie(client: Client, gate: Gate, language: str) -> None:
    response = await client.get(PATH, params={"lang": language})
    page = Reader(await response.text())
    assert response.status == 200
    assert page.all("html")[0]["lang"] == language
    assert len(page.all("h1")) == 1
    assert page.all("script") == []
    labelled = {each["for"] for each in page.all("label")}
    assert labelled == {each["id"] for each in page.all("input")} == {"site", "secret"}
    assert next(each for each in page.all("input") if each["id"] == "secret")["type"] == "password"
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert gate.asked == []


async def test_what_was_typed_is_shown_again_but_no_secret(client: Client) -> None:
    text = await (await post(client, HOSTILE, "a secret of mine")).text()
    page = Reader(text)
    assert page.all("script") == page.all("img") == []
    assert next(each for each in page.all("input") if each["id"] == "site")["value"] == HOSTILE[:40]
    assert "a secret of mine" not in text


async def test_its_style_sheet_is_served(client: Client) -> None:
    sheets = [each["href"] for each in Reader(await (await client.get(PATH)).text()).all("link")]
    (own,) = (each for each in sheets if each and "site-use" in each)
    response = await client.get(own)
    assert (response.status, response.content_type) == (200, "text/css")


# ---- the use


@pytest.mark.parametrize("language", [*LANGUAGES, "km"])
async def test_the_use_is_shown_by_day_and_kind(client: Client, book: Book, language: str) -> None:
    counted(book, SiteUse.FOUND, 7_001)
    counted(book, SiteUse.NOT_FOUND, 5_003, TODAY - timedelta(days=1))
    counted(book, SiteUse.FOUND, 9_999, TODAY - timedelta(days=DAYS))  # before
    counted(book, SiteUse.FOUND, 8_888, site="ts_other")
    response = await client.post(f"{PATH}?lang={language}", data={"site": f" {KEY} ", "secret": f"{SECRET}\n"})
    page, words = Reader(await response.text()), CATALOGUE.section(language, "web.site_use")
    assert response.status == 200
    for told in (SITE.name, KEY, ORIGIN, OTHER, words["in_force"], words["use_found"], words["use_not_found"]):
        assert told in page.words
    for figure in ("7001", "5003", "12004"):
        assert figure in page.words
    for left_out in ("9999", "8888", words["use_followed"], words["nothing"]):
        assert left_out not in page.words
    days = [CATALOGUE.day(language, each) for each in (TODAY, TODAY - timedelta(days=1))]
    assert page.words.index(days[0], page.words.index(words["total"])) < page.words.index(days[1])


async def test_a_site_nobody_used_says_so(client: Client) -> None:
    page = Reader(await (await post(client)).text())
    assert WORDS["nothing"] in page.words
    assert page.all("table") == []


async def test_refused_origins_are_told_as_a_count(client: Client, book: Book) -> None:
    counted(book, SiteUse.FOREIGN, 31)
    words = Reader(await (await post(client)).text()).words
    assert CATALOGUE.text("vi", "web.site_use.foreign_note", count="31") in words


async def test_a_revoked_site_is_still_shown_and_says_since_when(client: Client) -> None:
    words = Reader(await (await post(client, REVOKED)).text()).words
    assert CATALOGUE.text("vi", "web.site_use.revoked", day=CATALOGUE.day("vi", TODAY)) in words
    assert WORDS["province"] in words
    assert CLOSED.name in words


# ---- the file


def rows_of(body: bytes) -> list[list[str]]:
    assert body.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))


async def test_the_button_of_the_page_brings_a_file_for_spreadsheets(client: Client, book: Book) -> None:
    counted(book, SiteUse.FOUND, 7)
    counted(book, SiteUse.OTHER, 2)
    page = Reader(await (await post(client)).text())
    fields = {str(each["name"]): str(each["value"]) for each in page.all("input")}
    (button,) = (each for each in page.all("button") if each["name"] == "as")
    response = await client.post(PATH, data={**fields, "as": str(button["value"])})
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="ts_[a-z2-7]+-[0-9-]+\.csv"', response.headers["Content-Disposition"])
    heads, *rows = rows_of(await response.read())
    assert [len(row) for row in rows] == [len(heads)] * DAYS
    assert [row[2] for row in rows] == [(TODAY - timedelta(days=back)).isoformat() for back in reversed(range(DAYS))]
    assert rows[-1] == [SITE.name, KEY, TODAY.isoformat(), "7", *["0"] * 7, "2", "9"]
    assert set(rows[0][3:]) == {"0"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    assert safe(f"{start}1+1").startswith("'")
    name = f'{start}HYPERLINK("http://evil.example","a,b")\n2'
    site = Site(**{each: getattr(SITE, each) for each in SITE.__slots__} | {"name": name})
    _, row = rows_of(as_csv(site, figures([], TODAY, 1), {**WORDS, "total": "=1"}))
    assert row[0] == f"'{name}"


def test_what_is_no_formula_stays_as_it_is() -> None:
    for cell in ("", "Sở", "a=1", "1-2", "'"):
        assert safe(cell) == cell


def test_figures_leave_out_other_days_and_add_up_what_comes_twice() -> None:
    told = figures(
        [Used(day=TODAY, use=SiteUse.FOUND, count=1)] * 2
        + [Used(day=NOW.date().replace(year=2020), use=SiteUse.FOUND, count=9)],
        TODAY,
        3,
    )
    assert (told.total, told.seen, [day for day, _ in told.busy]) == (2, [SiteUse.FOUND], [TODAY])
    assert len(told.days) == 3
