"""Officers at a counter who only have a keyboard, who stands before them, and the receipts they print."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import zxingcpp
from PIL import Image
from playwright.async_api import Locator, Page, expect

from console import paths
from demo.officers import DemoOfficer
from tests.browser.console_walking import Telephone
from tests.whole.gateways import SHORT_CODE

MOST_TABS: Final = 150  # stops of the longest page


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
