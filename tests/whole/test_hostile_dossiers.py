"""Every text of a dossier, and all that strangers type, is hostile: nothing runs, nothing is markup, nothing forges a line.

The gateway is a process, its one-stop system a file that is full of it, and a real Chromium looks at what comes out.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from yarl import URL

from channels.web.layout import environment
from demo.process import GatewayProcess
from demo.smsc import Smsc, SmscOptions
from domain.sites import Site, digest
from domain.text import safe_text
from gateway.bootstrap import migrate
from gateway.bootstrap.sites import site_book
from gateway.configuration import load_settings
from tests.browser.agency_page import SITE, AgencySite, policy, tags
from tests.browser.browsing import PATIENCE_MS, chromium, page_with, serving
from tests.whole.gateways import LOG, SHORT_CODE, Account, log_lines
from tests.whole.hostile import (
    BESIDE,
    BROKEN,
    FIELDS,
    MARK,
    MARKUP,
    OWNER,
    TEXTS,
    UNTOLD,
    Desk,
    hostile_gateway,
    planted,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET: Final = "webmaster's own"
NAME: Final = f'=HYPERLINK("//evil.example","{MARK}")<script>window.h1t=1</script>'
LAST_FOUR: Final = OWNER[-4:]
WITH_MARKUP: Final = [each for each, texts in planted().items() if set(texts.values()) & set(MARKUP)]
ADDRESSES: Final = ("href", "src", "action", "formaction", "data-solver")
SAFE_ADDRESS: Final = re.compile(r"/(?!/)[!-~]*|#[A-Za-z-]+|tel:[0-9+]+|http://127\.0\.0\.1:[0-9]+/[!-~]*")
OF_A_STATE: Final = re.compile(r"[A-Za-z0-9_./-]{1,45}")  # a state that nobody mapped, where it is no more than a code
JSON_TYPES: Final = frozenset({"application/json", "application/problem+json", "application/health+json"})
# Where something is typed: method, path ("{}" in it), and the fields of a query or a form, a JSON body among them.
PLACES: Final[Sequence[tuple[str, str, Sequence[str]]]] = (
    ("GET", "/tra-cuu", ("ma", "lang")),
    ("GET", "/d/{}", ("lang",)),
    ("GET", "/D/{}", ()),
    ("POST", "/tra-cuu", ("ma", "last_four", "secret", "work")),
    ("GET", "/huong-dan", ("tim", "lang")),
    ("GET", "/huong-dan/{}", ()),
    ("GET", "/to-roi", ("lang",)),
    ("GET", "/thu-tuc", ("tim", "lang")),
    ("GET", "/thu-tuc/{}", ()),
    ("GET", "/integrate", ("site", "accent", "for", "lang")),
    ("GET", "/integrate/qr.svg", ("lang", "site")),
    ("GET", "/embed", ("site", "code", "accent", "lang")),
    ("GET", "/webmaster", ("site", "lang")),
    ("POST", "/webmaster", ("site", "secret", "as")),
    ("POST", "/theo-doi", ("ma", "phone")),
    ("POST", "/theo-doi/xac-nhan", ("ma", "token", "pin")),
    ("GET", "/api", ("lang", "site")),
    ("GET", "/problems/{}", ()),
    ("GET", "/bieu-mau/{}", ()),
    ("GET", "/widget/{}/{}", ()),
    ("GET", "/{}", ()),
    ("GET", "/api/v1/dossiers/{}", ("lang",)),
    ("GET", "/api/v1/dossiers/{}", ("site",)),
    ("JSON", "/api/v1/dossiers/{}", ("last_four",)),
    ("JSON", "/api/v1/dossiers/{}", ("secret", "work")),
    ("GET", "/api/v1/procedures", ("q", "lang")),
    ("GET", "/api/v1/procedures/{}", ()),
    ("GET", "/api/v1/agencies", ("q", "after")),
    ("GET", "/api/v1/agencies", ("limit",)),
    ("GET", "/api/v1/agencies/{}", ()),
    ("JSON", "/api/v1/subscriptions", ("code", "phone")),
    ("JSON", "/api/v1/subscriptions/{}", ("pin",)),
)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Who takes part; `site` is the address of the agency's own page."""

    directory: Path
    gateway: GatewayProcess
    desk: Desk
    smsc: Smsc
    agency: AgencySite
    site: str
    http: aiohttp.ClientSession

    def url(self, path: str) -> URL:
        return URL(self.gateway.public + path, encoded=True)

    async def proved(self, asked: str) -> Mapping[str, Any]:
        body = {"last_four": LAST_FOUR}
        async with self.http.post(self.url(f"/api/v1/dossiers/{asked}"), json=body) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            found: dict[str, Any] = await answer.json()
            return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    directory, agency = tmp_path_factory.mktemp("hostile"), AgencySite()
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(Smsc(SmscOptions()))
        site = await stack.enter_async_context(serving(agency.app()))
        desk, gateway = Desk(directory), hostile_gateway(directory, Account(port=smsc.port))
        settings = load_settings(gateway.config)
        await migrate(settings)
        await site_book(settings).add(
            Site(
                key=SITE,
                name=NAME,
                agency="",
                origins=(site,),
                secret_digest=digest(SECRET),
                created_at=datetime.now(UTC),
            )
        )
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        await smsc.bound()
        yield Stage(
            directory=directory,
            gateway=gateway,
            desk=desk,
            smsc=smsc,
            agency=agency,
            site=site,
            http=await stack.enter_async_context(aiohttp.ClientSession()),
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


# ---- what a program reads


@pytest.mark.parametrize("asked", planted())
async def test_the_api_tells_texts_as_texts_and_only_to_who_proves(stage: Stage, asked: str) -> None:
    async with stage.http.get(stage.url(f"/api/v1/dossiers/{asked}")) as answer:
        assert answer.status == 200
        assert MARK not in await answer.text()
    told = await stage.proved(asked)
    assert {field: told[field] for field in FIELDS} == {
        field: safe_text(text, 200) for field, text in planted()[asked].items()
    }
    assert all(told[field].isprintable() for field in FIELDS)


async def test_where_nothing_hostile_is_to_be_told_nothing_is(stage: Stage) -> None:
    for asked in UNTOLD:
        told = await stage.proved(asked)
        assert (told["status"], told["tier"]) == (None, "proved")
        assert MARK not in json.dumps(told)


async def test_bytes_that_are_no_text_cost_nobody_else_his_answer(stage: Stage) -> None:
    async def status(asked: str) -> int:
        async with stage.http.get(stage.url(f"/api/v1/dossiers/{asked}")) as answer:
            return answer.status

    broken, beside = await asyncio.gather(status(BROKEN), status(BESIDE))
    assert broken in (200, 503)
    assert beside == 200


# ---- what a browser reads


async def test_who_watches_would_see_it(browser: Browser) -> None:
    async def run_something() -> None:
        async with _watched(browser) as page:
            await page.set_content(MARKUP[1])
            await page.wait_for_function("() => window.h1t === 1")

    with pytest.raises(AssertionError):
        await run_something()


async def test_no_place_to_type_into_gives_back_more_than_a_text(stage: Stage) -> None:
    for text in (*TEXTS, "\ud800h1t"):
        for method, path, fields in PLACES:
            sent = f"{method} {path} {fields} {text!r}"
            async with _asked(stage, method, path, fields, text) as answer:
                assert answer.status < 500, sent
                _assert_plain_headers(answer)
                _assert_harmless(answer, await answer.text(), sent)


@pytest.mark.parametrize("asked", planted())
async def test_the_page_of_a_hostile_dossier_holds_our_own_markup_only(stage: Stage, asked: str) -> None:
    form = {"ma": asked, "last_four": LAST_FOUR}
    async with stage.http.post(stage.url("/tra-cuu?lang=en"), data=form) as answer:
        page = await answer.text()
        assert answer.status == 200
    words = _assert_harmless(answer, page, asked)
    for text in planted()[asked].values():
        assert safe_text(text, 200) in words


async def test_nothing_runs_on_our_page_and_on_its_paper(stage: Stage, browser: Browser) -> None:
    async with _watched(browser) as page:
        for asked in WITH_MARKUP:
            await page.goto(f"{stage.gateway.public}/d/{asked}")
            await page.locator("details.prove summary").last.click()
            await page.locator("#last-four").fill(LAST_FOUR)
            await page.keyboard.press("Enter")
            await page.get_by_text(planted()[asked]["unit"], exact=True).wait_for()
            assert await page.evaluate("() => window.h1t") is None
        await page.pdf()


async def test_nothing_runs_in_the_widget_on_the_agencys_page(stage: Stage, browser: Browser) -> None:
    stage.agency.put("/", tags(stage.gateway.public), policy(stage.gateway.public))
    async with _watched(browser) as page:
        await page.goto(f"{stage.site}/")
        for asked in WITH_MARKUP:
            await page.locator("#code").fill(asked)
            await page.keyboard.press("Enter")
            await page.locator("#said").get_by_text(asked).wait_for()
            await page.locator("summary").first.click()
            await page.locator("#four").fill(LAST_FOUR)
            await page.keyboard.press("Enter")
            await page.get_by_text(planted()[asked]["unit"], exact=True).wait_for()


@pytest.mark.parametrize(
    "path",
    [
        "/tra-cuu?ma={}",
        "/thu-tuc?tim={}",
        "/huong-dan?tim={}",
        "/integrate?site={}&accent={}&for={}",
        f"/embed?site={SITE}&code={{}}&accent={{}}",
    ],
)
async def test_nothing_that_is_typed_into_an_address_runs(stage: Stage, browser: Browser, path: str) -> None:
    async with _watched(browser) as page:
        for text in MARKUP[:12:2]:
            await page.goto(stage.gateway.public + path.replace("{}", quote(text, safe="")))
            assert await page.evaluate("() => window.h1t") is None


async def test_the_webmasters_page_and_file_tell_a_hostile_name_as_a_name(stage: Stage, browser: Browser) -> None:
    async with _watched(browser) as page:
        await page.goto(f"{stage.gateway.public}/webmaster")
        await page.locator("#site").fill(SITE)
        await page.locator("#secret").fill(SECRET)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name=NAME).wait_for()
    form = {"site": SITE, "secret": SECRET, "as": "csv"}
    async with stage.http.post(stage.url("/webmaster"), data=form) as answer:
        assert answer.content_type == "text/csv"
        rows = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"), newline=""), strict=True))
    assert {row[0] for row in rows[1:]} == {f"'{NAME}"}
    assert not any(cell.startswith(tuple("=+-@\t\r\n")) for row in rows for cell in row)


