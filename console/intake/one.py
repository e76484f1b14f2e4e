"""One dossier: everything of it, and only what may be done to it as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from console import paths
from console.forms import Fault, read_form
from console.intake import shown
from console.intake.acts import ASKED, BETWEEN, SAID_BY_PAPERS, TOLD_AT, ActForm, blank, doing_of, owes, read_act
from console.intake.arrivals import FILE_KINDS, Arrived
from console.intake.arrivals import told as told_refused
from console.intake.desk import DONE, IntakeDesk, at, done
from console.intake.form import Faults
from console.intake.papers import named_fault, with_free
from console.routes import ConsoleRoute
from console.signed import signed
from domain.calendar import local_day
from domain.intake import IntakeDossier, IntakeStep
from domain.intake_moves import ACTS, IntakeAction, IntakeDoing, IntakeRefusal, open_acts
from domain.officers import Right

MOST_FIELDS: Final = 600
LARGEST_FORM: Final = 393_216  # octets: see registering
Addressees = Sequence[tuple[str, Sequence[tuple[str, str]]]]  # (what the group is called, (value, words) of each)


class DossierPages:
    """The page of one, and what is done to it there."""

    __slots__ = ("_desk",)

    def __init__(self, desk: IntakeDesk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_ONE,
            needs=Right.INTAKE_SEE,
            handler=self.show,
            summary="one dossier: who, what, its papers, steps and files",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.INTAKE_ACT,
            needs=Right.INTAKE_WORK,
            handler=self.act,
            summary="does to a dossier what its state allows",
        )

    async def show(self, request: web.Request) -> web.Response:
        dossier = await self._desk.one(request)
        return self._desk.missing(request) if dossier is None else await self.page(request, dossier)

    async def act(self, request: web.Request) -> web.Response:
        name, dossier = request.match_info["action"], await self._desk.one(request)
        if dossier is None or name not in set(IntakeAction):
            return self._desk.missing(request)
        action = IntakeAction(name)
        form = read_act(await read_form(request.clone(client_max_size=LARGEST_FORM), most_fields=MOST_FIELDS))
        if form.version != str(dossier.version):
            return await self._changed(request, dossier, action, form)
        after = await self._done(request, dossier, action, form)
        if isinstance(after, IntakeDossier):
            return done(after.id, action)
        if after is IntakeRefusal.CHANGED:
            now = await self._desk.one(request)
            return self._desk.missing(request) if now is None else await self._changed(request, now, action, form)
        faults, refusal = ((), after) if isinstance(after, IntakeRefusal) else (after, None)
        return await self.page(request, dossier, action, form, faults=faults, refusal=refusal)

    async def _done(
        self, request: web.Request, dossier: IntakeDossier, action: IntakeAction, form: ActForm
    ) -> IntakeDossier | IntakeRefusal | Faults:
        """The dossier afterwards, or why nothing was done."""
        if action not in open_acts(dossier):
            return IntakeRefusal.NOT_FROM_HERE
        wanted = doing_of(
            action,
            form,
            addressees={value for _, group in self._addressees(request, dossier) for value, _ in group},
            now=self._desk.clock(),
            by=self._desk.supplement_by(),
        )
        if not isinstance(wanted, IntakeDoing):
            return wanted
        return await self._desk.service.act(dossier, wanted, self._desk.actor(request))

    async def _changed(
        self, request: web.Request, dossier: IntakeDossier, action: IntakeAction, form: ActForm
    ) -> web.Response:
        """Somebody did something meanwhile; if it was this very form, sent twice, it is done."""
        steps = await self._desk.service.book.steps(dossier.id)
        last, own = steps[-1], signed(request).officer.id
        same = (last.action, last.actor.officer) == (str(action), own) and _says(form, last)
        if form.version == str(dossier.version - 1) and same:
            return done(dossier.id, action)
        return await self.page(request, dossier, action, form, refusal=IntakeRefusal.CHANGED)

    # ---- the page

    async def page(
        self,
        request: web.Request,
        dossier: IntakeDossier,
        action: IntakeAction | None = None,
        form: ActForm | None = None,
        *,
        faults: Iterable[tuple[str, str]] = (),
        refusal: IntakeRefusal | None = None,
        arrived: Arrived | None = None,
    ) -> web.Response:
        """The page; `action` and `form`: what was tried and typed, `arrived`: files that were sent."""
        desk, texts = self._desk, self._desk.pages.texts(request)
        steps = await desk.service.book.steps(dossier.id)
        files = await desk.service.book.files(dossier.id)
        changed = refusal is IntakeRefusal.CHANGED
        seen = int(form.version) if changed and form is not None and _small(form.version) else None
        rows = form.papers if form else ()
        told = [
            Fault(f"{action}-{where}", named_fault(where, texts["intake_fault"][name], rows)) for where, name in faults
        ]
        if refusal is not None:
            told.append(self._refused(request, dossier, action, refusal))
        refused = told_refused(arrived.refused, texts["intake_file_fault"]) if arrived else ()
        if arrived is not None and not (arrived.taken or refused):
            told.append(Fault("file", texts["intake_file_fault"]["none"]))
        told += [Fault("file", f"{name}: {why}" if name else why) for name, why in refused]
        return desk.pages.render(
            request,
            "intake-one.html",
            status=_status(told, conflict=changed or refusal is IntakeRefusal.NOT_FROM_HERE),
            dossier=dossier,
            code=dossier.code.reference,
            state=texts["intake_status"][str(int(dossier.status))],
            mark=shown.due_mark(dossier, desk.clock()),
            facts=shown.facts_of(dossier, texts, self._name_of(request)),
            steps=shown.steps_of(steps, texts, self._name_of(request), seen=seen),
            files=shown.files_of(files, dossier.id, texts),
            file_kinds=[(name, texts["intake_file_kind"][name]) for name in FILE_KINDS],
            prints=shown.prints_of(dossier, steps, texts),
            acts=self._acts(request, dossier, action, form),
            addressees=self._addressees(request, dossier),
            by=desk.supplement_by().isoformat(),
            faults=told,
            changed=changed,
            taken=[each.name for each in arrived.taken] if arrived else [],
            done=texts["intake_done"].get(request.query.get(DONE, ""), ""),
            files_at=at(paths.INTAKE_FILES, dossier.id),
            formats=", ".join(sorted(desk.limits.formats)),
            largest=shown.size(desk.limits.largest),
        )

    def _acts(
        self, request: web.Request, dossier: IntakeDossier, tried: IntakeAction | None, typed: ActForm | None
    ) -> Sequence[Mapping[str, Any]]:
        """A form for each that may be done; what was typed stands in the one that was tried."""
        if not signed(request).officer.may(Right.INTAKE_WORK):
            return ()
        texts = self._desk.pages.texts(request)
        return [
            {
                "name": action,
                "words": texts["intake_act_do"][action],
                "asked": [name for name in ASKED[action] if name != "paid" or owes(dossier)],
                "needs_reason": ACTS[action].reason and action not in SAID_BY_PAPERS,
                "reason": texts["intake_reason"].get(action, texts["intake_reason"]["any"]),
                "at": at(paths.INTAKE_ACT, dossier.id, action=action),
                "form": self._form(dossier, typed if action is tried else None),
                "open": action is tried,
            }
            for action in open_acts(dossier)
            if action is not IntakeAction.APOLOGISE or dossier.apologised_at is None
        ]

    @staticmethod
    def _form(dossier: IntakeDossier, typed: ActForm | None) -> ActForm:
        """What was typed, for the dossier as it is now."""
        fresh = blank(dossier)
        form = fresh if typed is None else replace(typed, version=fresh.version, papers=typed.papers or fresh.papers)
        return replace(form, papers=with_free(form.papers))

    def _refused(
        self, request: web.Request, dossier: IntakeDossier, action: IntakeAction | None, refusal: IntakeRefusal
    ) -> Fault:
        """Why nothing was done, at the field that would have to be different."""
        words, there = self._desk.words(request, "intake_refusal")[refusal], action in open_acts(dossier)
        where = TOLD_AT.get(refusal, "")
        return Fault(f"{action}-{where}" if where and there else "acts", words)

    def _addressees(self, request: web.Request, dossier: IntakeDossier) -> Addressees:
        """Units of the agencies that work with the module, the holder's first; then every other agency there is."""
        desk, today = self._desk, local_day(self._desk.clock())
        ours = sorted(desk.units, key=lambda name: (name != dossier.holder, name))
        words = desk.words(request, "intake_one")
        here = dossier.holder, dossier.unit
        groups: list[tuple[str, Sequence[tuple[str, str]]]] = [
            (
                desk.agency_name(request, agency),
                [
                    (
                        f"{agency}{BETWEEN}{unit}",
                        unit or words["whole_agency"].format(desk.agency_name(request, agency)),
                    )
                    for unit in ("", *desk.units[agency])
                    if (agency, unit) != here
                ],
            )
            for agency in ours
        ]
        others = [
            each.identifier for each in desk.agencies if each.in_force(today) and each.identifier not in desk.units
        ]
        named = sorted((desk.agency_name(request, each), each) for each in others if (each, "") != here)
        return [*groups, (words["other_agencies"], [(f"{each}{BETWEEN}", name) for name, each in named])]

    def _name_of(self, request: web.Request) -> shown.NamesOf:
        return lambda identifier: self._desk.agency_name(request, identifier)


def _status(told: Sequence[Fault], *, conflict: bool) -> HTTPStatus:
    if conflict:
        return HTTPStatus.CONFLICT
    return HTTPStatus.UNPROCESSABLE_ENTITY if told else HTTPStatus.OK


def _says(form: ActForm, step: IntakeStep) -> bool:
    """What was done is what this form says: a second note is not the first one sent twice."""
    to = f"{step.to_agency}{BETWEEN}{step.to_unit}" if step.to_agency else ""
    return (not form.reason or form.reason == step.reason) and (not form.to or form.to == to)


def _small(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < len("1000000")
