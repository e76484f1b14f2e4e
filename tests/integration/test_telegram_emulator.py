"""The Telegram channel against a Bot API that strangers wrote, over real HTTP, by polling and by webhook.

What that emulator cannot make happen (edits, blocks, groups' moves) is posted at our webhook in the shapes of the public
documentation.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from channels.base import Arrival, Channel, ReportArrival, Settlement
from channels.telegram.account import TelegramAccount, UpdatesBy
from channels.telegram.channel import TelegramChannel
from channels.telegram.knocking import knock
from channels.telegram.webhook import LARGEST_BODY, SECRET_HEADER, path_of
from domain.errors import CredentialsRefused, PictureUnavailable
from domain.message import (
    Address,
    Button,
    Category,
    ChatEvent,
    InboundMessage,
    Media,
    MediaKind,
    OutboundMessage,
    SendResult,
    SendStatus,
)
from gateway.http import HttpListener, make_app
from tests.passing_time import pass_time
from tests.peers.bot_api import PATIENCE, TOKEN, USERNAME, BotApi, Fault, bot_api
from tests.peers.telegram_shapes import CODE, GROUP, NEWS, member, message, photo, pressed

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SECRET = "a-secret_of-nobody"
PAGE = "<html>Forbidden: blocked by your provider"  # of somebody between us and Telegram
MENUS = {"": [("help", "How to ask")], "vi": [("help", "Cách hỏi"), ("ds", "Hồ sơ đang theo dõi")]}
MODES = (UpdatesBy.POLLING, UpdatesBy.WEBHOOK)


class Basket:
    """An inlet that keeps everything and settles at once, as it was told to; DURABLE when it was told nothing."""

    def __init__(self) -> None:
        self.messages: list[InboundMessage] = []
        self.settlements: list[Settlement] = []  # of the next arrivals
        self.failures = 0  # of the next arrivals, raised
        self.acknowledged: list[bool] = []
        self.arrived = asyncio.Event()

    def arrive(self, arrival: Arrival) -> None:
        if self.failures:
            self.failures -= 1
            raise LookupError(arrival.message.text)
        self.messages.append(arrival.message)
        settlement = self.settlements.pop(0) if self.settlements else Settlement.DURABLE
        self.acknowledged.append(arrival.settle(settlement))
        self.arrived.set()

    def report(self, arrival: ReportArrival) -> None:
        raise AssertionError("a bot has no delivery reports")

    def session_ended(self, session: str) -> None:
        raise AssertionError("a bot has no sessions")

    async def next(self) -> InboundMessage:
        """The next message that arrives, or the one that did since the last."""
        async with asyncio.timeout(PATIENCE):
            await self.arrived.wait()
        self.arrived.clear()
        return self.messages[-1]


class Desk:
    """A running channel, the Bot API it talks to, and what it handed in."""

    def __init__(self, api: BotApi, updates: UpdatesBy) -> None:
        self.api = api
        self.updates = updates
        self.basket = Basket()
        self.slept: list[float] = []
        self.channel: TelegramChannel
        self.task: asyncio.Task[None]
        self._listener: HttpListener | None = None
        self.url = ""

    def make(self, **changes: Any) -> TelegramChannel:
        chosen: dict[str, Any] = {
            "name": "bot",
            "token": TOKEN,
            "updates": self.updates,
            "webhook_url": self.url or "http://127.0.0.1:1/",
            "webhook_secret": SECRET,
            "base_url": self.api.base_url,
            "base_file_url": self.api.base_file_url,
            "response_timeout": 60.0,
        }
        return TelegramChannel(
            TelegramAccount(**chosen | changes),
            new_id=itertools.count(1).__next__,
            clock=lambda: NOW,
            menus=MENUS,
            sleep=self.sleep,
            spread=lambda: 1.0,
        )

    async def open(self, **changes: Any) -> None:
        routes = list(self.make(**changes).routes())
        if routes:
            self._listener = HttpListener("public", make_app([self._route(routes[0])]), "127.0.0.1", 0)
            await self._listener.start()
            self.url = f"http://127.0.0.1:{self._listener.bound_port}{path_of('bot')}"
        self.channel = self.make(**changes)
        self.task = asyncio.create_task(self.channel.run(self.basket))
        await self.until(lambda: self.channel.ready)

    def _route(self, route: Any) -> Any:
        """Calls go to the channel that runs: its address is known only when the listener is open."""

        async def handle(request: Any) -> Any:
            return await next(iter(self.channel.routes())).handler(request)

        return type(route)(method=route.method, path=route.path, handler=handle, summary=route.summary)

    async def sleep(self, seconds: float) -> None:
        """Time does not pass here; it is only written down."""
        self.slept.append(seconds)
        await asyncio.sleep(0.001)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a property of the channel tells no event
                await asyncio.sleep(0.001)

    async def post(self, body: Any, secret: str | None = SECRET) -> int:
        """Call the webhook ourselves; the status."""
        headers = {} if secret is None else {SECRET_HEADER: secret}
        payload = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with aiohttp.ClientSession() as client, client.post(self.url, headers=headers, **payload) as answer:
            return answer.status

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()


@asynccontextmanager
async def desk_of(updates: UpdatesBy, **changes: Any) -> AsyncIterator[Desk]:
    async with bot_api() as api:
        made = Desk(api, updates)
        await made.open(**changes)
        try:
            yield made
        finally:
            await made.close()


@pytest.fixture(params=MODES)
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async with desk_of(request.param) as made:
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[Desk]:
    async with desk_of(UpdatesBy.WEBHOOK) as made:
        yield made


@pytest.fixture
async def poll() -> AsyncIterator[Desk]:
    async with desk_of(UpdatesBy.POLLING) as made:
        yield made


def outbound(number: int = 1, chat: int = 5001, text: str = "Hồ sơ đang xử lý", **changes: Any) -> OutboundMessage:
    defaults: dict[str, Any] = {
        "id": number,
        "channel": "telegram",
        "account": "bot",
        "category": Category.REPLY,
        "recipient": Address("telegram", str(chat)),
        "sender": Address("telegram", "123456"),
        "text": text,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return OutboundMessage(**defaults | changes)


async def sent(desk: Desk, *messages: OutboundMessage) -> list[SendResult]:
    async with asyncio.timeout(PATIENCE):
        return list(await desk.channel.send(messages or [outbound()]))


# ---- what both ways have in common


def test_the_channel_is_a_channel() -> None:
    def use(channel: Channel) -> Channel:
        return channel

    account = TelegramAccount(name="bot", token=TOKEN)
    channel = use(TelegramChannel(account, new_id=lambda: 1, clock=lambda: NOW))
    assert (channel.name, channel.account, channel.rate, channel.ready) == ("telegram", "bot", 25.0, False)
    capabilities = channel.capabilities
    assert (capabilities.accents, capabilities.buttons, capabilities.media) == (True, True, True)
    assert list(channel.routes()) == []


async def test_a_question_arrives_once_and_is_acknowledged(desk: Desk) -> None:
    number = await desk.api.update(message=message())
    told = await desk.basket.next()
    assert (told.text, told.external_id, told.sender.urn) == (CODE, str(number), "telegram:5001")
    await desk.until(lambda: desk.channel.counters.acknowledged == 1)
    await desk.api.update(message=message("HD"))
    assert (await desk.basket.next()).text == "HD"
    assert len(desk.basket.messages) == 2
    assert desk.basket.acknowledged == [True, True]


async def test_a_deep_link_says_its_code(desk: Desk) -> None:
    link = desk.channel.deep_link(CODE)
    assert link is not None
    await desk.api.update(message=message("/start " + link.partition("=")[2]))
    assert (await desk.basket.next()).text == CODE


async def test_a_pressed_button_is_answered_after_it_is_written_down(desk: Desk) -> None:
    desk.basket.settlements = [Settlement.DURABLE]
    await desk.api.update(callback_query=pressed("DK H51.18-210817-0005"))
    assert (await desk.basket.next()).text == "DK H51.18-210817-0005"
    await desk.api.until(lambda: bool(desk.api.of("answerCallbackQuery")))
    assert desk.api.of("answerCallbackQuery") == [{"callback_query_id": "77001"}]


async def test_a_press_too_old_to_be_answered_costs_nothing(desk: Desk) -> None:
    desk.api.fail("answerCallbackQuery", Fault(400, "Bad Request: query is too old and response timeout expired"))
    await desk.api.update(callback_query=pressed("HUY 1"))
    assert (await desk.basket.next()).text == "HUY 1"
    await desk.until(lambda: desk.channel.counters.callbacks_unanswered == 1)


async def test_a_photo_is_named_and_can_be_fetched(desk: Desk) -> None:
    desk.api.emulator.assets["photo-1"] = {"data": b"\x89PNG of a receipt", "size": 18}
    await desk.api.update(message=photo("photo-1", caption="bien nhan"))
    told = await desk.basket.next()
    assert (told.text, told.media) == ("bien nhan", Media(MediaKind.PICTURE, "photo-1"))
    assert await desk.channel.fetch("photo-1") == b"\x89PNG of a receipt"


async def test_what_is_not_written_down_comes_again(desk: Desk) -> None:
    desk.basket.settlements = [Settlement.REFUSED, Settlement.REFUSED]
    number = await desk.api.update(message=message())
    for _ in range(2 if desk.updates is UpdatesBy.WEBHOOK else 0):
        assert desk.api.pending == 1
        await desk.api.deliver()
    await desk.until(lambda: desk.channel.counters.acknowledged == 1)
    assert [told.external_id for told in desk.basket.messages] == [str(number)] * 3
    assert desk.channel.counters.refused == 2


async def test_what_failed_in_our_hands_comes_again(desk: Desk) -> None:
    desk.basket.failures = 2
    with capture_logs() as logs:
        await desk.api.update(message=message())
        for _ in range(2 if desk.updates is UpdatesBy.WEBHOOK else 0):
            await desk.api.deliver()
        assert (await desk.basket.next()).text == CODE
    failed = [line for line in logs if line["event"] == "telegram.update_failed"]
    assert len(failed) == 2
    assert all(line["update"] == 1 for line in failed)


async def test_what_fails_for_ever_holds_nothing_back(desk: Desk) -> None:
    desk.basket.failures = 3
    with capture_logs():
        await desk.api.update(message=message("poison"))
        for _ in range(2 if desk.updates is UpdatesBy.WEBHOOK else 0):
            await desk.api.deliver()
        await desk.until(lambda: desk.channel.counters.given_up == 1)
    await desk.api.update(message=message())
    assert (await desk.basket.next()).text == CODE


async def test_the_menu_is_set_in_every_language(desk: Desk) -> None:
    menus = [(fields.get("language_code"), fields["commands"]) for fields in desk.api.of("setMyCommands")]
    assert [language for language, _ in menus] == [None, "vi"]
    assert menus[1][1][0] == {"command": "help", "description": "Cách hỏi"}


# ---- sending


async def test_a_reply_leaves_with_its_buttons(desk: Desk) -> None:
    rows = ((Button("Theo dõi", "DK 1"), Button("Xem lại", CODE)), (Button("Tiếng Khmer", "KM"),))
    (result,) = await sent(desk, outbound(buttons=rows))
    assert (result.status, result.segments[0].external_id) == (SendStatus.ACCEPTED, "5001:1")
    (fields,) = desk.api.of("sendMessage")
    assert fields["chat_id"] == 5001
    assert fields["text"] == "Hồ sơ đang xử lý"
    shown = fields["reply_markup"]["inline_keyboard"]
    assert [[button["callback_data"] for button in row] for row in shown] == [["DK 1", CODE], ["KM"]]


async def test_a_long_text_leaves_in_parts_with_the_buttons_under_the_last(poll: Desk) -> None:
    text = "\n".join(["Hồ sơ đang xử lý"] * 300)
    assert not poll.channel.fits(text)
    (result,) = await sent(poll, outbound(text=text, buttons=((Button("a", "b"),),)))
    assert [segment.external_id for segment in result.segments] == ["5001:1", "5001:2"]
    assert ["reply_markup" in fields for fields in poll.api.of("sendMessage")] == [False, True]


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (Fault(403, "Forbidden: bot was blocked by the user"), SendStatus.STOPPED, "blocked"),
        (Fault(400, "Bad Request: chat not found"), SendStatus.REJECTED, "chat_not_found"),
        (Fault(429, "Too Many Requests: retry after 3", {"retry_after": 3}), SendStatus.RETRY, "throttled"),
        (Fault(429, "Too Many Requests"), SendStatus.RETRY, "throttled"),
        (Fault(500, "Internal Server Error"), SendStatus.RETRY, "not_sent"),
        (Fault(502, raw="<html>Bad Gateway"), SendStatus.UNKNOWN, "answer_lost"),
        (Fault(200, raw="no json"), SendStatus.UNKNOWN, "answer_unreadable"),
        (Fault(200, raw="[]"), SendStatus.UNKNOWN, "answer_unreadable"),
        *((Fault(status, raw=PAGE), SendStatus.RETRY, "not_sent") for status in (302, 400, 401, 403, 404, 407, 451)),
        (Fault(403, raw="[]"), SendStatus.RETRY, "not_sent"),
    ],
)
async def test_a_refusal_is_told_apart(poll: Desk, fault: Fault, status: SendStatus, reason: str) -> None:
    poll.api.fail("sendMessage", fault)
    (result,) = await sent(poll)
    assert (result.status, result.reason) == (status, reason)
    assert len(poll.api.of("sendMessage")) == 1  # nothing is tried again behind the outbox's back


async def test_a_page_of_somebody_between_is_no_word_about_our_token() -> None:
    async with bot_api() as api:
        api.fail("getMe", Fault(404, raw=PAGE), Fault(401, raw=PAGE))
        desk = Desk(api, UpdatesBy.POLLING)
        await desk.open()
        assert desk.slept == [1.0, 2.0]
        await desk.close()


async def test_a_proxy_that_does_not_connect_us_has_sent_nothing() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    async with proxy, bot_api() as api:
        channel = Desk(api, UpdatesBy.POLLING).make(
            base_url="https://telegram.invalid/bot", proxy=f"http://127.0.0.1:{port}"
        )
        (result,) = await channel.send([outbound()])
        assert (result.status, result.reason) == (SendStatus.RETRY, "not_sent")
        await channel.close()


async def test_a_refusal_of_one_costs_its_neighbours_nothing(poll: Desk) -> None:
    poll.api.fail("sendMessage", Fault(429, "x", {"retry_after": 30}, chat=1))
    first, second, third = await sent(poll, outbound(1, 1), outbound(2, 2), outbound(3, 3))
    assert (first.status, first.retry_after) == (SendStatus.RETRY, 30)
    assert (second.status, third.status) == (SendStatus.ACCEPTED, SendStatus.ACCEPTED)
    (again,) = await sent(poll, outbound(4, 1))
    assert again.status is SendStatus.RETRY
    assert again.retry_after == pytest.approx(30, abs=5)
    assert len(poll.api.of("sendMessage")) == 3  # the fourth was not even tried
    assert poll.channel.ready


async def test_when_all_are_refused_the_bot_pauses(poll: Desk) -> None:
    poll.api.fail("sendMessage", Fault(429, "x", {"retry_after": 30}, times=3))
    await sent(poll, *(outbound(chat, chat) for chat in (1, 2, 3)))
    assert not poll.channel.ready
    (result,) = await sent(poll, outbound(4, 4))
    assert result.status is SendStatus.RETRY


async def test_messages_of_one_chat_leave_in_order(poll: Desk) -> None:
    results = await sent(poll, *(outbound(number, text=f"{number}") for number in range(1, 6)))
    assert [text for _, text in poll.api.sent] == ["1", "2", "3", "4"]  # the fifth is too far off, and goes back
    assert results[4].status is SendStatus.RETRY
    assert any(seconds > 0 for seconds in poll.slept)


async def test_a_group_that_moved_is_followed(poll: Desk) -> None:
    moved = Fault(400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": -100701}, chat=-700)
    poll.api.fail("sendMessage", moved)
    (result,) = await sent(poll, outbound(chat=-700))
    assert (result.status, result.segments[0].external_id) == (SendStatus.ACCEPTED, "-100701:1")
    await sent(poll, outbound(chat=-700))
    assert [chat for chat, _ in poll.api.sent] == [-700, -100701, -100701]


async def test_refused_buttons_cost_the_buttons_only(poll: Desk) -> None:
    poll.api.fail("sendMessage", Fault(400, "Bad Request: BUTTON_DATA_INVALID"))
    (result,) = await sent(poll, outbound(buttons=((Button("a", "b"),),)))
    assert result.status is SendStatus.ACCEPTED
    assert ["reply_markup" in fields for fields in poll.api.of("sendMessage")] == [True, False]


async def test_a_silent_server_leaves_the_outcome_unknown(poll: Desk) -> None:
    writers: list[asyncio.StreamWriter] = []
    asked = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        asked.set()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    silent = poll.make(base_url=f"http://127.0.0.1:{port}/bot", response_timeout=PATIENCE, connect_timeout=PATIENCE)
    sending = asyncio.create_task(silent.send([outbound()]))
    await asyncio.wait_for(asked.wait(), PATIENCE)
    pass_time(2 * PATIENCE + 1)  # one limit for both; aiohttp rounds it up
    (result,) = await sending
    assert (result.status, result.reason) == (SendStatus.UNKNOWN, "response_timeout")
    await silent.close()
    for writer in writers:
        writer.close()
    server.close()
    await server.wait_closed()


async def test_a_message_that_found_no_server_goes_again(poll: Desk) -> None:
    away = poll.make(base_url="http://127.0.0.1:1/bot")
    (result,) = await away.send([outbound()])
    assert (result.status, result.reason) == (SendStatus.RETRY, "not_sent")
    await away.close()


@pytest.mark.parametrize(("chat", "text"), [("", "x"), ("5001", "  ")])
async def test_what_cannot_be_sent_is_refused_for_good(poll: Desk, chat: str, text: str) -> None:
    address = Address("telegram", chat or "nobody")
    (result,) = await sent(poll, outbound(text=text, recipient=address))
    assert result.status is SendStatus.REJECTED


# ---- pictures


async def test_a_picture_too_large_or_gone_is_not_read() -> None:
    async with desk_of(UpdatesBy.POLLING, largest_picture=10) as desk:
        desk.api.emulator.assets["large"] = {"data": b"x" * 11, "size": 11}
        desk.api.emulator.assets["small"] = {"data": b"x" * 10, "size": 10}
        assert len(await desk.channel.fetch("small")) == 10
        for reference in ("large", "gone"):
            with pytest.raises(PictureUnavailable) as refusal:
                await desk.channel.fetch(reference)
            assert TOKEN not in str(refusal.value)
        assert (desk.channel.counters.pictures, desk.channel.counters.pictures_refused) == (1, 2)


# ---- polling


async def test_a_failed_poll_loses_nothing(poll: Desk) -> None:
    poll.api.fail("getUpdates", Fault(502, raw="<html>"), Fault(500, "Internal Server Error"), Fault(429, "x"))
    await poll.api.update(message=message())
    assert (await poll.basket.next()).text == CODE
    await poll.api.update(message=message("HD"))
    await poll.until(lambda: len(poll.basket.messages) == 2)


@pytest.mark.parametrize("told", ['{"ok":true,"result":{}}', '{"ok":true}', "[]"])
async def test_an_answer_that_is_none_is_waited_out_and_no_reason_to_ask_without_end(poll: Desk, told: str) -> None:
    poll.api.fail("getUpdates", Fault(200, raw=told, times=2))
    await poll.api.update(message=message())  # ends the question that is open
    await poll.until(lambda: len(poll.slept) == 2)
    assert poll.slept == [1.0, 2.0]
    await poll.api.update(message=message())
    await poll.until(lambda: poll.channel.counters.acknowledged == 2)


async def test_after_a_quiet_week_numbers_may_begin_anew_and_nothing_is_lost() -> None:
    """An offset kept for ever would acknowledge, unread, what is numbered below it (core.telegram.org/bots/api#update)."""
    high = json.dumps({"ok": True, "result": [{"update_id": 900_000, "message": message()}]})
    async with desk_of(UpdatesBy.POLLING, poll_timeout=1.0) as desk:
        desk.api.fail("getUpdates", Fault(200, raw=high))
        await desk.until(lambda: len(desk.basket.messages) == 1)
        asked = desk.api.of("getUpdates")
        await desk.until(lambda: [fields["offset"] for fields in desk.api.of("getUpdates")][len(asked) :].count(0) > 0)
        await desk.api.update(message=message())
        await desk.until(lambda: len(desk.basket.messages) == 2)
        assert desk.basket.messages[1].external_id == "1"
        offsets = [fields["offset"] for fields in desk.api.of("getUpdates")]
        assert 900_001 in offsets


async def test_half_an_emoji_holds_nothing_back(poll: Desk) -> None:
    odd = json.dumps({"ok": True, "result": [{"update_id": 40, "message": message("H51 \ud83d")}]})
    poll.api.fail("getUpdates", Fault(200, raw=odd))
    await poll.api.update(message=message())
    await poll.until(lambda: any(told.text == "H51" for told in poll.basket.messages))


async def test_another_poller_is_told_of_and_waited_out(poll: Desk) -> None:
    poll.api.fail("getUpdates", Fault(409, "Conflict: terminated by other getUpdates request", times=2))
    with capture_logs() as logs:
        await poll.api.update(message=message("1"))
        await poll.basket.next()
        await poll.api.update(message=message("2"))
        await poll.until(lambda: len(poll.basket.messages) == 2)
        await poll.api.update(message=message("3"))
        await poll.until(lambda: len(poll.basket.messages) == 3)
    away = [line for line in logs if line["event"] == "telegram.away"]
    assert {line["error"] for line in away} == {"another_takes_updates"}


async def test_of_two_processes_one_takes_updates_and_the_other_comes_after_it(poll: Desk) -> None:
    second = poll.make()
    waiting = asyncio.create_task(second.run(poll.basket))
    async with asyncio.timeout(PATIENCE):
        while second.counters.polls_failed == 0 and poll.channel.counters.polls_failed == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await poll.channel.drain()
    await asyncio.wait_for(poll.task, PATIENCE)
    await poll.until(lambda: second.ready)
    await poll.api.update(message=message())
    assert (await poll.basket.next()).text == CODE
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_an_update_behind_a_refused_one_is_not_lost(poll: Desk) -> None:
    poll.basket.settlements = [Settlement.DURABLE, Settlement.REFUSED, Settlement.DURABLE]
    await poll.channel._polling.taken([{"update_id": each, "message": message(str(each))} for each in (1, 2, 3)])
    assert poll.channel._polling._offset == 2  # the third comes again with the second: the journal knows it


# ---- the webhook


async def test_telegram_is_told_where_we_are_and_what_we_want(hook: Desk) -> None:
    (fields,) = hook.api.of("setWebhook")
    assert fields["url"] == hook.url
    assert fields["secret_token"] == SECRET
    assert "edited_message" not in fields["allowed_updates"]
    assert "my_chat_member" in fields["allowed_updates"]


@pytest.mark.parametrize(("secret", "status"), [(None, 401), ("", 403), ("wrong", 403), (SECRET + "x", 403)])
async def test_a_forged_call_is_refused(hook: Desk, secret: str | None, status: int) -> None:
    assert await hook.post({"update_id": 7, "message": message()}, secret) == status
    assert hook.basket.messages == []
    assert hook.channel.counters.forged == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[1]", 400),
        (b'{"update_id":"7"}', 400),
        (b"[" * 100_000, 400),
        (b" " * (LARGEST_BODY + 1), 413),
    ],
)
async def test_what_is_no_update_is_refused(hook: Desk, body: bytes, status: int) -> None:
    assert await hook.post(body) == status
    assert hook.channel.counters.malformed == 1
    assert await hook.post({"update_id": 7, "message": message()}) == 200


