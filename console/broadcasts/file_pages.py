"""A list of recipients as a file: sent, read, looked at with everything that is wrong with it, and only then taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web

from console import paths
from console.broadcasts.desk import Desk, at
from console.broadcasts.file_limits import (
    LARGEST_FILE,
    LONGEST_CELL,
    MOST_COLUMNS,
    MOST_ROWS,
    FileFault,
    FileRefused,
)
from console.broadcasts.imports import Import, Imports, ImportState
from console.broadcasts.pages import BroadcastPages
from console.broadcasts.ports import Standing, Upload
from console.broadcasts.progress import EVENTS, EVERY_S
from console.broadcasts.recipients import RowFault
from console.broadcasts.shown import number
from console.broadcasts.upload import receive
from console.forms import Fault, read_form, row_id
from console.page import HEADERS
from console.routes import ConsoleRoute
from console.signed import signed
from domain.broadcasts import AudienceKind, BroadcastState, Refusal
from domain.csv_lines import MARK, csv_lines
from domain.officers import Right

log = structlog.get_logger()

SHOWN: Final = 100  # faults on the page; the file has all
FILE_PAGE: Final = 2_000


class RecipientFiles:
    """The pages of the list of one broadcast."""

    __slots__ = ("_desk", "_imports", "_pages")

    def __init__(self, desk: Desk, pages: BroadcastPages, *, imports: Imports) -> None:
        self._desk = desk
        self._pages = pages
        self._imports = imports

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_FILE,
            needs=Right.BROADCASTS_WRITE,
            handler=self.show,
            summary="the list of recipients: the form to send it, what is wrong with it",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_FILE,
            needs=Right.BROADCASTS_WRITE,
            handler=self.send,
            summary="sends a list to be read",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_FILE_TAKE,
            needs=Right.BROADCASTS_WRITE,
            handler=self.take,
            summary="from now on the list that was read is the broadcast's",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_FILE_FAULTS,
            needs=Right.BROADCASTS_WRITE,
            handler=self.faults,
            summary="all that is wrong with the list, as a CSV file",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_FILE_PROGRESS,
            needs=Right.BROADCASTS_WRITE,
            handler=self.follow,
            summary="how far the reading of the list is",
        )

    async def show(self, request: web.Request) -> web.Response:
        standing = await self._draft(request)
        return standing if isinstance(standing, web.Response) else self._page(request, standing)

    async def send(self, request: web.Request) -> web.Response:
        standing = await self._draft(request)
        if isinstance(standing, web.Response):
            return standing
        if self._imports.full:
            return self._page(request, standing, FileRefused(FileFault.BUSY))
        try:
            with self._imports.coming():
                uploaded = await receive(request)
        except FileRefused as error:  # told to whoever sent it
            return self._page(request, standing, error)
        me = signed(request)
        self._imports.begin(uploaded, standing.broadcast.id, me.officer.id, me.scope)
        address = at(paths.BROADCAST_FILE, standing.broadcast.id)
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})

    async def take(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        standing = await self._draft(request)
        if isinstance(standing, web.Response):
            return standing
        identifier, officer = standing.broadcast.id, signed(request).officer
        found = self._imports.of(identifier, officer.id)
        sent = row_id(fields.get("upload", ""))
        if found is None or found.upload != sent or found.state is not ImportState.READ or not found.kept:
            return self._page(request, standing, FileRefused(FileFault.GONE))
        version = row_id(fields.get("version", "")) or 0
        noted = self._desk.noted(
            request,
            "broadcast.list_taken",
            identifier,
            digest=found.digest,
            recipients=found.kept,
            faults=len(found.faults),
        )
        upload = Upload(id=found.upload, digest=found.digest, rows=found.kept, columns=tuple(found.columns))
        acted = await self._desk.broadcasts.take_rows(
            identifier, version, upload, officer, signed(request).scope, noted
        )
        return await self._pages.told(request, acted, "list_taken")

    async def faults(self, request: web.Request) -> web.StreamResponse:
        standing = await self._draft(request)
        if isinstance(standing, web.Response):
            return standing
        found = self._imports.of(standing.broadcast.id, signed(request).officer.id)
        if found is None:
            return self._desk.missing(request)
        headers = HEADERS | {"Content-Disposition": f'attachment; filename="loi-{standing.broadcast.id}.csv"'}
        response = web.StreamResponse(headers=headers)
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        words = self._desk.words(request, "broadcast_row_fault")
        await response.write(MARK + csv_lines([[words["row"], words["fault"], words["hint"]]]))
        for start in range(0, len(found.faults), FILE_PAGE):
            await response.write(csv_lines(_cells(each, words) for each in found.faults[start : start + FILE_PAGE]))
        return response

    # ---- while it is read

    async def follow(self, request: web.Request) -> web.StreamResponse:
        standing = await self._draft(request)
        if isinstance(standing, web.Response):
            return standing
        found = self._imports.of(standing.broadcast.id, signed(request).officer.id)
        if found is None:
            return self._desk.missing(request)
        response = web.StreamResponse(headers=EVENTS)
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            async for line in self._lines(request, found):
                await response.write(line)
        except ConnectionError:  # the page was closed: nobody is left to tell
            log.debug("console.stream_left", path=paths.BROADCAST_FILE_PROGRESS)
        return response

    async def _lines(self, request: web.Request, found: Import) -> AsyncIterator[bytes]:
        """A file is read for a minute at most, so that the session is not looked at again."""
        words = self._desk.words(request, "broadcast_import")
        while True:
            text = words["so_far"].format(rows=number(found.rows), faults=number(len(found.faults)))
            yield f"data: {json.dumps({'text': text}, ensure_ascii=False)}\n\n".encode()
            if found.ended.is_set():
                yield b"event: over\ndata: {}\n\n"
                return
            try:
                async with asyncio.timeout(EVERY_S):
                    await found.ended.wait()
            except TimeoutError:  # the next line
                continue

    # ---- the page

    async def _draft(self, request: web.Request) -> Standing | web.Response:
        """The broadcast, while it is a draft that goes to a list."""
        standing = await self._desk.one(request)
        if standing is None or standing.broadcast.audience.kind is not AudienceKind.FILE:
            return self._desk.missing(request)
        if standing.broadcast.state is not BroadcastState.DRAFT:
            return await self._pages.page(request, standing, Refusal.NOT_NOW)
        return standing

    def _page(self, request: web.Request, standing: Standing, refused: FileRefused | None = None) -> web.Response:
        broadcast = standing.broadcast
        found = self._imports.of(broadcast.id, signed(request).officer.id)
        refused = refused or (found.refused if found else None)
        row_words = self._desk.words(request, "broadcast_row_fault")
        told = found.faults[:SHOWN] if found else []
        return self._desk.pages.render(
            request,
            "broadcasts-file.html",
            status=HTTPStatus.OK if refused is None else STATUS_OF.get(refused.fault, HTTPStatus.UNPROCESSABLE_ENTITY),
            broadcast=broadcast,
            rows=number(standing.rows) if broadcast.audience.file else "",
            columns=[f"{{{name}}}" for name in standing.columns],
            found=_found(found),
            row_faults=[_cells(each, row_words) for each in told],
            faults=[Fault("file", self._why(request, refused))] if refused else [],
            limits=self._limits(request),
            at={name: at(path, broadcast.id) for name, path in ADDRESSES.items()},
        )

    def _why(self, request: web.Request, refused: FileRefused) -> str:
        words = self._desk.words(request, "broadcast_file_fault")
        row = f" {words['in_row'].format(refused.row)}" if refused.row else ""
        return words[refused.fault] + row

    def _limits(self, request: web.Request) -> str:
        return self._desk.words(request, "broadcast_file")["limits"].format(
            size=LARGEST_FILE // 1024 // 1024,
            rows=number(MOST_ROWS),
            columns=MOST_COLUMNS,
            cell=number(LONGEST_CELL),
        )


STATUS_OF: Final[Mapping[FileFault, HTTPStatus]] = {
    FileFault.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    FileFault.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    FileFault.GONE: HTTPStatus.CONFLICT,
}
ADDRESSES: Final[Mapping[str, str]] = {
    "page": paths.BROADCAST,
    "file": paths.BROADCAST_FILE,
    "take": paths.BROADCAST_FILE_TAKE,
    "faults": paths.BROADCAST_FILE_FAULTS,
    "progress": paths.BROADCAST_FILE_PROGRESS,
}


def _found(found: Import | None) -> Mapping[str, Any] | None:
    if found is None:
        return None
    return {
        "state": found.state.value,
        "upload": found.upload,
        "rows": number(found.rows),
        "kept": number(found.kept),
        "may_take": found.state is ImportState.READ and found.kept > 0,
        "faults": len(found.faults),
        "columns": [f"{{{name}}}" for name in found.columns],
    }


def _cells(fault: RowFault, words: Mapping[str, str]) -> Sequence[str]:
    return str(fault.row), words[fault.kind], fault.hint
