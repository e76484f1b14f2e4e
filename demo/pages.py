"""The demo's pages: an index of everything, a telephone to write with, and a desk that moves dossiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web

from channels.base import RouteDef
from demo.chat_pages import LARGEST_PICTURE, ChatPages
from demo.desk import Desk
from demo.handsets import Handsets
from demo.onestop import NEXT, DemoDossier
from demo.page_kit import HERE, Hint, Templates, as_json, read_body, stream
from domain.catalogue import Catalogue
from domain.reply_keys import STATE_KEYS
from gateway.http import make_app

LONGEST_TEXT = 1_600  # characters: more parts than a telephone of that age would send
PHONE_NUMBER = re.compile(r"[0-9]{3,15}", re.ASCII)
DESK_HINT = Hint(
    vi="Gửi DK và mã hồ sơ, rồi chuyển hồ sơ đó sang bước tiếp: máy sẽ rung.",
    en="Text DK and a code, then move that dossier: the handset buzzes.",
)
TYPES = {".css": "text/css", ".js": "text/javascript"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address of the running demo, as the index shows it."""

    url: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A text one need not type."""

    vi: str
    en: str
    text: str


NUMBERS = ("84912000101", "84912000102", "84912000103", "84912000104")
SAMPLES = (
    Sample(vi="Mã đúng", en="a clean code", text="000.00.18.H51-161220-0001"),
    Sample(vi="Nhận tin báo", en="follow it", text="DK 000.00.18.H51-161220-0001"),
    Sample(vi="Mã gõ vội", en="sloppily typed", text="cho hoi ho so h51 18 25O701 OOO4 toi dau roi"),
    Sample(vi="Thiếu giấy tờ", en="papers missing", text="H51.18-250701-0005"),
    Sample(vi="Mã không có", en="unknown", text="H51.18-250701-4321"),
    Sample(vi="Không có mã", en="no code in it", text="bao gio thi xong vay em oi"),
    Sample(vi="Trợ giúp", en="help", text="HELP"),
)


class SendBody(msgspec.Struct, frozen=True):
    number: str
    text: str


class AdvanceBody(msgspec.Struct, frozen=True):
    code: str


class DeskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A dossier on the desk; `next` is the state its button leads to, empty where there is none."""

    code: str
    status: int | None
    name: str
    vi: str
    en: str
    agency: str
    due_on: str
    note: str
    next: str
    deleted: bool


class DemoPages:
    """The routes of the demo listener. `chat`: those of the chat, where there is one."""

    def __init__(
        self,
        *,
        handsets: Handsets,
        desk: Desk,
        catalogue: Catalogue,
        short_code: str,
        links: Sequence[Link] = (),
        chat: ChatPages | None = None,
    ) -> None:
        self._handsets = handsets
        self._desk = desk
        self._catalogue = catalogue
        self._short_code = short_code
        self._links = tuple(links)
        self._chat = chat
        self._templates = Templates(with_chat=chat is not None)
        self._files = {path.name: path.read_bytes() for path in (HERE / "static").iterdir() if path.suffix in TYPES}

    def routes(self) -> list[RouteDef]:
        """What the demo listener serves."""
        table = (
            ("GET", "/", self._index, "Everything there is, with its address."),
            ("GET", "/handset", self._handset, "A telephone, and the desk beside it."),
            ("GET", "/desk", self._desk_page, "The desk alone."),
            ("GET", "/static/{name}", self._static, "Style and script."),
            ("GET", "/events", self._events, "What the telephones send and get, as server-sent events."),
            ("POST", "/messages", self._send, "A telephone sends a text: {number, text}."),
            ("GET", "/dossiers", self._dossiers, "The dossiers on the desk."),
            ("POST", "/dossiers", self._advance, "A dossier takes its next step: {code}."),
        )
        own = [
            RouteDef(method=method, path=path, handler=handler, summary=text) for method, path, handler, text in table
        ]
        return own if self._chat is None else [*own, *self._chat.routes(self._templates)]

    def let_go(self) -> None:
        """End every stream: the demo ends."""
        self._handsets.close()
        if self._chat is not None:
            self._chat.let_go()

    # ---- pages

    async def _index(self, _: web.Request) -> web.Response:
        return self._templates.page("index.html", links=self._links, short_code=self._short_code)

    async def _handset(self, _: web.Request) -> web.Response:
        return self._workplace(title="Điện thoại", with_handset=True)

    async def _desk_page(self, _: web.Request) -> web.Response:
        return self._workplace(title="Một cửa", with_handset=False)

    def _workplace(self, *, title: str, with_handset: bool) -> web.Response:
        return self._templates.page(
            "workplace.html",
            title=title,
            desk_hint=DESK_HINT,
            with_handset=with_handset,
            short_code=self._short_code,
            numbers=NUMBERS,
            samples=SAMPLES,
            longest=LONGEST_TEXT,
        )

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        return web.Response(
            body=self._files[name],
            content_type=TYPES[Path(name).suffix],
            charset="utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    # ---- the telephones

    async def _send(self, request: web.Request) -> web.Response:
        body = await read_body(request, SendBody)
        if not PHONE_NUMBER.fullmatch(body.number) or not 0 < len(body.text) <= LONGEST_TEXT:
            raise web.HTTPUnprocessableEntity(text="a number of 3 to 15 digits and a text of 1 to 1,600 characters")
        try:
            await self._handsets.send(body.number, body.text)
        except ValueError as error:
            raise web.HTTPUnprocessableEntity(text="this text cannot be written as an SMS") from error
        return web.Response(status=202)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await stream(request, self._handsets.follow)

    # ---- the desk

    async def _dossiers(self, _: web.Request) -> web.Response:
        rows = [self._row(dossier) for dossier in await self._desk.dossiers()]
        return as_json(rows)

    async def _advance(self, request: web.Request) -> web.Response:
        body = await read_body(request, AdvanceBody)
        if await self._desk.advance(body.code) is None:
            raise web.HTTPConflict(text="this dossier stays where it is")
        return await self._dossiers(request)

    def _row(self, dossier: DemoDossier) -> DeskRow:
        following = None if dossier.status is None or dossier.deleted else NEXT.get(dossier.status)
        return DeskRow(
            code=dossier.code,
            status=None if dossier.status is None else int(dossier.status),
            name=STATE_KEYS[dossier.status],
            vi=self._state("vi", STATE_KEYS[dossier.status]),
            en=self._state("en", STATE_KEYS[dossier.status]),
            agency=dossier.agency,
            due_on="" if dossier.due_at is None else self._catalogue.day("vi", dossier.due_at.date()),
            note=dossier.note,
            next="" if following is None else self._state("vi", STATE_KEYS[following]),
            deleted=dossier.deleted,
        )

    def _state(self, language: str, name: str) -> str:
        return self._catalogue.text(language, f"web.state.{name}")


def demo_app(pages: DemoPages) -> web.Application:
    """The application for the demo listener; streams end when it shuts down."""

    async def let_go(_: web.Application) -> None:
        pages.let_go()

    app = make_app(pages.routes(), max_body_bytes=LARGEST_PICTURE)
    app.on_shutdown.append(let_go)
    return app