async def test_half_an_emoji_is_no_reason_to_call_again_and_again(hook: Desk) -> None:
    odd = json.dumps({"update_id": 7, "message": message("H51 \ud83d")}).encode()
    assert await hook.post(odd) == 200
    assert hook.basket.messages[0].text == "H51"


async def test_whoever_restarts_the_bot_arrives_once(hook: Desk) -> None:
    hook.basket.settlements = [Settlement.DURABLE, Settlement.REFUSED]
    assert await hook.post({"update_id": 7, "my_chat_member": member("kicked")}) == 200
    back, start = {"update_id": 8, "my_chat_member": member("member")}, {"update_id": 9, "message": message("/start")}
    assert [await hook.post(update) for update in (back, start, back)] == [503, 200, 200]
    assert [told.event for told in hook.basket.messages] == [ChatEvent.BLOCKED, ChatEvent.STARTED, ChatEvent.STARTED]
    assert [told.external_id for told in hook.basket.messages] == ["7", "8", "8"]


async def test_a_webhook_that_somebody_took_away_is_set_again(hook: Desk) -> None:
    with capture_logs() as logs:
        async with aiohttp.ClientSession() as client:
            await client.post(f"{hook.api.base_url}{TOKEN}/deleteWebhook")
        await hook.until(lambda: len(hook.api.of("setWebhook")) == 2)
    assert "telegram.webhook_moved" in [line["event"] for line in logs]
    assert "waiting 0" in (await hook.channel.health()).detail


