"""POST /hooks/telegram/<account>: Telegram hands an update in, and is answered 200 when it is written down.

What is cheap is judged first: the secret before the body is read, its size before it is parsed. Telegram signs no body
(core.telegram.org/bots/api#setwebhook): the secret is all that tells it from anybody else.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from channels.base import RouteDef, Settlement
from channels.telegram.counters import TelegramCounters
from channels.telegram.request import read_json
from channels.telegram.taking import Taking

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header, not a secret
LARGEST_BODY = 262_144  # bytes; the longest message with one it replies to stays far below
BODY_TIMEOUT = 10.0  # seconds for a body to arrive
RETRY_AFTER = "1"  # seconds


class Webhook:
    """One account's route. `ready` opens the channel if need be; False: not now."""

    def __init__(
        self,
        taking: Taking,
        counters: TelegramCounters,
        *,
        account: str,
        secret: str,
        ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self._taking = taking
        self._counters = counters
        self._account = account
        self._secret = secret.encode()
        self._ready = ready

    def route(self) -> RouteDef:
        return RouteDef(
            method="POST",
            path=f"/hooks/telegram/{self._account}",  # as path_of; spelled out for docs/routes.md, which is read from here
            handler=self.handle,
            summary="Telegram hands in an update.",
        )

    async def handle(self, request: web.Request) -> web.Response:
        """200 when it is durable; 401 and 403 without the secret, 413 and 400 for no update, 503: send it again."""
        refusal = self._stranger(request)
        if refusal is not None:
            self._counters.forged += 1
            return web.Response(status=refusal)
        raw = await _update_of(request)
        if isinstance(raw, HTTPStatus):
            self._counters.malformed += 1
            return web.Response(status=raw)
        if not await self._ready() or await self._taken(request, raw) is Settlement.REFUSED:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": RETRY_AFTER})
        return web.Response()

    def _stranger(self, request: web.Request) -> HTTPStatus | None:
        given = request.headers.get(SECRET_HEADER)
        if given is None:
            return HTTPStatus.UNAUTHORIZED
        same = hmac.compare_digest(given.encode(errors="surrogateescape"), self._secret)
        return None if same else HTTPStatus.FORBIDDEN

    async def _taken(self, request: web.Request, raw: dict[str, Any]) -> Settlement:
        settled: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()

        def settle(settlement: Settlement) -> bool:
            if not settled.done():
                settled.set_result(settlement)
            return request.transport is not None and not request.transport.is_closing()

        await self._taking.take(raw, settle)
        return await settled


def path_of(account: str) -> str:
    """Where Telegram calls this account."""
    return f"/hooks/telegram/{account}"


async def _update_of(request: web.Request) -> dict[str, Any] | HTTPStatus:
    """The update in the body, or why there is none."""
    if (request.content_length or 0) > LARGEST_BODY:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    try:
        body = await _body_of(request)
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    if len(body) > LARGEST_BODY:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    raw = read_json(body)
    if not isinstance(raw, dict) or type(raw.get("update_id")) is not int:
        return HTTPStatus.BAD_REQUEST
    return raw


async def _body_of(request: web.Request) -> bytes:
    """The body, or as much of it as shows that it is too large.

    Raises:
        TimeoutError: it did not arrive in time.
    """
    if request.content.is_eof():  # it came with its headers, as most do: nothing to wait for
        return request.content.read_nowait()
    body = bytearray()
    async with asyncio.timeout(BODY_TIMEOUT):
        while len(body) <= LARGEST_BODY and (chunk := await request.content.readany()):
            body += chunk
    return bytes(body)
