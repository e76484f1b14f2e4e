"""How far a broadcast is while it runs, as server-sent events; and what became of each message, as a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web

from console import paths
from console.broadcasts import shown
from console.broadcasts.desk import Desk
from console.broadcasts.ports import ResultRow, Standing
from console.page import HEADERS
from console.routes import ConsoleRoute
from console.signed import Signed, signed
from domain.broadcasts import BroadcastState
from domain.calendar import LOCAL_ZONE
from domain.csv_lines import MARK, csv_lines
from domain.errors import StoreError
from domain.officers import Right

log = structlog.get_logger()

LOOKED_AGAIN: Final = 30  # turns, of a second each, after which it is looked whether the session still holds
QUIET: Final = 15  # turns without news after which a line keeps the connection open
MOST_STREAMS: Final = 100
FILE_PAGE: Final = 250
MOVING: Final = frozenset({BroadcastState.APPROVED, BroadcastState.RUNNING, BroadcastState.PAUSED})
UNMASKED: Final = "so-day-du"  # of the address: 1 asks for the numbers in full
EVENTS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
COLUMNS: Final = (
    "recipient",
    "channel",
    "dossier_code",
    "language",
    "state",
    "delivery",
    "reason",
    "created_at",
    "settled_at",
    "delivered_at",
    "attempts",
)

Still = Callable[[Signed, Right], Awaitable[bool]]
Turn = Callable[[], Awaitable[None]]
EVERY_S: Final = 1.0


async def a_second() -> None:
    await asyncio.sleep(EVERY_S)


class BroadcastProgress:
    """The events and the file. `still` says whether a session is one yet (console.accounts.sessions.Who.still); `turn`
    waits for the next turn.
    """

    __slots__ = ("_closing", "_desk", "_still", "_streams", "_turn")

    def __init__(self, desk: Desk, *, still: Still, turn: Turn = a_second) -> None:
        self._desk = desk
        self._still = still
        self._turn = turn
        self._streams = 0
        self._closing = False

    async def close(self) -> None:
        """Whoever follows is told goodbye with the next turn."""
        self._closing = True

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_PROGRESS,
            needs=Right.BROADCASTS_SEE,
            handler=self.follow,
            summary="how far it is, every second while it runs",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_RESULTS,
            needs=Right.BROADCASTS_RESULTS,
            handler=self.file,
            summary="what became of each message, as a CSV file; numbers in full for whoever may search by them, too",
        )

    # ---- events

    async def follow(self, request: web.Request) -> web.StreamResponse:
        standing = await self._desk.one(request)
        if standing is None:
            return self._desk.missing(request)
        if request.method == "HEAD":
            return web.Response(headers=EVENTS)
        if self._streams >= MOST_STREAMS:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "30"})
        self._streams += 1
        try:
            return await self._stream(request, standing)
        finally:
            self._streams -= 1

    async def _stream(self, request: web.Request, standing: Standing) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENTS)
        await response.prepare(request)
        try:
            async for line in self._lines(request, standing):
                await response.write(line)
        except ConnectionError:  # the page was closed: nobody is left to tell
            return response
        except StoreError:  # the browser comes back by itself
            log.warning("console.events_broken", path=paths.BROADCAST_PROGRESS)
        return response

    async def _lines(self, request: web.Request, standing: Standing) -> AsyncIterator[bytes]:
        """What is new, turn by turn, until it is over or the session is."""
        texts, told, quiet, turns = self._desk.pages.texts(request), "", 0, 0
        while True:
            news = json.dumps(shown.progress_of(standing, texts), ensure_ascii=False)
            quiet = 0 if news != told else quiet + 1
            if news != told:
                yield f"data: {news}\n\n".encode()
            elif quiet % QUIET == 0:
                yield b": still here\n\n"
            told = news
            if standing.broadcast.state not in MOVING:
                yield b"event: over\ndata: {}\n\n"
                return
            await self._turn()
            turns += 1
            following = await self._desk.one(request) if await self._allowed(request, turns) else None
            if following is None:
                yield b"event: ended\ndata: {}\n\n"
                return
            standing = following

    async def _allowed(self, request: web.Request, turns: int) -> bool:
        """The session is still one, of somebody who still may."""
        if self._closing:
            return False
        return bool(turns % LOOKED_AGAIN) or await self._still(signed(request), Right.BROADCASTS_SEE)

    # ---- the file

    async def file(self, request: web.Request) -> web.StreamResponse:
        desk, standing, officer = self._desk, await self._desk.one(request), signed(request).officer
        if standing is None:
            return desk.missing(request)
        unmasked = request.query.get(UNMASKED) == "1"
        if unmasked and not officer.may(Right.MESSAGES_FIND):
            return desk.pages.refuse(request, HTTPStatus.FORBIDDEN)
        if request.method == "HEAD":  # nothing is taken away
            return web.Response(content_type="text/csv", headers=HEADERS)
        identifier = standing.broadcast.id
        numbers = "full" if unmasked else "masked"
        await desk.audit.note(request, "broadcast.results_exported", f"broadcast:{identifier}", numbers=numbers)
        name = f"ket-qua-{identifier}-{desk.clock().astimezone(LOCAL_ZONE):%Y%m%d-%H%M}.csv"
        response = web.StreamResponse(headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'})
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        texts = desk.pages.texts(request)
        heads = texts["broadcast_file_column"]
        await response.write(MARK + csv_lines([[heads[column] for column in COLUMNS]]))
        try:
            async for rows in self._rows(identifier, signed(request), unmasked=unmasked):
                await response.write(csv_lines(_line(row, texts) for row in rows))
        except StoreError:  # half a file must not look whole
            log.warning("console.file_broken", path=paths.BROADCAST_RESULTS)
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _rows(self, identifier: int, me: Signed, *, unmasked: bool) -> AsyncIterator[Sequence[ResultRow]]:
        after, results = 0, self._desk.broadcasts.results
        while found := await results(identifier, me.officer, me.scope, after=after, limit=FILE_PAGE, unmasked=unmasked):
            yield found
            after = found[-1].id


def _line(row: ResultRow, texts: Mapping[str, Any]) -> Sequence[str]:
    """Times in ISO 8601, states in words."""
    return (
        row.recipient,
        row.channel,
        row.dossier_code,
        row.language,
        texts["broadcast_result"].get(row.state, row.state),
        texts["broadcast_delivery"].get(row.delivery, row.delivery) if row.delivery else "",
        row.reason,
        _iso(row.created_at),
        _iso(row.settled_at),
        _iso(row.delivered_at),
        str(row.attempts),
    )


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(LOCAL_ZONE).isoformat(timespec="seconds") if moment else ""