async def test_a_webhook_that_telegram_cannot_reach_is_told(hook: Desk) -> None:
    told = {"url": hook.url, "has_custom_certificate": False, "pending_update_count": 5}
    told |= {"last_error_date": int(NOW.timestamp()), "last_error_message": "Connection refused"}
    with capture_logs() as logs:
        hook.api.fail("getWebhookInfo", Fault(200, raw=json.dumps({"ok": True, "result": told}), times=100))
        await hook.until(lambda: bool(logs))
        assert "waiting 5, webhook failing" in (await hook.channel.health()).detail
    assert [line["event"] for line in logs] == ["telegram.webhook_failing"]


async def test_a_replayed_call_is_acknowledged_and_known_by_its_number(hook: Desk) -> None:
    update = {"update_id": 7, "message": message()}
    assert [await hook.post(update) for _ in range(2)] == [200, 200]
    assert [told.external_id for told in hook.basket.messages] == ["7", "7"]  # one of them is the journal's to drop


async def test_while_the_store_is_away_telegram_is_asked_to_come_again(hook: Desk) -> None:
    hook.basket.settlements = [Settlement.REFUSED]
    update = {"update_id": 7, "message": message()}
    assert [await hook.post(update) for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    "kind",
    [
        {"edited_message": message()},
        {"channel_post": message(chat=NEWS)},
        {"message": message("hello", chat=GROUP)},
        {"message": message(None, migrate_to_chat_id=-100701, chat=GROUP)},
        {"my_chat_member": member("member", GROUP)},
        {"something_new": {"id": 1}},
    ],
)
async def test_what_is_not_for_us_is_acknowledged(hook: Desk, kind: dict[str, Any]) -> None:
    assert await hook.post({"update_id": 7, **kind}) == 200
    assert (hook.basket.messages, hook.channel.counters.dropped) == ([], 1)


