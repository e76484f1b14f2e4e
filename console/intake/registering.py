"""Registering a dossier: made for the keyboard and for speed, and whole without a script (art. 7.1 and 7.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from aiohttp import web
from multidict import MultiDict

from console import paths
from console.forms import Fault, one_line, read_form, read_moment
from console.intake.arrivals import FileRefused
from console.intake.choosing import clear_choice, procedures_for
from console.intake.desk import FormId, IntakeDesk, at, done, seen, sent_on
from console.intake.form import (
    LANGUAGES,
    LONGEST_SHORT,
    OUTCOMES,
    Faults,
    IntakeForm,
    IntakeFrame,
    listed_for,
    read_intake_form,
    registration_of,
)
from console.intake.papers import named_fault, with_free
from console.intake.shown import facts_of_procedure, files_of, local_form, shown_mail
from console.routes import ConsoleRoute
from console.signed import signed
from domain.calendar import local_day
from domain.intake import FileKind, IntakeDossier, IntakeFile, IntakeSource
from domain.officers import Right
from domain.procedure import Procedure, told_in
from domain.text import safe_text
from intake.mail import Mail
from intake.outage import MOMENT_FAULTS, ReservedCode, entered_late
from intake.ports import NumberTrouble
from intake.service import Registration
from intake.uploads.kinds import UploadRefusal

MOST_FIELDS: Final = 600
LARGEST_FORM: Final = 393_216  # octets: forty papers of three hundred letters, each letter written as nine
MOST_REFUSED: Final = 40
_ANEW: Final = (("form", "stale_form"), ("form", "form_used"))  # the form is shown again as a new one
PRINTED: Final[Mapping[str, str]] = {"accept": "", "supplement": "02", "refuse": "03"}  # which form; none: the receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A form as it was sent, with what the procedure field came to. `found`: those one may choose from."""

    form: IntakeForm
    identifier: FormId | None
    procedure: Procedure | None
    found: Sequence[Procedure] = ()
    refused: Sequence[FileRefused] = ()
    mail: Mail | None = None


