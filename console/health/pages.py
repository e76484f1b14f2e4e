"""The screen of health: a page, and a stream of events that keeps it as things are.

The stream carries what is shown, never a page: asking again would keep a session alive that nobody uses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

import structlog
from aiohttp import web

from console import paths
from console.health.board import REFRESH_EVERY, Board, Picture
from console.health.view import make_view
from console.page import HEADERS, Pages
from console.routes import ConsoleRoute
from console.signed import Signed, signed
from domain.errors import StoreError
from domain.officers import Right

log = structlog.get_logger()

LOOKS_BEFORE_ASKING = 6  # of REFRESH_EVERY each, between two looks at the session
MOST_STREAMS = 100  # in a process
STREAM_HEADERS = HEADERS | {"X-Accel-Buffering": "no"}  # a proxy passes every event on at once
OVER = b"event: over\ndata:\n\n"
AWAY = b"event: away\ndata:\n\n"

Still = Callable[[Signed, Right], Awaitable[bool]]  # console.accounts.sessions.Who.still


class HealthPages:
    """`still` says whether a session that is looked at no more is one. `close` ends every stream."""

    __slots__ = ("_board", "_closing", "_pages", "_still", "_streams")

    def __init__(self, pages: Pages, *, board: Board, still: Still) -> None:
        self._pages = pages
        self._board = board
        self._still = still
        self._streams = 0
        self._closing = asyncio.Event()

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.HEALTH,
            needs=Right.HEALTH_SEE,
            handler=self.show,
            summary="how everything runs",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.HEALTH_EVENTS,
            needs=Right.HEALTH_SEE,
            handler=self.events,
            summary="the same as it changes, as server-sent events",
        )

    async def close(self) -> None:
        """Say goodbye to whoever listens."""
        self._closing.set()

    async def show(self, request: web.Request) -> web.Response:
        view = make_view(await self._board.picture(), self._pages.texts(request))
        return self._pages.render(
            request,
            "health.html",
            view=view,
            blocks={block.name: block for block in view.blocks},
            may_report=signed(request).officer.may(Right.INCIDENT_REPORT),
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        if self._streams >= MOST_STREAMS:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text="Too many pages are open.\n")
        response = web.StreamResponse(headers=STREAM_HEADERS)
        response.content_type = "text/event-stream"
        if request.method == "HEAD":
            return response
        await response.prepare(request)
        self._streams += 1
        try:
            await self._stream(request, response)
        except ConnectionResetError:  # the page was closed
            log.debug("console.stream_left", path=paths.HEALTH_EVENTS)
        finally:
            self._streams -= 1
        return response

    async def _stream(self, request: web.Request, response: web.StreamResponse) -> None:
        texts, shown, looks = self._pages.texts(request), None, 0
        while not await self._closed():
            looks += 1
            try:
                if looks % LOOKS_BEFORE_ASKING == 0 and not await self._still(signed(request), Right.HEALTH_SEE):
                    await response.write(OVER)
                    return
                picture: Picture | None = await self._board.picture()
            except StoreError:  # told to the page, and tried again
                picture = None
            if picture is not shown or picture is None:
                view = None if picture is None else json.dumps(make_view(picture, texts).plain(), ensure_ascii=False)
                await response.write(AWAY if view is None else f"event: figures\ndata: {view}\n\n".encode())
                shown = picture

    async def _closed(self) -> bool:
        """After a while: everything ends."""
        try:
            async with asyncio.timeout(REFRESH_EVERY):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True