async def test_blocking_and_a_shared_contact_arrive(hook: Desk) -> None:
    assert await hook.post({"update_id": 7, "my_chat_member": member("kicked")}) == 200
    own = {"phone_number": "84912345678", "first_name": "An", "user_id": 5001}
    assert await hook.post({"update_id": 8, "message": message(None, contact=own)}) == 200
    blocked, shared = hook.basket.messages
    assert (blocked.event, shared.phone) == (ChatEvent.BLOCKED, "84912345678")


async def test_a_shape_nobody_knows_is_tried_and_then_given_up(hook: Desk) -> None:
    odd = {"update_id": 7, "message": {"message_id": "x", "chat": 5}}
    with capture_logs():
        assert [await hook.post(odd) for _ in range(3)] == [503, 503, 200]
    assert hook.channel.counters.given_up == 1


async def test_a_process_that_does_not_hold_the_account_takes_its_webhook_in() -> None:
    async with desk_of(UpdatesBy.WEBHOOK) as desk:
        other = desk.make()
        other.attach(desk.basket)
        holder, desk.channel = desk.channel, other
        assert await desk.post({"update_id": 7, "message": message()}) == 200
        assert not other.ready
        await other.close()
        desk.channel = holder


async def test_before_anybody_listens_telegram_is_asked_to_come_again(hook: Desk) -> None:
    holder, hook.channel = hook.channel, hook.make()
    assert await hook.post({"update_id": 7, "message": message()}) == 503
    hook.channel = holder


