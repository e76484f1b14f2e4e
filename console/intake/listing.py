"""The desk's list: what waits, what is due, what is late, what nobody fetched; and any dossier found again.

Names and numbers are looked for by a form that is sent, not by an address: addresses are written into logs on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from console import paths
from console.forms import Fault, one_line, read_day, read_form, row_id
from console.intake.desk import IntakeDesk, at, sent_on
from console.intake.form import LONGEST_SHORT
from console.intake.shown import row_of
from console.routes import ConsoleRoute
from console.signed import signed
from domain.calendar import local_day, local_moment
from domain.dossier import CLOSED, DossierStatus
from domain.intake import LONGEST_TEXT, IntakeDossier, IntakeSource
from domain.officers import Right
from domain.procedure import told_in
from intake.ports import IntakeSearch

PAGE: Final = 50
LONGEST_WORDS: Final = 100
MOST_TODAY: Final = 99  # counted one by one; beyond, it is said that there are more
ONE_DAY: Final = timedelta(days=1)
OPEN: Final = frozenset(DossierStatus) - CLOSED
_S: Final = DossierStatus


@dataclass(frozen=True, slots=True)
class Window:
    """Until when something is due to stand in a filter."""

    now: datetime
    tomorrow: datetime


Narrow = Callable[[IntakeSearch, Window], IntakeSearch]
# The filters in their order, by their names under [intake_filter]: what an officer looks at first stands first.
FILTERS: Final[Mapping[str, Narrow]] = {
    "new": lambda search, _: replace(search, status=frozenset({_S.NEWLY_REGISTERED})),
    "supplement": lambda search, _: replace(search, status=frozenset({_S.MORE_DOCUMENTS})),
    "today": lambda search, when: replace(search, status=OPEN, due_since=when.now, due_before=when.tomorrow),
    "overdue": lambda search, when: replace(search, status=OPEN, due_before=when.now),
    "done": lambda search, _: replace(search, status=frozenset({_S.DONE})),
    "open": lambda search, _: replace(search, status=OPEN),
    "all": lambda search, _: search,
}
ALL: Final = "all"


# Pages of console.outage: (name under [outage_menu], address, what it needs).
ON_PAPER: Final[Sequence[tuple[str, str, Right]]] = (
    ("numbers", paths.NUMBERS, Right.INTAKE_NUMBERS),
    ("late", paths.LATE, Right.INTAKE_WORK),
    ("reconcile", paths.RECONCILE, Right.INTAKE_SEE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListForm:
    """As typed, by the names of its fields."""

    loc: str = ALL
    tim: str = ""
    phong: str = ""
    nguon: str = ""
    thu_tuc: str = ""
    tu: str = ""
    den: str = ""
    truoc: str = ""

    def asked(self, **other: str) -> Mapping[str, str]:
        """What stands in an address: never what was looked for."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__} | {"tim": ""} | other
        return {name: value for name, value in values.items() if value and (name, value) != ("loc", ALL)}


