"""The files of a dossier: added by an officer, downloaded as attachments and never shown by the browser itself."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web

from console import paths
from console.forms import row_id
from console.intake.arrivals import Arrivals
from console.intake.desk import IntakeDesk, at, done
from console.intake.one import DossierPages
from console.page import HEADERS
from console.routes import ConsoleRoute
from domain.intake import IntakeFile
from domain.officers import Right

log = structlog.get_logger()

# Whatever it is, it is saved and not opened here; were it opened all the same, it could do nothing.
DOWNLOAD: Final = {
    **HEADERS,
    "Content-Type": "application/octet-stream",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class DossierFiles:
    """Adds and gives files."""

    __slots__ = ("_arrivals", "_desk", "_pages")

    def __init__(self, desk: IntakeDesk, pages: DossierPages, arrivals: Arrivals) -> None:
        self._desk = desk
        self._pages = pages
        self._arrivals = arrivals

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="POST",
            path=paths.INTAKE_FILES,
            needs=Right.INTAKE_WORK,
            handler=self.add,
            summary="adds files to a dossier, each looked into",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_FILE,
            needs=Right.INTAKE_SEE,
            handler=self.give,
            summary="a file of a dossier, as an attachment",
        )

    async def add(self, request: web.Request) -> web.Response:
        dossier = await self._desk.one(request)
        if dossier is None:
            return self._desk.missing(request)
        arrived = await self._arrivals.from_form(request, dossier.id)
        for file in arrived.taken:
            about, kind = f"dossier:{dossier.code.reference}", file.kind.value
            await self._desk.audit.note(request, "intake.file_added", about, file=str(file.id), kind=kind)
        if arrived.refused or not arrived.taken:
            return await self._pages.page(request, dossier, arrived=arrived)
        return done(dossier.id, "file_added")

    async def give(self, request: web.Request) -> web.StreamResponse:
        dossier = await self._desk.one(request)
        if dossier is None:
            return self._desk.missing(request)
        wanted = row_id(request.match_info["file"])
        files = await self._desk.service.book.files(dossier.id)
        file = next((each for each in files if each.id == wanted), None)
        if file is None:
            return self._desk.missing(request)
        try:
            await self._desk.vault.head(file.key, 1)
        except OSError as error:
            log.warning("intake.file_gone", error=type(error).__name__, file=file.id)
            return self._desk.pages.refuse(request, HTTPStatus.SERVICE_UNAVAILABLE)
        await self._desk.audit.note(
            request, "intake.file_taken", f"dossier:{dossier.code.reference}", file=str(file.id), kind=file.kind.value
        )
        return web.FileResponse(self._desk.vault.path(file.key), headers={**DOWNLOAD, **attached(file)})


def attached(file: IntakeFile) -> dict[str, str]:
    """Saved under its own name (RFC 6266)."""
    ending = file.name.rpartition(".")[2]
    plain = f"tep-{file.id}.{ending if ending.isascii() and ending.isalnum() else 'bin'}"
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"}


def address_of(dossier: int, file: IntakeFile) -> str:
    """Where it is downloaded."""
    return at(paths.INTAKE_FILE, dossier, file=str(file.id))