# ---- asked once, by the operator


async def test_a_token_is_tried_without_taking_an_update() -> None:
    async with bot_api() as api:
        account = Desk(api, UpdatesBy.POLLING).make()._account
        await api.update(message=message())
        told = await knock(account)
        assert (told.ok, told.detail) == (True, f"is @{USERNAME}, updates by polling")
        api.fail("getMe", Fault(401, "Unauthorized"), Fault(403, raw=PAGE))
        for words in ("does not take the token", "cannot be asked (NotSent)"):
            told = await knock(account)
            assert not told.ok
            assert words in told.detail
            assert TOKEN not in told.detail
        assert {call.method for call in api.calls} == {"getMe"}
        assert api.pending == 1


# ---- coming and going


async def test_a_wrong_token_is_fatal_and_never_told() -> None:
    async with bot_api() as api:
        api.fail("getMe", Fault(401, "Unauthorized"))
        desk = Desk(api, UpdatesBy.POLLING)
        channel = desk.make()
        with capture_logs() as logs, pytest.raises(CredentialsRefused) as refusal:
            await channel.run(desk.basket)
        assert TOKEN not in str(refusal.value) + str(logs) + str(refusal.value.__context__)
        assert [line["event"] for line in logs] == ["telegram.token_refused"]


@pytest.mark.parametrize("updates", MODES)
async def test_a_token_revoked_while_we_send_ends_the_run(updates: UpdatesBy) -> None:
    async with desk_of(updates) as desk:
        desk.api.fail("sendMessage", Fault(401, "Unauthorized"))
        (result,) = await sent(desk)
        assert result.status is SendStatus.RETRY
        with pytest.raises(CredentialsRefused):
            await asyncio.wait_for(desk.task, PATIENCE)


