"""Officers before the console of a whole gateway: who they are, what they hold in their hands, and what they look at.

The gateway is a process as an operator starts it, bound to a simulated SMSC; each officer has a browser context, a
password and a telephone that shows codes.
"""

from __future__ import annotations

import asyncio
import csv
import io
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, ViewportSize, expect

from console.accounts.totp import STEP_S, code_of
from demo.officers import OFFICERS, DemoOfficer, add_officers
from demo.process import GatewayProcess, free_ports
from demo.smsc import MoTicket, Reply, Smsc, SmscOptions
from domain.officers import OfficerRole
from gateway.bootstrap import migrate
from gateway.configuration import load_settings
from tests.browser.browsing import PATIENCE_MS, axe, chromium, page_with, shot
from tests.whole.gateways import ROOT, SHORT_CODE, Account, make_gateway

BASIS: Final = "Quyết định 40/2016/QĐ-UBND, Điều 5 khoản 7"
INCIDENT: Final = "84912345678"  # gets what an operator reports
SETTINGS: Final = f"""
[console]
secure_cookies = false
incident_recipients = ["sms:{INCIDENT}"]

[[console.legal_bases]]
agency = "H13"
words = "{BASIS}"
"""
WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=360, height=740)
AUTHOR, APPROVER, OPERATOR = OFFICERS
LOOKS = 5  # with axe, which takes its time
INSPECTOR, ADMINISTRATOR = (
    DemoOfficer(
        login=login,
        name=name,
        agency="H13",
        roles=frozenset({role}),
        password=f"cau nay chi de thu {login}",
        secret=f"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PX{last}",
    )
    for login, name, role, last in (
        ("kiem.tra", "Phạm Kiểm Tra", OfficerRole.INSPECTOR, "D"),
        ("quan.tri", "Đỗ Thị Quản Trị", OfficerRole.AGENCY_ADMIN, "E"),
    )
)


