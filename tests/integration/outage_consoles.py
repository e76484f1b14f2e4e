"""The pages about work on paper behind the console's accounts, beside the desk's own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from aiohttp import ClientResponse, FormData
from aiohttp.test_utils import TestServer

from console import paths
from console.intake.desk import IntakeDesk
from console.outage.desk import OutageDesk, Whereabouts, at_block
from console.outage.files import LateFile, LateFiles
from console.outage.late import LatePages
from console.outage.numbers import NumberPages
from console.outage.reconciling import ReconcilePages
from console.routes import ConsoleRoute
from domain.calendar import LOCAL_ZONE, local_day
from domain.intake import IntakeDossier, NumberBlock
from domain.numbering import NumberPattern
from gateway.bootstrap.console_outage import meant
from intake.outage import IntakeLate
from intake.ports import IntakeSearch
from tests.contract.stores import StoreKit
from tests.integration.consoles import SAME, Browser, CountingHasher, get, one, post, texts
from tests.integration.intake_consoles import CONSENT, UNITS, Counter, IntakeConsole

PATTERNS = {name: NumberPattern(agency=name) for name in UNITS}
WHERE = Whereabouts(short_codes=("8100",), site="https://tracuu.example.gov.vn")
HEADS = (
    "Mã hồ sơ;Nhận lúc;Thủ tục;Người nộp;Điện thoại;Địa chỉ;Số CCCD;Giấy tờ nộp;Trích yếu;Đồng ý nhận tin;Người nhận"
)
MARITAL = "1.004873"


@dataclass
class OutageConsole(IntakeConsole):
    """Accounts, the desk, and work on paper."""

    files: LateFiles = field(init=False)

    def desk(self) -> IntakeDesk:
        late = IntakeLate(self.service.book, patterns=PATTERNS, clock=self.kit.clock)
        return replace(super().desk(), late=late)

    def routes(self) -> Iterable[ConsoleRoute]:
        desk = self.desk()
        late = desk.late
        assert late is not None
        outage = OutageDesk(desk=desk, late=late, where=WHERE, texts=texts())
        self.files = LateFiles(
            self.service,
            late,
            meant=lambda words, day: meant(desk, words, day),
            consent=CONSENT,
            ids=self.kit.new_id,
            clock=self.kit.clock,
        )
        yield from super().routes()
        yield from self.guarded((NumberPages(outage), LatePages(outage, self.files), ReconcilePages(outage)))


@dataclass
class Paper(Counter):
    """A counter in an outage."""

    console: OutageConsole

    # ---- codes

    async def reserve(self, browser: Browser, **changes: str) -> ClientResponse:
        """What the form sends, of today unless another day is named."""
        fields = {"agency": "H13.01", "day": self.today.isoformat(), "count": "5", **changes}
        fields.setdefault("id", one(r'name="id" value="(\d+)"', await (await get(browser, paths.NUMBERS)).text()))
        return await post(browser, paths.NUMBERS, fields)

    async def reserved(self, browser: Browser, **changes: str) -> NumberBlock:
        response = await self.reserve(browser, **changes)
        assert response.status == 303, await response.text()
        return (await self.blocks())[0]

    async def void(self, browser: Browser, block: int, serial: int, why: str = "rách") -> ClientResponse:
        return await post(browser, at_block(paths.NUMBERS_VOID, block), {"serial": str(serial), "why": why})

    async def blocks(self) -> Sequence[NumberBlock]:
        return await self.console.service.book.blocks(frozenset(UNITS), since=date(2020, 1, 1))

    @property
    def today(self) -> date:
        return local_day(self.console.kit.clock())

    # ---- files

    async def uploads(self, browser: Browser, content: bytes, name: str = "list.csv") -> ClientResponse:
        form = FormData({"nothing": "1"})
        form.add_field("file", content, filename=name, content_type="text/csv")
        return await browser.post(paths.LATE, data=form, headers=SAME, allow_redirects=False)

    def file(self, login: str) -> LateFile:
        found = self.console.files.of(self.accounts[login].officer.id)
        assert found is not None
        return found

    async def checked(self, browser: Browser, login: str, content: bytes, name: str = "list.csv") -> LateFile:
        """A file that was sent, once it is read."""
        response = await self.uploads(browser, content, name)
        assert response.status == 303, await response.text()
        found = self.file(login)
        await found.ended.wait()
        return found

    async def takes(self, browser: Browser, login: str, **changes: str) -> LateFile:
        """As the form on the page sends it, once it is done."""
        page = await (await get(browser, paths.LATE)).text()
        upload = one(r'name="upload" value="(\d+)"', page)
        response = await post(browser, paths.LATE_TAKE, {"upload": upload, **changes})
        assert response.status == 303, await response.text()
        found = self.file(login)
        await found.ended.wait()
        return found

    async def everything(self) -> Sequence[IntakeDossier]:
        return await self.console.service.book.listed(IntakeSearch(agencies=frozenset(UNITS)), limit=20_000)


def lines(*rows: str) -> bytes:
    """A file as a spreadsheet of ours saves it."""
    return "\n".join([HEADS, *rows, ""]).encode()


def row(code: str, at: datetime, **changes: str) -> str:
    """Somebody who asks for a certificate."""
    cells = {
        "code": code,
        "at": f"{at.astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M}",
        "procedure": MARITAL,
        "name": "Nguyễn Thị Bé",
        "phone": "0912 345 678",
        "address": "12 Hai Bà Trưng",
        "id_number": "094 123 456 789",
        "papers": "Tờ khai (1 chính)",
        "subject": "",
        "notify": "có",
        "received_by": "Trần Văn An",
        **changes,
    }
    return ";".join(f'"{cell}"' for cell in cells.values())


def table(content: bytes) -> Sequence[Mapping[str, str]]:
    """A CSV file of ours."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def shown_rows(page: str, caption: str) -> int:
    """Rows in the body of the table with this caption."""
    found: list[Any] = re.findall(rf'id="{caption}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    return str(found[0]).count("<tr") if found else 0


@asynccontextmanager
async def a_paper_desk(kit: StoreKit) -> AsyncIterator[Paper]:
    anything: Any = kit  # the console's tests know one kind
    store: Any = await kit.open()
    hasher = CountingHasher()
    console = OutageConsole(kit=anything, store=store, hasher=hasher)
    server = TestServer(console.app())
    await server.start_server()
    desk = Paper(console, server)
    try:
        yield desk
    finally:
        for browser in desk.browsers:
            await browser.session.close()
        await server.close()
        await console.files.close()
        await hasher.close()
        await kit.close()
