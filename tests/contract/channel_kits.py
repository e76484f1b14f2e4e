"""Every way of talking with the other side of it, for the suite of channels.base.Channel.

A kit is a channel, somebody real or simulated at its other end, and a hand on both. What a new channel needs to be
judged by the suite is one more kit here; docs/adding-a-channel.md says how.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import aiohttp

from channels.base import Arrival, Channel, ReportArrival, Settlement
from channels.sms import commands as c
from channels.sms.account import BindMode, SmppAccount, SmppBind
from channels.sms.channel import SmsChannel
from channels.telegram.account import TelegramAccount, UpdatesBy
from channels.telegram.channel import TelegramChannel
from channels.telegram.webhook import path_of
from channels.web import api
from channels.zalo.account import ZaloAccount
from channels.zalo.channel import ZaloChannel
from demo.smsc import Smsc
from demo.smsc_faults import Fault as SmscFault
from demo.smsc_options import SmscOptions
from demo.zalo import ZaloPlatform
from domain.errors import StoreUnavailable
from domain.message import Address, Button, Category, OutboundMessage
from domain.questions import Answer, Asked, Question
from gateway.http import HttpListener, make_app, public_routes
from tests.peers.bot_api import TOKEN, Fault, bot_api
from tests.peers.telegram_shapes import message, pressed
from tests.peers.zalo_token_file import FileTokens
from tests.servers.faulty_proxy import FaultyProxy, Manner, faulty_proxy
from tests.unit.asking_the_web import Behind, listener

PATIENCE = 60.0  # seconds a test waits for what must happen
RESPONSE_TIMEOUT = 30.0  # seconds; then the outcome of what was sent is unknown
SECRET = "a-secret_of-nobody"
VENDORS_BLOCKED = 0x404  # what this SMSC says of a person who wants nothing from us


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in, as far as every way of talking has it. `identity`: the channel's own id, or the hash in its place."""

    text: str
    sender: Address
    identity: str