class Telephone:
    """Shows an officer's codes. Each opens once, so that whoever needs another one in the same half minute takes the
    next, and waits where that is too far ahead.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._last = 0

    async def code(self) -> str:
        wanted = max(self._last + 1, int(time.time()) // STEP_S)
        await asyncio.sleep(max(0.0, (wanted - 1) * STEP_S - time.time()))
        self._last = wanted
        return code_of(self._secret, wanted)


@dataclass(slots=True, kw_only=True)
class Walker:
    """An officer who looks at pages."""

    page: Page
    address: str
    officer: DemoOfficer
    telephone: Telephone
    seen: list[str] = field(default_factory=list)

    async def sign_in(self) -> None:
        """With a password and a code, as the page asks for them."""
        await self.page.goto(self.address)
        await self.signs_in(await self.telephone.code())
        await expect(self.page.get_by_role("link", name=self.officer.name)).to_be_visible()

    async def signs_in(self, code: str) -> None:
        """What the form sends."""
        await self.page.get_by_label("Tên đăng nhập").fill(self.officer.login)
        await self.page.get_by_label("Mật khẩu").fill(self.officer.password)
        await self.page.get_by_label("Mã xác thực").fill(code)
        await self.press("Đăng nhập")

    async def go(self, path: str) -> None:
        await self.page.goto(self.address + path)

    async def press(self, name: str) -> None:
        """The only button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def follow(self, name: str) -> None:
        """The first link of this name."""
        await self.page.get_by_role("link", name=name, exact=True).first.click()

    async def is_told(self, words: str) -> None:
        """What the page says was done."""
        await expect(self.page.get_by_role("status").filter(has_text=words).first).to_be_visible()

    async def look(self, name: str, *, in_dialog: bool = False) -> None:
        """Nothing stands in anybody's way on this page, on a desk and on a telephone; and two pictures of it."""
        for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
            await self.page.set_viewport_size(viewport)
            wrong = await settled(self.page)
            assert not wrong, (name, size, wrong)
            assert in_dialog or await self.page.get_by_role("heading", level=1).count() == 1, name
            assert await fits(self.page), (name, size)
            await shot(self.page, f"walk-{name}-{size}")
        await self.page.set_viewport_size(WIDE)
        self.seen.append(name)

    async def offers(self, *names: str) -> set[str]:
        """Which of these buttons the page has."""
        return {name for name in names if await self.page.get_by_role("button", name=name, exact=True).count()}

    async def downloads(self, name: str) -> Sequence[Sequence[str]]:
        """The rows of the CSV file behind a link, the heads first."""
        async with self.page.expect_download() as under_way:
            await self.follow(name)
        path = await (await under_way.value).path()
        text = await asyncio.to_thread(Path(path).read_text, "utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline="")))

    async def sends(self, path: str, fields: dict[str, str] | None = None) -> int:
        """A form from a page of ours that no page offers; the status it gets."""
        answered: int = await self.page.evaluate(
            "async ([path, fields]) => (await fetch(path, {method: 'POST', body: new URLSearchParams(fields)})).status",
            [path, fields or {}],
        )
        return answered


async def settled(page: Page) -> Sequence[str]:
    """What axe finds once the page stands still: a figure that is rewritten just then is looked at again."""
    found: Sequence[str] = ()
    for _ in range(LOOKS):
        found = await axe(page)
        if not found:
            break
    return found


async def fits(page: Page) -> bool:
    """Nothing makes the page itself wider than the screen."""
    wide: bool = await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return wide


@dataclass(slots=True, kw_only=True)
class Handsets:
    """All telephones there are: what each was sent, in the order it came."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    messages: int = 0

    def ring(self, reply: Reply, _ticket: MoTicket | None) -> None:
        """What the SMSC calls."""
        self.texts.setdefault(reply.destination.removeprefix("+"), []).append(reply.text)
        self.messages += 1

    def often(self) -> Counter[str]:
        """How many messages each got."""
        return Counter({number: len(texts) for number, texts in self.texts.items()})


@dataclass(slots=True, kw_only=True)
class Office:
    """Everything, running."""

    directory: Path
    gateway: GatewayProcess
    smsc: Smsc
    handsets: Handsets
    browser: Browser
    telephones: dict[str, Telephone] = field(default_factory=dict)

    @asynccontextmanager
    async def walker(self, officer: DemoOfficer, *, allowed: Sequence[str] = ()) -> AsyncIterator[Walker]:
        """Somebody signed in, in a browser of their own, whose console stays empty but for the lines `allowed`."""
        telephone = self.telephones.setdefault(officer.login, Telephone(officer.secret))
        async with page_with(self.browser, allowed=allowed, viewport=WIDE, locale="vi", accept_downloads=True) as page:
            page.set_default_timeout(PATIENCE_MS)
            walker = Walker(page=page, address=self.gateway.staff, officer=officer, telephone=telephone)
            await walker.sign_in()
            yield walker

    async def hears(self, number: str, text: str) -> str:
        """Somebody's text message; what comes back."""
        ticket = await self.smsc.send_mo(number, SHORT_CODE, text)
        async with asyncio.timeout(PATIENCE_MS / 1_000):
            return (await ticket.reply()).text

    async def heard(self, number: str, messages: int) -> Sequence[str]:
        """The texts of a telephone, once there are so many."""
        async with asyncio.timeout(PATIENCE_MS / 1_000):
            await self.smsc.until(lambda: len(self.handsets.texts.get(number, ())) >= messages)
        return self.handsets.texts[number]

    async def command(self, *words: str) -> str:
        """What `tracuu` says on the server."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.cli", *words, "--config", str(self.gateway.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    async def have_left(self, messages: int) -> None:
        """Until the SMSC has taken so many, from the beginning."""
        async with asyncio.timeout(2 * PATIENCE_MS / 1_000):
            await self.smsc.until(lambda: self.handsets.messages >= messages)


@asynccontextmanager
async def an_office(directory: Path, *, rate: int) -> AsyncIterator[Office]:
    """Five officers who can sign in; `rate`: segments a second that the SMSC agreed to."""
    handsets = Handsets()
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(Smsc(SmscOptions(record=False, window=200), on_reply=handsets.ring))
        more = {"window": "100", "rate": str(rate), "reconnect_first": "0.1"}
        gateway = make_gateway(directory, Account(port=smsc.port, more=more))
        gateway.config.write_text(gateway.config.read_text("utf-8") + SETTINGS, encoding="utf-8")
        (gateway.staff_port,) = free_ports(1)
        settings = load_settings(gateway.config)
        await migrate(settings)
        await add_officers(settings, (*OFFICERS, INSPECTOR, ADMINISTRATOR))
        browser = await stack.enter_async_context(chromium())
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        await smsc.bound()
        yield Office(directory=directory, gateway=gateway, smsc=smsc, handsets=handsets, browser=browser)


def broadcast_at(page: Page) -> str:
    """The path of the broadcast whose page this is, or a page of it."""
    path = page.url.split("//", 1)[1].split("/", 1)[1].split("?")[0]
    return "/".join(["", *path.split("/")[:2]])
