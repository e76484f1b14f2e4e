"""The widget between a real gateway and an agency's site under the strictest policy, in a real browser: all it promises.

Each test is somebody at another address; the page, the console and the browser's memory stay clean throughout.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from channels.web.snippets import policies, snippets
from demo import onestop
from tests.browser.browsing import axe, shot
from tests.whole.gateways import LOG, log_lines
from tests.whole.scene import BOT, Scene, scene
from tests.whole.store_files import locked

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPEN = "000.00.18.H51-161220-0001"  # being processed; OWNER's
OVERDUE, UNPAID, ASKED_BEFORE = "H51.18-250701-0004", "H51.29.18-250701-0001", "H51.29.18-250701-0005"
NEVER_ASKED = "H51.18-250701-0005"
OPENCPS, MOVING, LATE = "H13.18-250701-0003", "H13.18-250701-0001", "H13.18-250701-0002"
SECRET = "mau-123"  # on the receipts of that system
NOBODYS = "H51.18-250701-0099"
NUMBER = "0912 000 111"
IN_PROCESS = {"vi": "Đang xử lý", "en": "In process", "km": "កំពុងដោះស្រាយ"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    directory = tmp_path_factory.mktemp("whole-widget")
    async with scene(directory) as made:
        yield made
    assert_discreet(directory)


def assert_discreet(directory: Path) -> None:
    """Nothing went wrong but what a test did, and the log holds nothing of anybody's."""
    errors = {str(line["action"]) for line in log_lines(directory) if line["level"] in {"error", "critical"}}
    assert errors == {"source.unavailable"}  # while its file was locked
    log = (directory / LOG).read_text(encoding="utf-8")
    assert [each for each in (NUMBER.replace(" ", "")[1:], SECRET, "9999", OPEN) if each in log] == []


async def look_up(page: Page, code: str) -> Locator:
    """Type and press enter; the result, once it is there."""
    await page.locator("#code").fill(code)
    await page.keyboard.press("Enter")
    return await result(page)


async def result(page: Page) -> Locator:
    """What is told, once nothing is asked any more."""
    await page.locator("form [part=button]:not([aria-disabled])").first.wait_for()
    shown = page.locator("#said .result")
    await shown.wait_for()
    return shown


async def seen(page: Page, name: str) -> None:
    """Nothing is wrong with it for a reader of any kind, and there is a picture of it."""
    assert await axe(page) == []
    await shot(page, f"whole-{name}")


# ---- answers


@pytest.mark.parametrize("language", ["vi", "en", "km"])
async def test_a_dossier_is_found_and_told_in_the_readers_language(there: Scene, language: str) -> None:
    told = await there.asks(OPEN, language)
    async with there.page(snippets(there.place(language))["tags"]) as page:
        shown = await look_up(page, OPEN.lower())
        await expect(shown.locator(".badge")).to_have_text(IN_PROCESS[language])
        for words in (OPEN, told["sentence"], told["what_to_do"], told["agency"]["name"]):
            await expect(shown).to_contain_text(words)
        assert told["agency"]["name"] in told["sentence"]
        await expect(shown.locator("a")).to_have_attribute("href", "tel:" + told["agency"]["phone"].replace(" ", ""))
        await expect(page.locator("summary")).to_have_count(2)  # to see more, to follow
        await seen(page, f"found-{language}")


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("overdue", OVERDUE, "Quá hẹn"),
        ("payment", UNPAID, "Không nộp tiền qua tin nhắn hay đường dẫn lạ"),
        ("done", OPENCPS, "mang giấy biên nhận"),
    ],
)
async def test_what_a_citizen_has_to_do_is_said(there: Scene, name: str, code: str, words: str) -> None:
    async with there.page() as page:
        await expect(await look_up(page, code)).to_contain_text(words)
        await seen(page, name)


@pytest.mark.parametrize(
    ("name", "typed", "key"), [("not-found", NOBODYS, "not_found"), ("unreadable", "ho so cua toi", "unreadable")]
)
async def test_what_is_not_found_or_not_read_is_said_with_a_number_to_call(
    there: Scene, name: str, typed: str, key: str
) -> None:
    async with there.page() as page:
        shown = await look_up(page, typed)
        await expect(shown).to_contain_text(there.text("vi", f"problem.{key}"))
        await expect(shown.locator("a[href^='tel:']")).to_be_visible()
        await seen(page, name)


async def test_of_the_agencies_that_gave_the_same_number_one_is_chosen(there: Scene) -> None:
    async with there.page() as page:
        await look_up(page, onestop.LEGACY)
        await seen(page, "which-agency")
        await page.get_by_role("button", name=f"{onestop.LEGACY} Sở TN-MT Sóc Trăng").click()
        await expect(page.locator(".badge")).to_have_text("Đang xử lý")


