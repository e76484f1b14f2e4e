"""The follow-up book of some days (form 07 of circular 03/2025/TT-VPCP, 06 of circular 01/2018), to be printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from http import HTTPStatus
from typing import Final

from aiohttp import web

from console import paths
from console.forms import one_line
from console.intake.issuing import PRINTED, PaperDesk
from console.intake.printed import BOOK_COLUMNS, MOST_DAYS, book_rows, days_of
from console.routes import ConsoleRoute
from console.signed import signed
from domain.calendar import local_day, local_moment
from domain.intake import IntakeDossier
from domain.officers import Right
from intake.ports import IntakeSearch

WIDE: Final = "print-a4.css"
MOST_ROWS: Final = 2_000
AT_ONCE: Final = 200


class FollowUpBook:
    """What the officer's agencies received, in the order they did."""

    __slots__ = ("_papers",)

    def __init__(self, papers: PaperDesk) -> None:
        self._papers = papers

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_BOOK,
            needs=Right.INTAKE_SEE,
            handler=self.show,
            summary="the follow-up book of some days, to be printed",
        )

    async def show(self, request: web.Request) -> web.Response:
        today = local_day(self._papers.desk.clock())
        days = days_of(*(one_line(request.query, name, 10) or f"{today}" for name in ("tu", "den")))
        words = self._papers.desk.words(request, "intake_paper")
        if days is None:
            return self._page(request, (today, today), (), words["bad_days"].format(MOST_DAYS))
        found = await self._received(request, *days)
        if found is None:
            return self._page(request, days, (), words["too_many"].format(MOST_ROWS))
        await self._papers.desk.audit.note(
            request, PRINTED, "book", form="book", since=f"{days[0]}", until=f"{days[1]}", count=len(found)
        )
        return self._page(request, days, found, "")

    def _page(
        self, request: web.Request, days: tuple[date, date], found: Sequence[IntakeDossier], fault: str
    ) -> web.Response:
        words = self._papers.office["intake_book"]
        named = [f"{day:%d/%m/%Y}" for day in days]
        shown = {
            **self._papers.head(signed(request).officer.agency, "book"),
            "words": words,
            "columns": BOOK_COLUMNS,
            "rows": book_rows(found, words, self._papers.office["intake_source"], self._papers.name_of),
            "since": f"{days[0]}",
            "until": f"{days[1]}",
            "days": "" if fault else words["days"].format(*named),
            "fault": fault,
        }
        back = [(self._papers.desk.words(request, "intake_paper")["list"], paths.INTAKE)]
        status = HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK
        return self._papers.paper(request, "print-book.html", WIDE, shown, back, status=status)

    async def _received(self, request: web.Request, first: date, last: date) -> Sequence[IntakeDossier] | None:
        """What the officer's agencies received on these days; None: more than fit."""
        scope = signed(request).scope
        search = IntakeSearch(
            agencies=scope,
            received_since=local_moment(first, time()),
            received_until=local_moment(last + timedelta(days=1), time()),
        )
        found: list[IntakeDossier] = []
        while len(found) <= MOST_ROWS:
            page = await self._papers.desk.service.book.listed(search, limit=AT_ONCE)
            found += [each for each in page if each.agency in scope]
            if len(page) < AT_ONCE:
                return found if len(found) <= MOST_ROWS else None
            search = replace(search, before=page[-1].id)
        return None