class RegisterPages:
    """The form of a new dossier."""

    __slots__ = ("_desk",)

    def __init__(self, desk: IntakeDesk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_NEW,
            needs=Right.INTAKE_WORK,
            handler=self.new,
            summary="the form of a new dossier",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.INTAKE_NEW,
            needs=Right.INTAKE_WORK,
            handler=self.register,
            summary="registers a dossier: accepted, a supplement asked for, or refused",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.INTAKE_CHECK,
            needs=Right.INTAKE_WORK,
            handler=self.check,
            summary="procedures found by words; papers, fee and promised day of one, while one types",
        )

    async def new(self, request: web.Request) -> web.Response:
        blank = IntakeForm(agency=next(iter(self._desk.receiving(request)), ""))
        return await self.page(request, Typed(form=blank, identifier=None, procedure=None))

    async def register(self, request: web.Request) -> web.Response:
        fields = await _read(request)
        typed = self._typed(request, fields)
        if typed.form.agency and typed.form.agency not in self._desk.receiving(request):
            return self._desk.missing(request)
        faults = await self._stale(request, typed)
        wish = registration_of(typed.form, self._frame(request, typed), typed.identifier or 0)
        if faults or not isinstance(wish, Registration):
            return await self.page(request, typed, [*faults, *([] if isinstance(wish, Registration) else wish)])
        timed = await self._as_on_paper(typed.form, wish)
        if not isinstance(timed, Registration):
            return await self.page(request, typed, timed)
        return await self._kept(request, typed, timed, to_print=fields.get("then") == "print")

    async def _kept(self, request: web.Request, typed: Typed, wish: Registration, *, to_print: bool) -> web.Response:
        """Into the book. An id that was there already is the same form sent twice, or says so."""
        kept = await self._desk.service.register(wish, self._desk.actor(request))
        if isinstance(kept, NumberTrouble):
            return await self.page(request, typed, [("form", f"number_{kept}")])
        if not seen(request, kept):  # an id of somebody else's dossier: no form of ours has one
            return self._desk.missing(request)
        if (kept.person, kept.procedure) != (wish.person, wish.procedure):  # a page gone back to, for somebody else
            return await self.page(request, typed, [("form", "form_used")])
        return _afterwards(kept, typed.form, to_print=to_print)

    async def check(self, request: web.Request) -> web.Response:
        """As JSON for the script, as the form with what was found for everybody else."""
        fields = await _read(request)
        if "application/json" in request.headers.get("Accept", ""):
            return self._told(request, fields)
        typed = self._typed(request, fields)
        return await self.page(request, typed)

    async def _as_on_paper(self, form: IntakeForm, wish: Registration) -> Registration | Faults:
        """With the code it had on paper and when it was truly received, where that was typed (art. 7.3)."""
        late, received_at = self._desk.late, read_moment(form.late_at)
        if late is None or not (form.late_code or form.late_at):
            return wish
        code = await late.check(form.late_code, received_at, [form.agency])
        if not isinstance(code, ReservedCode) or received_at is None:
            told = [] if isinstance(code, ReservedCode) else code
            return [("late_at" if each in MOMENT_FAULTS else "late_code", f"late_{each}") for each in told]
        if self._desk.procedures.get(wish.procedure, today=local_day(received_at)) is None:
            return [("words", "late_procedure")]
        return entered_late(wish, code, received_at)

    # ---- the procedure

    def _typed(self, request: web.Request, fields: MultiDict[str]) -> Typed:
        form = read_intake_form(fields)
        chosen = one_line(fields, "choice", LONGEST_SHORT)
        procedure, found = self._chosen(form, chosen)
        words = form.words if procedure is None else told_in(self._desk.pages.language(request), procedure.names)
        return Typed(
            form=replace(form, procedure=procedure.code if procedure else "", words=words),
            identifier=self._desk.form_id(fields.get("id", "")),
            procedure=procedure,
            found=found,
            refused=_refused(fields),
        )

    def _chosen(self, form: IntakeForm, choice: str) -> tuple[Procedure | None, Sequence[Procedure]]:
        """The one that was chosen before counts until other words are typed."""
        today = local_day(self._desk.clock())
        picked = self._desk.procedures.get(choice, today=today) if choice else None
        if picked is not None:
            return picked, ()
        before = self._desk.procedures.get(form.procedure, today=today) if form.procedure else None
        if before is not None and form.words in before.names.values():
            return before, ()
        found = self._found(form.words)
        clear = clear_choice(form.words, found)
        return (clear, ()) if clear else (None, found)

    def _found(self, words: str) -> Sequence[Procedure]:
        desk = self._desk
        return procedures_for(words, catalogue=desk.procedures, known=desk.known, today=local_day(desk.clock()))

    def _told(self, request: web.Request, fields: Mapping[str, str]) -> web.Response:
        language, code = self._desk.pages.language(request), one_line(fields, "procedure", LONGEST_SHORT)
        if not code:
            found = self._found(one_line(fields, "words", 300))
            return web.json_response([{"code": each.code, "name": told_in(language, each.names)} for each in found])
        procedure = self._desk.procedures.get(code, today=local_day(self._desk.clock()))
        if procedure is None:
            return web.json_response({}, status=HTTPStatus.NOT_FOUND)
        source = one_line(fields, "source", LONGEST_SHORT)
        rows = listed_for(IntakeForm(source=source), procedure)
        facts = self._facts(request, procedure)
        papers = [
            {name: getattr(row, name) for name in ("name", "originals", "certified", "copies")} for row in rows.papers
        ]
        return web.json_response(
            {
                "code": procedure.code,
                "name": told_in(language, procedure.names),
                "facts": facts,
                "fee_dong": rows.fee_dong,
                "papers": papers,
            }
        )

    def _facts(self, request: web.Request, procedure: Procedure) -> Sequence[tuple[str, str]]:
        promised = self._desk.service.promised(procedure, self._desk.clock())
        return facts_of_procedure(
            procedure, promised, self._desk.pages.texts(request), self._desk.pages.language(request)
        )

    # ---- what is wrong

    def _frame(self, request: web.Request, typed: Typed) -> IntakeFrame:
        return IntakeFrame(
            agencies=self._desk.receiving(request),
            units=self._desk.units,
            procedure=typed.procedure,
            consent=self._desk.consent,
            now=self._desk.clock(),
            by=self._desk.supplement_by(),
        )

    async def _stale(self, request: web.Request, typed: Typed) -> Faults:
        """A form that is too old to be known if it is sent twice; files of somebody else's form are never taken over."""
        if typed.identifier is None:
            return [("form", "stale_form")]
        files = await self._desk.service.book.files(typed.identifier)
        own = signed(request).officer.id
        return [("form", "stale_form")] if any(each.by_officer != own for each in files) else []

    # ---- the page

    async def page(self, request: web.Request, typed: Typed, faults: Faults = []) -> web.Response:  # noqa: B006 - never changed
        """The form as it was typed, with the papers of its procedure."""
        desk, texts, form = self._desk, self._desk.pages.texts(request), typed.form
        if typed.procedure is not None:
            form = listed_for(form, typed.procedure)
        stale = typed.identifier is None or any(each in faults for each in _ANEW)
        identifier = desk.ids() if stale else typed.identifier
        files = await self._files(request, typed.identifier) if not stale and typed.identifier else ()
        mail = typed.mail or await shown_mail(desk.vault, files)
        receiving = desk.receiving(request)
        return desk.pages.render(
            request,
            "intake-new.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            identifier=identifier,
            form=replace(form, papers=with_free(form.papers)),
            faults=[
                Fault(where, named_fault(where, texts["intake_fault"][name], form.papers)) for where, name in faults
            ],
            found=[(each.code, told_in(desk.pages.language(request), each.names)) for each in typed.found],
            looked=bool(form.words) and typed.procedure is None,
            on_paper=desk.late is not None,
            facts=self._facts(request, typed.procedure) if typed.procedure else (),
            promised=self._promised(typed.procedure),
            agencies=[(each, desk.agency_name(request, each)) for each in receiving],
            units={each: desk.units[each] for each in receiving},
            sources=[(each.value, texts["intake_source"][each]) for each in IntakeSource],
            notice_languages=[(each, texts["intake_language"][each]) for each in LANGUAGES],
            outcomes=[(name, texts["intake_outcome"][name]) for name in OUTCOMES],
            consent=desk.consent,
            by=desk.supplement_by().isoformat(),
            files=files_of(files, 0, texts),
            mail=mail,
            refused=[(each.why, each.name, texts["intake_file_fault"][each.why]) for each in typed.refused],
        )

    def _promised(self, procedure: Procedure | None) -> str:
        promised = self._desk.service.promised(procedure, self._desk.clock()) if procedure else None
        return local_form(promised) if promised else ""

    async def _files(self, request: web.Request, identifier: FormId) -> Sequence[IntakeFile]:
        """What the mail brought; only to whoever opened it."""
        files, own = await self._desk.service.book.files(identifier), signed(request).officer.id
        return [each for each in files if each.by_officer == own and each.kind in (FileKind.PAPER, FileKind.MAIL)]


async def _read(request: web.Request) -> MultiDict[str]:
    """A long check list is longer than other forms."""
    return await read_form(request.clone(client_max_size=LARGEST_FORM), most_fields=MOST_FIELDS)


def _refused(fields: MultiDict[str]) -> Sequence[FileRefused]:
    """The files of a mail that were not taken, told once more while the form is filled in."""
    sent = (each.partition(" ") for each in fields.getall("refused", [])[:MOST_REFUSED])
    return [FileRefused(safe_text(name, 120), why) for why, _, name in sent if why in set(UploadRefusal)]


def _afterwards(kept: IntakeDossier, form: IntakeForm, *, to_print: bool) -> web.Response:
    """On to what is printed, or to its page."""
    if not to_print:
        return done(kept.id, "registered")
    number = PRINTED[form.outcome]
    return sent_on(at(paths.INTAKE_FORM, kept.id, form=number) if number else at(paths.INTAKE_RECEIPT, kept.id))
