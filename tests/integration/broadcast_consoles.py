"""The pages of broadcasts behind the console's accounts, on a real store; a clock and turns that are told."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, FormData
from aiohttp.test_utils import BaseTestServer, TestServer

from adapters.memory.budgets import MemoryBudgets
from channels.sms.segments import plan
from console import paths
from console.accounts.audit import Audit
from console.accounts.doors import Doors
from console.accounts.ports import Account
from console.accounts.sessions import Cookies, Who
from console.broadcasts.actions import BroadcastActions
from console.broadcasts.counts import Counts
from console.broadcasts.desk import Desk, at
from console.broadcasts.estimates import Estimator, Rates
from console.broadcasts.file_pages import RecipientFiles
from console.broadcasts.imports import Imports
from console.broadcasts.pages import BroadcastPages
from console.broadcasts.ports import Broadcasts, Standing
from console.broadcasts.progress import BroadcastProgress
from console.broadcasts.trying import BroadcastTests, Origin
from console.page import Pages
from console.routes import ConsoleRoute
from console.shell import guarded
from domain.broadcast_fitness import Basis, Fitness
from domain.broadcast_texts import BroadcastWriter
from domain.broadcasts import BroadcastState
from domain.catalogue import Catalogue
from domain.message import Address
from domain.officers import OfficerRole
from domain.phones import is_mobile, significant_number
from tests.contract.broadcasting import dossier, person, reference
from tests.contract.stores import ACCOUNT, SHORT_CODE, SqliteKit
from tests.integration.consoles import (
    AGENCIES,
    SAME,
    Browser,
    Console,
    CountingHasher,
    get,
    one,
    patient_store,
    post,
    texts,
)
from tests.unit.speaking import shipped_texts

ASSETS = {"bootstrap.css": "/b.css", "console.css": "/c.css", "broadcasts.js": "/b.js"}
BASIS = Basis(agency="H13.01", words="Quyết định 40/2016/QĐ-UBND điều 5")
GOOD_FOR = timedelta(hours=24)
FITNESS = Fitness(agencies=AGENCIES, bases=(BASIS,), segments=lambda text: len(plan(text).parts), most_segments=4)
FORM: Mapping[str, str] = {
    "title": "Nghỉ lễ 30/4",
    "text_vi": "Hồ sơ {ma_ho_so}: cơ quan nghỉ ngày 30/4.",
    "kind": "followers",
    "agency": "H13.01",
    "canary": "100",
}
LIST_FORM: Mapping[str, str] = {**FORM, "kind": "file", "basis": BASIS.words, "text_vi": "Chào {ho_ten}"}
_R = OfficerRole


def normalise(typed: str) -> Address | None:
    digits = f"84{significant_number(typed)}"
    return Address("sms", digits) if is_mobile(digits) else None


async def origin_of(address: Address) -> Origin | None:
    return Origin(channel="sms", account=ACCOUNT, sender=SHORT_CODE) if address.scheme == "sms" else None


@cache
def the_pages() -> Pages:
    """Templates are compiled once for all tests."""
    return Pages(texts(), ASSETS)


@cache
def the_catalogue() -> Catalogue:
    return Catalogue.from_mapping(shipped_texts())


class Turns:
    """Waits until a test lets it go on."""

    def __init__(self) -> None:
        self._go: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self) -> None:
        await self._go.get()

    def on(self, times: int = 1) -> None:
        for _ in range(times):
            self._go.put_nowait(None)


@dataclass
class BroadcastConsole(Console):
    """Accounts and broadcasts."""

    turns: Turns = field(default_factory=Turns)
    tps: float = 50.0

    def __post_init__(self) -> None:
        self.broadcasts: Broadcasts = self.store.broadcasts(good_for=GOOD_FOR, fitness=FITNESS)
        self.imports = Imports(self.broadcasts, normalise=normalise, languages=("vi", "en", "km"), ids=self.kit.new_id)

    def routes(self) -> Iterable[ConsoleRoute]:
        clock, store = self.kit.clock, self.store
        pages = the_pages()
        audit = Audit(store.audit(), ids=self.kit.new_id, clock=clock, address_of=lambda request: str(request.remote))
        budgets = MemoryBudgets(lambda: clock().timestamp())
        doors = Doors(
            store.officers(), store.audit(), budgets=budgets, hasher=self.hasher, limits=self.limits, clock=clock
        )
        who = Who(
            store.sessions(), cookies=Cookies(secure=self.secure), limits=self.limits, agencies=AGENCIES, clock=clock
        )
        desk = Desk(
            pages=pages,
            broadcasts=self.broadcasts,
            audit=audit,
            log=store.audit(),
            agencies=AGENCIES,
            writer=BroadcastWriter(the_catalogue(), AGENCIES, lambda code, language: f"Thủ tục {code}"),
            bases=(BASIS,),
            languages=("vi", "en", "km"),
            canary=100,
            ids=self.kit.new_id,
            clock=clock,
        )
        rates = Rates(
            segments=lambda text: len(plan(text).parts),
            tps=lambda: self.tps,
            dong_per_segment=350,
            names=("TRACUU",),
            numbers=(SHORT_CODE.value,),
        )
        counts = Counts(self.broadcasts, clock=clock, day=lambda: None)
        one_page = BroadcastPages(desk, Estimator(counts=counts, rates=rates))
        slices = (
            one_page,
            RecipientFiles(desk, one_page, imports=self.imports),
            BroadcastTests(desk, one_page, normalise=normalise, origin_of=origin_of),
            BroadcastProgress(desk, still=who.still, turn=self.turns),
            BroadcastActions(desk, one_page, doors=doors),
        )
        yield from super().routes()
        yield from guarded([route for each in slices for route in each.routes()], who, pages.refuse)

    # ---- what there is

    async def follow(self, *numbers: int, agency: str = "H13.01") -> None:
        """One dossier each, followed by one person each."""
        await self.kit.put("dossier_seen", *(dossier(self.kit, number, agency=agency) for number in numbers))
        rows = (self.kit.following(reference(number), recipient=person(number).urn) for number in numbers)
        await self.kit.put("subscription", *rows)

    async def standing(self, identifier: int) -> Standing:
        found = await self.broadcasts.find(identifier, AGENCIES.scope("H13"))
        assert found is not None
        return found

    def force(self, identifier: int, state: BroadcastState, **columns: Any) -> None:
        """As if it had come so far."""
        cells = {"state": state.value, **columns}
        connection = sqlite3.connect(self.kit.path, timeout=30)
        with connection:
            names = ", ".join(f"{name} = ?" for name in cells)
            connection.execute(f"UPDATE broadcast SET {names} WHERE id = ?", (*cells.values(), identifier))
        connection.close()


@dataclass
class Office:
    """A console that is served, and whoever signs in to it."""

    console: BroadcastConsole
    server: BaseTestServer
    browsers: dict[str, Browser] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    async def enters(self, login: str, *roles: OfficerRole, agency: str = "H13.01") -> Browser:
        """Somebody new, signed in."""
        self.accounts[login] = await self.console.officer(login, *roles, agency=agency)
        return await self.opens(login)

    async def opens(self, login: str) -> Browser:
        """Another browser of somebody's, signed in."""
        browser = await self.console.browser(self.server)
        self.browsers[f"{login}-{len(self.browsers)}"] = browser
        assert (await self.console.sign_in(browser, login)).status == 303
        return browser

    async def drafted(self, browser: Browser, **changes: Any) -> int:
        """The broadcast somebody wrote."""
        page = await (await get(browser, paths.BROADCAST_NEW)).text()
        identifier = one(r'name="id" value="(\d+)"', page)
        made = await post(browser, paths.BROADCAST_NEW, {**FORM, "id": identifier, **changes})
        assert made.status == 303, await made.text()
        return int(identifier)

    async def act(self, browser: Browser, identifier: int, action: str, **fields: Any) -> ClientResponse:
        """What the form of the page sends, of the version there is now."""
        version = (await self.console.standing(identifier)).broadcast.version
        sent = {"version": str(version), **fields}
        return await post(browser, at(paths.BROADCAST_ACT, identifier, action), sent)

    async def submitted(self, browser: Browser, **changes: Any) -> int:
        identifier = await self.drafted(browser, **changes)
        assert (await self.act(browser, identifier, "submit")).status == 303
        return identifier

    async def approves(self, browser: Browser, identifier: int, **fields: str) -> ClientResponse:
        code = {} if "code" in fields else {"code": self.console.code()}
        return await self.act(browser, identifier, "approve", **code, **fields)

    async def sends(self, browser: Browser, identifier: int, content: bytes, name: str = "list.csv") -> ClientResponse:
        """A file, as its form sends it."""
        form = FormData({"nothing": "1"})
        form.add_field("file", content, filename=name, content_type="text/csv")
        address = at(paths.BROADCAST_FILE, identifier)
        return await browser.post(address, data=form, headers=SAME, allow_redirects=False)

    async def read(self, login: str, identifier: int) -> None:
        """Until the file that was sent last is read."""
        found = self.console.imports.of(identifier, self.accounts[login].officer.id)
        assert found is not None
        await found.ended.wait()


def said(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@asynccontextmanager
async def an_office(folder: Path) -> AsyncIterator[Office]:
    kit = SqliteKit(folder)
    hasher = CountingHasher()
    store = patient_store(kit)
    await store.open()
    console = BroadcastConsole(kit=kit, store=store, hasher=hasher)
    server = TestServer(console.app())
    await server.start_server()
    office = Office(console, server)
    try:
        yield office
    finally:
        for browser in office.browsers.values():
            await browser.session.close()
        await server.close()
        await console.imports.close()
        await hasher.close()
        await store.close()
