"""A whole gateway among chats: a Bot API that strangers wrote, the simulated Zalo, an SMSC, and persons who talk there."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
import segno
from aiohttp import web
from aiohttp.typedefs import Handler

from channels.telegram.webhook import SECRET_HEADER, path_of
from demo import bot_api as demo_api
from demo import onestop
from demo.process import GatewayProcess
from demo.smsc import Smsc, SmscOptions
from demo.zalo import ZaloPlatform
from demo.zalo_people import Letter
from tests.peers.bot_api import BOT_ID, TOKEN, BotApi
from tests.peers.telegram_shapes import photo
from tests.whole.gateways import LOG, STORE, Account, log_lines, make_gateway

PATIENCE: Final = 120.0  # seconds a test waits for what must happen
LOOK_EVERY: Final = 0.02  # seconds between two looks at what tells no event
SECRET: Final = "a-secret_of-nobody"
BOT: Final = "bot"
OA: Final = "oa"
OPEN: Final = "000.00.18.H51-161220-0001"  # OWNER's, being processed
OTHER: Final = "H51.18-250701-0005"  # waits for documents
OF_OPEN: Final = f"Hồ sơ {OPEN} đang xử lý tại Sở NN-MT Cần Thơ, hẹn trả "
OWNERS: Final = "84" + onestop.OWNER[1:]  # as an SMSC writes it
MOVING: Final = "H13.18-250701-0001"  # of a system that says when a dossier moved
MOVING_TOO: Final = "H13.18-250701-0002"

SETTINGS: Final[Mapping[str, str]] = {
    "TRACUU_DISCLOSURE__PROOF_KEY": "of the tests and of nobody else",
    "TRACUU_SOURCES__DOSSIER__WATCH__POLL_S": "0.2",
    "TRACUU_NOTICES__QUIET_FROM": "00:00",
    "TRACUU_NOTICES__QUIET_UNTIL": "00:00",
    "TRACUU_NOTICES__PER_DAY": "1000000",
    "TRACUU_NOTICES__HOLD_SHARE": "1.0",
    "TRACUU_LOOKUP__FRESH_S": "0.2",
    "TRACUU_LOGS__LEVEL": "debug",
}
TELEGRAM = """
[[telegram]]
name = "{name}"
token = "{token}"
updates = "{updates}"
webhook_url = "{webhook}"
webhook_secret = "{secret}"
base_url = "{api}/bot"
base_file_url = "{api}/file/bot"
rate = 0
per_chat = 0
per_group = 0
poll_timeout = 1
reconnect_first = 0.1
reconnect_cap = 0.2
"""
ZALO = """
[[zalo]]
name = "{name}"
app_id = "{app_id}"
oa_id = "{oa_id}"
oa_secret = "{oa_secret}"
app_secret = "{app_secret}"
refresh_token = "{refresh_token}"
api_url = "{origin}"
oauth_url = "{origin}"
media_hosts = ["{origin}"]
rate = 1000
per_user = 1000
throttle_pause = 0.1
"""


def receipt(code: str) -> bytes:
    """A picture of a receipt's QR code."""
    stream = io.BytesIO()
    segno.make_qr(code, error="m").save(stream, kind="png", scale=6, border=4)
    return stream.getvalue()


