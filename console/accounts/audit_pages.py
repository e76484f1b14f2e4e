"""The audit log, searched and taken away as a file; no more of it than the own agencies did."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import structlog
from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.accounts.ports import AuditEntry, AuditLog, AuditSearch
from console.accounts.reach import reach
from console.accounts.shown import local_to_the_second
from console.forms import Fault, one_line, read_day, row_id
from console.page import HEADERS, Pages
from console.routes import ConsoleRoute
from console.signed import signed
from domain.agencies import Agencies
from domain.calendar import LOCAL_ZONE, local_moment
from domain.csv_lines import MARK, csv_lines
from domain.errors import StoreError
from domain.officers import Right

log = structlog.get_logger()

PAGE = 50
FILE_PAGE = 500  # rows read at a time; as many are in memory
LONGEST = 80  # characters of a field of the search
FIELDS = ("login", "action", "about", "since", "until")
YEARS = range(2000, 2100)  # what an id can be made in, and some more
COLUMNS = ("at", "login", "agency", "action", "about", "detail", "address")


class AuditPages:
    """The search and the file. `clock` gives aware moments."""

    __slots__ = ("_agencies", "_audit", "_clock", "_log", "_pages")

    def __init__(
        self,
        pages: Pages,
        *,
        log: AuditLog,
        audit: Audit,
        agencies: Agencies,
        clock: Callable[[], datetime],
    ) -> None:
        self._pages = pages
        self._log = log
        self._audit = audit
        self._agencies = agencies
        self._clock = clock

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.AUDIT,
            needs=Right.AUDIT_SEE,
            handler=self.search,
            summary="what officers of the own agencies did",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.AUDIT_FILE,
            needs=Right.AUDIT_SEE,
            handler=self.file,
            summary="the same as a CSV file",
        )

    async def search(self, request: web.Request) -> web.Response:
        search, faults = self._wanted(request)
        found = [] if faults else await self._log.find(search, limit=PAGE + 1)
        names = self._pages.texts(request)["action"]
        typed = {name: one_line(request.query, name, LONGEST) for name in FIELDS}
        asked = {name: value for name, value in typed.items() if value}
        return self._pages.render(
            request,
            "accounts-audit.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            faults=faults,
            typed=typed,
            actions=sorted(names.items(), key=lambda each: str(each[1])),
            rows=[_cells(each, names) for each in found[:PAGE]],
            older=f"{paths.AUDIT}?{urlencode({**asked, 'before': found[PAGE - 1].id})}" if len(found) > PAGE else "",
            file=f"{paths.AUDIT_FILE}?{urlencode(asked)}",
            newest=paths.AUDIT + (f"?{urlencode(asked)}" if asked else "") if search.before else "",
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        search, faults = self._wanted(request)
        if faults:
            return await self.search(request)
        if request.method == "HEAD":  # nothing is taken away
            return web.Response(content_type="text/csv", headers=HEADERS)
        asked = [f"{name}={value}" for name in FIELDS if (value := one_line(request.query, name, LONGEST))]
        await self._audit.note(request, "audit.exported", search=asked)
        name = f"nhat-ky-{self._clock().astimezone(LOCAL_ZONE):%Y%m%d-%H%M}.csv"
        response = web.StreamResponse(headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'})
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        heads = self._pages.texts(request)["audit"]
        await response.write(MARK + csv_lines([[heads[column] for column in COLUMNS]]))
        try:
            async for entries in self._all(replace(search, before=None)):
                await response.write(csv_lines(map(_line, entries)))
        except StoreError:  # half a file must not look whole
            log.warning("console.file_broken", path=paths.AUDIT_FILE)
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _all(self, search: AuditSearch) -> AsyncIterator[Sequence[AuditEntry]]:
        while found := await self._log.find(search, limit=FILE_PAGE):
            yield found
            search = replace(search, before=found[-1].id)

    def _wanted(self, request: web.Request) -> tuple[AuditSearch, Sequence[Fault]]:
        query = request.query
        since, until = _day(query, "since"), _day(query, "until")
        words = self._pages.texts(request)["audit"]["bad_date"]
        faults = [
            Fault(name, words)
            for name, read in (("since", since), ("until", until))
            if read is None and one_line(query, name, LONGEST)
        ]
        search = AuditSearch(
            agencies=reach(signed(request).scope, self._agencies),
            login=one_line(query, "login", LONGEST).lower(),
            action=one_line(query, "action", LONGEST),
            about=one_line(query, "about", LONGEST),
            since=since,
            until=until + timedelta(days=1) if until else None,
            before=row_id(query.get("before", "")),
        )
        return search, faults


def _day(query: Mapping[str, str], name: str) -> datetime | None:
    """The first moment of a day written 2026-11-23; None: it is none."""
    day = read_day(query.get(name, "").strip(), YEARS)
    return local_moment(day, time.min) if day else None


def _detail(entry: AuditEntry) -> str:
    return json.dumps(entry.detail, ensure_ascii=False, sort_keys=True) if entry.detail else ""


def _cells(entry: AuditEntry, names: Mapping[str, str]) -> Mapping[str, str]:
    return {
        "at": local_to_the_second(entry.at),
        "login": entry.login,
        "agency": entry.agency,
        "action": names.get(entry.action, entry.action),
        "about": entry.about,
        "detail": _detail(entry),
        "address": entry.address,
    }


def _line(entry: AuditEntry) -> Sequence[str]:
    """Times in ISO 8601, actions by their own names: for programs as well."""
    at = entry.at.astimezone(LOCAL_ZONE).isoformat(timespec="seconds")
    return at, entry.login, entry.agency, entry.action, entry.about, _detail(entry), entry.address
