"""A ward's counter in the morning: officers who only have a keyboard, receipts as they are printed, and everybody who asks.

The gateway is a process as an operator starts it, bound to a simulated SMSC and to a Bot API that strangers wrote; each
officer has a browser context of their own.
"""

from __future__ import annotations

import asyncio
import io
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from channels.web.snippets import Place, policies, snippets
from channels.web.widget_files import WidgetFiles
from console import paths
from demo import bot_api as demo_api
from demo.agency import with_lines
from demo.officers import DESK, DESK_AGENCY, DemoOfficer, add_officers
from demo.process import GatewayProcess, free_ports
from demo.smsc import Smsc, SmscOptions
from gateway.bootstrap import add_site, migrate
from gateway.configuration import load_settings
from tests.browser.agency_page import AgencySite
from tests.browser.browsing import PATIENCE_MS, chromium, page_with, serving
from tests.browser.console_walking import Handsets, Telephone
from tests.peers.bot_api import TOKEN, USERNAME
from tests.whole.chat import BotTalker, HeldBotApi
from tests.whole.gateways import SHORT_CODE, Account, make_gateway

WIDE = ViewportSize(width=1280, height=900)
MOST_TABS: Final = 150  # stops of the longest page
SETTINGS: Final = """
[console]
secure_cookies = false

[intake]
files = "{directory}/files"

[[intake.agencies]]
agency = "{agency}"
units = ["Tư pháp - Hộ tịch", "Văn hóa - Xã hội"]

[[telegram]]
name = "bot"
token = "{token}"
username = "{username}"
base_url = "{api}/bot"
base_file_url = "{api}/file/bot"
rate = 0
per_chat = 0
poll_timeout = 1
reconnect_first = 0.1
"""
AT_ONCE: Final = {  # at any hour, as many as there are, and nobody is told what was true a minute ago
    "TRACUU_DISCLOSURE__PROOF_KEY": "of the tests and of nobody else",
    "TRACUU_NOTICES__PER_DAY": "1000000",
    "TRACUU_NOTICES__HOLD_SHARE": "1.0",
    "TRACUU_LOOKUP__FRESH_S": "0.05",
    "TRACUU_LOOKUP__NOT_FOUND_S": "0.05",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who stands at the counter, and what for. `words`: what an officer types to find the procedure."""

    words: str
    procedure: str
    name: str
    phone: str
    id_number: str
    address: str
    consents: bool

    @property
    def number(self) -> str:
        """As an SMSC writes it."""
        return f"84{self.phone[1:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A receipt as its holder has it. `ask`, `more`: what it says may be texted; `keys`: pressed until it was printed."""

    applicant: Applicant
    picture: bytes
    qr: str
    code: str
    ask: str
    more: str
    text: str
    keys: int


# ---- a keyboard


def keys_of(text: str) -> int:
    """Keys of a text typed in Telex: a mark is one more, as are a stroke through a D and Shift."""
    apart = unicodedata.normalize("NFD", text)
    return sum(1 + (sign in "đĐ") + sign.isupper() for sign in apart)


@dataclass(slots=True, kw_only=True)
class Keyboard:
    """All an officer has. `keys`: pressed so far."""

    page: Page
    keys: int = 0

    async def types(self, text: str) -> None:
        await self.page.keyboard.type(text)
        self.keys += keys_of(text)

    async def presses(self, *names: str) -> None:
        """One after the other; "Control+Enter" are two keys."""
        for name in names:
            await self.page.keyboard.press(name)
            self.keys += 1 + name.count("+")

    async def fills(self, *lines: str) -> None:
        """Each into the field where the keyboard is, then on to the next."""
        for line in lines:
            await self.types(line)
            await self.presses("Enter")

    async def reaches(self, target: Locator) -> None:
        """Tab, until this has the focus."""
        await expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if await target.evaluate("each => each === document.activeElement"):
                return
            await self.presses("Tab")
        raise AssertionError(f"no Tab leads to {target}")

    async def enters(self, target: Locator) -> None:
        """What a click would do."""
        await self.reaches(target)
        await self.presses("Enter")


# ---- an officer


@dataclass(slots=True, kw_only=True)
class DeskOfficer:
    """One who was signed in by keyboard."""

    keyboard: Keyboard
    address: str

    @property
    def page(self) -> Page:
        return self.keyboard.page

    async def signs_in(self, who: DemoOfficer) -> None:
        keyboard, page = self.keyboard, self.page
        await page.goto(self.address)
        await keyboard.reaches(page.get_by_label("Tên đăng nhập"))
        await keyboard.types(who.login)
        await keyboard.presses("Tab")
        await keyboard.types(who.password)
        await keyboard.presses("Tab")
        await keyboard.types(await Telephone(who.secret).code())
        await keyboard.presses("Enter")
        await expect(page.get_by_role("link", name=who.name)).to_be_visible()

    async def opens_the_desk(self) -> None:
        await self.keyboard.enters(self.page.locator(f"nav a[href='{paths.INTAKE}']").first)
        await expect(self.page.locator("#new")).to_be_visible()

    async def begins(self) -> None:
        """From the list to the first form."""
        await self.keyboard.enters(self.page.locator("#new"))
        await expect(self.page).to_have_url(self.address + paths.INTAKE_NEW)

    async def registers(self, applicant: Applicant) -> Printed:
        """From an empty form to the printer; the next empty form is there then."""
        page, keyboard = self.page, self.keyboard
        before = keyboard.keys
        await expect(page.locator("#words")).to_be_focused()
        await keyboard.types(applicant.words)
        await expect(page.get_by_role("option").first).to_contain_text(applicant.procedure)
        await keyboard.presses("Enter")
        await expect(page.locator("#facts-box")).to_be_visible()  # the papers are read out, and come with it
        await keyboard.presses("Enter")
        await expect(page.get_by_label("Họ và tên người nộp")).to_be_focused()
        await keyboard.fills(applicant.name, applicant.phone, applicant.id_number, applicant.address, "", "")
        await keyboard.presses(*(["Space"] if applicant.consents else []), "Enter", "Enter")
        await keyboard.presses("Space", "Enter", "Space")  # complete, legal
        await expect(page.locator("#all_legal")).to_be_checked()
        await keyboard.presses("Control+Enter")
        await expect(page).to_have_url(re.compile(r"/ho-so/\d+/bien-nhan$"))
        await expect(page.get_by_role("button", name="In (Enter)")).to_be_focused()
        await keyboard.presses("Enter")
        assert await page.evaluate("window.printed") == 1
        printed = await self._paper(applicant, keyboard.keys - before)
        await keyboard.presses("Tab", "Enter")
        await expect(page).to_have_url(self.address + paths.INTAKE_NEW)
        return printed

    async def _paper(self, applicant: Applicant, keys: int) -> Printed:
        """What is on it, for eyes and for a telephone."""
        picture = await self.page.screenshot(full_page=True, animations="disabled")
        ask, number, more, *_ = await self.page.locator("main .typed").all_inner_texts()
        assert number == SHORT_CODE
        return Printed(
            applicant=applicant,
            picture=picture,
            qr=decoded(picture),
            code=(await self.page.locator("main dd.code").inner_text()).strip(),
            ask=ask,
            more=more,
            text=await self.page.locator("main").inner_text(),
            keys=keys,
        )

    async def opens(self, code: str) -> None:
        """A dossier: the search of the list leads to it at once by its whole code."""
        await self.opens_the_desk()
        await self.keyboard.reaches(self.page.locator("#tim"))
        await self.keyboard.types(code)
        await self.keyboard.presses("Enter")
        await expect(self.page.get_by_role("heading", level=1)).to_contain_text(code)

    async def unfolds(self, act: str) -> Locator:
        """The form of an act."""
        whole = self.page.locator(f"#act-{act}")
        await self.keyboard.enters(whole.locator("summary"))
        return whole

    async def does(self, act: Locator, state: str) -> None:
        """Send its form; what the dossier's state is called then."""
        await self.keyboard.enters(act.get_by_role("button"))
        await expect(self.page.locator("#state")).to_have_text(state)


def decoded(picture: bytes) -> str:
    """The only QR code of a picture, as a telephone reads it."""
    [found] = zxingcpp.read_barcodes(
        Image.open(io.BytesIO(picture)), formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    )
    return found.text


# ---- everybody


@dataclass(slots=True, kw_only=True)
class Counter:
    """Everything, running. `key`: of the agency's site, which is at `site`."""

    directory: Path
    gateway: GatewayProcess
    smsc: Smsc
    handsets: Handsets
    bot: HeldBotApi
    browser: Browser
    agency: AgencySite
    site: str
    key: str
    answered: dict[str, int] = field(default_factory=dict)  # replies to each handset

    @asynccontextmanager
    async def officer(self, who: DemoOfficer) -> AsyncIterator[DeskOfficer]:
        """Signed in, before the list."""
        async with page_with(self.browser, viewport=WIDE, locale="vi") as page:
            page.set_default_timeout(PATIENCE_MS)
            await page.add_init_script("window.print = () => { window.printed = (window.printed || 0) + 1; }")
            officer = DeskOfficer(keyboard=Keyboard(page=page), address=self.gateway.staff)
            await officer.signs_in(who)
            await officer.opens_the_desk()
            yield officer

    @asynccontextmanager
    async def citizen(self) -> AsyncIterator[Page]:
        async with page_with(self.browser, viewport=WIDE, locale="vi") as page:
            page.set_default_timeout(PATIENCE_MS)
            yield page

    async def hears(self, number: str, text: str) -> str:
        """Somebody's text message; what comes back."""
        ticket = await self.smsc.send_mo(number, SHORT_CODE, text)
        self.answered[number] = self.answered.get(number, 0) + 1
        async with asyncio.timeout(PATIENCE_MS / 1_000):
            return (await ticket.reply()).text

    def unasked(self, number: str) -> int:
        """How many messages came to a handset without a question."""
        return len(self.handsets.texts.get(number, ())) - self.answered.get(number, 0)

    async def shows_the_bot(self, person: int, picture: bytes) -> str:
        """What the bot says to a photograph."""
        return (await BotTalker(self.bot, person).shows(picture)).text

    def put_widget(self) -> str:
        """On the agency's page, under a policy that allows it and nothing else; its address."""
        released = WidgetFiles()
        place = Place(
            gateway=self.gateway.public,
            key=self.key,
            language="vi",
            version=released.newest,
            integrity=released.integrity(released.newest),
            title="Tra cứu hồ sơ",
            picture="Tra cứu hồ sơ",
        )
        rules = with_lines({"default-src": ("'none'",)}, policies(self.gateway.public)["tags"])
        return self.site + self.agency.put("/", snippets(place)["tags"], rules)


@asynccontextmanager
async def a_counter(directory: Path) -> AsyncIterator[Counter]:
    """A ward without a system of its own, and all who ask; at the end the gateway leaves politely."""
    handsets, bot, agency = Handsets(), HeldBotApi(), AgencySite()
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(Smsc(SmscOptions(window=200), on_reply=handsets.ring))
        await stack.enter_async_context(demo_api.serving(bot))
        site = await stack.enter_async_context(serving(agency.app()))
        gateway = make_gateway(directory, Account(port=smsc.port))
        gateway.settings = {**AT_ONCE, "TRACUU_WEB__BASE_URL": gateway.public}
        (gateway.staff_port,) = free_ports(1)
        more = SETTINGS.format(
            directory=directory,
            agency=DESK_AGENCY,
            token=TOKEN,
            username=USERNAME,
            api=f"http://127.0.0.1:{bot.port}",
        )
        gateway.config.write_text(gateway.config.read_text("utf-8") + more, encoding="utf-8")
        settings = load_settings(gateway.config)
        await migrate(settings)
        await add_officers(settings, DESK)
        added = await add_site(settings, name="UBND phường Phú Lợi", agency=DESK_AGENCY, origins=(site,))
        browser = await stack.enter_async_context(chromium())
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        await smsc.bound()
        yield Counter(
            directory=directory,
            gateway=gateway,
            smsc=smsc,
            handsets=handsets,
            bot=bot,
            browser=browser,
            agency=agency,
            site=site,
            key=added.site.key,
        )
        assert await gateway.stop() == 0


# ---- who comes

# What is typed, and the procedure that is meant by it.
ASKED: Final[Sequence[tuple[str, str]]] = (
    ("dk khai sinh", "Đăng ký khai sinh"),
    ("dk ket hon", "Đăng ký kết hôn"),
    ("khai tu", "Đăng ký khai tử"),
    ("tinh trang hon", "Cấp giấy xác nhận tình trạng hôn nhân"),
    ("chu ky", "Chứng thực chữ ký"),
)
NAMES: Final = (
    "Nguyễn Thị Bé Ba",
    "Trần Văn Phước",
    "Lý Thị Sà Vên",
    "Thạch Hoàng Dũng",
    "Phạm Nguyễn Quỳnh Hương",
    "Lê Út",
)
STREETS: Final = (
    "125/4 đường Trần Hưng Đạo, khóm 3, phường Phú Lợi",
    "Ấp 3, xã Phú Lộc",
    "57 Nguyễn Văn Linh, khóm 8, phường Phú Lợi",
)
SILENT: Final = 3  # every so many does not want to be told


def applicants(count: int) -> Iterator[Applicant]:
    """Everybody for something else than the one before."""
    for place in range(count):
        words, procedure = ASKED[place % len(ASKED)]
        yield Applicant(
            words=words,
            procedure=procedure,
            name=NAMES[place % len(NAMES)],
            phone=f"09123{place:05}",
            id_number=f"0941990{place:05}",
            address=STREETS[place % len(STREETS)],
            consents=place % SILENT != SILENT - 1,
        )
