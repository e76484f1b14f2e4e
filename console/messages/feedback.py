"""Opinions and complaints (decision 40/2016/QĐ-UBND art. 5.7): listed by agency with the clock, answered, passed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from http import HTTPStatus

import structlog
from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.accounts.reach import reach, reaches
from console.forms import Fault, read_form, row_id
from console.messages import clock
from console.messages.feedback_file import COLUMNS, all_of, line
from console.messages.ports import Opinion, Opinions, OpinionSearch, Which
from console.messages.routing import Router
from console.messages.shown import opinion_cells
from console.messages.wording import FIRST_LANGUAGE, AnswerWriter
from console.page import HEADERS, Pages
from console.routes import ConsoleRoute
from console.signed import signed
from domain.agencies import Agencies
from domain.calendar import LOCAL_ZONE, WorkCalendar, local_day
from domain.csv_lines import MARK, csv_lines
from domain.errors import StoreError
from domain.officers import Right
from domain.text import safe_text

log = structlog.get_logger()

PAGE = 50
LONGEST_ANSWER = 2000  # characters; what a channel shows may be shorter
DONE = "xong"  # of the address one is sent to afterwards: a name under [feedback_done]


class FeedbackPages:
    """The inbox. `clock` gives aware moments."""

    __slots__ = ("_agencies", "_audit", "_calendar", "_clock", "_opinions", "_pages", "_router", "_writer")

    def __init__(
        self,
        pages: Pages,
        *,
        opinions: Opinions,
        router: Router,
        writer: AnswerWriter,
        audit: Audit,
        agencies: Agencies,
        calendar: WorkCalendar,
        clock: Callable[[], datetime],
    ) -> None:
        self._pages = pages
        self._opinions = opinions
        self._router = router
        self._writer = writer
        self._audit = audit
        self._agencies = agencies
        self._calendar = calendar
        self._clock = clock

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.FEEDBACK,
            needs=Right.FEEDBACK_SEE,
            handler=self.listed,
            summary="opinions given to the own agencies",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.FEEDBACK_FILE,
            needs=Right.FEEDBACK_SEE,
            handler=self.file,
            summary="the same as a CSV file",
        )
        yield ConsoleRoute(
            method="GET", path=paths.FEEDBACK_ONE, needs=Right.FEEDBACK_SEE, handler=self.show, summary="one opinion"
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.FEEDBACK_ANSWER,
            needs=Right.FEEDBACK_ANSWER,
            handler=self.answer,
            summary="answers an opinion, once",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.FEEDBACK_PASS,
            needs=Right.FEEDBACK_ANSWER,
            handler=self.pass_on,
            summary="gives an opinion to another of the own agencies",
        )

    # ---- looking

    async def listed(self, request: web.Request) -> web.Response:
        await self._router.route()
        search = self._search(request)
        found = await self._opinions.listed(search, limit=PAGE + 1)
        waiting, overdue = await self._opinions.waiting(search.agencies, search.overdue_before)
        here = f"{paths.FEEDBACK}?loai={search.which}"
        return self._pages.render(
            request,
            "feedback-list.html",
            rows=[self._cells(request, each) for each in found[:PAGE]],
            which=search.which.value,
            choices=[each.value for each in Which],
            waiting=waiting,
            overdue=overdue,
            more=f"{here}&sau={found[PAGE - 1].number}" if len(found) > PAGE else "",
            first=here if search.beyond is not None else "",
            file=f"{paths.FEEDBACK_FILE}?loai={search.which}",
        )

    async def show(self, request: web.Request) -> web.Response:
        await self._router.route()
        opinion = await self._one(request)
        return opinion if isinstance(opinion, web.Response) else self._page(request, opinion)

    async def file(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":  # nothing is taken away
            return web.Response(content_type="text/csv", headers=HEADERS)
        await self._router.route()
        search = replace(self._search(request), beyond=None)
        await self._audit.note(request, "feedback.exported", which=search.which.value)
        name = f"gop-y-{self._clock().astimezone(LOCAL_ZONE):%Y%m%d-%H%M}.csv"
        response = web.StreamResponse(headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'})
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        heads = self._pages.texts(request)["feedback"]
        await response.write(MARK + csv_lines([[heads[column] for column in COLUMNS]]))
        try:
            async for opinions in all_of(self._opinions, search):
                await response.write(csv_lines(line(each, self._today(), self._calendar) for each in opinions))
        except StoreError:  # half a file must not look whole
            log.warning("console.file_broken", path=paths.FEEDBACK_FILE)
            if request.transport is not None:
                request.transport.abort()
        return response

    def _search(self, request: web.Request) -> OpinionSearch:
        asked = request.query.get("loai", "")
        which = Which(asked) if asked in list(Which) else Which.WAITING
        agencies = reach(signed(request).scope, self._agencies)
        beyond = row_id(request.query.get("sau", ""))
        return clock.search(agencies, which, beyond, self._today(), self._calendar)

    # ---- answering

    async def answer(self, request: web.Request) -> web.Response:
        opinion = await self._one(request)
        if isinstance(opinion, web.Response):
            return opinion
        typed = (await read_form(request)).get("answer", "")
        text = safe_text(typed, LONGEST_ANSWER)
        if not text:
            return self._told(request, opinion, "answer", "no_answer")
        message = self._writer.message(opinion, opinion.way_back, text) if opinion.way_back else None
        if len(typed) > LONGEST_ANSWER or (message is None and opinion.way_back):
            return self._told(request, opinion, "answer", "too_long", typed=text)
        noted = self._audit.entry(request, "feedback.answered", f"feedback:{opinion.number}", sent=message is not None)
        if not await self._opinions.answer(opinion, text, message, self._clock(), noted):
            return await self._moved(request)
        return self._done(opinion, "answered")

    async def pass_on(self, request: web.Request) -> web.Response:
        opinion = await self._one(request)
        if isinstance(opinion, web.Response):
            return opinion
        agency = (await read_form(request)).get("agency", "")
        if not agency or agency == opinion.agency:
            return self._told(request, opinion, "agency", "no_agency")
        if agency not in signed(request).scope:
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        about = f"feedback:{opinion.number}"
        noted = self._audit.entry(request, "feedback.passed_on", about, agency=agency, agency_before=opinion.agency)
        if not await self._opinions.pass_on(opinion, agency, noted):
            return await self._moved(request)
        return self._done(opinion, "passed_on")

    # ---- whose it is

    async def _one(self, request: web.Request) -> Opinion | web.Response:
        """The opinion of the address, or the page that says there is none, which is all that is told of others'."""
        number = row_id(request.match_info["number"])
        opinion = await self._opinions.find(number) if number is not None else None
        if opinion is None or not reaches(signed(request).scope, opinion.agency, self._agencies):
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        return opinion

    # ---- pages

    def _page(
        self, request: web.Request, opinion: Opinion, faults: Sequence[Fault] = (), typed: str = ""
    ) -> web.Response:
        me, language = signed(request), self._pages.language(request)
        agencies = sorted(
            (each.identifier, each.name(language))
            for each in self._agencies
            if each.identifier in me.scope and each.identifier != opinion.agency
        )
        return self._pages.render(
            request,
            "feedback-one.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            one=self._cells(request, opinion),
            faults=faults,
            typed=typed,
            longest=LONGEST_ANSWER,
            agencies=agencies,
            may_answer=me.officer.may(Right.FEEDBACK_ANSWER) and opinion.answered_at is None,
            may_see_messages=me.officer.may(Right.MESSAGES_SEE),
            reachable=opinion.way_back is not None,
            speaks=self._speaks(request, opinion),
            done=self._pages.texts(request)["feedback_done"].get(request.query.get(DONE, ""), ""),
        )

    def _speaks(self, request: web.Request, opinion: Opinion) -> str:
        """The language the person chose, in the officer's words."""
        chosen = (opinion.way_back.language if opinion.way_back else None) or FIRST_LANGUAGE
        return str(self._pages.texts(request)["feedback_language"].get(chosen, chosen))

    def _told(self, request: web.Request, opinion: Opinion, field: str, name: str, typed: str = "") -> web.Response:
        fault = Fault(field, self._pages.texts(request)["feedback"][name])
        return self._page(request, opinion, [fault], typed)

    async def _moved(self, request: web.Request) -> web.Response:
        """Somebody was quicker: what is there now, whoever's it is now."""
        present = await self._one(request)
        return present if isinstance(present, web.Response) else self._told(request, present, "main", "moved")

    def _done(self, opinion: Opinion, done: str) -> web.Response:
        address = f"{paths.FEEDBACK}/{opinion.number}?{DONE}={done}"
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})

    def _cells(self, request: web.Request, opinion: Opinion) -> Mapping[str, object]:
        return opinion_cells(
            opinion,
            self._pages.texts(request),
            agencies=self._agencies,
            language=self._pages.language(request),
            today=self._today(),
            calendar=self._calendar,
        )

    def _today(self) -> date:
        return local_day(self._clock())
