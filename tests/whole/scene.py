"""A whole gateway and an agency's site that carries its widget, each on an origin of its own, and a browser between them.

The gateway is a process with the guards as shipped, behind a proxy; its one-stop systems, its SMSC and the key of the
site are as an operator would have them.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from playwright.async_api import Browser, Page

from channels.web.snippets import Place, policies, snippets
from channels.web.widget_files import WidgetFiles
from demo import onestop
from demo.agency import with_lines
from demo.process import GatewayProcess, free_ports
from demo.smsc import Smsc, SmscOptions
from domain.calendar import local_day
from domain.catalogue import Catalogue
from gateway.bootstrap import add_site, migrate, read_words
from gateway.configuration import load_settings
from tests.browser.agency_page import AgencySite
from tests.browser.browsing import PATIENCE_MS, chromium, page_with, serving
from tests.whole.front import LOOPBACK, Front
from tests.whole.gateways import LOG, ROOT, SHORT_CODE, STORE

HOST: Final = "agency.test"  # on http and not on the loopback by its name: browsers offer it no crypto.subtle
BOT: Final = "TraCuuMauBot"
NOTHING: Final[Mapping[str, Sequence[str]]] = {"default-src": ("'none'",)}  # the site's own policy
DESK: Final = {"width": 900, "height": 760}
ADDED: Final = re.compile(r"site (ts_\w+) is added")

CONFIG: Final = """
[listen]
public = {{ host = "127.0.0.1", port = 0 }}

[web]
base_url = "{front}"
trusted_proxies = ["127.0.0.0/8"]

[database]
url = "sqlite:///{directory}/{store}"

[replies]
help_phone = "02993 000000"

[lookup]
fresh_s = 0.2
not_found_s = 0.2

[disclosure]
proof_key = "of the tests and of nobody else"

[notices] # tests run at night, too
quiet_from = "00:00"
quiet_until = "00:00"

[[sources]]
name = "hoso"
url = "sqlite+aiosqlite:///{directory}/{hoso}"
mapping = "{root}/config/onestop/thanhhoa.toml"
timeout_s = 3.0
attempts = 1
breaker_pause_s = 0.2

[[sources]]
name = "dossier"
url = "sqlite+aiosqlite:///{directory}/{dossier}"
mapping = "{root}/config/onestop/opencps.toml"
watch = {{ poll_s = 0.2 }}

[[sms]]
name = "demo"
host = "127.0.0.1"
port = {smsc}
system_id = "demo"
password = "demo"
short_code = "{short_code}"
reconnect_first = 0.1

[[telegram]] # another process would hold the bot: this one has no role for it
name = "bot"
token = "123456:of_nobody"
username = "{bot}"

