"""A test of a draft to the author's own telephone or chat: so many a day, marked as a test, each in the audit log."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web

from console import paths
from console.broadcasts.desk import Desk
from console.broadcasts.pages import BroadcastPages
from console.broadcasts.ports import TESTED, PreviewRow, Standing
from console.broadcasts.recipients import Normalise
from console.forms import Fault, one_line, read_form
from console.routes import ConsoleRoute
from console.signed import signed
from domain.message import Address, Category, OutboundMessage
from domain.officers import Right

LONGEST_TO: Final = 40
GOOD_FOR: Final = timedelta(hours=1)
TOLD: Final = 3  # last signs of the address that the audit log keeps
# What a chat calls a person; a telephone number is read like any other.
CHATS: Final[Mapping[str, re.Pattern[str]]] = {
    "telegram": re.compile(r"-?[0-9]{1,20}"),
    "zalo": re.compile(r"[0-9]{1,32}"),
}
MARK: Final = "(TIN THU) "  # a test that goes astray tells its reader so; nothing of it needs more than seven bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """From where a message to somebody leaves."""

    channel: str
    account: str
    sender: Address


OriginOf = Callable[[Address], Awaitable[Origin | None]]


class BroadcastTests:
    """Sends them. `normalise` makes an address of a telephone number; `origin_of` says by which account an address is
    written to, None: by none.
    """

    __slots__ = ("_desk", "_normalise", "_origin_of", "_pages")

    def __init__(self, desk: Desk, pages: BroadcastPages, *, normalise: Normalise, origin_of: OriginOf) -> None:
        self._desk = desk
        self._pages = pages
        self._normalise = normalise
        self._origin_of = origin_of

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_TEST,
            needs=Right.BROADCASTS_WRITE,
            handler=self.send,
            summary="a test to an address of the author's own",
        )

    async def send(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        standing = await self._desk.one(request)
        if standing is None:
            return self._desk.missing(request)
        address = self._address(fields)
        origin = await self._origin_of(address) if address else None
        if address is None or origin is None:
            fault = "no_channel" if address else "bad_address"
            return await self._refused(request, standing, fault)
        text = await self._text(standing, fields.get("language", ""), signed(request).scope)
        if not text:
            return await self._refused(request, standing, "no_text")
        now, broadcast = self._desk.clock(), standing.broadcast
        message = OutboundMessage(
            id=self._desk.ids(),
            channel=origin.channel,
            account=origin.account,
            category=Category.BROADCAST,
            recipient=address,
            sender=origin.sender,
            text=text,
            created_at=now,
            expires_at=now + GOOD_FOR,
        )
        to = f"{address.scheme} …{address.value[-TOLD:]}"
        # The same form sent twice is told by its number: it sends one.
        noted = self._desk.noted(
            request, TESTED, broadcast.id, to=to, form=str(self._desk.form_id(fields.get("id", "")))
        )
        officer, scope = signed(request).officer, signed(request).scope
        acted = await self._desk.broadcasts.test(broadcast.id, message, officer, scope, noted)
        return await self._pages.told(request, acted, "tested")

    def _address(self, fields: Mapping[str, str]) -> Address | None:
        """What was typed, as the channel chosen calls it."""
        scheme, typed = fields.get("by", ""), one_line(fields, "to", LONGEST_TO)
        if scheme == "sms":
            return self._normalise(typed)
        chat = CHATS.get(scheme)
        return Address(scheme, typed) if chat is not None and chat.fullmatch(typed) else None

    async def _text(self, standing: Standing, language: str, scope: frozenset[str]) -> str:
        """As the first of those it is meant for would read it."""
        broadcast = standing.broadcast
        rows = await self._desk.broadcasts.preview(broadcast.audience, scope, identifier=broadcast.id, limit=1)
        row = rows[0] if rows else PreviewRow(recipient="", channel="sms", language=None)
        return MARK + self._desk.text_for(standing, row, language) if language in broadcast.texts else ""

    async def _refused(self, request: web.Request, standing: Standing, name: str) -> web.Response:
        fault = Fault("to", self._desk.words(request, "broadcast_fault")[name])
        return await self._pages.page(request, standing, faults=[fault])