async def test_a_server_that_is_away_is_tried_again_after_growing_pauses() -> None:
    async with bot_api() as api:
        api.fail("getMe", Fault(502, raw="", times=4))
        desk = Desk(api, UpdatesBy.POLLING)
        await desk.open()
        assert desk.slept == [1.0, 2.0, 4.0, 8.0]
        await desk.close()


async def test_after_a_drain_it_ends_and_may_run_again(desk: Desk) -> None:
    await desk.channel.drain()
    await asyncio.wait_for(desk.task, PATIENCE)
    assert not desk.channel.ready
    desk.task = asyncio.create_task(desk.channel.run(desk.basket))
    await desk.until(lambda: desk.channel.ready)
    await desk.api.update(message=message())
    assert (await desk.basket.next()).text == CODE
    assert (await desk.channel.health()).ok


async def test_no_log_names_the_token_a_person_or_a_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as logs:
        async with desk_of(UpdatesBy.POLLING) as desk:
            desk.basket.failures = 1
            desk.api.fail("getUpdates", Fault(502, raw=CODE), Fault(200, raw=CODE))
            desk.api.fail("sendMessage", Fault(400, "Bad Request: x"), Fault(429, "x"), Fault(403, "Forbidden: x"))
            await desk.api.update(message=message())
            await desk.basket.next()
            for _ in range(3):
                await sent(desk)
    told = caplog.text + "".join(str({**line, "exc_info": ""}) for line in logs)
    for secret in (TOKEN, TOKEN.partition(":")[2], CODE, "5001", "An"):
        assert secret not in told
