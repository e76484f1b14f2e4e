"""A ward's counter in the morning, and everybody who asks.

The gateway is a process as an operator starts it, bound to a simulated SMSC and to a Bot API that strangers wrote; each
officer has a browser context of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, ViewportSize

from channels.web.snippets import Place, policies, snippets
from channels.web.widget_files import WidgetFiles
from demo import bot_api as demo_api
from demo.agency import with_lines
from demo.officers import DESK, DESK_AGENCY, DemoOfficer, add_officers
from demo.process import GatewayProcess, free_ports
from demo.smsc import Smsc, SmscOptions
from gateway.bootstrap import add_site, migrate
from gateway.configuration import load_settings
from tests.browser.agency_page import AgencySite
from tests.browser.browsing import PATIENCE_MS, chromium, page_with, serving
from tests.browser.console_walking import Handsets
from tests.browser.counter_desk import DeskOfficer, Keyboard
from tests.peers.bot_api import TOKEN, USERNAME
from tests.whole.chat import BotTalker, HeldBotApi
from tests.whole.gateways import SHORT_CODE, Account, make_gateway

WIDE = ViewportSize(width=1280, height=900)
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
