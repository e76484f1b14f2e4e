"""Citizens who file online, by the forms of the pages and nothing else; their codes are read where the gateway keeps them."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.whole.gateways import STORE
from tests.whole.public_listener import Public

AGENCY: Final = "H51.18"
PROCEDURE: Final = "1.001193"
SETTINGS: Final = """
[intake]
files = "{files}"
{more}

[[intake.agencies]]
agency = "{agency}"

[[intake.agencies]]
agency = "H51.19"
online = false
"""
_PIN: Final = re.compile(r"^(\d{6}) ")
_NUMBERS: Final = itertools.count(1)


def settings_with(files: Path, more: str = "") -> str:
    """An agency that takes filings online, and one that does not."""
    return SETTINGS.format(files=files, more=more, agency=AGENCY)


def kept_files(folder: Path) -> list[Path]:
    """Every file in the vault's folder, half ones too."""
    return [each for each in folder.rglob("*") if each.is_file()] if folder.exists() else []


@dataclass(slots=True)
class Page:
    """An answer, read."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def plain(self) -> str:
        return unescape(self.text)


@dataclass(slots=True)
class Citizen:
    """Somebody at an address of their own, with a telephone of their own. `token`: of their link, once there is one."""

    public: Public
    number: int = field(default_factory=lambda: next(_NUMBERS))
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def phone(self) -> str:
        return f"09120{self.number:05}"

    @property
    def path(self) -> str:
        return f"/ho-so/{self.token}"

    async def ask(self, method: str, path: str, **options: Any) -> Page:
        address = f"203.{self.number // 250}.{self.number % 250}.7"
        headers = {"X-Forwarded-For": address, "Accept": "text/html", **self.headers, **options.pop("headers", {})}
        async with self.public.ask(method, path, headers=headers, **options) as answer:
            body = await answer.read()
            return Page(answer.status, body.decode("utf-8", "replace"), answer.headers)

    async def get(self, path: str = "", **options: Any) -> Page:
        return await self.ask("GET", path if path.startswith("/") else self.path + (path and f"/{path}"), **options)

    async def post(self, path: str, fields: Mapping[str, str], **options: Any) -> Page:
        where = path if path.startswith("/") else self.path + (path and f"/{path}")
        return await self.ask("POST", where, data=fields, **options)

    async def begin(self, agency: str = AGENCY, procedure: str = PROCEDURE, **options: Any) -> Page:
        page = await self.post(f"/nop-ho-so/{procedure}", {"agency": agency}, **options)
        if page.status == 303:
            self.token = page.headers["Location"].removeprefix("/ho-so/").partition("?")[0]
        return page

    def form(self, **changes: str) -> dict[str, str]:
        whole = {"name": "Nguyễn Thị Bé", "phone": self.phone, "language": "vi", "then": "next"}
        return {**whole, **changes}

    async def fill(self, **changes: str) -> Page:
        return await self.post("", self.form(**changes))

    async def upload(self, content: bytes, name: str = "đơn.pdf", paper: str = "0", path: str = "giay-to") -> Page:
        form = aiohttp.FormData(quote_fields=False)  # as browsers write names
        form.add_field("paper", paper)
        form.add_field("file", content, filename=name, content_type="application/pdf")
        return await self.ask("POST", f"{self.path}/{path}", data=form)

    def codes(self) -> list[str]:
        """The codes sent to this telephone, the last one last; those that must not leave are told apart by nobody."""
        return codes_to(self.public.directory, f"sms:84{self.phone[1:]}")

    async def prove(self) -> Page:
        await self.post("so-dien-thoai", {})
        return await self.post("ma-xac-nhan", {"pin": self.codes()[-1]})

    async def send(self, **fields: str) -> Page:
        return await self.post("gui", {"declared": "1", **fields})

    async def file(self, **changes: str) -> Page:
        """All of it; the page of the dossier."""
        assert (await self.begin()).status == 303
        assert (await self.fill(**changes)).status == 303
        assert (await self.prove()).status == 303
        sent = await self.send()
        assert sent.status == 303, sent.plain
        return await self.get()


def codes_to(directory: Path, recipient: str) -> list[str]:
    """Read out of the outbox."""
    with closing(sqlite3.connect(directory / STORE)) as store:
        rows = store.execute("SELECT text FROM outbox WHERE recipient = ? ORDER BY id", (recipient,)).fetchall()
    return [found[1] for (text,) in rows if (found := _PIN.match(text))]
