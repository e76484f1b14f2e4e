"""`/doi-chieu`: what is still to be accounted for after work on paper, and what was entered late; nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from console import paths
from console.accounts.shown import local
from console.broadcasts.shown import number
from console.forms import Fault, one_line, read_day
from console.intake.desk import at
from console.outage.accounts import LateDay, Suspected, by_day, gap, group_of, suspected, unaccounted
from console.outage.desk import OutageDesk
from console.page import HEADERS
from console.routes import ConsoleRoute
from console.signed import signed
from domain.calendar import local_day, local_moment
from domain.csv_lines import MARK, csv_lines
from domain.intake import IntakeDossier
from domain.officers import Right
from intake.outage import ReservedCode
from intake.ports import IntakeSearch

BACK: Final = timedelta(days=30)  # what is looked at unless days are given
LONGEST_SPAN: Final = timedelta(days=366)
ONE_DAY: Final = timedelta(days=1)
AT_ONCE: Final = 500  # dossiers read at a time
MOST_LATE: Final = 20_000
MOST_GROUPS: Final = 300  # agency, procedure and day: what is looked for twice
SHOWN: Final = 100
LONGEST: Final = 20
YEARS: Final = range(2000, 2200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All of it. `cut`: there was more than is looked at."""

    open: Sequence[ReservedCode]
    late: Sequence[IntakeDossier]
    days: Sequence[LateDay]
    twice: Sequence[Suspected]
    cut: bool


