"""The demo's Bot API for tests: it keeps what was called, and answers with the faults a test asks for."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from demo import bot_api as demo_api

TOKEN = demo_api.TOKEN
BOT_ID = demo_api.BOT_ID
USERNAME = demo_api.USERNAME
PATIENCE = 60.0  # seconds a test waits for what must happen


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer instead of the emulator's. `chat`: only for this one. `parameters` as in the API."""

    status: int
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    chat: int | None = None
    raw: str | None = None  # a body that is no JSON of the API
    times: int = 1


@dataclass(slots=True)
class Call:
    """A request the bot made, and how it was answered."""

    method: str
    fields: dict[str, Any]
    status: int = 200


class BotApi(demo_api.BotApi):
    """One emulator; `calls` is what it heard, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._news = asyncio.Condition()

    def fail(self, method: str, *faults: Fault) -> None:
        """The next calls of this method, each `times` times."""
        for fault in faults:
            self._faults[method].extend([fault] * fault.times)

    def of(self, method: str) -> list[dict[str, Any]]:
        return [call.fields for call in self.calls if call.method == method]

    @property
    def sent(self) -> list[tuple[int, str]]:
        """Chat and text of every message the bot tried to send."""
        return [(int(fields["chat_id"]), fields["text"]) for fields in self.of("sendMessage")]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; looked at after every call."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(condition)

    async def deliver(self) -> int:
        """Call the webhook again with what was not acknowledged; how many are now."""
        return int(await self.emulator.deliver_updates(token=TOKEN))

    @property
    def pending(self) -> int:
        return int(self.emulator._update_queues.info(TOKEN)["pending_update_count"])

    async def answer(
        self, method: str, fields: dict[str, Any], request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        fault = self._fault(method, fields)
        return await super().answer(method, fields, request, handler) if fault is None else _answer(fault)

    async def called(self, method: str, fields: dict[str, Any], response: web.StreamResponse) -> None:
        self.calls.append(Call(method, fields, response.status))
        async with self._news:
            self._news.notify_all()

    def _fault(self, method: str, fields: dict[str, Any]) -> Fault | None:
        faults = self._faults[method]
        if not faults or faults[0].chat not in (None, int(fields.get("chat_id", 0))):
            return None
        return faults.popleft()


def _answer(fault: Fault) -> web.Response:
    if fault.raw is not None:
        return web.Response(status=fault.status, text=fault.raw)
    body = {"ok": False, "error_code": fault.status, "description": fault.description}
    if fault.parameters:
        body["parameters"] = fault.parameters
    return web.json_response(body, status=fault.status)


@asynccontextmanager
async def bot_api() -> AsyncIterator[BotApi]:
    """Serve on a free port."""
    api = BotApi()
    async with demo_api.serving(api):
        yield api
