"""The widget in a real Chromium, on an origin of its own under a strict policy: every answer, every step, nobody shut out.

The console stays empty throughout, axe-core finds nothing, and nothing is kept in the browser.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from channels.web.problem import ProblemKind
from channels.web.widget_files import WidgetFiles
from tests.browser import canned_gateway as canned
from tests.browser.agency_page import SITE, AgencySite, one_tag, policy, tags
from tests.browser.browsing import PATIENCE_MS, axe, chromium, page_with, serving, shot
from tests.browser.canned_gateway import CannedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = "agency.test"  # on http and not on the loopback by its name: browsers offer it no crypto.subtle
DESK = {"width": 800, "height": 700}
OUTCOMES = "globalThis.heard = []; addEventListener('dossier-status', (event) => heard.push(event.detail))"


@dataclass(frozen=True)
class Stage:
    """A browser, a gateway and an agency's site; `site` and `gateway` are their addresses."""

    browser: Browser
    canned: CannedGateway
    gateway: str
    agency: AgencySite
    site: str

    @asynccontextmanager
    async def page(self, widget: str = "", rules: str | None = None, **options: Any) -> AsyncIterator[Page]:
        """The agency's page with this widget, under this policy; the usual snippet and the strict policy otherwise."""
        path = self.agency.put(
            "/", widget or tags(self.gateway, lang="vi"), policy(self.gateway) if rules is None else rules
        )
        host = options.pop("host", self.site)
        async with page_with(self.browser, **{"viewport": DESK, **options}) as page:
            page.set_default_timeout(PATIENCE_MS)
            await page.goto(host + path)
            yield page
            assert await page.context.cookies() == []
            assert (await page.context.storage_state())["origins"] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    gateway, agency = CannedGateway(), AgencySite()
    async with AsyncExitStack() as stack:
        yield Stage(
            browser=await stack.enter_async_context(chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1")),
            canned=gateway,
            gateway=await stack.enter_async_context(serving(gateway.app())),
            agency=agency,
            site=await stack.enter_async_context(serving(agency.app())),
        )


async def look_up(page: Page, code: str) -> Locator:
    """Type and press enter; the result, once it is there."""
    await page.locator("#code").fill(code)
    await page.keyboard.press("Enter")
    return await result(page)


async def result(page: Page) -> Locator:
    shown = page.locator("#said .result")
    await shown.wait_for()
    return shown


async def seen(page: Page, name: str) -> None:
    """Nothing is wrong with it for a reader of any kind, and there is a picture of it."""
    assert await axe(page) == []
    await shot(page, f"widget-{name}")


async def focused(page: Page) -> str:
    """The id (or what stands in it) of the element inside the widget that has the focus."""
    script = "() => { const e = document.querySelector('dossier-status').shadowRoot.activeElement; return e && (e.id || e.textContent) }"
    found: str = await page.evaluate(script)
    return found


def said(language: str, stage: Stage, key: str) -> str:
    section, _, name = key.partition(".")
    return str(stage.canned.texts[language][section][name])


# ---- answers


@pytest.mark.parametrize(
    ("name", "code", "language", "state"),
    [
        ("found", canned.FOUND, "vi", "in_process"),
        ("found-en", canned.FOUND, "en", "in_process"),
        ("found-km", canned.FOUND, "km", "in_process"),
        ("overdue", canned.OVERDUE, "vi", "in_process"),
        ("stale", canned.STALE, "vi", "in_process"),
        ("payment", canned.PAYMENT, "vi", "payment_due"),
        ("done-km", canned.DONE, "km", "done"),
        ("stoppage", canned.STOPPAGE, "vi", "stopped"),
    ],
)
async def test_a_dossier_is_told_in_the_readers_language(
    stage: Stage, name: str, code: str, language: str, state: str
) -> None:
    async with stage.page(tags(stage.gateway, lang=language)) as page:
        shown = await look_up(page, code)
        for words in (code, said(language, stage, f"state.{state}"), canned.AGENCY["name"], "02/11/2026"):
            await expect(shown).to_contain_text(words)
        await expect(shown.locator("a")).to_have_attribute("href", "tel:02963852913")
        await expect(page.locator(".card")).to_have_attribute("lang", language)
        await seen(page, name)
    assert stage.canned.asked[-1] == ("GET", f"/api/v1/dossiers/{code}?site={SITE}&lang={language}", {})


async def test_what_is_late_or_old_or_announced_is_said_in_words_too(stage: Stage) -> None:
    async with stage.page() as page:
        await expect(await look_up(page, canned.OVERDUE)).to_contain_text("Quá hẹn")
        stale = await look_up(page, canned.STALE)
        await expect(stale).to_contain_text("Đây là thông tin lần cuối")
        await expect(stale).to_contain_text("07:55 22/11/2026")
        await expect(await look_up(page, canned.STOPPAGE)).to_contain_text("22:00 đến 23:00")
        await expect(await look_up(page, canned.PAYMENT)).to_contain_text("Xem biên nhận hoặc hỏi cơ quan")


@pytest.mark.parametrize(
    ("name", "code", "language"),
    [
        ("not-found", canned.UNKNOWN, "vi"),
        ("unreadable", canned.UNREADABLE, "vi"),
        ("empty", "", "km"),
        ("dots", "..", "vi"),
        ("source-down", canned.DOWN, "vi"),
        ("refused", canned.BUSY, "en"),
        ("foreign-origin", canned.FOREIGN, "vi"),
        ("proof-needed", canned.PROOF, "vi"),
    ],
)
async def test_why_nothing_is_told_is_said_with_a_number_to_call(
    stage: Stage, name: str, code: str, language: str
) -> None:
    kind = canned.PROBLEMS[code]
    async with stage.page(tags(stage.gateway, lang=language)) as page:
        shown = await look_up(page, code)
        await expect(shown).to_contain_text(said(language, stage, f"problem.{kind.key}"))
        await expect(shown).to_contain_text(said(language, stage, f"error.{kind.key}"))
        await expect(shown.locator("a")).to_have_attribute("href", "tel:1022")
        again = page.locator(".next > button")
        await expect(again).to_have_count(1 if kind.headers.get("Retry-After") else 0)
        if kind is ProblemKind.REFUSED:
            await expect(again).to_have_text("Try again (60 s)")
        unreadable = kind is ProblemKind.UNREADABLE
        await expect(page.locator("#code")).to_have_attribute("aria-invalid", str(unreadable).lower())
        await seen(page, name)


async def test_of_several_readings_one_is_chosen(stage: Stage) -> None:
    async with stage.page() as page:
        await look_up(page, canned.AMBIGUOUS)
        await seen(page, "ambiguous")
        await page.get_by_role("button", name=f"{canned.READ_AS} Sở TN-MT").click()
        await expect(page.locator(".badge")).to_have_text("Đang xử lý")
        assert await page.locator("#code").input_value() == canned.READ_AS
        assert await focused(page) == "said"


async def test_hostile_texts_stay_texts(stage: Stage) -> None:
    async with stage.page() as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        shown = await look_up(page, "hostile")
        await expect(shown.locator(".badge")).to_have_text(canned.HOSTILE)
        links = await page.locator(".next a").evaluate_all("all => all.map((each) => each.href)")
        assert [each.partition("?")[0] for each in links] == ["https://t.me/tracuu_bot", "https://zalo.me/123456"]
        assert await page.locator("dossier-status img, dossier-status script").count() == 0


async def test_links_lead_to_the_messengers_and_to_the_page_to_print(stage: Stage) -> None:
    async with stage.page() as page:
        await look_up(page, canned.FOUND)
        links = page.locator(".next a")
        await expect(links).to_have_text(["Theo dõi qua Telegram ↗", "Theo dõi qua Zalo ↗", "Mở trang để in ↗"])
        await expect(links.last).to_have_attribute("href", f"{stage.gateway}/d/{canned.FOUND}?lang=vi")
        assert set(await links.evaluate_all("all => all.map((each) => each.rel + each.target)")) == {"noopener_blank"}


async def test_the_page_around_learns_what_came_of_it_and_no_code(stage: Stage) -> None:
    async with stage.page() as page:
        await page.evaluate(OUTCOMES)
        for code in (canned.FOUND, canned.STALE, canned.UNKNOWN, canned.DOWN, canned.NO_JSON):
            await page.locator("#code").fill(code)
            await page.keyboard.press("Enter")
            await page.locator("button[part=button]:not([aria-disabled])").first.wait_for()
        outcomes = [{"outcome": each} for each in ("found", "stale", "not-found", "source-unavailable", "network")]
        assert await page.evaluate("() => heard") == outcomes


# ---- steps


async def test_more_is_shown_to_who_proves_a_right_to_it(stage: Stage) -> None:
    async with stage.page() as page:
        await look_up(page, canned.FOUND)
        await page.locator("summary").first.click()
        await page.locator("#four").fill("0000")
        await page.keyboard.press("Enter")
        await expect(page.locator("#proof")).to_have_text(said("vi", stage, "error.not_matched"))
        assert await focused(page) == "four"
        await seen(page, "proof-wrong")
        await page.locator("#four").fill("0912 344 567")  # the last four of it count
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_contain_text("60.000 đồng")
        await expect(page.locator("#said")).to_contain_text(canned.MORE["missing"])
        assert await focused(page) == "said"
        assert await page.locator("#four").count() == 0
        await seen(page, "proved")
    assert stage.canned.asked[-1][2] == {"last_four": "4567"}


async def test_a_receipts_secret_proves_it_as_well(stage: Stage) -> None:
    async with stage.page() as page:
        await look_up(page, canned.PROOF)
        await page.locator("summary").first.click()
        await page.locator("#secret").fill("ABCD-2345")
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_contain_text(canned.MORE["procedure_name"])
    assert stage.canned.asked[-1][2] == {"secret": "ABCD-2345"}


@pytest.mark.parametrize("language", ["vi", "en", "km"])
async def test_a_number_that_is_proved_follows(stage: Stage, language: str) -> None:
    async with stage.page(tags(stage.gateway, lang=language)) as page:
        await page.evaluate(OUTCOMES)
        await look_up(page, canned.FOUND)
        await page.locator("summary").last.click()
        line = page.locator("#follow")

        async def give(field: str, typed: str, key: str) -> None:
            await page.locator(field).fill(typed)
            await page.keyboard.press("Enter")
            await expect(line).to_have_text(said(language, stage, key))

        await give("#phone", "12", "error.no_number")
        assert await focused(page) == "phone"
        await page.locator("#phone").fill("0912 345 678")
        await page.keyboard.press("Enter")
        await expect(line).to_contain_text("09:22 23/11/2026")
        assert await focused(page) == "pin"
        await give("#pin", "1", "error.pin_wrong")
        await seen(page, f"pin-wrong-{language}")
        await give("#pin", "000000", "error.pin_spent")
        await page.locator("#phone").press("Enter")
        await page.locator("#pin").fill(canned.PIN)
        await page.keyboard.press("Enter")
        await expect(page.locator("#pin")).to_have_count(0)
        assert await focused(page) == "follow"
        await seen(page, f"followed-{language}")
        assert await page.evaluate("() => heard.at(-1)") == {"outcome": "followed"}
    assert stage.canned.asked[-1] == (
        "POST",
        f"/api/v1/subscriptions/tok%2F1?site={SITE}&lang={language}",
        {"pin": canned.PIN},
    )


@pytest.mark.parametrize("secure", [True, False])
async def test_work_is_done_by_itself_on_pages_of_https_and_of_http(stage: Stage, secure: bool) -> None:  # noqa: FBT001
    host = stage.site if secure else stage.site.replace("127.0.0.1", HOST)
    async with stage.page(host=host) as page:
        assert await page.evaluate("() => Boolean(self.isSecureContext && crypto.subtle)") is secure
        await expect(await look_up(page, canned.WORK)).to_contain_text("Đang xử lý")
    assert stage.canned.asked[-1][2].keys() == {"work"}


async def test_where_the_steps_cannot_be_loaded_the_answer_stands_and_it_is_said(stage: Stage) -> None:
    async with stage.page(allowed=["net::ERR_FAILED"]) as page:
        await page.route("**/steps.js", lambda route: route.abort())
        await look_up(page, canned.FOUND)
        await page.locator("summary").first.click()
        await expect(page.locator("details").first).to_contain_text("Chưa kết nối được")
        shown = await look_up(page, canned.WORK)
        await expect(shown).to_contain_text(said("vi", stage, "problem.work_needed"))


# ---- sites of all kinds


async def test_without_a_script_the_link_stands(stage: Stage) -> None:
    async with stage.page(java_script_enabled=False) as page:
        await expect(page.get_by_role("link", name="Tra cứu hồ sơ")).to_be_visible()
        await shot(page, "widget-no-script")


async def test_a_wrong_hash_leaves_the_page_and_the_link(stage: Stage) -> None:
    pinned = tags(stage.gateway, version=WidgetFiles().newest, integrity=f"sha384-{'A' * 64}")
    async with stage.page(pinned, allowed=["integrity"]) as page:
        await expect(page.get_by_role("link", name="Tra cứu hồ sơ")).to_be_visible()


async def test_a_pinned_version_works_with_all_its_steps(stage: Stage) -> None:
    files = WidgetFiles()
    pinned = tags(stage.gateway, version=files.newest, integrity=files.integrity(files.newest), lang="vi")
    async with stage.page(pinned) as page:
        await expect(page.get_by_role("link", name="Tra cứu hồ sơ")).to_be_hidden()
        await look_up(page, canned.FOUND)
        await page.locator("summary").first.click()
        await expect(page.locator("#four")).to_be_visible()


async def test_a_browser_too_old_keeps_the_link(stage: Stage) -> None:
    async with page_with(stage.browser) as page:
        await page.add_init_script("delete Document.prototype.adoptedStyleSheets")
        await page.goto(stage.site + stage.agency.put("/", tags(stage.gateway), policy(stage.gateway)))
        await expect(page.get_by_role("link", name="Tra cứu hồ sơ")).to_be_visible()


async def test_one_tag_is_enough(stage: Stage) -> None:
    async with stage.page(one_tag(stage.gateway)) as page:
        assert await page.locator("#code").input_value() == canned.FOUND
        await page.get_by_role("button", name="Look up").click()
        await expect(await result(page)).to_contain_text("In process")


async def test_two_scripts_on_a_page_are_no_more_than_one(stage: Stage) -> None:
    async with stage.page(tags(stage.gateway, lang="vi") + one_tag(stage.gateway)) as page:
        await expect(page.locator("dossier-status input")).to_have_count(2)


async def test_a_policy_without_connect_src_is_told_as_trouble_with_the_network(stage: Stage) -> None:
    rules = policy(stage.gateway, connect=False)
    async with stage.page(rules=rules, allowed=["Content Security Policy"]) as page:
        await expect(await look_up(page, canned.FOUND)).to_contain_text("Chưa kết nối được")
        page_link = page.get_by_role("link", name="Mở trang tra cứu")
        await expect(page_link).to_have_attribute("href", f"{stage.gateway}/tra-cuu?site={SITE}&lang=vi")
        await seen(page, "no-connect")


async def test_a_gateway_that_does_not_answer_is_asked_again_by_a_button(stage: Stage) -> None:
    async with stage.page() as page:
        await page.clock.install()
        await page.locator("#code").fill(canned.HANGS)
        await page.keyboard.press("Enter")
        await stage.canned.hanging.wait()
        button = page.get_by_role("button", name="Tra cứu")
        await expect(button).to_have_attribute("aria-disabled", "true")
        await expect(page.locator("#said")).to_have_text("Đang tra cứu…")
        await page.clock.fast_forward(21_000)
        await expect(await result(page)).to_contain_text("Hệ thống trả lời quá chậm")
        await seen(page, "slow")
        stage.canned.hanging.clear()
        again = page.get_by_role("button", name="Thử lại")
        await again.focus()
        await page.keyboard.press("Enter")
        await stage.canned.hanging.wait()
        assert await focused(page) == "said"


async def test_nothing_of_the_sites_style_leaks_in_but_its_colour(stage: Stage) -> None:
    async with stage.page(rules="") as page:
        css = "label, input, p { color: red !important; display: none } dossier-status { --ds-accent: #00695c; --ds-radius: 0 }"
        await page.add_style_tag(content=css)
        button = page.get_by_role("button", name="Tra cứu")
        await expect(button).to_have_css("background-color", "rgb(0, 105, 92)")
        await expect(button).to_have_css("border-radius", "0px")
        await expect(page.locator("label")).to_have_css("color", "rgb(22, 36, 45)")
        await look_up(page, canned.FOUND)
        await shot(page, "widget-themed")


async def test_a_form_around_everything_is_not_sent(stage: Stage) -> None:
    inside = f'<form action="/elsewhere">{tags(stage.gateway, lang="vi")}</form>'
    async with stage.page(inside) as page:
        listen = "() => { globalThis.keys = 0; document.forms[0].addEventListener('keypress', () => keys++) }"
        await page.evaluate(listen)
        await look_up(page, canned.FOUND)
        assert await page.evaluate("() => keys") == 0
        assert page.url == f"{stage.site}/"


async def test_another_language_draws_it_anew_and_asks_again(stage: Stage) -> None:
    async with stage.page() as page:
        await look_up(page, canned.FOUND)
        await page.locator("dossier-status").evaluate("element => { element.lang = 'en' }")
        await expect(page.locator(".badge")).to_have_text("In process")
        assert await page.locator("#code").input_value() == canned.FOUND
        await page.locator("dossier-status").evaluate("element => { element.setAttribute('code', 'abc') }")
        assert await page.locator("#code").input_value() == "abc"


# ---- readers of all kinds


async def test_all_can_be_done_with_the_keyboard(stage: Stage) -> None:
    async with stage.page() as page:
        await page.keyboard.press("Tab")
        await page.keyboard.type(canned.FOUND)
        await page.keyboard.press("Tab")
        assert await focused(page) == "Tra cứu"
        await page.keyboard.press("Space")
        await result(page)
        assert await focused(page) == "Tra cứu"
        stops = []
        for _ in range(3):
            await page.keyboard.press("Tab")
            stops.append(await focused(page))
        assert stops == [canned.AGENCY["phone"], "Xem thêm về hồ sơ này", "Nhận tin nhắn khi hồ sơ thay đổi"]
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert await focused(page) == "phone"
        await shot(page, "widget-keyboard")


@pytest.mark.parametrize(("name", "width", "scale"), [("narrow", 320, 1), ("zoomed", 640, 2)])
@pytest.mark.parametrize("language", ["vi", "km"])
async def test_it_fits_a_narrow_and_a_zoomed_page(
    stage: Stage, name: str, width: int, scale: int, language: str
) -> None:
    size = {"width": width, "height": 500}
    async with stage.page(tags(stage.gateway, lang=language), viewport=size, device_scale_factor=scale) as page:
        await look_up(page, canned.OVERDUE)
        for summary in await page.locator("summary").all():
            await summary.click()
        await page.locator("#phone").wait_for()
        assert await page.evaluate("() => document.documentElement.scrollWidth") == width
        targets = page.locator(".card :is(input, button, summary, a)")
        heights = await targets.evaluate_all("all => all.map((each) => each.getBoundingClientRect().height)")
        assert len(heights) == 13
        assert min(heights) >= 44
        await seen(page, f"{name}-{language}")


async def test_forced_colours_keep_what_colours_said(stage: Stage) -> None:
    async with stage.page(forced_colors="active") as page:
        shown = await look_up(page, canned.OVERDUE)
        await expect(shown.locator(".badge").last).to_have_css("border-top-style", "solid")
        await seen(page, "forced-colours")


async def test_on_paper_there_is_the_result_and_no_form(stage: Stage) -> None:
    async with stage.page() as page:
        shown = await look_up(page, canned.FOUND)
        await page.emulate_media(media="print")
        await expect(shown).to_be_visible()
        await expect(page.locator("#code")).to_be_hidden()
        await expect(page.locator(".next")).to_be_hidden()
        await shot(page, "widget-print")


async def test_before_anything_is_asked_the_lines_that_will_speak_are_there(stage: Stage) -> None:
    async with stage.page() as page:
        line = page.locator("#said")
        await expect(line).to_have_attribute("role", "status")
        await expect(line).to_have_attribute("aria-live", "polite")
        await expect(line).to_have_attribute("aria-atomic", "true")
        described = await page.locator("#code").get_attribute("aria-describedby")
        assert described is not None
        assert re.fullmatch(r"said-hint said", described)
        await seen(page, "before")
        await asyncio.sleep(0)
