"""The chat's page: a telephone with the emulated Telegram on it, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from channels.base import RouteDef
from demo.bot_api import USERNAME, QueueFull
from demo.chat import PEOPLE, Chats
from demo.page_kit import Hint, Templates, as_json, from_our_page, read_body, stream
from demo.receipts import RECEIPTS, Receipt

LONGEST_TEXT = 4_096  # characters of a message, as Telegram has it
LARGEST_PICTURE = 5 * 1024 * 1024  # bytes
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
FORMATS = {  # how a file begins, and what it is; no other is ever served
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
DESK_HINT = Hint(
    vi="Bấm nút báo tin dưới một câu trả lời, rồi chuyển hồ sơ đó sang bước tiếp: tin báo tự đến.",
    en="Press the follow button under an answer, then move that dossier: a notice comes by itself.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSample:
    """A text one need not type."""

    vi: str
    en: str
    text: str


CHAT_SAMPLES = (
    ChatSample(vi="Mã đúng", en="a clean code", text="H51.29.18-250701-0001"),
    ChatSample(vi="Mã gõ vội", en="sloppily typed", text="cho hoi ho so h51 18 25O701 OOO4 toi dau roi"),
    ChatSample(vi="Số biên nhận cũ", en="an old receipt number", text="12345/2016/00123"),
    ChatSample(vi="Không có mã", en="no code in it", text="bao giờ thì xong vậy em ơi"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A language to choose, and the word that chooses it."""

    word: str
    name: str
    language: str


LANGUAGES = (
    Choice(word="VI", name="Tiếng Việt", language="vi"),
    Choice(word="EN", name="English", language="en"),
    Choice(word="KM", name="ខ្មែរ", language="km"),
)


class TextBody(msgspec.Struct, frozen=True):
    person: int
    text: str


class PressBody(msgspec.Struct, frozen=True):
    person: int
    message: int
    data: str


class PersonBody(msgspec.Struct, frozen=True):
    person: int


class ReceiptBody(msgspec.Struct, frozen=True):
    person: int
    name: str


class ChatPages:
    """The routes of the chat. `photographs`: the ready-made ones, by the names of `receipts`."""

    def __init__(self, chats: Chats, photographs: Mapping[str, bytes], receipts: Sequence[Receipt] = RECEIPTS) -> None:
        self._chats = chats
        self._photographs = photographs
        self._receipts = receipts

    def routes(self, templates: Templates) -> list[RouteDef]:
        """What the demo listener serves of it."""

        async def page(_: web.Request) -> web.Response:
            return self._page(templates)

        table = (
            ("GET", "/chat", page, "A chat, and the desk beside it."),
            ("GET", "/chat/events", self._events, "What is said in the chats, as server-sent events."),
            ("GET", "/chat/receipts/{name}", self._receipt, "A ready-made photograph."),
            ("GET", "/chat/pictures/{number}", self._picture, "A picture that somebody sent."),
            ("POST", "/chat/messages", self._say, "Somebody sends a text: {person, text}."),
            ("POST", "/chat/presses", self._press, "Somebody presses a button: {person, message, data}."),
            ("POST", "/chat/numbers", self._share, "Somebody shares their own number: {person}."),
            ("POST", "/chat/receipts", self._show_receipt, "Somebody sends a ready-made photograph: {person, name}."),
            ("POST", "/chat/pictures/{person}", self._show, "Somebody sends a picture: its bytes."),
        )
        return [
            RouteDef(method=method, path=path, handler=handler, summary=text) for method, path, handler, text in table
        ]

    def let_go(self) -> None:
        """End every stream: the demo ends."""
        self._chats.log.close()

    def _page(self, templates: Templates) -> web.Response:
        return templates.page(
            "chat.html",
            desk_hint=DESK_HINT,
            people=PEOPLE,
            languages=LANGUAGES,
            samples=CHAT_SAMPLES,
            receipts=self._receipts,
            username=USERNAME,
            longest=LONGEST_TEXT,
            largest=LARGEST_PICTURE,
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await stream(request, self._chats.log.follow)

    # ---- pictures

    async def _receipt(self, request: web.Request) -> web.Response:
        return _as_picture(self._photographs.get(request.match_info["name"]))

    async def _picture(self, request: web.Request) -> web.Response:
        return _as_picture(self._chats.picture(_number(request.match_info["number"])))

    # ---- what a person does

    async def _say(self, request: web.Request) -> web.Response:
        body = await read_body(request, TextBody)
        if not body.text.strip() or len(body.text) > LONGEST_TEXT:
            raise web.HTTPUnprocessableEntity(text="a text of 1 to 4,096 characters")
        return await _done(lambda: self._chats.say(body.person, body.text))

    async def _press(self, request: web.Request) -> web.Response:
        body = await read_body(request, PressBody)
        return await _done(lambda: self._chats.press(body.person, body.message, body.data))

    async def _share(self, request: web.Request) -> web.Response:
        body = await read_body(request, PersonBody)
        return await _done(lambda: self._chats.share_number(body.person))

    async def _show_receipt(self, request: web.Request) -> web.Response:
        body = await read_body(request, ReceiptBody)
        return await _done(lambda: self._chats.show(body.person, self._photographs[body.name]))

    async def _show(self, request: web.Request) -> web.Response:
        """A file. Another site's page cannot send one as an image unasked, as with JSON."""
        if not request.content_type.startswith("image/") or not from_our_page(request):
            raise web.HTTPForbidden(text="a picture from this very page only")
        data = await request.read()
        if _format(data) is None:
            raise web.HTTPUnsupportedMediaType(text="a JPEG, PNG, GIF or WebP")
        person = _number(request.match_info["person"])
        return await _done(lambda: self._chats.show(person, data))


async def _done(act: Callable[[], Awaitable[int]]) -> web.Response:
    """Do it; 202 with the event's number."""
    try:
        number = await act()
    except LookupError as error:
        raise web.HTTPConflict(text="there is no such person, button or photograph") from error
    except QueueFull as error:
        raise web.HTTPServiceUnavailable(text="the gateway fetches nothing") from error
    answer = as_json({"id": number})
    answer.set_status(web.HTTPAccepted.status_code)
    return answer


def _number(text: str) -> int:
    """Out of an address; 0, which nothing has, if it is none."""
    return int(text) if NUMBER.fullmatch(text) else 0


def _as_picture(data: bytes | None) -> web.Response:
    content_type = None if data is None else _format(data)
    if content_type is None:
        raise web.HTTPNotFound
    return web.Response(body=data, content_type=content_type)


def _format(data: bytes) -> str | None:
    return next((kind for beginning, kind in FORMATS.items() if data.startswith(beginning)), None)
