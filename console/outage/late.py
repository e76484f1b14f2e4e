"""What was on paper, entered by file: looked at with everything that is wrong with it, and only then taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from console import paths
from console.broadcasts.file_limits import (
    LARGEST_FILE,
    LONGEST_CELL,
    MOST_COLUMNS,
    FileFault,
    FileRefused,
)
from console.broadcasts.shown import number
from console.broadcasts.upload import receive
from console.forms import Fault, read_form, row_id
from console.intake.desk import at, sent_on
from console.outage.desk import OutageDesk
from console.outage.files import Entered, LateFile, LateFiles, LateState
from console.outage.rows import HEADS, MOST_LATE_ROWS, NEEDED, RowFault, RowFaultKind
from console.page import HEADERS
from console.routes import ConsoleRoute
from console.signed import signed
from domain.csv_lines import MARK, csv_lines
from domain.officers import Right

SHOWN: Final = 100  # faults, and codes, on the page; the files have all
FILE_PAGE: Final = 2_000
MOVING: Final = (LateState.READING, LateState.TAKING)
STATUS_OF: Final[Mapping[str, HTTPStatus]] = {
    FileFault.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    FileFault.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    FileFault.GONE: HTTPStatus.CONFLICT,
}


class LatePages:
    """The pages of entering late by file; each officer has one file at a time."""

    __slots__ = ("_files", "_outage")

    def __init__(self, outage: OutageDesk, files: LateFiles) -> None:
        self._outage = outage
        self._files = files

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.LATE,
            needs=Right.INTAKE_WORK,
            handler=self.show,
            summary="entering late by file: the form to send it, what is wrong with it",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.LATE,
            needs=Right.INTAKE_WORK,
            handler=self.send,
            summary="sends a file of dossiers to be looked at; nothing is entered",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.LATE_TAKE,
            needs=Right.INTAKE_WORK,
            handler=self.take,
            summary="enters every row of the file without a fault",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.LATE_FAULTS,
            needs=Right.INTAKE_WORK,
            handler=self.faults,
            summary="all that is wrong with the file, as a CSV file",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.LATE_RESULT,
            needs=Right.INTAKE_WORK,
            handler=self.result,
            summary="rows and codes that were entered, as a CSV file",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.LATE_BLANK,
            needs=Right.INTAKE_WORK,
            handler=self.blank,
            summary="a blank file with the columns",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.LATE_PROGRESS,
            needs=Right.INTAKE_WORK,
            handler=self.progress,
            summary="how far the file is, as JSON",
        )

    async def show(self, request: web.Request) -> web.Response:
        return self._page(request)

    async def send(self, request: web.Request) -> web.Response:
        before, receiving = self._found(request), self._outage.desk.receiving(request)
        if not receiving:
            return self._outage.desk.missing(request)
        if self._files.full or (before and before.state in MOVING):
            return self._page(request, FileFault.BUSY)
        try:
            uploaded = await receive(request)
        except FileRefused as error:  # told to whoever sent it
            return self._page(request, error.fault)
        await self._files.begin(uploaded, signed(request).officer.id, receiving)
        return sent_on(paths.LATE)

    async def take(self, request: web.Request) -> web.Response:
        desk, found = self._outage.desk, self._found(request)
        fields = await read_form(request)
        receiving = frozenset(desk.receiving(request))
        if found is None or found.upload != row_id(fields.get("upload", "")):
            return self._page(request, FileFault.GONE)
        if found.state in (LateState.TAKING, LateState.TAKEN):  # the form came twice
            return sent_on(paths.LATE)
        if not found.may_take or any(each.wish.agency not in receiving for each in found.good):
            return self._page(request, FileFault.GONE)
        if self._files.full:
            return self._page(request, FileFault.BUSY)
        await desk.audit.note(
            request, "intake.late_taken", f"file:{found.digest[:16]}", rows=len(found.good), faults=len(found.faults)
        )
        if found.may_take:  # another form may have come meanwhile
            self._files.take(found, desk.actor(request))
        return sent_on(paths.LATE)

    # ---- files to download

    async def blank(self, request: web.Request) -> web.StreamResponse:
        words = self._outage.desk.words(request, "late_column")
        body = MARK + csv_lines([[words[name] for name in HEADS]])
        return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=_named("nhap-bu.csv"))

    async def faults(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request)
        if found is None:
            return self._outage.desk.missing(request)
        words = self._outage.desk.words(request, "late_file")
        heads = [words[name] for name in ("row", "column", "fault", "typed")]
        return await self._sent(
            request, "nhap-bu-loi.csv", heads, [self._cells(request, each) for each in found.faults]
        )

    async def result(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request)
        if found is None:
            return self._outage.desk.missing(request)
        words = self._outage.desk.words(request, "late_file")
        rows = [(str(each.row), each.code) for each in found.entered]
        return await self._sent(request, "nhap-bu-ket-qua.csv", [words["row"], words["code"]], rows)

    async def _sent(
        self, request: web.Request, name: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_named(name))
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        await response.write(MARK + csv_lines([heads]))
        for start in range(0, len(rows), FILE_PAGE):
            await response.write(csv_lines(rows[start : start + FILE_PAGE]))
        return response

    # ---- while it is read and taken

    async def progress(self, request: web.Request) -> web.Response:
        found = self._found(request)
        if found is None:
            return web.json_response({"over": True}, headers=HEADERS)
        return web.json_response({"over": found.state not in MOVING, **self._so_far(request, found)}, headers=HEADERS)

    def _so_far(self, request: web.Request, found: LateFile) -> Mapping[str, Any]:
        words = self._outage.desk.words(request, "late_file")
        if found.state is LateState.READING:
            text = words["so_far_read"].format(rows=number(found.rows), faults=number(len(found.faults)))
            return {"text": text, "done": 0, "of": 0}
        done = found.to_take - len(found.good)
        text = words["so_far_taken"].format(done=number(done), of=number(found.to_take))
        return {"text": text, "done": done, "of": found.to_take}

    # ---- the page

    def _found(self, request: web.Request) -> LateFile | None:
        return self._files.of(signed(request).officer.id)

    def _page(self, request: web.Request, refused: FileFault | None = None) -> web.Response:
        desk, found = self._outage.desk, self._found(request)
        columns = desk.words(request, "late_column")
        told = self._why(request, found, refused)
        return desk.pages.render(
            request,
            "outage-late.html",
            status=STATUS_OF.get(refused or "", HTTPStatus.UNPROCESSABLE_ENTITY) if told else HTTPStatus.OK,
            found=self._shown(request, found) if found else None,
            row_faults=[self._cells(request, each) for each in found.faults[:SHOWN]] if found else [],
            entered=[_entered(each) for each in found.entered[-SHOWN:]] if found else [],
            faults=[Fault("file", told)] if told else [],
            columns=[(columns[name], desk.words(request, "late_expected")[name], name in NEEDED) for name in HEADS],
            limits=self._limits(request),
            receiving=bool(desk.receiving(request)),
            screens=self._outage.screens(request),
        )

    def _shown(self, request: web.Request, found: LateFile) -> Mapping[str, Any]:
        return {
            "state": found.state.value,
            "moving": found.state in MOVING,
            "upload": found.upload,
            "rows": number(found.rows),
            "good": number(len(found.good)),
            "before": number(found.before) if found.before else "",
            "entered": number(len(found.entered)),
            "all_entered": len(found.entered),
            "faults": len(found.faults),
            "wrong_rows": number(len({each.row for each in found.faults})),
            "may_take": found.may_take,
            **self._so_far(request, found),
        }

    def _why(self, request: web.Request, found: LateFile | None, refused: FileFault | None) -> str:
        """Why nothing of it is taken: what was just sent, or the file that was read."""
        words = self._outage.desk.words(request, "late_file_fault")
        if refused is not None:
            return words[refused]
        if found is None or found.state is not LateState.REFUSED:
            return ""
        if found.missing:
            columns = self._outage.desk.words(request, "late_column")
            return words["columns_missing"].format(", ".join(columns[name] for name in found.missing))
        refusal = found.refused
        if refusal is None:
            return ""
        return words[refusal.fault] + (f" {words['in_row'].format(refusal.row)}" if refusal.row else "")

    def _cells(self, request: web.Request, fault: RowFault) -> Sequence[str]:
        """Row, column, what is wrong and what was expected, and what stood there."""
        desk = self._outage.desk
        words = desk.words(request, "late_row_fault")[fault.kind]
        expected = desk.words(request, "late_expected")[fault.column]
        column, twice = desk.words(request, "late_column")[fault.column], fault.kind is RowFaultKind.TWICE
        return str(fault.row), column, words.format(fault.hint if twice else expected), "" if twice else fault.hint

    def _limits(self, request: web.Request) -> str:
        return self._outage.desk.words(request, "late_file")["limits"].format(
            size=LARGEST_FILE // 1024 // 1024,
            rows=number(MOST_LATE_ROWS),
            columns=MOST_COLUMNS,
            cell=number(LONGEST_CELL),
        )


def _named(name: str) -> Mapping[str, str]:
    return HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}


def _entered(each: Entered) -> tuple[int, str, str]:
    return each.row, each.code, at(paths.INTAKE_ONE, each.dossier)
