"""/integrate followed literally: what it shows is copied, pasted into a site of another origin, and works; or it says why."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.browsing import axe, chromium, page_with, shot
from tests.browser.integrating import CODE, KEY, REVOKED, Gateway, Host, elsewhere, gateway, hosting
from tests.unit.speaking import NOW

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANSWERED = "Đang xử lý"
# Chromium's remark on a header of all our answers, where the page came over http:// and not from this very machine.
LANGUAGES = ("vi", "en", "km")
WIDGETS = ("tags", "pinned", "one")


@dataclass(frozen=True)
class Shown:
    """What /integrate showed: by form the snippet and the lines for the policy, and by trouble what the console says."""

    snippets: Mapping[str, str]
    lines: Mapping[str, list[str]]
    remarks: Mapping[str, str]

    def paste(self, host: Host, form: str) -> None:
        """Do as the page says."""
        host.body = self.snippets[form]
        host.allow(*self.lines[form])

    def remark(self, trouble: str) -> str:
        """As a pattern."""
        return ".*".join(re.escape(part) for part in self.remarks[trouble].split("…"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[tuple[Gateway, Host]]:
    async with gateway() as ours, hosting() as site:
        yield ours, site


@pytest_asyncio.fixture(loop_scope="module")
async def ours(served: tuple[Gateway, Host]) -> Gateway:
    """A gateway that knows one site, under KEY."""
    ours, site = served
    await ours.forget()
    await ours.register(site.address)
    return ours


@pytest.fixture
def host(ours: Gateway, served: tuple[Gateway, Host]) -> Host:
    """That site."""
    served[1].headers = {}
    return served[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(browser: Browser, served: tuple[Gateway, Host]) -> Shown:
    """Read off the page, as a webmaster does."""
    ours, site = served
    await ours.register(site.address)
    async with page_with(browser) as page:
        await page.goto(f"{ours.address}/integrate?lang=vi&site={KEY}")
        snippets, lines, remarks = {}, {}, {}
        for article in await page.locator("article").all():
            code = article.locator("pre code").first
            form = (await code.get_attribute("id") or "").removeprefix("snippet-")
            snippets[form] = await code.inner_text()
            lines[form] = await article.locator(".policy code").all_inner_texts()
        for row in await page.locator("details").all():
            await row.locator("summary").click()
            said = await row.locator("code").all_inner_texts()
            remarks[await row.locator("summary").inner_text()] = said[0] if said else ""
        return Shown(snippets, lines, remarks)


async def look_up(page: Page) -> None:
    """Type a code into the widget and read the answer, as a reader does."""
    await page.locator("dossier-status").get_by_role("textbox", name="Mã hồ sơ").fill(CODE)
    await page.locator("dossier-status").get_by_role("button", name="Tra cứu").click()
    await expect(page.locator("dossier-status").get_by_text(ANSWERED, exact=True)).to_be_visible()


@pytest.mark.parametrize("form", WIDGETS)
async def test_what_is_shown_works_where_it_is_pasted(
    browser: Browser, ours: Gateway, host: Host, shown: Shown, form: str
) -> None:
    shown.paste(host, form)
    async with page_with(browser) as page:
        await page.goto(host.address)
        await look_up(page)
        assert await page.context.cookies() == []
        assert await page.evaluate("() => localStorage.length + sessionStorage.length") == 0
        assert not await axe(page)
    assert ours.asked == [(CODE, KEY)]


async def test_what_the_copy_button_copies_works_too(browser: Browser, ours: Gateway, host: Host) -> None:
    async with page_with(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        await page.goto(f"{ours.address}/integrate?lang=vi&site={KEY}")
        await page.get_by_role("button", name="Chép: Hai thẻ, tự cập nhật").click()
        await expect(page.locator("#copied")).to_have_text("Đã chép đoạn mã.")
        host.body = await page.evaluate("() => navigator.clipboard.readText()")
        await page.get_by_role("button", name="Chép: Chính sách nội dung (CSP)").click()
        await expect(page.locator("button[data-done]")).to_have_count(1)
        lines = await page.evaluate("() => navigator.clipboard.readText()")
    host.allow(*lines.split("; "))
    async with page_with(browser) as page:
        await page.goto(host.address)
        await look_up(page)


async def test_where_there_is_no_clipboard_the_older_way_copies(ours: Gateway) -> None:
    """On http:// under a name, where browsers have no navigator.clipboard."""
    async with (
        chromium("--host-resolver-rules=MAP gateway.test 127.0.0.1") as browser,
        page_with(browser) as page,
    ):
        await page.goto(f"{ours.address.replace('127.0.0.1', 'gateway.test')}/integrate?lang=vi")
        assert not await page.evaluate("() => isSecureContext")
        await page.get_by_role("button", name="Chép: Chỉ một thẻ").click()
        await expect(page.locator("#copied")).to_have_text("Đã chép đoạn mã.")
        assert await page.evaluate("() => getSelection().toString()") == await page.locator("#snippet-one").inner_text()