[logs]
level = "info"
format = "json"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who takes part. `site` is the agency's origin, `named` the same under a name; `key` is its key, and `closing`
    another one, for a test to revoke.
    """

    directory: Path
    gateway: GatewayProcess
    front: Front
    smsc: Smsc
    browser: Browser
    agency: AgencySite
    site: str
    key: str
    closing: str
    told: str  # what `tracuu site add` printed
    catalogue: Catalogue

    @property
    def named(self) -> str:
        return self.site.replace(LOOPBACK, HOST)

    @property
    def foreign(self) -> str:
        """The same server as an origin that no key knows."""
        return self.site.replace(LOOPBACK, "localhost")

    def place(self, language: str = "vi", **changes: Any) -> Place:
        """What snippets for the agency are made from."""
        released = WidgetFiles()
        place = Place(
            gateway=self.front.origin,
            key=self.key,
            language=language,
            version=released.newest,
            integrity=released.integrity(released.newest),
            title=self.catalogue.text(language, "web.integrate.link_words"),
            picture=self.catalogue.text(language, "web.integrate.picture_words"),
        )
        return replace(place, **changes)

    def put(self, snippet: str, lines: Sequence[str] | None = None) -> None:
        """On the agency's page, under its policy with these lines added; those of the widget unless given."""
        lines = policies(self.front.origin)["tags"] if lines is None else lines
        self.agency.put("/", snippet, with_lines(NOTHING, lines))

    @asynccontextmanager
    async def page(
        self, snippet: str = "", *, lines: Sequence[str] | None = None, at: str = "", **options: Any
    ) -> AsyncIterator[Page]:
        """The agency's page with this snippet, opened by somebody who was never there; the usual snippet unless given.
        `at`: an address instead. Nothing may be left behind in the browser, or said on its console.
        """
        self.front.somebody_else()
        self.put(snippet or snippets(self.place())["tags"], lines)
        async with page_with(self.browser, **{"viewport": DESK, **options}) as page:
            page.set_default_timeout(PATIENCE_MS)
            await page.goto(at or self.site)
            yield page
            assert await page.context.cookies() == []
            assert (await page.context.storage_state(indexed_db=True))["origins"] == []
            if options.get("java_script_enabled", True):
                assert await page.evaluate("() => localStorage.length + sessionStorage.length") == 0

    async def asks(self, code: str, language: str = "vi", key: str = "") -> Mapping[str, Any]:
        """What the API answers the site, with `http`: its status. Nobody else's question is charged for it."""
        self.front.somebody_else()
        url = f"{self.front.origin}/api/v1/dossiers/{code}"
        query = {"site": key or self.key, "lang": language}
        async with (
            aiohttp.ClientSession() as http,
            http.get(url, params=query, headers={"Origin": self.site}) as answer,
        ):
            found: dict[str, Any] = await answer.json(content_type=None)
            return {**found, "http": answer.status}

    async def texts_to(self, number: str, count: int) -> Sequence[str]:
        """The first so many messages that this telephone got, once they are there."""

        def heard() -> list[str]:
            return [each.text for each in self.smsc.replies if each.destination.removeprefix("+") == number]

        async with asyncio.timeout(120):
            await self.smsc.until(lambda: len(heard()) >= count)
        return heard()

    async def operator(self, *words: str) -> str:
        """What the command says."""
        return await _operator(self.gateway.config, *words)

    def text(self, language: str, key: str) -> str:
        return self.catalogue.text(language, f"web.{key}")


@asynccontextmanager
async def scene(directory: Path) -> AsyncIterator[Scene]:
    """Everything, running."""
    agency = AgencySite()
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(Front().serving())
        smsc = await stack.enter_async_context(Smsc(SmscOptions()))
        site = await stack.enter_async_context(serving(agency.app()))
        gateway = _gateway(directory, front, smsc)
        (told, closing), browser = await asyncio.gather(
            _registered(gateway.config, (site, site.replace(LOOPBACK, HOST))),
            stack.enter_async_context(chromium(f"--host-resolver-rules=MAP {HOST} {LOOPBACK}")),
        )
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        await smsc.bound()
        found = ADDED.search(told)
        assert found is not None, told
        yield Scene(
            directory=directory,
            gateway=gateway,
            front=front,
            smsc=smsc,
            browser=browser,
            agency=agency,
            site=site,
            key=found[1],
            closing=closing,
            told=told,
            catalogue=read_words(load_settings(gateway.config)).catalogue,
        )


def _gateway(directory: Path, front: Front, smsc: Smsc) -> GatewayProcess:
    onestop.seed(directory, local_day(datetime.now(UTC)))
    config = directory / "gateway.toml"
    files = {"store": STORE, "hoso": onestop.HOSO_FILE, "dossier": onestop.DOSSIER_FILE}
    text = CONFIG.format(
        directory=directory,
        root=ROOT,
        front=front.origin,
        smsc=smsc.port,
        short_code=SHORT_CODE,
        bot=BOT,
        **files,
    )
    config.write_text(text, encoding="utf-8")
    public, operations = free_ports(2)
    front.behind = f"http://{LOOPBACK}:{public}"
    return GatewayProcess(
        config=config,
        public_port=public,
        operations_port=operations,
        log=directory / LOG,
        arguments=("--roles", "sms,web,watch,delivery"),
    )


async def _registered(config: Path, origins: Sequence[str]) -> tuple[str, str]:
    """What the operator read who gave the site a key; and another key of it."""
    settings = load_settings(config)
    await migrate(settings)
    closing = await add_site(settings, name="Trang sắp đóng", agency="", origins=origins)
    told = await _operator(
        config,
        *("site", "add", "--agency", "H51.18"),
        *(word for origin in origins for word in ("--origin", origin)),
        "Sở Tài nguyên và Môi trường",
    )
    return told, closing.site.key


async def _operator(config: Path, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", *words, "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
