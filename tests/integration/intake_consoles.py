"""The desk behind the console's accounts, on a real store and a real folder for files."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, FormData
from aiohttp.test_utils import BaseTestServer, TestServer

from adapters.files.vault import FolderVault
from console import paths
from console.accounts.audit import Audit
from console.accounts.ports import Account
from console.accounts.sessions import Cookies, Who
from console.intake.arrivals import Arrivals
from console.intake.desk import FileLimits, IntakeDesk, at
from console.intake.files import DossierFiles
from console.intake.listing import ListPage
from console.intake.mails import MailPages
from console.intake.one import DossierPages
from console.intake.registering import RegisterPages
from console.page import Pages
from console.routes import ConsoleRoute
from console.shell import guarded
from domain.calendar import WorkCalendar, local_day
from domain.codes import DossierCode, read_codes
from domain.intake import IntakeDossier
from domain.numbering import NumberPattern
from domain.officers import OfficerRole
from domain.working_time import DeskHours
from intake.procedures import Procedures
from intake.service import IntakeService
from intake.uploads.inspecting import FileInspector, InspectionLimits
from tests.contract.stores import StoreKit
from tests.integration.consoles import AGENCIES, SAME, Browser, Console, CountingHasher, get, one, post, texts

ROOT = Path(__file__).parent.parent.parent
ASSETS = {
    "bootstrap.css": "/b.css",
    "console.css": "/c.css",
    "intake.css": "/i.css",
    "intake.js": "/i.js",
    "outage.js": "/o.js",
    "outage-sheets.css": "/o.css",
}
UNITS = {"H13.01": ("Phòng Hộ tịch", "Phòng Đất đai"), "H13.02": ()}
CONSENT = "Đồng ý nhận tin báo"
LIMITS = FileLimits(formats=("pdf", "png", "docx"), largest=100_000, most=3, most_bytes=200_000)
MARITAL = "1.004873"  # three working days, three papers; the fee is in words
FORM: Mapping[str, str] = {
    "agency": "H13.01",
    "words": "Cấp giấy xác nhận tình trạng hôn nhân",
    "procedure": MARITAL,
    "listed_for": MARITAL,
    "source": "counter",
    "name": "Nguyễn Thị Bé",
    "phone": "0912 345 678",
    "language": "vi",
    "sets": "1",
    "outcome": "accept",
    "paper_0_listed": "1",
    "paper_0_name": "Tờ khai",
    "paper_0_originals": "1",
    "paper_0_complete": "1",
    "paper_0_legal": "1",
    "paper_1_listed": "1",
    "paper_1_name": "Bản án ly hôn",
}
PATIENT = InspectionLimits(waiting=300.0, processor=120)


@cache
def the_pages() -> Pages:
    """Templates are compiled once for all tests."""
    return Pages(texts(), ASSETS)


@cache
def the_procedures() -> Procedures:
    return Procedures.from_mapping(tomllib.loads((ROOT / "config" / "procedures.toml").read_text(encoding="utf-8")))


@dataclass
class Announced:
    """Keeps whom look-up was told of."""

    codes: list[DossierCode] = field(default_factory=list)

    async def announce(self, codes: Sequence[DossierCode]) -> None:
        self.codes += codes


@dataclass
class IntakeConsole(Console):
    """Accounts and the desk."""

    announced: Announced = field(default_factory=Announced)

    def __post_init__(self) -> None:
        clock = self.kit.clock
        self.vault = FolderVault(self.kit.folder / "files", now=clock)
        self.service = IntakeService(
            self.store.intake(),
            procedures=the_procedures(),
            numbers={name: NumberPattern(agency=name) for name in UNITS},
            hours=DeskHours.of(("07:00-11:30", "13:30-17:00")),
            calendar=WorkCalendar(),
            announce=self.announced,
            new_id=self.kit.new_id,
            clock=clock,
        )

    def desk(self) -> IntakeDesk:
        clock, store = self.kit.clock, self.store
        return IntakeDesk(
            pages=the_pages(),
            service=self.service,
            vault=self.vault,
            inspector=FileInspector(PATIENT),
            audit=Audit(
                store.audit(), ids=self.kit.new_id, clock=clock, address_of=lambda request: str(request.remote)
            ),
            agencies=AGENCIES,
            units=UNITS,
            procedures=the_procedures(),
            known=tuple(the_procedures()),
            calendar=WorkCalendar(),
            read_code=lambda text: read_codes(text, today=local_day(clock())),
            limits=LIMITS,
            consent=CONSENT,
            supplement_days=15,
            ids=self.kit.new_id,
            clock=clock,
        )

    def guarded(self, slices: Iterable[Any]) -> Iterable[ConsoleRoute]:
        """Their routes, each behind its guard."""
        who = Who(
            self.store.sessions(),
            cookies=Cookies(secure=self.secure),
            limits=self.limits,
            agencies=AGENCIES,
            clock=self.kit.clock,
        )
        return guarded([route for each in slices for route in each.routes()], who, the_pages().refuse)

    def routes(self) -> Iterable[ConsoleRoute]:
        desk = self.desk()
        arrivals, register, dossier = Arrivals(desk), RegisterPages(desk), DossierPages(desk)
        slices = (
            ListPage(desk),
            register,
            MailPages(desk, register, arrivals),
            DossierFiles(desk, dossier, arrivals),
            dossier,
        )
        yield from super().routes()
        yield from self.guarded(slices)


@dataclass
class Counter:
    """A console that is served, and whoever works at it."""

    console: IntakeConsole
    server: BaseTestServer
    browsers: list[Browser] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)

    async def enters(self, login: str, *roles: OfficerRole, agency: str = "H13.01") -> Browser:
        """Somebody new, signed in."""
        self.accounts[login] = await self.console.officer(login, *(roles or (OfficerRole.INTAKE,)), agency=agency)
        browser = await self.console.browser(self.server)
        self.browsers.append(browser)
        assert (await self.console.sign_in(browser, login)).status == 303
        return browser

    async def form_id(self, browser: Browser) -> str:
        """Of a form as it is shown."""
        return one(r'name="id" value="(\d+)"', await (await get(browser, paths.INTAKE_NEW)).text())

    async def sends(self, browser: Browser, **changes: str) -> ClientResponse:
        """The form of a new dossier; a field that is changed to "" is not sent."""
        fields = {**FORM, **changes}
        fields.setdefault("id", await self.form_id(browser))
        sent = {name: value for name, value in fields.items() if value or name in ("name", "procedure")}
        return await post(browser, paths.INTAKE_NEW, sent)

    async def registered(self, browser: Browser, **changes: str) -> IntakeDossier:
        """As it is kept."""
        response = await self.sends(browser, **changes)
        assert response.status == 303, await response.text()
        return await self.kept(int(one(r"/ho-so/(\d+)", response.headers["Location"])))

    async def kept(self, identifier: int) -> IntakeDossier:
        found = await self.console.service.book.by_id(identifier)
        assert found is not None
        return found

    async def acts(self, browser: Browser, identifier: int, action: str, **fields: str) -> ClientResponse:
        """What the form of the page sends, of the version there is now unless another is named."""
        version = str((await self.kept(identifier)).version)
        return await post(browser, at(paths.INTAKE_ACT, identifier, action=action), {"version": version, **fields})

    async def puts(self, browser: Browser, path: str, *files: tuple[str, bytes], kind: str = "paper") -> ClientResponse:
        """Files, as a form sends them."""
        form = FormData({"kind": kind}, quote_fields=False)  # as browsers write names
        for name, content in files:
            form.add_field("file", content, filename=name, content_type="text/html")
        return await browser.post(path, data=form, headers=SAME, allow_redirects=False)

    def on_disk(self) -> list[Path]:
        """The files of the vault."""
        return [path for path in (self.console.kit.folder / "files").rglob("*") if path.is_file()]


@asynccontextmanager
async def a_counter(kit: StoreKit) -> AsyncIterator[Counter]:
    anything: Any = kit  # the console's tests know one kind
    store: Any = await kit.open()
    hasher = CountingHasher()
    console = IntakeConsole(kit=anything, store=store, hasher=hasher)
    server = TestServer(console.app())
    await server.start_server()
    counter = Counter(console, server)
    try:
        yield counter
    finally:
        for browser in counter.browsers:
            await browser.session.close()
        await server.close()
        await hasher.close()
        await kit.close()