@dataclass
class Gate:
    """The gateway's side: an inlet that settles as it is told, DURABLE where it is told nothing."""

    refusals: int = 0  # the next so many are refused
    holding: bool = False  # what comes is settled by `release`
    heard: list[Heard] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    acknowledged: list[bool] = field(default_factory=list)
    held: list[Callable[[Settlement], bool]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def arrive(self, arrival: Arrival) -> None:
        told = arrival.message
        self.ids.append(told.id)
        self.hear(Heard(told.text, told.sender, told.external_id or told.identity or ""), arrival.settle)

    def report(self, arrival: ReportArrival) -> None:
        asyncio.get_running_loop().call_soon(arrival.settle, Settlement.DURABLE)

    def session_ended(self, session: str) -> None:
        """Nothing of ours depends on it."""

    def hear(self, heard: Heard, settle: Callable[[Settlement], bool]) -> None:
        self.heard.append(heard)
        self.came.set()
        if self.holding:
            self.held.append(settle)
            return
        verdict = Settlement.REFUSED if self.refusals else Settlement.DURABLE
        self.refusals -= verdict is Settlement.REFUSED
        asyncio.get_running_loop().call_soon(lambda: self.acknowledged.append(settle(verdict)))

    def release(self) -> None:
        self.holding = False
        held, self.held = self.held, []
        self.acknowledged += [settle(Settlement.DURABLE) for settle in held]


class Kit(ABC):
    """One way of talking. `says` is what a person at the other end does: it returns when the other side was told that
    the message was taken, however often it had to be handed in.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gate = Gate()
        self.stack = AsyncExitStack()
        self.secrets: tuple[str, ...] = ()  # what no log line may hold

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def says(self, text: str) -> None: ...

    async def close(self) -> None:
        await self.stack.aclose()


class ChannelKit(Kit):
    """One that is a `channels.base.Channel`, running, with a proxy before its other side."""

    has_buttons: ClassVar[bool] = True
    run_ends: ClassVar[bool] = True  # after a drain; else it is cancelled
    person: ClassVar[str]
    other: ClassVar[str]  # another person

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.channel: Channel
        self.proxy: FaultyProxy
        self.running: asyncio.Task[None]
        self._numbers = itertools.count(1)
        self.new_id = itertools.count(1_000).__next__

    async def open(self) -> None:
        await self.connect()
        self.run()
        await self.until(lambda: self.channel.ready)
        self.stack.push_async_callback(self.stop)

    @abstractmethod
    async def connect(self) -> None:
        """Start the other side and make `channel`, which does not run yet."""

    def run(self) -> None:
        self.running = asyncio.create_task(self.channel.run(self.gate))

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a property of the channel tells no event
                await asyncio.sleep(0.002)

    async def proxied(self, port: int) -> int:
        """The port of a proxy before this one."""
        self.proxy = await self.stack.enter_async_context(faulty_proxy(port))
        return self.proxy.port

    def silent(self) -> AbstractAsyncContextManager[None]:
        """Within the block the other side hears us, and its answers do not come."""
        return self.proxy.being(Manner.HANGING)

    async def writes_first(self) -> None:
        """Some platforms let us write only to who wrote to us."""
        for person in (self.person, self.other):
            await self.says_as(person, "xin chao")
        self.gate.heard.clear()

    async def says(self, text: str) -> None:
        await self.says_as(self.person, text)

    @abstractmethod
    async def says_as(self, person: str, text: str) -> None: ...

    @abstractmethod
    async def presses(self, label: str) -> None:
        """The button under the last message to the person."""

    @abstractmethod
    def address(self, person: str) -> Address: ...

    @abstractmethod
    def got(self, person: str) -> Sequence[str]:
        """The texts this person received, in order."""

    @abstractmethod
    def block(self, person: str) -> None:
        """This person wants nothing from us any more."""

    @abstractmethod
    def throttle(self) -> None:
        """The next message is too much for now."""

    @abstractmethod
    def refuse(self) -> None:
        """The next message will never be taken."""

    def outbound(self, text: str, *buttons: Button, person: str = "") -> OutboundMessage:
        recipient = self.address(person or self.person)
        now = datetime.now(UTC)
        return OutboundMessage(
            id=next(self._numbers),
            channel=self.channel.name,
            account=self.channel.account,
            category=Category.REPLY,
            recipient=recipient,
            sender=self.address(self.person),
            text=text,
            created_at=now,
            expires_at=now + timedelta(hours=1),
            buttons=(buttons,) if buttons else (),
        )


class SmsKit(ChannelKit):
    """SMPP against the simulated SMSC."""

    name = "sms"
    has_buttons = False
    person = "84912345678"
    other = "84987654321"
    binds: ClassVar[Sequence[SmppBind]] = ()

    async def connect(self) -> None:
        options = SmscOptions(system_id="gateway", password="sesame", retry_after=0.01)
        self.smsc = await self.stack.enter_async_context(Smsc(options))
        account = SmppAccount(
            name="viettel",
            host="127.0.0.1",
            port=await self.proxied(self.smsc.port),
            system_id="gateway",
            password="sesame",
            short_code="8088",
            rate=0.0,
            throttle_pause=0.02,
            response_timeout=RESPONSE_TIMEOUT,
            stopped_statuses=frozenset({VENDORS_BLOCKED}),
            temporary_statuses=frozenset({c.RX_T_APPN}),
            binds=self.binds,
        )
        self.channel = SmsChannel(account, new_id=self.new_id, clock=lambda: datetime.now(UTC))
        self.secrets = (self.person, self.person[2:], "sesame")

    async def says_as(self, person: str, text: str) -> None:
        ticket = await self.smsc.send_mo(person, "8088", text)
        async with asyncio.timeout(PATIENCE):
            assert await ticket.acked == c.ROK

    async def presses(self, label: str) -> None:
        raise AssertionError("an SMS has no buttons")

    def address(self, person: str) -> Address:
        return Address("sms", person)

    def got(self, person: str) -> Sequence[str]:
        return [reply.text for reply in self.smsc.replies if reply.destination == person]

    def block(self, person: str) -> None:
        self.smsc.dice.arm(SmscFault.VENDOR_ERROR, 1)

    def throttle(self) -> None:
        # What is too much for the whole account the channel keeps and sends again itself; this is about the one message.
        self.smsc.dice.arm(SmscFault.RECEIVER_ERROR, 1)

    def refuse(self) -> None:
        self.smsc.dice.arm(SmscFault.SUBMIT_FAILED, 1)


class SmsPairKit(SmsKit):
    """The same over two connections: one for what leaves, one for what comes in."""

    name = "sms by a pair of binds"
    binds = (
        SmppBind(name="tx", mode=BindMode.TRANSMITTER),
        SmppBind(name="rx", mode=BindMode.RECEIVER),
    )

    async def open(self) -> None:
        await super().open()
        await self.smsc.bound(len(self.binds))


class TelegramKit(ChannelKit):
    """The Bot API that strangers wrote, by polling."""

    name = "telegram by polling"
    person = "5001"
    other = "5002"
    updates: ClassVar = UpdatesBy.POLLING

    async def connect(self) -> None:
        self.api = await self.stack.enter_async_context(bot_api())
        port = await self.proxied(self.api.port)
        url = ""
        if self.updates is UpdatesBy.WEBHOOK:
            url = await self._listen()
        account = TelegramAccount(
            name="bot",
            token=TOKEN,
            updates=self.updates,
            webhook_url=url,
            webhook_secret=SECRET,
            base_url=f"http://127.0.0.1:{port}/bot",
            base_file_url=f"http://127.0.0.1:{port}/file/bot",
            rate=0.0,
            per_chat=0.0,
            per_group=0.0,
            connect_timeout=RESPONSE_TIMEOUT,
            response_timeout=RESPONSE_TIMEOUT,
            reconnect_first=0.01,
        )
        self.channel = TelegramChannel(
            account, new_id=self.new_id, clock=lambda: datetime.now(UTC), sleep=lambda _: asyncio.sleep(0.001)
        )
        self.secrets = (self.person, TOKEN, TOKEN.partition(":")[2], SECRET)

    async def _listen(self) -> str:
        """Where Telegram calls; the channel that is called is made once this address is known."""

        async def handle(request: Any) -> Any:
            return await next(iter(self.channel.routes())).handler(request)

        probe = TelegramAccount(
            name="bot", token=TOKEN, updates=UpdatesBy.WEBHOOK, webhook_url="http://x/", webhook_secret=SECRET
        )
        (route,) = TelegramChannel(probe, new_id=self.new_id, clock=lambda: datetime.now(UTC)).routes()
        told = type(route)(method=route.method, path=route.path, handler=handle, summary=route.summary)
        public = HttpListener("public", make_app([told]), "127.0.0.1", 0)
        await public.start()
        self.stack.push_async_callback(public.close)
        return f"http://127.0.0.1:{public.bound_port}{path_of('bot')}"

    async def says_as(self, person: str, text: str) -> None:
        chat = {"id": int(person), "type": "private", "first_name": "An"}
        sender = {"id": int(person), "is_bot": False, "first_name": "An"}
        await self._happens(message=message(text, chat=chat, **{"from": sender}))

    async def presses(self, label: str) -> None:
        markup = self.api.of("sendMessage")[-1]["reply_markup"]
        markup = json.loads(markup) if isinstance(markup, str) else markup
        buttons = {each["text"]: each["callback_data"] for row in markup["inline_keyboard"] for each in row}
        await self._happens(callback_query=pressed(buttons[label]))

    async def _happens(self, **update: Any) -> None:
        await self.api.update(**update)
        async with asyncio.timeout(PATIENCE):
            while self.api.pending:
                await (self.api.deliver() if self.updates is UpdatesBy.WEBHOOK else asyncio.sleep(0.002))

    def address(self, person: str) -> Address:
        return Address("telegram", person)

    def got(self, person: str) -> Sequence[str]:
        return [text for chat, text in self.api.sent if chat == int(person)]

    def block(self, person: str) -> None:
        self.api.fail("sendMessage", Fault(403, "Forbidden: bot was blocked by the user", chat=int(person)))

    def throttle(self) -> None:
        self.api.fail("sendMessage", Fault(429, "Too Many Requests: retry after 3", {"retry_after": 3}))

    def refuse(self) -> None:
        self.api.fail("sendMessage", Fault(400, "Bad Request: chat not found"))


class TelegramWebhookKit(TelegramKit):
    """The same, where it calls us."""

    name = "telegram by webhook"
    updates: ClassVar = UpdatesBy.WEBHOOK


class ZaloKit(ChannelKit):
    """The simulated platform of Official Accounts."""

    name = "zalo"
    run_ends = False
    person = "8234567890123450001"
    other = "8234567890123450002"

    async def connect(self) -> None:
        self.platform = await self.stack.enter_async_context(ZaloPlatform(repeats=(0.01,) * 5).serving())
        origin = f"http://127.0.0.1:{await self.proxied(int(self.platform.origin.rpartition(':')[2]))}"
        account = ZaloAccount(
            name="so-tu-phap",
            app_id=self.platform.app_id,
            oa_id=self.platform.oa_id,
            oa_secret=self.platform.oa_secret,
            app_secret=self.platform.app_secret,
            refresh_token=self.platform.authorise(),
            api_url=origin,
            oauth_url=origin,
            rate=1_000.0,
            per_user=1_000.0,
            throttle_pause=0.02,
            timeout=RESPONSE_TIMEOUT,
        )
        self.secrets = (self.person, self.platform.oa_secret, self.platform.app_secret, self.platform.refresh_token)
        self.channel = ZaloChannel(
            account,
            tokens=FileTokens(self.folder / "tokens.json"),
            new_id=self.new_id,
            clock=lambda: datetime.now(UTC),
        )
        public = HttpListener("public", make_app(public_routes(self.channel.routes())), "127.0.0.1", 0)
        await public.start()
        self.stack.push_async_callback(public.close)
        self.platform.webhook = f"http://127.0.0.1:{public.bound_port}/hooks/zalo/so-tu-phap"

    async def says_as(self, person: str, text: str) -> None:
        assert (await self.platform.person(person).say(text))[-1] == HTTPStatus.OK

    async def presses(self, label: str) -> None:
        assert (await self.platform.person(self.person).press(label))[-1] == HTTPStatus.OK

    def address(self, person: str) -> Address:
        return Address("zalo", f"{self.platform.oa_id}.{person}")

    def got(self, person: str) -> Sequence[str]:
        return [letter.text for letter in self.platform.person(person).letters]

    def block(self, person: str) -> None:
        self.platform.person(person).blocked = True

    def throttle(self) -> None:
        self.platform.faults.codes.append(-32)

    def refuse(self) -> None:
        self.platform.faults.codes.append(-201)


class Questions(Behind):
    """Who answers the web, settling as the gate does."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    async def ask(self, questions: Sequence[Question]) -> Sequence[Asked[Answer]]:
        for question in questions:
            taken: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()

            def settle(settlement: Settlement, taken: asyncio.Future[Settlement] = taken) -> bool:
                taken.set_result(settlement)
                return True

            self._gate.hear(Heard(question.text, question.asker, question.text), settle)
            if await taken is Settlement.REFUSED:
                raise StoreUnavailable("the store is away")
        return await super().ask(questions)


class WebKit(Kit):
    """The web: a GET is a question and not a message, so that it is no Channel and keeps only what it has in common
    with one: a question is asked once, answered when it was decided, and asked again where it could not be.
    """

    name = "web"

    async def open(self) -> None:
        app = listener(Questions(self.gate))
        public = HttpListener("public", app, "127.0.0.1", 0)
        await public.start()
        self.stack.push_async_callback(public.close)
        self._client = await self.stack.enter_async_context(aiohttp.ClientSession())
        self._origin = f"http://127.0.0.1:{public.bound_port}"
        self.secrets = ("127.0.0.1",)

    async def says(self, text: str) -> None:
        path = api.PATH.partition("{")[0] + quote(text, safe="")
        while True:
            async with self._client.get(self._origin + path) as answer:
                if answer.status == HTTPStatus.OK:
                    return
                assert answer.headers["Retry-After"]


CHANNELS: Sequence[type[ChannelKit]] = (SmsKit, SmsPairKit, TelegramKit, TelegramWebhookKit, ZaloKit)
EVERY_WAY: Sequence[type[Kit]] = (*CHANNELS, WebKit)
