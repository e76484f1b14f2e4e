"""The demo's chat: what people do reaches the bot in Telegram's shapes, what the bot says reaches the page."""

from __future__ import annotations

import asyncio
import io
import itertools
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from telegram import Update

from channels.media import PictureLimits, PictureReader
from channels.telegram.updates import Me, Reader
from demo import chat as chat_module
from demo.bot_api import BOT_ID, TOKEN, USERNAME, BotApi, QueueFull, serving
from demo.chat import MOST_PICTURES, PEOPLE, ChatLine, Chats
from demo.chat_pages import CHAT_SAMPLES, LARGEST_PICTURE, ChatPages
from demo.chat_transcript import CHAT_LINES, FOLLOW, UNFOLLOW, WATCHED, play_chat
from demo.handsets import Handsets
from demo.onestop import DemoDossier
from demo.page_kit import HERE
from demo.pages import DemoPages, demo_app
from demo.receipts import LINKED_CODE, QR_CODE, RECEIPTS, photographs
from demo.smsc_tickets import MoTicket
from demo.transcript import Line
from domain.catalogue import Catalogue
from domain.codes import read_codes
from domain.dossier import DossierStatus
from domain.message import ChatEvent, InboundMessage, Media, MediaKind
from tests.unit.speaking import shipped_texts

Client = TestClient[Any, Any]
AN = PEOPLE[0]
TODAY = date(2026, 11, 23)
PICTURE = b"\xff\xd8\xff of a receipt"
PHOTOGRAPHS = {receipt.name: PICTURE + receipt.name.encode() for receipt in RECEIPTS}
BUTTON = {"text": "Báo tin", "callback_data": FOLLOW}