async def until(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until something of another process is so; only a look tells."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - the same
            await asyncio.sleep(LOOK_EVERY)


# ---- those who talk


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of ours as somebody reads it; `buttons` are their labels with what each sends."""

    text: str
    buttons: Mapping[str, str] = field(default_factory=dict)


class Talker(ABC):
    """Somebody in a chat. What is said, pressed or shown returns the answer: the next message that was not read yet."""

    def __init__(self) -> None:
        self._read = 0
        self.said: list[str] = []

    @property
    @abstractmethod
    def heard(self) -> Sequence[Heard]:
        """All that came, in order."""

    @property
    @abstractmethod
    def urn(self) -> str:
        """The address the store knows them by."""

    @abstractmethod
    async def send(self, text: str) -> None: ...

    @abstractmethod
    async def send_picture(self, picture: bytes, caption: str) -> None: ...

    async def press(self, payload: str) -> None:
        """Where a button comes back as a text."""
        await self.send(payload)

    async def next(self) -> Heard:
        """The next message that was not read yet."""
        try:
            await until(lambda: len(self.heard) > self._read)
        except TimeoutError:
            raise AssertionError(f"nothing came after {self.said[-1:]}") from None
        self._read += 1
        return self.heard[self._read - 1]

    async def asks(self, text: str) -> Heard:
        self.said.append(text)
        await self.send(text)
        return await self.next()

    async def shows(self, picture: bytes, caption: str = "") -> Heard:
        await self.send_picture(picture, caption)
        return await self.next()

    async def presses(self, label: str) -> Heard:
        """A button below the last message that was read."""
        buttons = self.heard[self._read - 1].buttons
        assert label in buttons, f"no button {label} below: {self.heard[self._read - 1]}"
        await self.press(buttons[label])
        return await self.next()


class BotTalker(Talker):
    """Somebody on Telegram."""

    def __init__(self, api: HeldBotApi, user: int, language: str = "vi") -> None:
        super().__init__()
        self._api = api
        self.user = user
        self.sender = {"id": user, "is_bot": False, "first_name": "An", "language_code": language}
        self.chat: dict[str, Any] = {"id": user, "type": "private", "first_name": "An"}

    @property
    def heard(self) -> Sequence[Heard]:
        return self._api.read_by(int(self.chat["id"]))

    @property
    def urn(self) -> str:
        return f"telegram:{self.user}"

    def message(self, **changes: Any) -> dict[str, Any]:
        return {"message_id": 10, "date": 1764000000, "chat": self.chat, "from": self.sender} | changes

    async def happens(self, **update: Any) -> int:
        """The update's number."""
        return await self._api.update(**update)

    async def send(self, text: str) -> None:
        await self.happens(message=self.message(text=text))

    async def send_picture(self, picture: bytes, caption: str) -> None:
        name = f"photo-{self.user}-{len(picture)}"
        self._api.keep_file(name, picture)
        told = photo(name, chat=self.chat, **{"from": self.sender})
        await self.happens(message=told | ({"caption": caption} if caption else {}))

    async def press(self, payload: str) -> None:
        under = {"message_id": 11, "date": 1764000001, "chat": self.chat, "text": "..."}
        query = {"id": f"77{self.user}", "from": self.sender, "chat_instance": "1", "data": payload, "message": under}
        await self.happens(callback_query=query)

    def membership(self, status: str) -> dict[str, Any]:
        """`my_chat_member` of the bot in this chat, as the Bot API documents it."""
        bot = {"id": BOT_ID, "is_bot": True, "first_name": "Tra cuu", "username": "TraCuuBot"}

        def member(status: str) -> dict[str, Any]:
            return {"status": status, "user": bot} | ({"until_date": 0} if status == "kicked" else {})

        before = member("kicked" if status == "member" else "member")
        told = {"chat": self.chat, "from": self.sender, "date": 1764000002}
        return told | {"old_chat_member": before, "new_chat_member": member(status)}


class OaTalker(Talker):
    """Somebody on Zalo."""

    def __init__(self, platform: ZaloPlatform, user: str) -> None:
        super().__init__()
        self._platform = platform
        self.person = platform.person(user)

    @property
    def heard(self) -> Sequence[Heard]:
        return [Heard(letter.text, dict(letter.buttons)) for letter in self.person.letters]

    @property
    def letters(self) -> Sequence[Letter]:
        return self.person.letters

    @property
    def urn(self) -> str:
        return f"zalo:{self._platform.oa_id}.{self.person.id}"

    async def send(self, text: str) -> None:
        assert (await self.person.say(text))[-1] == HTTPStatus.OK

    async def send_picture(self, picture: bytes, caption: str) -> None:
        assert (await self.person.show(picture, caption))[-1] == HTTPStatus.OK


# ---- the Bot API


class HeldBotApi(BotApi):
    """The one of the tests, which can also let a request of the bot's wait without an answer."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[str, Callable[[dict[str, Any]], bool]] = {}
        self._released = asyncio.Event()
        self.waiting: list[str] = []  # methods whose requests were held, in order

    def hold(self, method: str, which: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        """Requests of this kind are heard, and wait."""
        self._held[method] = which
        self._released.clear()

    def release(self) -> None:
        """What comes from now on is answered; what waits gets an answer that nobody may be there to read."""
        self._held.clear()
        self._released.set()

    def read_by(self, chat: int) -> Sequence[Heard]:
        """What arrived in a chat."""
        return [
            Heard(call.fields["text"], _buttons(call.fields))
            for call in self.calls
            if call.method == "sendMessage" and call.status == HTTPStatus.OK and int(call.fields["chat_id"]) == chat
        ]

    async def answer(
        self, method: str, fields: dict[str, Any], request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        held = self._held.get(method)
        if held is not None and held(fields):
            self.waiting.append(method)
            await self._released.wait()
        return await super().answer(method, fields, request, handler)


def _buttons(fields: Mapping[str, Any]) -> Mapping[str, str]:
    markup = fields.get("reply_markup") or {"inline_keyboard": []}
    markup = json.loads(markup) if isinstance(markup, str) else markup
    return {each["text"]: each["callback_data"] for row in markup["inline_keyboard"] for each in row}


class Doorman:
    """Between Telegram and our webhook: it can tell Telegram something else than we answered."""

    def __init__(self) -> None:
        self.port = 0
        self.behind = ""  # our public listener
        self.instead: list[int] = []  # statuses told in place of ours, one a call
        self.answers: list[int] = []  # ours
        self._client: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Doorman]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._call)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession() as self._client:
                yield self
        finally:
            await runner.cleanup()

    async def _call(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        url = self.behind + request.path
        async with self._client.post(url, data=await request.read(), headers=headers) as answer:
            self.answers.append(answer.status)
        return web.Response(status=self.instead.pop(0) if self.instead else self.answers[-1])


# ---- everything


@dataclass(slots=True, kw_only=True)
class Town:
    """A gateway and all who talk with it."""

    directory: Path
    gateway: GatewayProcess
    api: HeldBotApi
    doorman: Doorman
    platform: ZaloPlatform
    smsc: Smsc
    secrets: set[str] = field(default_factory=set)  # what no log line may hold

    def on_telegram(self, user: int, language: str = "vi") -> BotTalker:
        talker = BotTalker(self.api, user, language)
        self.secrets.add(f"{user}")
        return talker

    def on_zalo(self, user: str) -> OaTalker:
        self.secrets.add(user)
        return OaTalker(self.platform, user)

    async def by_sms(self, number: str, text: str) -> str:
        """The answer to a question from this number."""
        ticket = await self.smsc.send_mo(number, Account(port=0).short_code, text)
        async with asyncio.timeout(PATIENCE):
            return (await ticket.reply()).text

    def texts_to(self, number: str) -> Sequence[str]:
        """What a telephone was sent."""
        return [reply.text for reply in self.smsc.replies if reply.destination.removeprefix("+") == number]

    async def text_to(self, number: str, place: int = 1) -> str:
        await until(lambda: len(self.texts_to(number)) >= place)
        return self.texts_to(number)[place - 1]

    def move(self, code: str) -> None:
        """The officer's next step with a dossier."""
        assert onestop.advance(self.directory, code) is not None

    async def post(self, body: Any, secret: str | None = SECRET) -> int:
        """Call Telegram's webhook; the status."""
        headers = {} if secret is None else {SECRET_HEADER: secret}
        url = self.gateway.public + path_of(BOT)
        async with aiohttp.ClientSession() as client, client.post(url, json=body, headers=headers) as answer:
            return answer.status

    @property
    def zalo_hook(self) -> str:
        return f"{self.gateway.public}/hooks/zalo/{OA}"

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Of a gateway's own SQLite file."""
        with closing(sqlite3.connect(self.directory / STORE, timeout=10)) as connection:
            return connection.execute(statement).fetchall()

    def states(self, talker: Talker) -> Sequence[str]:
        """Of all messages to somebody, in order."""
        found = self.rows(f"SELECT state FROM outbox WHERE recipient = '{talker.urn}' ORDER BY id")
        return [state for (state,) in found]

    async def sent(self) -> None:
        """Wait until the store says that nothing is on its way."""
        waiting = "SELECT 1 FROM outbox WHERE state IN ('ready', 'claimed', 'handed_over', 'held')"
        await until(lambda: not self.rows(waiting))

    def hasten(self) -> None:
        """What waits for its next try waits no longer."""
        with closing(sqlite3.connect(self.directory / STORE, timeout=10)) as connection, connection:
            connection.execute("UPDATE outbox SET available_at = created_at WHERE state = 'ready'")

    def assert_discreet(self, *, loud: Sequence[str] = ()) -> None:
        """No log line holds a secret, an address or a word somebody said or read, and none tells of another error than
        `loud` names.
        """
        platform = self.platform
        secrets = {TOKEN, TOKEN.partition(":")[2], SECRET, platform.oa_secret, platform.app_secret}
        secrets |= {platform.refresh_token, *(letter.token for letter in platform.letters)} - {""}
        texts = {letter.text for letter in platform.letters} | {text for _, text in self.api.sent}
        texts |= {reply.text for reply in self.smsc.replies}
        log = (self.directory / LOG).read_text(encoding="utf-8")
        lines = log.splitlines()
        for secret in self.secrets | secrets | {line for text in texts for line in text.splitlines()}:
            assert secret not in log, next(line for line in lines if secret in line)
        errors = [line for line in log_lines(self.directory) if line.get("level", "error") in {"error", "critical"}]
        assert [line for line in errors if line["action"] not in loud] == []


@asynccontextmanager
async def town(
    directory: Path,
    *,
    updates: str = "webhook",
    settings: Mapping[str, str] | None = None,
    platform: ZaloPlatform | None = None,
    quiet: bool = True,
) -> AsyncIterator[Town]:
    """Everything, running; at the end the gateway leaves politely, and its log is searched for what it should not hold.

    `quiet`: it also told of no error.
    """
    async with AsyncExitStack() as stack:
        api = HeldBotApi()
        await stack.enter_async_context(demo_api.serving(api))
        doorman = await stack.enter_async_context(Doorman().serving())
        platform = platform or ZaloPlatform()
        await stack.enter_async_context(platform.serving())
        platform.authorise()
        smsc = await stack.enter_async_context(Smsc(SmscOptions()))
        gateway = make_gateway(directory, Account(port=smsc.port), settings={**SETTINGS, **(settings or {})})
        doorman.behind = gateway.public
        made = Town(directory=directory, gateway=gateway, api=api, doorman=doorman, platform=platform, smsc=smsc)
        platform.webhook = made.zalo_hook
        _write(gateway.config, made, updates)
        await gateway.start()
        try:
            yield made
        finally:
            api.release()
            code = await gateway.stop()
        assert code == 0
        if quiet:
            made.assert_discreet()


def _write(config: Path, made: Town, updates: str) -> None:
    platform = made.platform
    bot = TELEGRAM.format(
        name=BOT,
        token=TOKEN,
        updates=updates,
        webhook=made.doorman.origin + path_of(BOT),
        secret=SECRET,
        api=f"http://127.0.0.1:{made.api.port}",
    )
    account = ZALO.format(
        name=OA,
        app_id=platform.app_id,
        oa_id=platform.oa_id,
        oa_secret=platform.oa_secret,
        app_secret=platform.app_secret,
        refresh_token=platform.refresh_token,
        origin=platform.origin,
    )
    config.write_text(config.read_text(encoding="utf-8") + bot + account, encoding="utf-8")


async def joined(there: Town, somebody: Talker, *, wrong_first: bool = False) -> str:
    """LK with the owner's number; the code that came there, which was typed in the chat."""
    assert "Mã 6 chữ số được gửi" in (await somebody.asks(f"LK {onestop.OWNER}")).text
    found = re.match(r"(\d{6}) la ma noi", await there.text_to(OWNERS))
    assert found is not None
    pin = found[1]
    there.secrets.add(pin)
    if wrong_first:
        wrong = f"{(int(pin) + 1) % 1_000_000:06}"
        assert "chưa khớp" in (await somebody.asks(wrong)).text
    assert "Đã nối số điện thoại" in (await somebody.asks(pin)).text
    return pin
