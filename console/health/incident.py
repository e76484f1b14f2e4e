"""Telling of an incident from the console: written, looked at as it will leave, sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.forms import Fault, read_form
from console.health.board import Board
from console.health.judging import alarms
from console.health.ports import Incidents, TooMany
from console.health.reporting import (
    ACTION,
    LONGEST,
    MOST_AN_HOUR,
    Outlet,
    Report,
    Reroute,
    clean,
    make_report,
    messages_of,
)
from console.health.view import sentence
from console.page import Pages, Texts
from console.routes import ConsoleRoute
from console.signed import signed
from domain.agencies import Agencies
from domain.calendar import LOCAL_ZONE
from domain.officers import Right

# Of the field `step`; anything else shows what would be sent.
SEND = "send"
NOW = "now"  # what the screen of health says is wrong, in one click (decision 40/2016 art. 6.4: at once)


class IncidentPages:
    """`told_in`: the texts of the language in which reports are sent. `reroute` says how recipients are reached when a
    report leaves. `new_id` makes identifiers (domain.ids).
    """

    __slots__ = (
        "_agencies",
        "_audit",
        "_board",
        "_clock",
        "_incidents",
        "_new_id",
        "_outlets",
        "_pages",
        "_reroute",
        "_told_in",
    )

    def __init__(
        self,
        pages: Pages,
        *,
        board: Board,
        incidents: Incidents,
        outlets: Sequence[Outlet],
        reroute: Reroute,
        told_in: Texts,
        audit: Audit,
        agencies: Agencies,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._pages = pages
        self._board = board
        self._incidents = incidents
        self._outlets = outlets
        self._reroute = reroute
        self._told_in = told_in
        self._audit = audit
        self._agencies = agencies
        self._new_id = new_id
        self._clock = clock

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.INCIDENT,
            needs=Right.INCIDENT_REPORT,
            handler=self.write,
            summary="the form of an incident report",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.INCIDENT,
            needs=Right.INCIDENT_REPORT,
            handler=self.send,
            summary="shows an incident report as it will leave, then sends it",
        )

    async def write(self, request: web.Request) -> web.Response:
        """With what is wrong now, to begin from."""
        return self._form(request, await self._wrong())

    async def send(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        step = fields.get("step")
        words = await self._wrong() if step == NOW else clean(fields.get("words", ""))
        texts = self._pages.texts(request)["incident"]
        if not self._outlets:
            return self._form(request, words, texts["nobody"])
        if not words:
            return self._form(request, words, texts["empty"])
        report = self._report(request, words)
        if not report.fits:
            return self._form(request, words, texts["too_long"].format(segments=report.segments))
        if step not in (SEND, NOW):
            return self._look(request, words, report)
        return await self._sent(request, words, report)

    async def _wrong(self) -> str:
        """What is wrong now, in the words of reports."""
        return clean(" ".join(sentence(alarm, self._told_in) for alarm in alarms(await self._board.picture())))

    async def _sent(self, request: web.Request, words: str, report: Report) -> web.Response:
        noted = self._audit.entry(request, ACTION, recipients=len(self._outlets), digest=report.digest)
        outlets = await self._reroute(self._outlets)
        messages = messages_of(report, outlets, now=self._clock(), new_id=self._new_id)
        refused = await self._incidents.send(messages, noted, most=MOST_AN_HOUR)
        if isinstance(refused, TooMany):
            again_at = f"{refused.again_at.astimezone(LOCAL_ZONE):%H:%M}"
            fault = self._pages.texts(request)["incident"]["too_many"].format(most=MOST_AN_HOUR, again_at=again_at)
            return self._form(request, words, fault, HTTPStatus.TOO_MANY_REQUESTS)
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": f"{paths.INCIDENT}?xong=1"})

    def _report(self, request: web.Request, words: str) -> Report:
        officer = signed(request).officer
        agency = self._agencies.find(officer.agency)
        by = f"{officer.name}, {agency.short_name if agency else officer.agency}"
        return make_report(words, by=by, now=self._clock(), texts=self._told_in)

    # ---- pages

    def _form(
        self,
        request: web.Request,
        words: str,
        fault: str = "",
        status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY,
    ) -> web.Response:
        return self._pages.render(
            request,
            "health-incident.html",
            status=status if fault else HTTPStatus.OK,
            words=words,
            longest=LONGEST,
            faults=[Fault("words", fault)] if fault else [],
            done="xong" in request.query and not fault,
            recipients=[outlet.shown for outlet in self._outlets],
            most=MOST_AN_HOUR,
        )

    def _look(self, request: web.Request, words: str, report: Report) -> web.Response:
        return self._pages.render(
            request,
            "health-incident-look.html",
            words=words,
            report=report,
            recipients=[outlet.shown for outlet in self._outlets],
        )