class Telegram:
    """A Bot API that keeps what happens; the test plays the bot."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.full = False
        self.messages = itertools.count(100)
        self.chats = Chats()
        self.chats.open(self)

    async def update(self, **kind: object) -> int:
        if self.full:
            raise QueueFull("1000")
        self.updates.append({"update_id": len(self.updates) + 1, **kind})
        return len(self.updates)

    def next_message(self) -> int:
        return next(self.messages)

    def keep_file(self, file_id: str, data: bytes) -> None:
        self.files[file_id] = data

    def drop_file(self, file_id: str) -> None:
        del self.files[file_id]

    def bot_says(self, text: str, *buttons: dict[str, str], person: int = AN.id) -> int:
        number = self.next_message()
        result: dict[str, Any] = {"message_id": number, "chat": {"id": person}, "text": text}
        if buttons:
            result["reply_markup"] = {"inline_keyboard": [list(buttons)]}
        self.chats.on_call("sendMessage", {"chat_id": person, "text": text}, result)
        return number

    def read(self) -> InboundMessage:
        """The latest update as our channel reads it."""
        reader = Reader("chat", Me(id=BOT_ID, username=USERNAME.lower()), lambda: 1, lambda: datetime.now(UTC))
        update = Update.de_json(self.updates[-1], None)
        read = reader.read(update)
        assert isinstance(read, InboundMessage)
        return read

    async def told(self) -> list[ChatLine]:
        """Everything that happened."""
        self.chats.log.tell(ChatLine(id=self.chats.log.next_id(), kind="end", person=0, at=datetime.now(UTC)))
        lines: list[ChatLine] = []
        async with aclosing(self.chats.log.follow()) as events:
            async for event in events:
                assert event is not None
                if event.kind == "end":
                    break
                lines.append(event)
        return lines


@pytest.fixture
def telegram() -> Telegram:
    return Telegram()


# ---- what people do


async def test_nobody_presses_a_button_that_is_not_there(telegram: Telegram) -> None:
    message = telegram.bot_says("Hồ sơ", BUTTON)
    for person, number, data in ((AN.id, message, "DUNG"), (AN.id, 7, FOLLOW), (5002, message, FOLLOW)):
        with pytest.raises(LookupError):
            await telegram.chats.press(person, number, data)
    assert telegram.updates == []


async def test_a_stranger_does_nothing(telegram: Telegram) -> None:
    with pytest.raises(LookupError):
        await telegram.chats.say(999, "HELP")
    with pytest.raises(LookupError):
        await telegram.chats.show(999, PICTURE)
    assert (telegram.updates, telegram.files, await telegram.told()) == ([], {}, [])


async def test_a_text_is_an_update_that_our_channel_reads(telegram: Telegram) -> None:
    await telegram.chats.say(5003, "H51.18-250701-0004")
    read = telegram.read()
    assert (read.text, read.sender.urn, read.language, read.public) == (
        "H51.18-250701-0004",
        "telegram:5003",
        "en",
        False,
    )


async def test_a_start_is_an_arrival(telegram: Telegram) -> None:
    await telegram.chats.say(AN.id, "/start")
    assert telegram.read().event is ChatEvent.STARTED


async def test_a_pressed_button_says_its_command(telegram: Telegram) -> None:
    message = telegram.bot_says("Hồ sơ", BUTTON)
    await telegram.chats.press(AN.id, message, FOLLOW)
    assert (telegram.read().text, telegram.read().sender.value) == (FOLLOW, str(AN.id))


async def test_a_picture_is_kept_where_the_bot_fetches_it(telegram: Telegram) -> None:
    await telegram.chats.show(AN.id, PICTURE, "biên nhận")
    read = telegram.read()
    assert read.media is not None
    assert (read.text, read.media) == ("biên nhận", Media(MediaKind.PICTURE, read.media.reference))
    assert telegram.files[read.media.reference] == PICTURE


async def test_a_shared_number_is_the_persons_own(telegram: Telegram) -> None:
    await telegram.chats.share_number(AN.id)
    assert telegram.read().phone == AN.phone


async def test_the_oldest_picture_is_let_go(telegram: Telegram) -> None:
    for _ in range(MOST_PICTURES + 1):
        await telegram.chats.show(AN.id, PICTURE)
    assert len(telegram.files) == MOST_PICTURES
    assert telegram.chats.picture(1) is None
    assert telegram.chats.picture(MOST_PICTURES + 1) == PICTURE


# ---- what the bot says


async def test_a_reply_belongs_to_the_oldest_that_waits(telegram: Telegram) -> None:
    first = await telegram.chats.say(AN.id, "one")
    second = await telegram.chats.say(AN.id, "two")
    telegram.bot_says("1")
    telegram.bot_says("2", BUTTON)
    replies = [line for line in await telegram.told() if line.kind == "reply"]
    assert [(line.about, line.text) for line in replies] == [(first, "1"), (second, "2")]
    assert [[button.data for button in row] for row in replies[1].buttons] == [[FOLLOW]]
    assert all((line.milliseconds or 0) >= 0 for line in replies)


async def test_what_nobody_asked_for_is_a_notice(telegram: Telegram) -> None:
    await telegram.chats.say(5002, "another's question")
    telegram.bot_says("Hồ sơ đã có kết quả")
    line = (await telegram.told())[-1]
    assert (line.kind, line.about, line.milliseconds) == ("reply", 0, None)


async def test_a_question_left_without_an_answer_takes_no_notice_for_one(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    await telegram.chats.say(AN.id, "...")
    monkeypatch.setattr(chat_module, "OPEN_FOR_S", 0.0)
    telegram.bot_says("Hồ sơ đã có kết quả")
    assert (await telegram.told())[-1].about == 0


async def test_a_press_is_noticed_once(telegram: Telegram) -> None:
    message = telegram.bot_says("Hồ sơ", BUTTON)
    number = await telegram.chats.press(AN.id, message, FOLLOW)
    query = telegram.updates[-1]["callback_query"]["id"]
    for each in ("press-x", "press-999", query, query):
        telegram.chats.on_call("answerCallbackQuery", {"callback_query_id": each}, result=True)
    noticed = [line for line in await telegram.told() if line.kind == "noticed"]
    assert [(line.about, line.person) for line in noticed] == [(number, AN.id)]


async def test_other_calls_and_other_chats_are_nobodys_news(telegram: Telegram) -> None:
    telegram.bot_says("to somebody else", person=42)
    telegram.chats.on_call("setMyCommands", {"commands": []}, result=True)
    assert await telegram.told() == []


# ---- the emulated Bot API


@asynccontextmanager
async def emulated() -> AsyncIterator[tuple[Chats, BotApi, aiohttp.ClientSession]]:
    chats = Chats()
    api = BotApi(chats.on_call)
    chats.open(api)
    async with serving(api), aiohttp.ClientSession(f"{api.base_url}{TOKEN}/") as bot:
        yield chats, api, bot


async def test_a_refused_call_of_the_bots_is_not_shown() -> None:
    async with emulated() as (chats, _, bot):
        refused = await bot.post("sendMessage", json={"chat_id": AN.id, "text": ""})
        granted = await bot.post("sendMessage", data={"chat_id": AN.id, "text": "shown"})  # a form is as good as JSON
        assert (refused.status, granted.status) == (400, 200)
        async with aclosing(chats.log.follow()) as lines:
            line = await anext(lines)
        assert line is not None
        assert line.text == "shown"


async def test_a_bot_is_asked_and_answers_over_http() -> None:
    async with emulated() as (chats, _, bot):
        me = (await (await bot.post("getMe", json={})).json())["result"]
        assert (me["id"], me["username"]) == (BOT_ID, USERNAME)
        number = await chats.show(AN.id, PICTURE)
        (update,) = (await (await bot.post("getUpdates", json={})).json())["result"]
        asked = {"file_id": update["message"]["photo"][-1]["file_id"]}
        path = (await (await bot.post("getFile", json=asked)).json())["result"]["file_path"]
        assert await (await bot.get(f"/file/bot{TOKEN}/{path}")).read() == PICTURE
        markup = {"inline_keyboard": [[BUTTON]]}
        await bot.post("sendMessage", json={"chat_id": AN.id, "text": "Hồ sơ", "reply_markup": markup})
        async with aclosing(chats.log.follow(number)) as lines:
            line = await anext(lines)
        assert line is not None
        assert (line.about, line.text, line.buttons[0][0].data) == (number, "Hồ sơ", FOLLOW)


async def test_a_bot_that_fetches_nothing_is_told_of() -> None:
    api = BotApi()
    api.emulator._update_queues.max_updates = 1
    await api.update(message={"text": "one"})
    with pytest.raises(QueueFull):
        await api.update(message={"text": "two"})


# ---- ready-made photographs


@pytest.mark.parametrize(
    ("name", "expected"), [("qr", [QR_CODE]), ("link", [LINKED_CODE]), ("blurred", [])], ids=["qr", "link", "blurred"]
)
async def test_a_photograph_is_read_as_it_says(name: str, expected: Sequence[str]) -> None:
    reader = PictureReader(PictureLimits(decoding=60.0, starting=60.0))
    made = photographs([receipt for receipt in RECEIPTS if receipt.name == name])
    try:
        texts = await reader.read(made[name])
    finally:
        await reader.close()
    assert [code.text for text in texts for code in read_codes(text, today=TODAY).codes] == list(expected)


# ---- the page


class Still:
    """A desk on which nothing lies."""

    async def dossiers(self) -> Sequence[DemoDossier]:
        return []

    async def advance(self, code: str) -> DossierStatus | None:
        return None


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, telegram: Telegram) -> Client:
    async def send(number: str, text: str) -> MoTicket:
        raise AssertionError("no telephone is used here")

    pages = DemoPages(
        handsets=Handsets(send),
        desk=Still(),
        catalogue=Catalogue.from_mapping(shipped_texts()),
        short_code="8056",
        chat=ChatPages(telegram.chats, PHOTOGRAPHS),
    )
    return await aiohttp_client(demo_app(pages))


async def test_the_page_loads_nothing_from_elsewhere_and_runs_no_script_of_its_own_text(client: Client) -> None:
    response = await client.get("/chat")
    page = await response.text()
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=|<style", page)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address.startswith("/")
        assert (await client.get(address)).status == 200, address


async def test_every_control_of_the_page_has_a_name(client: Client) -> None:
    page = await (await client.get("/chat")).text()
    named = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
    fields = re.findall(r"<(?:textarea|select|input)\b[^>]*?id=\"([^\"]+)\"", page)
    assert fields
    assert set(fields) <= named
    assert 'id="chat" aria-live="polite"' in page
    for inside in re.findall(r"<button[^>]*>(.*?)</button>", page, re.DOTALL):
        assert re.sub(r"<[^>]+>", "", inside).strip()


async def test_the_other_pages_lead_to_the_chat(client: Client) -> None:
    for path in ("/", "/handset", "/desk"):
        assert 'href="/chat"' in await (await client.get(path)).text()


def test_the_ready_made_texts_are_what_they_say() -> None:
    read = {sample.en: [code.text for code in read_codes(sample.text, today=TODAY).codes] for sample in CHAT_SAMPLES}
    assert (read["a clean code"], read["sloppily typed"]) == ([WATCHED], ["H51.18-250701-0004"])
    assert read["no code in it"] == []


def test_no_script_writes_markup() -> None:
    for script in (HERE / "static").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), script


async def lines(response: aiohttp.ClientResponse) -> AsyncGenerator[dict[str, Any]]:
    while line := await response.content.readline():
        if line.startswith(b"data: "):
            yield msgspec.json.decode(line.removeprefix(b"data: "))


async def test_the_page_is_told_what_is_said(client: Client, telegram: Telegram) -> None:
    async with client.get("/chat/events") as response, aclosing(lines(response)) as events:
        assert (await client.post("/chat/messages", json={"person": AN.id, "text": "HELP"})).status == 202
        assert (await anext(events))["text"] == "HELP"
        message = telegram.bot_says("Tra cứu", BUTTON)
        told = await anext(events)
        assert (told["kind"], told["buttons"]) == ("reply", [[{"label": "Báo tin", "data": FOLLOW}]])
        pressed = {"person": AN.id, "message": message, "data": FOLLOW}
        assert (await client.post("/chat/presses", json=pressed)).status == 202
        assert (await anext(events))["kind"] == "pressed"


async def test_a_picture_is_sent_and_shown_again(client: Client, telegram: Telegram) -> None:
    headers = {"Content-Type": "image/jpeg"}
    assert (await client.post(f"/chat/pictures/{AN.id}", data=PICTURE, headers=headers)).status == 202
    assert (await client.post("/chat/receipts", json={"person": AN.id, "name": "qr"})).status == 202
    assert list(telegram.files.values()) == [PICTURE, PHOTOGRAPHS["qr"]]
    shown = await client.get("/chat/pictures/1")
    assert (shown.content_type, await shown.read()) == ("image/jpeg", PICTURE)
    assert (await client.get("/chat/receipts/blurred")).status == 200


async def test_streams_end_when_the_demo_ends(client: Client, telegram: Telegram) -> None:
    async with client.get("/chat/events") as response:
        telegram.chats.log.close()
        assert b"data:" not in await response.read()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/chat/messages", {"person": AN.id, "text": " "}, 422),
        ("/chat/messages", {"person": AN.id, "text": "x" * 4_097}, 422),
        ("/chat/messages", {"person": str(AN.id), "text": "x"}, 422),
        ("/chat/messages", {"person": 999, "text": "x"}, 409),
        ("/chat/presses", {"person": AN.id, "message": 1, "data": "DUNG"}, 409),
        ("/chat/receipts", {"person": AN.id, "name": "../qr"}, 409),
        ("/chat/numbers", {"person": 999}, 409),
    ],
)
async def test_what_nobody_could_do_is_refused(
    client: Client, telegram: Telegram, path: str, body: object, status: int
) -> None:
    assert (await client.post(path, json=body)).status == status
    assert telegram.updates == []


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"<svg onload=alert(1)>", "image/svg+xml", 415),
        (b"<html>", "image/png", 415),
        (PICTURE, "text/plain", 403),
        (PICTURE, "multipart/form-data", 403),
        (PICTURE + b"x" * LARGEST_PICTURE, "image/jpeg", 413),
    ],
    ids=["svg", "html", "text", "form", "large"],
)
async def test_what_is_no_picture_is_refused(
    client: Client, telegram: Telegram, data: bytes, kind: str, status: int
) -> None:
    answer = await client.post(f"/chat/pictures/{AN.id}", data=io.BytesIO(data), headers={"Content-Type": kind})
    assert answer.status == status
    assert telegram.files == {}


async def test_another_site_cannot_write_in_the_readers_name(client: Client, telegram: Telegram) -> None:
    crossing = {"Sec-Fetch-Site": "cross-site"}
    for path in ("/chat/messages", "/chat/presses", "/chat/numbers", "/chat/receipts"):
        assert (await client.post(path, json={"person": AN.id, "text": "x"}, headers=crossing)).status == 403
    sent = await client.post(f"/chat/pictures/{AN.id}", data=PICTURE, headers=crossing | {"Content-Type": "image/png"})
    assert (sent.status, telegram.updates) == (403, [])


@pytest.mark.parametrize("number", ["0", "2", "x", "²", "9" * 400, "..%2F1"])
async def test_no_other_picture_is_served(client: Client, number: str) -> None:
    assert (await client.get(f"/chat/pictures/{number}")).status == 404
    assert (await client.get(f"/chat/receipts/{number}")).status == 404


async def test_a_gateway_that_fetches_nothing_is_told_of(client: Client, telegram: Telegram) -> None:
    telegram.full = True
    assert (await client.post("/chat/messages", json={"person": AN.id, "text": "x"})).status == 503


# ---- the transcript


class Bot:
    """Answers what is asked as the demo expects it, but for what the test takes away."""

    def __init__(self, telegram: Telegram) -> None:
        self.telegram = telegram
        self.answers: dict[str, tuple[Any, ...]] = {
            WATCHED: (f"Hồ sơ {WATCHED} cần nộp phí", BUTTON),
            FOLLOW: (f"Sẽ báo tin {WATCHED}", {"text": "Ngừng", "callback_data": UNFOLLOW}),
            "qr": (f"Hồ sơ {QR_CODE} đang xử lý",),
            "blurred": ("Ông/bà chụp rõ mã QR",),
        }
        self.notice: tuple[Any, ...] = (f"{WATCHED} đang xử lý", {"text": "Ngừng", "callback_data": UNFOLLOW})

    async def answer(self) -> None:
        """Until cancelled."""
        async with aclosing(self.telegram.chats.log.follow()) as happened:
            async for line in happened:
                if line is None or line.kind == "reply":
                    continue
                data = self.telegram.chats.picture(line.picture)
                asked = line.text if data is None else data.removeprefix(PICTURE).decode()
                text, *buttons = self.answers[asked]
                self.telegram.bot_says(text, *buttons)

    async def dossiers(self) -> Sequence[DemoDossier]:
        return []

    async def advance(self, code: str) -> DossierStatus | None:
        text, *buttons = self.notice
        self.telegram.bot_says(text, *buttons)
        return DossierStatus.IN_PROCESS


async def played(bot: Bot) -> list[Line]:
    answering = asyncio.create_task(bot.answer())
    try:
        return [line async for line in play_chat(bot.telegram.chats, bot, PHOTOGRAPHS)]
    finally:
        answering.cancel()


async def test_the_transcript_tells_what_did_not_come(telegram: Telegram) -> None:
    bot = Bot(telegram)
    bot.answers[WATCHED] = ("Không có nút",)
    bot.answers["qr"] = ("Chưa đọc được mã trong ảnh",)
    bot.notice = (f"{WATCHED} đang xử lý",)
    code, press, photo, _, notice = await played(bot)
    assert code.missing == (WATCHED, "nộp", f"[{FOLLOW}]")
    assert (press.missing, press.detail) == (("an answer",), "no such button")
    assert photo.missing == (QR_CODE, "đang xử lý")
    assert notice.missing == (f"[{UNFOLLOW}]",)


async def test_the_transcript_shows_texts_with_their_buttons(telegram: Telegram) -> None:
    told = await played(Bot(telegram))
    assert len(told) == CHAT_LINES
    assert [line.missing for line in told] == [()] * CHAT_LINES
    assert told[0].answered.endswith("\n[Báo tin]")
    assert told[1].asked == "[Báo tin]"
    assert told[-1].detail.startswith("unasked")