# ---- what a telephone reads


async def test_a_message_is_one_clean_text_whatever_stands_in_the_dossier(stage: Stage) -> None:
    number = f"84{OWNER[1:]}"
    for asked in (*planted(), *list(UNTOLD)[::5]):
        ticket = await stage.smsc.send_mo(number, SHORT_CODE, asked)
        reply = await ticket.reply()
        assert asked in reply.text
        assert reply.segments <= 2
        _assert_clean(reply.text)


async def test_a_notice_is_one_clean_text_too(stage: Stage) -> None:
    followed = list(planted())[5:]
    for number, each in enumerate(followed, start=84912345670):
        await (await stage.smsc.send_mo(str(number), SHORT_CODE, f"DK {each}")).reply()
    known = len(stage.smsc.replies)
    for each in followed:
        stage.desk.move(each, "6")
    async with asyncio.timeout(120):
        await stage.smsc.until(lambda: len(stage.smsc.replies) >= known + len(followed))
    for notice in list(stage.smsc.replies)[known:]:
        assert MARK not in notice.text
        _assert_clean(notice.text)


# ---- what an operator reads


async def test_the_log_holds_whole_lines_and_nothing_that_was_typed(stage: Stage) -> None:
    written = (stage.directory / LOG).read_text(encoding="utf-8")
    lines = written.removesuffix("\n").split("\n")
    assert len(log_lines(stage.directory)) == len(lines) > 1
    for line in lines:
        assert line.isprintable(), line
        assert {"timestamp", "level", "action"} <= json.loads(line).keys()
        assert MARK not in line or OF_A_STATE.fullmatch(json.loads(line)["value"])
    levels = {line["action"] for line in log_lines(stage.directory) if line["level"] in ("error", "critical")}
    assert levels == set()