async def test_a_colour_changes_the_widget_by_the_rule_that_is_shown(browser: Browser, ours: Gateway) -> None:
    async with page_with(browser) as page:
        await page.goto(f"{ours.address}/integrate?lang=vi&accent=%237a1f2b")
        button = page.locator("dossier-status button").first
        await expect(button).to_have_css("background-color", "rgb(122, 31, 43)")


# ---- the frame


async def test_the_frame_works_on_a_registered_site(browser: Browser, ours: Gateway, host: Host, shown: Shown) -> None:
    shown.paste(host, "frame")
    async with page_with(browser) as page:
        await page.goto(host.address)
        frame = page.frame_locator("iframe")
        await frame.get_by_role("textbox", name="Mã hồ sơ").fill(CODE)
        await frame.get_by_role("button", name="Tra cứu").click()
        await expect(frame.get_by_text(ANSWERED, exact=True)).to_be_visible()
        await shot(page, "embed-host")
    assert ours.asked == [(CODE, KEY)]


async def test_the_frame_works_on_a_site_that_isolates_itself(
    browser: Browser, ours: Gateway, host: Host, shown: Shown
) -> None:
    shown.paste(host, "frame")
    host.headers = {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin"}
    async with page_with(browser) as page:
        await page.goto(host.address)
        assert await page.evaluate("() => crossOriginIsolated")
        await expect(page.frame_locator("iframe").get_by_role("textbox", name="Mã hồ sơ")).to_be_visible()


async def test_a_foreign_site_cannot_show_the_frame(browser: Browser, ours: Gateway, host: Host, shown: Shown) -> None:
    shown.paste(host, "frame")
    said = rf"Framing '{re.escape(ours.address)}/' violates .*frame-ancestors"
    async with page_with(browser, allowed=[said]) as page:
        await page.goto(elsewhere(host.address))
        await expect(page.locator("iframe")).to_be_visible()
        assert await page.frame_locator("iframe").get_by_label("Mã hồ sơ").count() == 0


@pytest.mark.parametrize("key", [REVOKED, "ts_nosuchkey2222222"])
async def test_a_frame_without_a_key_in_force_leads_to_our_page(
    browser: Browser, ours: Gateway, host: Host, key: str
) -> None:
    await ours.register(host.address, key=REVOKED, revoked_at=NOW)
    host.body = f'<iframe src="{ours.address}/embed?site={key}&amp;lang=vi" title="Tra cứu" width="100%"></iframe>'
    host.allow(f"frame-src {ours.address}")
    async with page_with(browser) as page:
        await page.goto(host.address)
        frame = page.frame_locator("iframe")
        async with page.context.expect_page() as opened:
            await frame.get_by_role("link", name="Mở trang tra cứu hồ sơ").click()
        assert (await opened.value).url == f"{ours.address}/tra-cuu?lang=vi"
        assert await frame.locator("input, script, form").count() == 0


async def test_without_javascript_the_frames_form_opens_our_page(
    browser: Browser, ours: Gateway, host: Host, shown: Shown
) -> None:
    shown.paste(host, "frame")
    async with page_with(browser, java_script_enabled=False) as page:
        await page.goto(host.address)
        frame = page.frame_locator("iframe")
        await frame.get_by_label("Mã hồ sơ").fill(CODE)
        async with page.context.expect_page() as opened:
            await frame.get_by_role("button", name="Tra cứu").click()
        beside = await opened.value
        await beside.wait_for_load_state()
        assert beside.url == f"{ours.address}/tra-cuu?lang=vi&ma={CODE}"
        await shot(page, "embed-no-script")


@pytest.mark.parametrize(("key", "language"), [(KEY, "vi"), (KEY, "km"), (REVOKED, "en")])
async def test_the_framed_page_itself_can_be_read_by_everybody(
    browser: Browser, ours: Gateway, host: Host, key: str, language: str
) -> None:
    async with page_with(browser, viewport={"width": 320, "height": 640}) as page:
        await page.goto(f"{ours.address}/embed?site={key}&lang={language}")
        if key == KEY:
            await expect(page.locator("dossier-status").get_by_role("textbox")).to_be_visible()
        assert not await axe(page)
        assert await page.evaluate("() => document.documentElement.scrollWidth") <= 320
        await shot(page, f"embed-{'known' if key == KEY else 'unknown'}-{language}")
    async with page_with(browser, java_script_enabled=False) as page:
        await page.goto(f"{ours.address}/embed?site={key}&lang={language}")
        await expect(page.get_by_role("link")).to_be_visible()
        await shot(page, f"embed-no-script-{'known' if key == KEY else 'unknown'}-{language}")


# ---- link and picture


async def test_a_link_and_a_picture_need_no_script(browser: Browser, ours: Gateway, host: Host, shown: Shown) -> None:
    shown.paste(host, "link")
    async with page_with(browser, java_script_enabled=False) as page:
        await page.goto(host.address)
        await expect(page.get_by_role("img", name="Mã QR mở trang tra cứu hồ sơ")).to_be_visible()
        await shot(page, "link-host")
        await page.get_by_role("link", name="Tra cứu hồ sơ").click()
        assert page.url == f"{ours.address}/tra-cuu?lang=vi"
    async with page_with(browser) as page:
        await page.goto(host.address)
        await page.wait_for_function("() => document.images[0].complete")
        assert await page.evaluate("() => document.images[0].naturalWidth") > 0


# ---- the page itself


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_can_be_read_by_everybody(browser: Browser, ours: Gateway, host: Host, language: str) -> None:
    chosen = f"{ours.address}/integrate?lang={language}&for={language}&site={KEY}&accent=%237a1f2b"
    async with page_with(browser) as page:
        await page.goto(chosen)
        await expect(page.locator("dossier-status").get_by_role("textbox")).to_be_visible()
        for summary in await page.locator("summary").all():
            await summary.click()
        assert not await axe(page)
        await shot(page, f"integrate-{language}")


async def test_the_page_holds_on_a_small_screen(browser: Browser, ours: Gateway, host: Host) -> None:
    async with page_with(browser, viewport={"width": 320, "height": 640}) as page:
        await page.goto(f"{ours.address}/integrate?lang=vi&site={KEY}")
        await expect(page.locator("dossier-status").get_by_role("textbox")).to_be_visible()
        assert not await axe(page)
        assert await page.evaluate("() => document.documentElement.scrollWidth") <= 320
        await shot(page, "integrate-320")


async def test_without_javascript_the_form_still_makes_snippets(browser: Browser, ours: Gateway, host: Host) -> None:
    async with page_with(browser, java_script_enabled=False) as page:
        await page.goto(f"{ours.address}/integrate?lang=vi")
        await page.get_by_label("Khóa của trang (site-key)").fill(KEY)
        await page.get_by_label("Ngôn ngữ của ô tra cứu").select_option("en")
        await page.get_by_role("button", name="Tạo đoạn mã").click()
        assert f'site-key="{KEY}" lang="en"' in await page.locator("#snippet-tags").inner_text()
        await expect(page.get_by_role("button", name="Chép")).to_have_count(0)
        await expect(page.locator("#stage").get_by_role("link", name="Look up a dossier")).to_be_visible()
        await expect(page.get_by_text("Trình duyệt này không chạy JavaScript")).to_be_visible()
        await shot(page, "integrate-no-script")


async def test_the_preview_looks_up(browser: Browser, ours: Gateway) -> None:
    async with page_with(browser) as page:
        await page.goto(f"{ours.address}/integrate?lang=vi")
        await look_up(page)
    assert ours.asked == [(CODE, "")]


# ---- what the page says of the console is what the console says


async def test_a_policy_without_script_src(browser: Browser, ours: Gateway, host: Host, shown: Shown) -> None:
    host.body = shown.snippets["tags"]
    host.allow(*shown.lines["tags"][1:])
    said = shown.remark("Chỉ thấy đường dẫn, không thấy ô nhập mã")
    async with page_with(browser, allowed=[said]) as page:
        await page.goto(host.address)
        await expect(page.get_by_role("link", name="Tra cứu hồ sơ")).to_be_visible()


async def test_a_policy_without_connect_src(browser: Browser, ours: Gateway, host: Host, shown: Shown) -> None:
    host.body = shown.snippets["tags"]
    host.allow(*shown.lines["tags"][:1])
    said = shown.remark("Có ô nhập mã, nhưng luôn báo chưa kết nối được")
    async with page_with(browser, allowed=[said, "Fetch API cannot load"]) as page:
        await page.goto(host.address)
        await page.get_by_role("textbox").fill(CODE)
        await page.get_by_role("button", name="Tra cứu").click()
        await expect(page.get_by_text("Chưa kết nối được với hệ thống tra cứu.")).to_be_visible()


async def test_a_hash_of_another_version(browser: Browser, ours: Gateway, host: Host, shown: Shown) -> None:
    shown.paste(host, "pinned")
    host.body = re.sub(r'integrity="sha384-....', 'integrity="sha384-AAAA', host.body)
    said = shown.remark("Chỉ thấy đường dẫn, sau khi đổi phiên bản")
    async with page_with(browser, allowed=[said]) as page:
        await page.goto(host.address)
        await expect(page.get_by_role("link", name="Tra cứu hồ sơ")).to_be_visible()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("Ô tra cứu báo trang này chưa được đăng ký với khóa", "chưa được đăng ký với khóa"),
        ("Ô tra cứu báo khóa không có hoặc không còn dùng", "không có hoặc không còn dùng"),
    ],
)
async def test_a_site_or_a_key_that_is_not_registered(
    browser: Browser, ours: Gateway, host: Host, shown: Shown, trouble: str, words: str
) -> None:
    shown.paste(host, "tags")
    foreign, said = "khóa không" not in trouble, list[str]()
    host.body = host.body if foreign else host.body.replace(KEY, REVOKED)
    async with page_with(browser) as page:
        page.on("console", lambda message: said.append(message.text))
        await page.goto(elsewhere(host.address) if foreign else host.address)
        await page.get_by_role("textbox").fill(CODE)
        await page.get_by_role("button", name="Tra cứu").click()
        await expect(page.get_by_text(words)).to_be_visible()
        assert re.search(shown.remark(trouble), "\n".join(said))
    assert ours.asked == []


async def test_a_frame_on_a_site_that_is_not_registered(
    browser: Browser, ours: Gateway, host: Host, shown: Shown
) -> None:
    shown.paste(host, "frame")
    said = shown.remark("Khung iframe trống hoặc bị từ chối kết nối")
    async with page_with(browser, allowed=[said]) as page:
        await page.goto(elsewhere(host.address))
        await page.wait_for_load_state("networkidle")