async def test_while_the_agencys_system_is_down_the_last_known_is_told_and_then_all_again(there: Scene) -> None:
    async with there.page() as page:
        await look_up(page, ASKED_BEFORE)
        with locked(there.directory / onestop.HOSO_FILE):
            await page.locator("#code").fill(NEVER_ASKED)
            await page.keyboard.press("Enter")
            await expect(page.locator("#said")).to_contain_text(there.text("vi", "problem.source_down"))
            await expect(page.get_by_role("button", name="Thử lại (30 s)")).to_be_visible()
            await seen(page, "source-down")
            shown = await look_up(page, ASKED_BEFORE)
            await expect(shown).to_contain_text("Đây là thông tin lần cuối")
            await expect(shown.locator(".badge")).to_have_text("Đang xử lý")
            assert await page.locator("summary").all_inner_texts() == ["Xem thêm về hồ sơ này"]  # nothing to follow now
            await seen(page, "stale")
        async with asyncio.timeout(120):
            while (await there.asks(NEVER_ASKED))["http"] != 200:  # noqa: ASYNC110 (a breaker opens by its clock)
                await asyncio.sleep(0.1)
        await expect(await look_up(page, NEVER_ASKED)).to_contain_text("bổ sung giấy tờ")


# ---- steps


async def test_the_last_four_digits_open_the_procedure_and_wrong_ones_do_not(there: Scene) -> None:
    async with there.page() as page:
        await look_up(page, OPEN)
        await page.locator("summary").first.click()
        await page.locator("#four").fill("9999")
        await page.keyboard.press("Enter")
        await expect(page.locator("#proof")).to_have_text(there.text("vi", "error.not_matched"))
        await seen(page, "proof-wrong")
        await page.locator("#four").fill(onestop.OWNER[-4:])
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_contain_text("Thủ tục mẫu")
        await expect(page.locator("#said")).to_contain_text("Phòng chuyên môn")
        await expect(page.locator("#four")).to_have_count(0)
        await seen(page, "proved")


async def test_a_number_follows_by_the_code_it_is_sent_and_is_told_of_the_change(there: Scene) -> None:
    number = "84" + NUMBER.replace(" ", "")[1:]
    async with there.page() as page:
        await look_up(page, MOVING)
        await page.locator("summary").last.click()
        await page.locator("#phone").fill(NUMBER)
        await page.keyboard.press("Enter")
        (sent,) = await there.texts_to(number, 1)
        pin = re.match(r"(\d{6}) la ma", sent)
        assert pin is not None
        await page.locator("#pin").wait_for()
        await seen(page, "pin")
        await page.locator("#pin").fill(pin[1])
        await page.keyboard.press("Enter")
        await expect(page.locator("#pin")).to_have_count(0)
        await expect(page.locator("#follow")).to_contain_text("Từ nay số điện thoại này nhận được tin nhắn")
        await seen(page, "followed")
        assert onestop.advance(there.directory, MOVING) is not None  # an officer at the desk
        notice = (await there.texts_to(number, 2))[1]
    assert MOVING in notice
    assert "dang xu ly" in notice


async def test_links_lead_to_the_bot_and_to_the_page_to_print(there: Scene) -> None:
    async with there.page() as page:
        await look_up(page, LATE)
        bot = page.get_by_role("link", name="Telegram")
        await expect(bot).to_have_attribute("href", re.compile(rf"^https://t\.me/{BOT}\?start=\w"))
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name="Mở trang để in").click()
        printed = await opened.value
        await expect(printed.locator(".result .badge").first).to_have_text("Đang xử lý")
        assert printed.url == f"{there.front.origin}/d/{LATE}?lang=vi"


@pytest.mark.parametrize("secure", [True, False])
async def test_who_missed_a_lot_is_answered_after_some_work(there: Scene, secure: bool) -> None:  # noqa: FBT001
    async with there.page(at=there.site if secure else there.named) as page:
        assert await page.evaluate("() => Boolean(isSecureContext && crypto.subtle)") is secure
        posted: list[str] = []
        page.on("request", lambda request: posted.append(request.post_data or "") if request.method == "POST" else None)
        for serial in range(91, 94):
            await expect(await look_up(page, f"H51.18-250701-00{serial}")).to_contain_text("Chưa tìm thấy")
        assert not posted
        await page.locator("#code").fill(OPEN)
        await page.keyboard.press("Enter")
        if not secure:
            await page.locator("progress").wait_for()
            await shot(page, "whole-working")
        await expect(page.locator(".badge")).to_have_text("Đang xử lý")
        assert [each.startswith('{"work":') for each in posted] == [True]


# ---- sites of all kinds