# ---- helpers


@asynccontextmanager
async def _watched(browser: Browser) -> AsyncIterator[Page]:
    """A page on which nothing of what is hostile runs, in any frame, and whose console stays empty."""
    opened = list[str]()
    async with page_with(browser, viewport={"width": 900, "height": 700}) as page:
        page.set_default_timeout(PATIENCE_MS)
        page.on("dialog", lambda dialog: opened.append(dialog.message))
        page.on("popup", lambda popup: opened.append(popup.url))
        yield page
        for frame in page.frames:
            assert await frame.evaluate("() => window.h1t") is None
        assert len(page.frames) == 1
    assert opened == []


def _asked(stage: Stage, method: str, path: str, fields: Sequence[str], text: str) -> Any:
    """The request, with the text in every place there is."""
    address = path.replace("{}", _quoted(text))
    if method == "JSON":
        body = json.dumps(dict.fromkeys(fields, text))
        headers = {"Content-Type": "application/json"}
        return stage.http.post(stage.url(address), data=body, headers=headers, allow_redirects=False)
    given = "&".join(f"{field}={_quoted(text)}" for field in fields)
    if method == "POST":
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return stage.http.post(stage.url(address), data=given, headers=headers, allow_redirects=False)
    return stage.http.get(
        stage.url(f"{address}?{given}" if given else address), headers={"Accept": "text/html"}, allow_redirects=False
    )