class ListPage:
    """The page."""

    __slots__ = ("_desk",)

    def __init__(self, desk: IntakeDesk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE,
            needs=Right.INTAKE_SEE,
            handler=self.listed,
            summary="dossiers of the own agencies, by what is to be done",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.INTAKE,
            needs=Right.INTAKE_SEE,
            handler=self.search,
            summary="dossiers found by code, number or name",
        )

    async def listed(self, request: web.Request) -> web.Response:
        return await self._page(request, replace(_read(request.query), tim=""))

    async def search(self, request: web.Request) -> web.Response:
        form = _read(await read_form(request))
        if not form.tim:
            return sent_on(_address(form.asked()))
        return await self._page(request, form)

    async def _page(self, request: web.Request, form: ListForm) -> web.Response:
        desk, texts, scope = self._desk, self._desk.pages.texts(request), signed(request).scope
        now = desk.clock()
        when = Window(now, local_moment(local_day(now) + ONE_DAY, time.min))
        faults = _faults(form)
        found: Sequence[IntakeDossier] = ()
        if not faults:
            found = await desk.service.book.listed(self._search(form, scope, when), limit=PAGE + 1)
        if form.tim and len(found) == 1 and not form.truoc:
            return sent_on(at(paths.INTAKE_ONE, found[0].id))
        counts = await self._counts(scope, when)
        before = str(found[PAGE - 1].id) if len(found) > PAGE else ""
        return desk.pages.render(
            request,
            "intake-list.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            form=form,
            faults=[Fault(where, texts["intake_fault"][name]) for where, name in faults],
            rows=[row_of(each, texts, now, lambda name: desk.agency_name(request, name)) for each in found[:PAGE]],
            filters=[
                (texts["intake_filter"][name], counts[name], _address(form.asked(loc=name, truoc="")), name == form.loc)
                for name in FILTERS
            ],
            older=before if form.tim else _address(form.asked(truoc=before)) if before else "",
            newest=_address(form.asked(truoc="")) if form.truoc and not form.tim else "",
            units=sorted({unit for agency in desk.units if agency in scope for unit in desk.units[agency]}),
            sources=[(each.value, texts["intake_source"][each]) for each in IntakeSource],
            procedures=self._procedures(request),
            may_work=signed(request).officer.may(Right.INTAKE_WORK),
            receiving=bool(desk.receiving(request)),
            on_paper=await self._on_paper(request),
        )

    async def _counts(self, scope: frozenset[str], when: Window) -> Mapping[str, str]:
        """What the filters hold, of all that the officer may see."""
        book = self._desk.service.book
        counted = await book.counts(scope, now=when.now)
        today = len(await book.listed(FILTERS["today"](IntakeSearch(agencies=scope), when), limit=MOST_TODAY + 1))
        states = {state: counted[str(int(state))] for state in DossierStatus}
        found = {
            "new": states[_S.NEWLY_REGISTERED],
            "supplement": states[_S.MORE_DOCUMENTS],
            "today": today,
            "overdue": counted["overdue"],
            "done": states[_S.DONE],
            "open": sum(states[state] for state in OPEN),
            "all": sum(states.values()),
        }
        return {name: str(many) for name, many in found.items()} | (
            {"today": f"{MOST_TODAY}+"} if today > MOST_TODAY else {}
        )

    async def _on_paper(self, request: web.Request) -> Sequence[tuple[str, str]]:
        """The pages about work on paper this officer may open; the first says how many codes wait to be accounted for."""
        late, words, officer = self._desk.late, self._desk.words(request, "outage_menu"), signed(request).officer
        if late is None:
            return ()
        may = [(name, address) for name, address, needs in ON_PAPER if officer.may(needs)]
        waiting = await late.waiting(self._desk.receiving(request)) if may else 0
        return [
            (words[name] + (f" ({waiting})" if waiting and not place else ""), to)
            for place, (name, to) in enumerate(may)
        ]

    def _procedures(self, request: web.Request) -> Sequence[tuple[str, str]]:
        language, today = self._desk.pages.language(request), local_day(self._desk.clock())
        names = {each.code: told_in(language, each.names) for each in self._desk.known if each.in_force(today)}
        return sorted(names.items(), key=lambda pair: pair[1])

    def _search(self, form: ListForm, scope: frozenset[str], when: Window) -> IntakeSearch:
        since, until = read_day(form.tu), read_day(form.den)
        codes = self._desk.read_code(form.tim).codes
        search = IntakeSearch(
            agencies=scope,
            text=codes[0].reference if len(codes) == 1 else form.tim,
            unit=form.phong,
            source=IntakeSource(form.nguon) if form.nguon in set(IntakeSource) else None,
            procedure=form.thu_tuc,
            received_since=local_moment(since, time.min) if since else None,
            received_until=local_moment(until, time.min) + ONE_DAY if until else None,
            before=row_id(form.truoc),
        )
        return FILTERS[form.loc](search, when)


def _read(fields: Mapping[str, str]) -> ListForm:
    short = {name: one_line(fields, name, LONGEST_SHORT) for name in ("nguon", "thu_tuc", "tu", "den", "truoc")}
    wanted = fields.get("loc", ALL)
    return ListForm(
        **short,
        loc=wanted if wanted in FILTERS else ALL,
        tim=one_line(fields, "tim", LONGEST_WORDS),
        phong=one_line(fields, "phong", LONGEST_TEXT),
    )


def _faults(form: ListForm) -> Sequence[tuple[str, str]]:
    since, until = read_day(form.tu), read_day(form.den)
    checks = (
        (bool(form.tu) and since is None, "tu", "bad_day"),
        (bool(form.den) and until is None, "den", "bad_day"),
        (since is not None and until is not None and since > until, "den", "days_turned"),
    )
    return [(where, name) for wrong, where, name in checks if wrong]


def _address(asked: Mapping[str, str]) -> str:
    return f"{paths.INTAKE}?{urlencode(asked)}" if asked else paths.INTAKE
