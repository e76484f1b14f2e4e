"""The Bot API as strangers wrote it (lo-bot-api-emulator) behind one middleware of ours, on the loopback.

The emulator judges every request by the shape of the real API and keeps none of the texts; the middleware gives the bot
a name and passes on what the bot said.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from lo_bot_api_emulator import LoBotApiEmulator
from lo_bot_api_emulator.updates import UpdateError

TOKEN = "123456:emulated-token_of_nobody"  # noqa: S105 - nobody's: the emulator takes any
BOT_ID = 123456
USERNAME = "TraCuuBot"

Fields = dict[str, Any]
OnCall = Callable[[str, Fields, Any], None]


class QueueFull(Exception):
    """Nobody fetches the updates: there are as many as the emulator keeps."""


class BotApi:
    """One emulator. `on_call(method, fields, result)` is told every call that it granted."""

    def __init__(self, on_call: OnCall | None = None) -> None:
        self.emulator = LoBotApiEmulator(allow_insecure_loopback_webhooks=True)
        self.port = 0
        self._on_call = on_call

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bot"

    @property
    def base_file_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file/bot"

    async def update(self, **kind: object) -> int:
        """Something happens in a chat; the update's number. A webhook is called before this returns.

        Raises:
            QueueFull: nobody fetched those before.
        """
        try:
            return int(await self.emulator.enqueue_update(kind, token=TOKEN))
        except UpdateError as error:
            if error.status != web.HTTPInsufficientStorage.status_code:
                raise
            raise QueueFull(str(error)) from error

    def next_message(self) -> int:
        """A number for a message of a person's: both sides of a chat count together."""
        number = int(self.emulator.next_id)
        self.emulator.next_id = number + 1
        return number

    def keep_file(self, file_id: str, data: bytes) -> None:
        """A file that a person sent; the bot fetches it by its id."""
        self.emulator.assets[file_id] = {"data": data, "size": len(data)}

    def drop_file(self, file_id: str) -> None:
        self.emulator.assets.pop(file_id, None)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        method = request.match_info.get("method", "")
        is_json = request.content_type == "application/json"
        fields = json.loads(await request.read() or b"{}") if method and is_json else {}
        response = await self.answer(method, fields, request, handler)
        await self.called(method, fields, response)
        return response

    async def answer(self, method: str, fields: Fields, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The emulator's answer; a bot without a name cannot be mentioned, so this one has one."""
        _ = fields  # of use to whoever answers otherwise
        response = await handler(request)
        if method == "getMe" and isinstance(response, web.Response):
            told = json.loads(response.text or "{}")
            told["result"] |= {"id": BOT_ID, "username": USERNAME}
            return web.json_response(told)
        return response

    async def called(self, method: str, fields: Fields, response: web.StreamResponse) -> None:
        """A call was answered."""
        if self._on_call is not None and method and response.status == web.HTTPOk.status_code:
            told = json.loads(response.text or "{}") if isinstance(response, web.Response) else {}
            self._on_call(method, fields, told.get("result"))


@asynccontextmanager
async def serving(api: BotApi, port: int = 0) -> AsyncIterator[None]:
    """Serve on this port of the loopback; 0: on a free one."""
    app = api.emulator.app()
    app.middlewares.append(api.middleware)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        api.port = runner.addresses[0][1]
        yield
    finally:
        await runner.cleanup()
