"""What is printed of a dossier at the desk: the receipt (form 01), the letters 02 to 05, the control slip; by the numbers of
circular 03/2025/TT-VPCP (intake.forms says why). Every paper holds personal data: each time is noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from aiohttp import web

from console import paths
from console.accounts.ports import AuditLog, AuditSearch
from console.intake.desk import at
from console.intake.issuing import PRINTED, PaperDesk
from console.intake.pdf import PdfAbsent, PdfFailed, PdfMaker
from console.intake.printed import letter_shown, receipt_shown, slip_shown
from console.intake.wording import Wording
from console.page import HEADERS
from console.routes import ConsoleRoute
from console.signed import signed
from domain.intake import IntakeDossier
from domain.officers import Right
from intake.forms import Form, hand_overs, make_letter
from intake.receipt import IntakeReceipt, LookUpPlaces, make_receipt, second_language

RECEIPT: Final = "01"
SHEET, ROLL = "print-a5.css", "print-80.css"
# A sheet that jams, and the other size, are printed at once: what is printed later is a duplicate and says so.
FIRST_PRINTING: Final = timedelta(minutes=10)
SEEN_BEFORE: Final = 100  # printings of one dossier that are looked through


class IntakePrints:
    """Prints. `places`: where one can look a dossier up; `log` knows what was printed before."""

    __slots__ = ("_desk", "_log", "_papers", "_pdf", "_places")

    def __init__(self, papers: PaperDesk, *, places: LookUpPlaces, log: AuditLog, pdf: PdfMaker) -> None:
        self._papers = papers
        self._desk = papers.desk
        self._places = places
        self._log = log
        self._pdf = pdf

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_RECEIPT,
            needs=Right.INTAKE_SEE,
            handler=self.receipt,
            summary="the receipt, to be printed: A5, or a roll of 80 mm",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_RECEIPT_PDF,
            needs=Right.INTAKE_SEE,
            handler=self.pdf,
            summary="the receipt as PDF",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_FORM,
            needs=Right.INTAKE_SEE,
            handler=self.form,
            summary="forms 01 to 05 of a dossier, to be printed",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_SLIP,
            needs=Right.INTAKE_SEE,
            handler=self.slip,
            summary="the control slip of a dossier, to be printed",
        )

    # ---- the receipt

    async def receipt(self, request: web.Request) -> web.Response:
        dossier = await self._desk.one(request)
        if dossier is None:
            return self._desk.missing(request)
        made = await self._receipt(request, dossier)
        if made is None:
            return self._desk.missing(request)
        await self._noted(request, dossier, RECEIPT, size="80" if _on_roll(request) else "a5")
        return self._receipt_page(request, dossier, made, bar=True)

    async def pdf(self, request: web.Request) -> web.Response:
        dossier = await self._desk.one(request)
        made = await self._receipt(request, dossier) if dossier is not None else None
        if dossier is None or made is None:
            return self._desk.missing(request)
        page = self._receipt_page(request, dossier, made, bar=False)
        try:
            body = await self._pdf.make(page.text or "")
        except PdfAbsent:
            return self._no_pdf(request, dossier, "pdf_absent", HTTPStatus.NOT_IMPLEMENTED)
        except PdfFailed:
            return self._no_pdf(request, dossier, "pdf_failed", HTTPStatus.SERVICE_UNAVAILABLE)
        await self._noted(request, dossier, RECEIPT, size="pdf")
        name = f"bien-nhan-{dossier.code.text}.pdf"  # of letters, digits, dots and dashes (domain.codes)
        headers = HEADERS | {
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=body, content_type="application/pdf", headers=headers)

    async def _receipt(self, request: web.Request, dossier: IntakeDossier) -> IntakeReceipt | None:
        """Its secret proves that one holds it: whoever only looks into dossiers is not told."""
        now = self._desk.clock()
        made = make_receipt(
            dossier,
            await self._desk.service.book.steps(dossier.id),
            agency=self._papers.agency(dossier.agency),
            places=self._places,
            consent=self._desk.consent,
            printed_at=now,
            tell_secret=signed(request).officer.may(Right.INTAKE_WORK),
        )
        return made and replace(made, reprinted=await self._was_printed(dossier, RECEIPT, now))

    def _receipt_page(
        self, request: web.Request, dossier: IntakeDossier, receipt: IntakeReceipt, *, bar: bool
    ) -> web.Response:
        roll = _on_roll(request)
        shown = receipt_shown(receipt, Wording(catalogue=self._papers.catalogue, second=receipt.second), roll=roll)
        here = at(paths.INTAKE_RECEIPT, dossier.id)
        words = self._desk.words(request, "intake_paper")
        other = (words["a5"], here) if roll else (words["roll"], f"{here}?kho=80")
        pdf = (words["pdf"], at(paths.INTAKE_RECEIPT_PDF, dossier.id) + ("?kho=80" if roll else ""))
        return self._papers.paper(
            request,
            "print-receipt.html",
            ROLL if roll else SHEET,
            shown,
            [*self._links(request, dossier), other, pdf],
            bar=bar,
        )

    def _no_pdf(self, request: web.Request, dossier: IntakeDossier, reason: str, status: HTTPStatus) -> web.Response:
        return self._desk.pages.render(
            request,
            "print-no-pdf.html",
            status=status,
            words=self._desk.words(request, "intake_paper"),
            reason=reason,
            page=at(paths.INTAKE_RECEIPT, dossier.id),
        )

    # ---- letters and the slip

    async def form(self, request: web.Request) -> web.Response:
        number = request.match_info["form"]
        if number == RECEIPT:
            return await self.receipt(request)
        dossier = await self._desk.one(request)
        if dossier is None:
            return self._desk.missing(request)
        letter = make_letter(Form(number), dossier, await self._desk.service.book.steps(dossier.id))
        if letter is None:
            return self._desk.missing(request)
        now = self._desk.clock()
        reprinted = await self._was_printed(dossier, number, now, since=letter.at)
        await self._noted(request, dossier, number, size="a5")
        shown = letter_shown(
            letter,
            dossier,
            self._papers.agency(dossier.agency),
            Wording(catalogue=self._papers.catalogue, second=second_language(dossier)),
            now if reprinted else None,
        )
        return self._papers.paper(request, "print-letter.html", SHEET, shown, self._links(request, dossier))

    async def slip(self, request: web.Request) -> web.Response:
        dossier = await self._desk.one(request)
        if dossier is None:
            return self._desk.missing(request)
        rows = hand_overs(dossier, await self._desk.service.book.steps(dossier.id))
        if rows is None:
            return self._desk.missing(request)
        await self._noted(request, dossier, "slip", size="a5")
        shown = {
            **slip_shown(dossier, rows, self._papers.office["intake_slip"], self._papers.name_of),
            **self._papers.head(dossier.agency, "slip"),
        }
        return self._papers.paper(request, "print-slip.html", SHEET, shown, self._links(request, dossier))

    # ---- what all share

    def _links(self, request: web.Request, dossier: IntakeDossier) -> list[tuple[str, str]]:
        words = self._desk.words(request, "intake_paper")
        new = [(words["new"], paths.INTAKE_NEW)] if signed(request).officer.may(Right.INTAKE_WORK) else []
        return [*new, (words["back"], at(paths.INTAKE_ONE, dossier.id))]

    async def _noted(self, request: web.Request, dossier: IntakeDossier, form: str, *, size: str) -> None:
        await self._desk.audit.note(request, PRINTED, f"dossier:{dossier.code.reference}", form=form, size=size)

    async def _was_printed(
        self, dossier: IntakeDossier, form: str, now: datetime, *, since: datetime | None = None
    ) -> bool:
        """Somebody has it already. `since`: a new occasion makes a new letter."""
        search = AuditSearch(
            agencies=None,
            action=PRINTED,
            about=f"dossier:{dossier.code.reference}",
            since=since,
            until=now - FIRST_PRINTING,
        )
        return any(each.detail.get("form") == form for each in await self._log.find(search, limit=SEEN_BEFORE))


def _on_roll(request: web.Request) -> bool:
    return request.query.get("kho") == "80"