def _quoted(text: str) -> str:
    return quote(text[:1_000].encode("utf-8", "surrogatepass"), safe="")


def _assert_plain_headers(answer: aiohttp.ClientResponse) -> None:
    """Nothing that was typed stands in a header, and no header is another's end."""
    for name, value in answer.headers.items():
        assert value.isascii(), (name, value)
        assert value.isprintable(), (name, value)
        assert MARK not in value, (name, value)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers


def _assert_harmless(answer: aiohttp.ClientResponse, body: str, sent: str) -> str:
    """It is no more than texts, whatever reads it; gives the words of a page."""
    if answer.content_type in JSON_TYPES:
        json.loads(body)
        return ""
    if answer.content_type == "text/html":
        page = Strict(sent)
        page.feed(body)
        page.close()
        return page.words
    assert MARK not in body, sent
    return ""


def _assert_clean(text: str) -> None:
    lines = text.split("\n")
    assert len(lines) <= 2
    assert all(line.isprintable() for line in lines), repr(text)
    assert "{agency}" not in text.replace("{0}h1t{agency}[{code}]{", "")


class Strict(HTMLParser):
    """Takes what our templates write and nothing else: their elements, no handler, no style, addresses of ours."""

    elements: Final = frozenset(
        re.findall(
            r"<([a-z][a-z0-9-]*)",
            " ".join(
                Path(environment().get_template(name).filename or "").read_text(encoding="utf-8")
                for name in environment().list_templates()
            ),
        )
    ) | {"svg", "path"}  # of a QR code

    def __init__(self, sent: str) -> None:
        super().__init__()
        self.words = ""
        self._sent = sent
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        assert tag in self.elements, (tag, self._sent)
        assert tag not in ("base", "iframe", "style", "img"), (tag, self._sent)
        assert tag != "script" or dict(attrs).get("src"), self._sent
        assert len(dict(attrs)) == len(attrs), (attrs, self._sent)
        for name, value in attrs:
            assert not name.startswith("on"), (name, self._sent)
            assert name not in ("style", "srcdoc", "autofocus"), (name, self._sent)
            assert name not in ADDRESSES or SAFE_ADDRESS.fullmatch(value or ""), (name, value, self._sent)
            self._assert_seen(value or "")

    def handle_data(self, data: str) -> None:
        self._assert_seen(data)
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError((data, self._sent))

    def handle_pi(self, data: str) -> None:
        raise AssertionError((data, self._sent))

    def unknown_decl(self, data: str) -> None:
        raise AssertionError((data, self._sent))

    def _assert_seen(self, text: str) -> None:
        """Nothing turns the words round, hides in them or moves a terminal."""
        assert all(sign.isprintable() or sign == "\n" for sign in text), (text, self._sent)