class ReconcilePages:
    """The page and its file."""

    __slots__ = ("_outage",)

    def __init__(self, outage: OutageDesk) -> None:
        self._outage = outage

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.RECONCILE,
            needs=Right.INTAKE_SEE,
            handler=self.show,
            summary="codes nobody accounted for, what was entered late, what may be there twice",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.RECONCILE_FILE,
            needs=Right.INTAKE_SEE,
            handler=self.file,
            summary="the same as a CSV file",
        )

    async def show(self, request: web.Request) -> web.Response:
        desk, (since, until, faults) = self._outage.desk, self._days(request)
        found = (
            await self._find(request, since, until)
            if not faults
            else Found(open=(), late=(), days=(), twice=(), cut=False)
        )
        query = f"?tu={since.isoformat()}&den={until.isoformat()}"
        words = desk.words(request, "reconcile")
        return desk.pages.render(
            request,
            "outage-reconcile.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            faults=[Fault(where, desk.words(request, "numbers_fault")[name]) for where, name in faults],
            since=since.isoformat(),
            until=until.isoformat(),
            counts=[
                (words[name], number(len(of)))
                for name, of in (("open", found.open), ("late", found.late), ("twice", found.twice))
            ],
            open=[self._open(request, each) for each in found.open[:SHOWN]],
            days=[self._day(request, each) for each in found.days[:SHOWN]],
            late=[self._late(request, each) for each in found.late[:SHOWN]],
            twice=[self._twice(request, each) for each in found.twice[:SHOWN]],
            more={
                name: words["more"].format(SHOWN, number(len(of))) if len(of) > SHOWN else ""
                for name, of in (("open", found.open), ("late", found.late), ("twice", found.twice))
            },
            cut=words["cut"] if found.cut else "",
            file=f"{paths.RECONCILE_FILE}{query}",
            screens=self._outage.screens(request),
        )

    async def file(self, request: web.Request) -> web.Response:
        since, until, faults = self._days(request)
        if faults:
            return await self.show(request)
        found = await self._find(request, since, until)
        days = [f"{since:%d/%m/%Y}", f"{until:%d/%m/%Y}"]
        await self._outage.desk.audit.note(request, "intake.reconciled", days=days, late=len(found.late))
        name = f"doi-chieu-{since:%Y%m%d}-{until:%Y%m%d}.csv"
        headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
        body = MARK + csv_lines(self._lines(request, found))
        return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=headers)

    # ---- what there is

    async def _find(self, request: web.Request, since: date, until: date) -> Found:
        scope = signed(request).scope
        codes = await self._outage.late.codes(self._outage.desk.receiving(request))
        late, cut = await self._all_late(scope, since, until)
        groups = list(dict.fromkeys(group_of(each) for each in late))
        # What is here was perhaps received elsewhere: of that agency only what the officer may see is looked at.
        others = [
            each
            for group in groups[:MOST_GROUPS]
            for each in await self._others(*group)
            if each.agency in scope or each.holder in scope
        ]
        return Found(
            open=unaccounted(codes.values(), since=since, until=min(until, local_day(self._outage.desk.clock()))),
            late=late,
            days=by_day(late),
            twice=suspected(late, others),
            cut=cut or len(groups) > MOST_GROUPS,
        )

    async def _all_late(self, scope: frozenset[str], since: date, until: date) -> tuple[Sequence[IntakeDossier], bool]:
        """The newest first, and whether there is more."""
        search = replace(_search(scope, since, until), late=True)
        found: list[IntakeDossier] = []
        while len(found) < MOST_LATE:
            page = await self._outage.desk.service.book.listed(search, limit=AT_ONCE)
            found += page
            if len(page) < AT_ONCE:
                return found, False
            search = replace(search, before=page[-1].id)
        return found, True

    async def _others(self, agency: str, procedure: str, day: date) -> Sequence[IntakeDossier]:
        search = replace(_search(frozenset({agency}), day, day), late=False, procedure=procedure)
        return await self._outage.desk.service.book.listed(search, limit=AT_ONCE)

    def _days(self, request: web.Request) -> tuple[date, date, Sequence[tuple[str, str]]]:
        today = local_day(self._outage.desk.clock())
        typed = {name: one_line(request.query, name, LONGEST) for name in ("tu", "den")}
        read = {name: read_day(text, YEARS) for name, text in typed.items()}
        faults = [(name, "bad_day") for name, text in typed.items() if text and read[name] is None]
        until = read["den"] or today
        since = read["tu"] or until - BACK
        if not faults and not timedelta() <= until - since <= LONGEST_SPAN:
            faults = [("tu", "bad_span")]
        return since, until, faults

    # ---- as it is shown

    def _open(self, request: web.Request, each: ReservedCode) -> Mapping[str, str]:
        name = self._outage.desk.agency_name(request, each.agency)
        return {"code": each.code, "agency": name, "day": f"{each.day:%d/%m/%Y}"}

    def _day(self, request: web.Request, each: LateDay) -> Mapping[str, str]:
        return {
            "day": f"{each.day:%d/%m/%Y}",
            "agency": self._outage.desk.agency_name(request, each.agency),
            "count": number(each.count),
            "longest": self._gap(request, each.longest),
        }

    def _late(self, request: web.Request, each: IntakeDossier) -> Mapping[str, str]:
        return {
            "code": each.code.reference,
            "address": at(paths.INTAKE_ONE, each.id),
            "agency": self._outage.desk.agency_name(request, each.agency),
            "procedure": each.procedure_name,
            "received": local(each.received_at),
            "entered": local(each.entered_at),
            "gap": self._gap(request, gap(each)),
        }

    def _twice(self, request: web.Request, each: Suspected) -> Mapping[str, Any]:
        return {
            "paper": self._late(request, each.paper),
            "system": self._late(request, each.system),
            "alike": self._alike(request, each),
        }

    def _alike(self, request: web.Request, each: Suspected) -> str:
        words = self._outage.desk.words(request, "reconcile_alike")
        return ", ".join(words[name] for name in each.alike)

    def _gap(self, request: web.Request, length: timedelta) -> str:
        """Days and hours, or hours and minutes."""
        words, minutes = self._outage.desk.words(request, "reconcile"), int(length.total_seconds() // 60)
        days, hours = minutes // 1440, minutes // 60 % 24
        if days:
            return words["days_hours"].format(days, hours)
        return words["hours_minutes"].format(hours, minutes % 60)

    def _lines(self, request: web.Request, found: Found) -> Iterable[Sequence[str]]:
        """Codes only: who handed in stands in the dossiers."""
        words = self._outage.desk.words(request, "reconcile")
        yield [
            words[name] for name in ("kind", "code", "agency", "day", "received", "entered", "gap", "other", "alike")
        ]
        for each in (self._open(request, code) for code in found.open):
            yield words["open"], each["code"], each["agency"], each["day"], "", "", "", "", ""
        for dossier in found.late:
            shown = self._late(request, dossier)
            day = f"{local_day(dossier.received_at):%d/%m/%Y}"
            cells = (shown[name] for name in ("received", "entered", "gap"))
            yield words["late"], shown["code"], shown["agency"], day, *cells, "", ""
        for pair in found.twice:
            paper, other = self._late(request, pair.paper), pair.system.code.reference
            cells = (paper[name] for name in ("received", "entered", "gap"))
            day = f"{local_day(pair.paper.received_at):%d/%m/%Y}"
            yield words["twice"], paper["code"], paper["agency"], day, *cells, other, self._alike(request, pair)


def _search(agencies: frozenset[str], since: date, until: date) -> IntakeSearch:
    return IntakeSearch(
        agencies=agencies,
        received_since=local_moment(since, time.min),
        received_until=local_moment(until, time.min) + ONE_DAY,
    )