async def test_what_integrate_shows_works_where_it_is_pasted(there: Scene) -> None:
    pasted, lines = {}, {}
    async with there.page(at=f"{there.front.origin}/integrate?lang=vi&site={there.key}") as page:
        for article in await page.locator("article").all():
            code = article.locator("pre code").first
            form = (await code.get_attribute("id") or "").removeprefix("snippet-")
            pasted[form] = await code.inner_text()
            lines[form] = await article.locator(".policy code").all_inner_texts()
        await seen(page, "integrate")
    assert pasted["tags"] in there.told  # and so it stood on the operator's screen
    for form in ("tags", "pinned", "one"):
        async with there.page(pasted[form], lines=lines[form]) as page:
            await expect((await look_up(page, OPEN)).locator(".badge")).to_have_text("Đang xử lý")
    async with there.page(pasted["frame"], lines=lines["frame"]) as page:
        frame = page.frame_locator("iframe")
        await frame.locator("#code").fill(OPEN)
        await frame.get_by_role("button", name="Tra cứu").click()
        await expect(frame.locator(".badge")).to_have_text("Đang xử lý")
        assert await axe(page.frames[1]) == []
        await shot(page, "whole-frame")
    async with there.page(pasted["link"], lines=lines["link"]) as page:
        assert await page.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
        await page.get_by_role("link").click()
        await expect(page.locator("#code")).to_be_visible()


async def test_an_agencys_page_on_http_under_its_name_works_as_well(there: Scene) -> None:
    async with there.page(at=there.named, viewport={"width": 320, "height": 640}) as page:
        await expect((await look_up(page, OPEN)).locator(".badge")).to_have_text("Đang xử lý")
        assert await page.evaluate("() => document.documentElement.scrollWidth") == 320
        await seen(page, "http-narrow")


async def test_without_javascript_the_link_leads_to_a_page_that_answers(there: Scene) -> None:
    async with there.page(java_script_enabled=False) as page:
        await shot(page, "whole-no-script")
        await page.get_by_role("link").click()
        assert page.url == f"{there.front.origin}/tra-cuu?lang=vi"
        await page.locator("#code").fill(OPEN)
        await page.get_by_role("button", name="Tra cứu").click()
        await expect(page.locator(".result .badge")).to_have_text("Đang xử lý")
        await shot(page, "whole-no-script-answered")


async def test_a_wrong_hash_leaves_the_page_and_the_link(there: Scene) -> None:
    wrong = snippets(there.place(integrity=f"sha384-{'A' * 64}"))["pinned"]
    async with there.page(wrong, allowed=["integrity"]) as page:
        await expect(page.get_by_role("link")).to_be_visible()
        assert await page.evaluate("() => customElements.get('dossier-status') === undefined")


async def test_a_site_at_an_origin_that_was_not_registered_is_told_so(there: Scene) -> None:
    async with there.page(at=there.foreign) as page:
        shown = await look_up(page, OPEN)
        await expect(shown).to_contain_text(there.text("vi", "problem.origin_foreign"))
        await expect(shown).to_contain_text(there.text("vi", "error.origin_foreign"))
        await expect(page.get_by_role("link", name="Mở trang tra cứu")).to_be_visible()  # readers are not left alone
        await seen(page, "foreign-origin")


async def test_a_frame_is_shown_by_the_registered_site_only(there: Scene) -> None:
    frame, lines = snippets(there.place())["frame"], policies(there.front.origin)["frame"]
    refused = [r"frame-ancestors"]
    async with there.page(frame, lines=lines, at=there.foreign, allowed=refused) as page:
        await expect(page.locator("iframe")).to_be_visible()
        assert await page.frame_locator("iframe").locator("#code, #ma").count() == 0


async def test_a_key_that_is_revoked_opens_nothing_any_more(there: Scene) -> None:
    key = there.closing
    async with there.page(snippets(there.place(key=key))["tags"]) as page:
        await expect((await look_up(page, OPEN)).locator(".badge")).to_have_text("Đang xử lý")
        assert f"site {key} is revoked" in await there.operator("site", "revoke", "--yes", key)
        async with asyncio.timeout(120):
            while (await there.asks(OPEN, key=key))["http"] != 403:  # noqa: ASYNC110 (another process has no event)
                await asyncio.sleep(0.1)
        shown = await look_up(page, OPEN)
        await expect(shown).to_contain_text(there.text("vi", "problem.site_unknown"))
        await expect(shown).to_contain_text(there.text("vi", "error.site_unknown"))
        await seen(page, "revoked")


# ---- a receipt's QR code


async def test_the_secret_behind_the_hash_of_a_receipts_address_opens_its_dossier(there: Scene) -> None:
    async with there.page() as page:
        asked: list[tuple[str, str]] = []
        page.on("request", lambda request: asked.append((request.url, request.post_data or "")))
        await page.goto(f"{there.front.origin}/d/{LATE}?lang=vi#{SECRET}")
        await expect(page.locator(".facts")).to_contain_text("1.004946")
        assert page.url == f"{there.front.origin}/tra-cuu?lang=vi"
        assert SECRET not in await page.content()
        assert [posted for _, posted in asked if posted] == [f"ma={LATE}&last_four=&secret={SECRET}"]
        assert not [url for url, _ in asked[1:] if SECRET in url]  # the first is what was scanned
        await seen(page, "receipt")
    async with there.page(at=f"{there.front.origin}/D/{LATE}?lang=vi#WRONG-23") as page:
        await expect(page.locator("#problem")).to_have_text(there.text("vi", "error.not_matched"))
