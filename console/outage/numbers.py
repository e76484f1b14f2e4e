"""Codes set aside for paper: so many of an agency and a day, what became of each, and sheets to fill in by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from console import paths
from console.accounts.shown import local
from console.forms import Fault, one_line, read_day, read_form, row_id
from console.intake.desk import sent_on
from console.outage.desk import DONE, OutageDesk, at_block
from console.outage.sheets import LANGUAGES, shown_sheets
from console.routes import ConsoleRoute
from domain.calendar import local_day
from domain.intake import LONGEST_TEXT, NumberBlock
from domain.officers import Right
from intake.outage import MOST_OF_BLOCK, MOST_OPEN, ReserveFault, SerialState, codes_of, reserve_fault

LONGEST_SHORT: Final = 60
RECENT: Final = timedelta(days=30)  # older blocks are shown while a code of theirs is open
MOST_BLOCKS: Final = 60
ALL: Final = "tat-ca"
IN_TWO: Final = "2"
AT: Final[Mapping[ReserveFault, str]] = {
    ReserveFault.COUNT: "count",
    ReserveFault.TOO_MANY_OPEN: "count",
    ReserveFault.FULL: "count",
}  # the rest is told at the day


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveForm:
    """As typed."""

    agency: str = ""
    day: str = ""
    count: str = "20"


class NumberPages:
    """The page, and the sheets of one block."""

    __slots__ = ("_outage",)

    def __init__(self, outage: OutageDesk) -> None:
        self._outage = outage

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.NUMBERS,
            needs=Right.INTAKE_NUMBERS,
            handler=self.show,
            summary="codes set aside for paper, and what became of each",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.NUMBERS,
            needs=Right.INTAKE_NUMBERS,
            handler=self.reserve,
            summary="sets codes of an agency and a day aside",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.NUMBERS_SHEET,
            needs=Right.INTAKE_NUMBERS,
            handler=self.sheets,
            summary="sheets of A5 to fill in by hand, one a code that is still open",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.NUMBERS_VOID,
            needs=Right.INTAKE_NUMBERS,
            handler=self.void,
            summary="accounts for a sheet that was spoilt or never used",
        )

    async def show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def reserve(self, request: web.Request) -> web.Response:
        outage, desk = self._outage, self._outage.desk
        fields = await read_form(request)
        form = ReserveForm(**{name: one_line(fields, name, LONGEST_SHORT) for name in ("agency", "day", "count")})
        if form.agency not in desk.receiving(request):
            return desk.missing(request)
        identifier, day, count = desk.form_id(fields.get("id", "")), read_day(form.day), row_id(form.count) or 0
        if identifier is None or day is None:
            return await self._page(request, form, ("day", "bad_day") if identifier else ("form", "stale"))
        blocks = await outage.late.blocks([form.agency])
        if any(each.id == identifier for each in blocks):  # the form came twice
            return sent_on(f"{paths.NUMBERS}?{DONE}=reserved#block-{identifier}")
        today = local_day(desk.clock())
        fault = reserve_fault(count, day, today=today, calendar=desk.calendar, blocks=blocks)
        if fault is not None:
            return await self._page(request, form, (AT.get(fault, "day"), fault))
        actor = desk.actor(request)
        block = NumberBlock(
            id=identifier,
            agency=form.agency,
            day=day,
            first=1,
            last=count,
            reserved_at=desk.clock(),
            reserved_by=actor.login,
        )
        try:
            await desk.service.book.reserve(block, outage.late.patterns[form.agency], count, actor)
        except ValueError:  # told to whoever asked
            return await self._page(request, form, ("count", ReserveFault.FULL))
        return sent_on(f"{paths.NUMBERS}?{DONE}=reserved#block-{identifier}")

    async def void(self, request: web.Request) -> web.Response:
        outage, desk = self._outage, self._outage.desk
        fields = await read_form(request)
        block = await outage.block(request)
        if block is None:
            return desk.missing(request)
        serial, why = row_id(fields.get("serial", "")), one_line(fields, "why", LONGEST_TEXT + 1)
        where = f"why-{block.id}"
        if not why or len(why) > LONGEST_TEXT:
            return await self._page(request, fault=(where, "too_long" if why else "no_why"))
        if serial not in block.open or not await desk.service.book.void(block.id, serial, why, desk.actor(request)):
            return await self._page(request, fault=(f"serial-{block.id}", "accounted"))
        return sent_on(f"{paths.NUMBERS}?{DONE}=voided#block-{block.id}")

    async def sheets(self, request: web.Request) -> web.Response:
        outage, desk = self._outage, self._outage.desk
        block = await outage.block(request)
        if block is None:
            return desk.missing(request)
        agency = desk.agencies.find(block.agency)
        shown = shown_sheets(
            codes_of(block, outage.late.patterns[block.agency]),
            copies=2 if request.query.get("lien") == IN_TWO else 1,
            agency=[agency.name(language) if agency else block.agency for language in LANGUAGES],
            where=outage.where,
            consent=desk.consent,
            texts=outage.texts,
        )
        title = desk.words(request, "numbers")["sheets_title"].format(f"{block.day:%d/%m/%Y}")
        back = f"{paths.NUMBERS}#block-{block.id}"
        return desk.pages.render(request, "outage-sheets.html", **shown, title=title, back=back)

    # ---- the page

    async def _page(
        self, request: web.Request, form: ReserveForm | None = None, fault: tuple[str, str] | None = None
    ) -> web.Response:
        outage, desk = self._outage, self._outage.desk
        today, words = local_day(desk.clock()), desk.words(request, "numbers")
        receiving = desk.receiving(request)
        blocks = await outage.late.blocks(receiving)
        everything = ALL in request.query
        listed = [each for each in blocks if everything or each.open or each.day > today - RECENT][:MOST_BLOCKS]
        done = request.query.get(DONE, "")
        faults = desk.words(request, "numbers_fault")
        limits = {"block": MOST_OF_BLOCK, "open": f"{MOST_OPEN:,}".replace(",", ".")}
        return desk.pages.render(
            request,
            "outage-numbers.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK,
            identifier=desk.ids(),
            form=form or ReserveForm(agency=next(iter(receiving), ""), day=today.isoformat()),
            faults=[Fault(fault[0], faults[fault[1]].format(**limits))] if fault else [],
            done=desk.words(request, "outage_done").get(done, ""),
            agencies=[(each, desk.agency_name(request, each)) for each in receiving],
            most=MOST_OF_BLOCK,
            blocks=[self._shown(request, each, today) for each in listed],
            summary=words["summary"].format(sum(len(each.open) for each in blocks if each.day <= today)),
            older=f"{paths.NUMBERS}?{ALL}" if len(listed) < len(blocks) and not everything else "",
            screens=outage.screens(request),
        )

    def _shown(self, request: web.Request, block: NumberBlock, today: date) -> Mapping[str, Any]:
        codes, states = (
            codes_of(block, self._outage.late.patterns[block.agency]),
            self._outage.desk.words(request, "serial_state"),
        )
        return {
            "id": block.id,
            "agency": self._outage.desk.agency_name(request, block.agency),
            "day": f"{block.day:%d/%m/%Y}",
            "first": codes[0].code,
            "last": codes[-1].code,
            "count": len(codes),
            "reserved": local(block.reserved_at),
            "by": block.reserved_by,
            "counts": [(states[state], _count(codes, state)) for state in SerialState],
            "overdue": bool(block.open) and block.day < today,
            "codes": [(each.code, states[each.state], each.why, each.state.value) for each in codes],
            "open": [(each.serial, each.code) for each in codes if each.state is SerialState.OPEN],
            "sheets": at_block(paths.NUMBERS_SHEET, block.id),
            "void": at_block(paths.NUMBERS_VOID, block.id),
        }


def _count(codes: Sequence[Any], state: SerialState) -> int:
    return sum(each.state is state for each in codes)
