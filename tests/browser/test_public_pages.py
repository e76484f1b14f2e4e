"""The citizens' pages in a real Chromium: with a script and without, on a telephone's screen and on paper."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect

from channels.web.work import WorkDesk
from domain.answers import Outcome
from domain.proof import Proof, ProofKind
from domain.questions import Answer, Asked, Question, QuestionAnswer
from tests.browser.browsing import PATIENCE_MS, axe, chromium, page_with, serving, shot
from tests.unit.asking_the_web import CODE, Behind, answered, unreadable, without_dossier
from tests.unit.public_pages import BASE, THREE, public_app

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET = "7K3M9QXW"
WORK_NEEDED = QuestionAnswer(outcome=Outcome.REFUSED, reason="work_needed")
AGENCY, OLD = "/huong-dan/H13.10", "/huong-dan/H51.30"  # the second has the most to say of all
PHONE, DESK = {"width": 320, "height": 640}, {"width": 900, "height": 1100}
PLAIN_HOST = "gateway.test"  # over http and by name: an insecure context, without crypto.subtle
SHEET = re.compile(rb"/Type\s*/Page\b(?!s)")
PAGES = {
    "look-up": f"/tra-cuu?ma={CODE}",
    "guides": "/huong-dan",
    "guide": AGENCY,
    "old": OLD,
    "leaflet": "/to-roi",
    "procedure": "/thu-tuc/1.001193",
}


@dataclass
class Suspicious(Behind):
    """Tells whoever worked or proves, and nobody else."""

    async def ask(self, questions: Sequence[Question]) -> Sequence[Asked[Answer]]:
        self.asked.append(questions)
        return [Asked(self.says if each.worked or each.proof else WORK_NEEDED, None) for each in questions]


@dataclass
class Desk:
    """The real one, with little to do."""

    spent: set[str] = field(default_factory=set)

    def make(self) -> WorkDesk:
        return WorkDesk(key=b"a key for the tests", once=self.once, clock=lambda: datetime.now(UTC), cost=100)

    async def once(self, signature: str, _: float) -> bool:
        fresh = signature not in self.spent
        self.spent.add(signature)
        return fresh


@dataclass(frozen=True)
class Stage:
    """Two gateways, of which the second is `suspicious`."""

    browser: Browser
    behind: Behind
    at: str
    suspicious: Suspicious
    at_suspicious: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole() -> AsyncIterator[Stage]:
    behind, suspicious = Behind(), Suspicious()
    async with AsyncExitStack() as stack:
        yield Stage(
            await stack.enter_async_context(chromium(f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1")),
            behind,
            await stack.enter_async_context(serving(public_app(behind))),
            suspicious,
            await stack.enter_async_context(serving(public_app(suspicious, work=Desk().make()))),
        )


@pytest.fixture
def stage(whole: Stage) -> Stage:
    """Nobody has asked yet."""
    whole.behind.says = answered()
    whole.behind.asked.clear()
    whole.suspicious.asked.clear()
    return whole


@asynccontextmanager
async def opened(stage: Stage, **options: Any) -> AsyncIterator[Page]:
    """A quiet page of somebody who reads Vietnamese."""
    async with page_with(stage.browser, **{"locale": "vi-VN", **options}) as page:
        page.set_default_timeout(PATIENCE_MS)
        yield page


def proofs(behind: Behind) -> list[Proof]:
    return [each.proof for batch in behind.asked for each in batch if each.proof is not None]


async def read_qr(picture: Locator) -> str:
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(await picture.screenshot())))
    return found.text


# ---- a receipt's secret


async def test_a_secret_behind_the_address_leaves_it_and_is_sent_once_in_a_body(stage: Stage) -> None:
    async with opened(stage) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{stage.at}/D/{CODE}#{SECRET}")
        await page.wait_for_url("**/tra-cuu?lang=*")
        assert proofs(stage.behind) == [Proof(ProofKind.SECRET, SECRET)]
        assert not any(SECRET in url for url in (*asked, page.url))
        await page.go_back()
        await page.wait_for_load_state()
        assert SECRET not in page.url
        await page.reload()
        assert proofs(stage.behind) == [Proof(ProofKind.SECRET, SECRET)]


async def test_a_place_within_the_page_is_no_secret(stage: Stage) -> None:
    async with opened(stage) as page:
        await page.goto(f"{stage.at}/d/{CODE}#main")
        await expect(page.locator("#state")).to_be_visible()
        assert page.url.endswith("#main")
        assert proofs(stage.behind) == []


async def test_without_a_script_the_public_part_is_told_and_the_secret_is_typed(stage: Stage) -> None:
    async with opened(stage, java_script_enabled=False) as page:
        await page.goto(f"{stage.at}/d/{CODE}#{SECRET}")
        await expect(page.locator("#state")).to_be_visible()
        await expect(page.locator("button.print")).to_be_hidden()
        await page.locator("summary", has_text="Xem thêm").click()
        await page.get_by_label("mã tra cứu trên biên nhận").fill(SECRET)
        await page.get_by_role("button", name="Xem thêm").click()
        await page.wait_for_url("**/tra-cuu?lang=*")
        assert proofs(stage.behind) == [Proof(ProofKind.SECRET, SECRET)]


# ---- a proof of work


@pytest.mark.parametrize("host", ["127.0.0.1", PLAIN_HOST])
async def test_the_browser_works_by_itself_and_the_answer_comes(stage: Stage, host: str) -> None:
    async with opened(stage) as page:
        await page.goto(stage.at_suspicious.replace("127.0.0.1", host) + f"/tra-cuu?ma={CODE}&lang=en")
        await expect(page.locator("#state")).to_be_visible()
        assert [each.worked for batch in stage.suspicious.asked for each in batch] == [False, True]


async def test_a_receipts_secret_needs_no_work(stage: Stage) -> None:
    async with opened(stage) as page:
        await page.goto(f"{stage.at_suspicious}/d/{CODE}#{SECRET}")
        await expect(page.locator("#state")).to_be_visible()
        assert [each.worked for batch in stage.suspicious.asked for each in batch] == [False, False]


async def test_a_solver_that_does_not_come_leaves_words_and_a_button(stage: Stage) -> None:
    async with opened(stage, allowed=["ERR_FAILED"]) as page:
        await page.route("**/static/*/work.js", lambda route: route.abort())
        await page.goto(f"{stage.at_suspicious}/d/{CODE}")
        again = page.get_by_role("button", name="Kiểm tra lại")
        await expect(again).to_be_visible()
        assert await axe(page) == []
        await shot(page, "public-work-failed")
        await page.unroute("**/static/*/work.js")


async def test_without_a_script_nobody_is_left_waiting(stage: Stage) -> None:
    async with opened(stage, java_script_enabled=False) as page:
        await page.goto(f"{stage.at_suspicious}/d/{CODE}")
        await expect(page.locator("form.work")).to_be_hidden()
        await expect(page.get_by_text("nhập thêm 4 số cuối")).to_be_visible()
        await page.get_by_label("4 số cuối").fill("1234")
        await page.get_by_role("button", name="Xem thêm").click()
        await expect(page.locator("#state")).to_be_visible()


# ---- paper


@pytest.mark.parametrize("language", THREE)
@pytest.mark.parametrize("name", ["look-up", "old", "leaflet"])
async def test_a_page_fills_one_sheet(stage: Stage, name: str, language: str) -> None:
    async with opened(stage, viewport=DESK) as page:
        await page.goto(_in(stage.at + PAGES[name], language))
        sheets = [await page.pdf(prefer_css_page_size=True), await page.pdf(format="A4")]
        if name in ("look-up", "leaflet"):
            sheets.append(await page.pdf(format="A5"))
        assert [len(SHEET.findall(sheet)) for sheet in sheets] == [1] * len(sheets)
        await page.emulate_media(media="print")
        await shot(page, f"public-{name}-{language}-print")


async def test_the_codes_on_paper_lead_back(stage: Stage) -> None:
    async with opened(stage, device_scale_factor=2) as page:
        await page.goto(stage.at + PAGES["look-up"])
        await page.emulate_media(media="print")
        assert await read_qr(page.locator(".slip .qr")) == f"{BASE.upper()}/D/{CODE}"
        await expect(page.get_by_text("Tra cứu lúc")).to_be_visible()
        for path in (AGENCY, "/to-roi"):
            await page.goto(stage.at + path)
            assert await read_qr(page.locator(".qr")) == f"{BASE}/tra-cuu"


async def test_the_button_prints(stage: Stage) -> None:
    async with opened(stage) as page:
        await page.add_init_script("window.print = () => { window.printed = true; }")
        for path in (PAGES["look-up"], AGENCY, "/to-roi"):
            await page.goto(stage.at + path)
            await page.get_by_role("button", name="In trang này").click()
            assert await page.evaluate("() => window.printed")


# ---- everybody can read it


@pytest.mark.parametrize("language", THREE)
@pytest.mark.parametrize("name", PAGES)
async def test_pages_are_for_everybody(stage: Stage, name: str, language: str) -> None:
    async with opened(stage, viewport=PHONE) as page:
        await page.goto(_in(stage.at + PAGES[name], language))
        assert await _width(page) <= PHONE["width"]
        assert await axe(page) == []
        await shot(page, f"public-{name}-{language}-320")
        await page.set_viewport_size(DESK)  # type: ignore[arg-type]
        assert language != "vi" or await axe(page) == []
        await shot(page, f"public-{name}-{language}")


async def test_every_other_state_is_for_everybody_too(stage: Stage) -> None:
    states = {
        "not-found": without_dossier(Outcome.NOT_FOUND),
        "unreadable": unreadable("partial"),
        "down": without_dossier(Outcome.SOURCE_DOWN),
        "proved": answered(proved=True),
    }
    async with opened(stage, viewport=PHONE) as page:
        for name, says in states.items():
            stage.behind.says = says
            await page.goto(f"{stage.at}/d/{CODE}")
            assert await axe(page) == [], name
            assert await _width(page) <= PHONE["width"]
        for path in ("/huong-dan?tim=soc+trang", "/huong-dan?tim=x", "/huong-dan/H99"):
            await page.goto(stage.at + path)
            assert await axe(page) == [], path
            assert await _width(page) <= PHONE["width"]


async def test_in_forced_colours_the_sheet_still_has_its_parts(stage: Stage) -> None:
    async with opened(stage, viewport=DESK, forced_colors="active") as page:
        await page.goto(stage.at + AGENCY)
        await expect(page.locator("kbd").first).to_be_visible()
        assert await read_qr(page.locator(".qr")) == f"{BASE}/tra-cuu"
        await shot(page, "public-guide-forced-colours")


# ---- forms


async def test_a_form_is_downloaded_and_opens(stage: Stage) -> None:
    async with opened(stage) as page:
        await page.goto(stage.at + PAGES["procedure"])
        async with page.expect_download() as coming:
            await page.get_by_role("link", name="Tờ khai đăng ký khai sinh").click()
        download = await coming.value
        assert download.suggested_filename == "Tờ khai đăng ký khai sinh.docx"
        with zipfile.ZipFile(await download.path()) as archive:
            assert archive.testzip() is None
            assert "word/document.xml" in archive.namelist()


def _in(address: str, language: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}lang={language}"


async def _width(page: Page) -> int:
    width: int = await page.evaluate("() => document.documentElement.scrollWidth")
    return width
