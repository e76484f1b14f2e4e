"""The bots the Telegram bench loads, each in a process of its own: ours, and python-telegram-bot as it comes.

    python -m bench.telegram_bots ours|library|library-256 API_PORT PORT

All of them take updates at POST /, acknowledge them, and answer every message with a reply of the same length.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aiohttp import web
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

from channels.base import Arrival, ReportArrival, Settlement
from channels.telegram.account import TelegramAccount, UpdatesBy
from channels.telegram.channel import TelegramChannel
from domain.message import Category, OutboundMessage
from gateway.http import HttpListener, make_app
from gateway.logs import configure_logs
from gateway.loop import run

TOKEN = "123456:a-token_of-nobody"  # noqa: S105 - it opens nothing
SECRET = "a-secret_of-nobody"  # noqa: S105 - the same
REPLY = "Hồ sơ 000.00.18.H51-161220-0001 đang xử lý tại Sở TN-MT, hẹn trả 27/11/2026. Chưa cần nộp thêm."


class Answering:
    """A conversation that knows one answer: what arrives is durable at once, and answered with its neighbours."""

    def __init__(self) -> None:
        self.channel: TelegramChannel
        self._ids = itertools.count(1)
        self._waiting: list[OutboundMessage] = []
        self._sends: set[asyncio.Task[Any]] = set()

    def arrive(self, arrival: Arrival) -> None:
        arrival.settle(Settlement.DURABLE)
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append(self._reply(arrival))

    def report(self, arrival: ReportArrival) -> None:
        raise NotImplementedError

    def session_ended(self, session: str) -> None:
        raise NotImplementedError

    def _reply(self, arrival: Arrival) -> OutboundMessage:
        message, now = arrival.message, datetime.now(UTC)
        return OutboundMessage(
            id=next(self._ids),
            channel=message.channel,
            account=message.account,
            category=Category.REPLY,
            recipient=message.sender,
            sender=message.recipient,
            text=REPLY,
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )

    def _send(self) -> None:
        batch, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._sent(batch))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _sent(self, batch: list[OutboundMessage]) -> None:
        await self.channel.send(batch)


async def ours(api_port: int, port: int) -> None:
    """Our channel behind our listener, with Telegram's caps lifted by setting."""
    account = TelegramAccount(
        name="bench",
        token=TOKEN,
        updates=UpdatesBy.WEBHOOK,
        webhook_url=f"http://127.0.0.1:{port}/hooks/telegram/bench",
        webhook_secret=SECRET,
        base_url=f"http://127.0.0.1:{api_port}/bot",
        rate=0,
        per_chat=0,
        per_group=0,
    )
    answering = Answering()
    answering.channel = TelegramChannel(account, new_id=itertools.count(1).__next__, clock=partial(datetime.now, UTC))
    await HttpListener("public", make_app(answering.channel.routes()), "127.0.0.1", port).start()
    await answering.channel.run(answering)


async def library(api_port: int, port: int, *, at_once: int) -> None:
    """The library's own application, handlers and request; its updater is replaced as its documentation shows
    (examples/customwebhookbot), with the same server as ours.
    """
    builder = Application.builder().token(TOKEN).base_url(f"http://127.0.0.1:{api_port}/bot").updater(None)
    application = builder.concurrent_updates(at_once).build()
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, _answer))

    async def take(request: web.Request) -> web.Response:
        await application.update_queue.put(Update.de_json(json.loads(await request.read()), application.bot))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hooks/telegram/bench", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    async with application:
        await application.start()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


async def _answer(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if update.effective_chat is not None:
        await context.bot.send_message(update.effective_chat.id, REPLY)


BOTS: dict[str, Callable[[int, int], Coroutine[Any, Any, None]]] = {
    "ours": ours,
    "library": partial(library, at_once=1),
    "library-256": partial(library, at_once=256),
}

if __name__ == "__main__":
    configure_logs("warning", "console")
    name, api_port, port = sys.argv[1:]
    run(BOTS[name](int(api_port), int(port)))
