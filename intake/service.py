"""What is done at the desk: a dossier is registered, moved along, handed over; the book keeps it, look-up hears of it.

What may be done decides domain.intake_moves; when it is due, domain.working_time; here both meet the book and the clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

from domain.calendar import WorkCalendar, local_day
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.intake import Actor, IntakeDossier, IntakeSource, IntakeStep, Paper, Person
from domain.intake_moves import REGISTERED, IntakeAction, IntakeDoing, IntakeRefusal, moved
from domain.numbering import NumberPattern
from domain.procedure import Procedure, told_in
from domain.working_time import DeskHours, SupplementRule, due_after_supplement, due_at, starts
from intake.ports import IntakeBook, NewDossier, NumberTrouble, ProcedureCatalogue

SECRET_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # noqa: S105 - an alphabet; none looks like another
SECRET_LENGTH = 6


class Announce(Protocol):
    """Whoever keeps copies of what a dossier was drops them: lookup.signals.Changes."""

    async def announce(self, codes: Sequence[DossierCode]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a form says of a new dossier. `received_at`: when it was truly handed in. `status`: ACCEPTED at the counter,
    NEWLY_REGISTERED when nobody looked at it yet, MORE_DOCUMENTS and NOT_ACCEPTED when that was said at once. `due_at`: as
    an officer says instead of what is counted. `paid`: the fee was taken. `block` and `serial`: the code it had on paper
    (art. 7.3). `note` stays with the first step of its history.
    """

    id: int
    agency: str
    procedure: str
    source: IntakeSource
    person: Person
    received_at: datetime
    status: DossierStatus = DossierStatus.ACCEPTED
    unit: str = ""
    subject: str = ""
    papers: tuple[Paper, ...] = ()
    sets: int = 1
    missing: str = ""  # said when the state is MORE_DOCUMENTS
    supplement_by: date | None = None  # the same
    reason: str = ""  # said when the state is NOT_ACCEPTED
    due_at: datetime | None = None
    fee_dong: int | None = None
    paid: bool = False
    language: str = "vi"
    notify: bool = False
    notify_words: str = ""
    declared_at: datetime | None = None
    late: bool = False
    block: int | None = None
    serial: int | None = None
    note: str = ""


class NoProcedure(ValueError):
    """No such procedure is in force on the day it was received."""


class NoNumbers(ValueError):
    """The agency does not work with this module."""


class IntakeService:
    """The desk of every agency that works with this module. `numbers`: how each numbers. `new_id`: domain.ids."""

    __slots__ = ("_announce", "_book", "_calendar", "_clock", "_hours", "_new_id", "_numbers", "_procedures")

    def __init__(
        self,
        book: IntakeBook,
        *,
        procedures: ProcedureCatalogue,
        numbers: Mapping[str, NumberPattern],
        hours: DeskHours,
        calendar: WorkCalendar,
        announce: Announce,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._book = book
        self._procedures = procedures
        self._numbers = numbers
        self._hours = hours
        self._calendar = calendar
        self._announce = announce
        self._new_id = new_id
        self._clock = clock

    @property
    def book(self) -> IntakeBook:
        return self._book

    def procedure(self, code: str, at: datetime) -> Procedure:
        """The version in force at that moment.

        Raises:
            NoProcedure: there is none.
        """
        found = self._procedures.get(code, today=local_day(at))
        if found is None:
            raise NoProcedure(code)
        return found

    def promised(self, procedure: Procedure, received_at: datetime) -> datetime | None:
        """When it is due if everything is there; None: this procedure promises no day."""
        limit = procedure.limit()
        if limit is None:
            return None
        return due_at(received_at, limit, self._of(procedure), self._calendar)

    def counts_from(self, code: str, received_at: datetime) -> date:
        """The day a dossier handed in then counts as received: the next the desk is open, after the cut-off."""
        found = self._procedures.get(code, today=local_day(received_at))
        return local_day(starts(received_at, self._hours if found is None else self._of(found), self._calendar))

    async def register(self, wish: Registration, actor: Actor) -> IntakeDossier | NumberTrouble:
        """Number it and keep it; sent twice (the same id) it is one.

        Raises:
            NoProcedure: no such procedure is in force on the day it was received.
            NoNumbers: the agency does not work with this module.
            StoreUnavailable: nothing was done.
            StoreUncertain: it may be done; send it again.
        """
        now = self._clock()
        procedure = self.procedure(wish.procedure, wish.received_at)
        pattern = self._numbers.get(wish.agency)
        if pattern is None:
            raise NoNumbers(wish.agency)
        dossier = self._new(wish, procedure, pattern, now)
        new = NewDossier(
            dossier=dossier, pattern=pattern, day=local_day(wish.received_at), serial=wish.serial, block=wish.block
        )
        step = self._step(dossier, REGISTERED, actor, wish.received_at, now, None)
        step = replace(step, reason=step.reason or wish.note)
        kept = await self._book.register(new, step)
        if isinstance(kept, IntakeDossier):
            await self._announce.announce([kept.code])
        return kept

    async def act(self, before: IntakeDossier, doing: IntakeDoing, actor: Actor) -> IntakeDossier | IntakeRefusal:
        """Do it to the dossier as `before` shows it, and to no other version.

        Raises:
            StoreUnavailable: nothing was done.
            StoreUncertain: it may be done; look at the dossier.
        """
        doing = self._with_due(before, doing)
        after = moved(before, doing)
        if isinstance(after, IntakeRefusal):
            return after
        step = self._step(after, str(doing.action), actor, doing.at, self._clock(), before, doing)
        if not await self._book.write(after, step, was=before.version):
            return IntakeRefusal.CHANGED
        await self._announce.announce([after.code])
        return after

    # ---- what is made of a form

    def _new(self, wish: Registration, procedure: Procedure, pattern: NumberPattern, now: datetime) -> IntakeDossier:
        due = wish.due_at or self.promised(procedure, wish.received_at)
        waits, refused = wish.status is DossierStatus.MORE_DOCUMENTS, wish.status is DossierStatus.NOT_ACCEPTED
        if waits or refused:
            due = None
        return IntakeDossier(
            id=wish.id,
            code=pattern.code(local_day(wish.received_at), pattern.first),  # a stand-in
            agency=wish.agency,
            holder=wish.agency,
            unit=wish.unit,
            procedure=procedure.code,
            procedure_name=procedure.names["vi"],
            source=wish.source,
            status=wish.status,
            before=DossierStatus.NEWLY_REGISTERED if waits else None,
            person=wish.person,
            subject=wish.subject,
            papers=wish.papers,
            sets=wish.sets,
            received_at=wish.received_at,
            entered_at=now,
            changed_at=now,
            late=wish.late,
            limit=procedure.limit(),
            rule=SupplementRule(procedure.supplement),
            due_at=due,
            first_due_at=due,
            missing=wish.missing if waits else "",
            supplement_asked_at=wish.received_at if waits else None,
            supplement_by=wish.supplement_by if waits else None,
            reason=wish.reason if refused else "",
            finished_at=wish.received_at if refused else None,
            fee=told_in("vi", procedure.fee),
            fee_dong=procedure.fee_dong if wish.fee_dong is None else wish.fee_dong,
            paid_at=wish.received_at if wish.paid else None,
            language=wish.language,
            notify=wish.notify,
            notify_words=wish.notify_words if wish.notify else "",
            declared_at=wish.declared_at,
            secret="".join(secrets.choice(SECRET_SIGNS) for _ in range(SECRET_LENGTH)),
        )

    def _with_due(self, before: IntakeDossier, doing: IntakeDoing) -> IntakeDoing:
        """The day that follows from an action, unless an officer named one."""
        if doing.due_at is not None or before.limit is None:
            return doing
        hours = self._hours_of(before)
        if doing.action is IntakeAction.ACCEPT and before.due_at is None:
            return replace(doing, due_at=due_at(doing.at, before.limit, hours, self._calendar))
        if doing.action is IntakeAction.TAKE_SUPPLEMENT and before.supplement_asked_at is not None and before.due_at:
            later = due_after_supplement(
                before.rule, before.limit, before.due_at, before.supplement_asked_at, doing.at, hours, self._calendar
            )
            return replace(doing, due_at=later)
        return doing

    def _hours_of(self, dossier: IntakeDossier) -> DeskHours:
        found = self._procedures.get(dossier.procedure, today=local_day(dossier.received_at))
        return self._hours if found is None else self._of(found)

    def _of(self, procedure: Procedure) -> DeskHours:
        """The desk's hours with the cut-off this procedure has."""
        return self._hours if procedure.cut_off is None else replace(self._hours, cut_off=procedure.cut_off)

    def _step(
        self,
        after: IntakeDossier,
        action: str,
        actor: Actor,
        at: datetime,
        entered_at: datetime,
        before: IntakeDossier | None,
        doing: IntakeDoing | None = None,
    ) -> IntakeStep:
        moves = before is not None and (before.holder, before.unit) != (after.holder, after.unit)
        return IntakeStep(
            id=self._new_id(),
            dossier=after.id,
            at=at,
            entered_at=entered_at,
            action=action,
            actor=actor,
            after=after.status,
            before=before.status if before else None,
            from_agency=before.holder if before and moves else "",
            from_unit=before.unit if before and moves else "",
            to_agency=after.holder if moves else "",
            to_unit=after.unit if moves else "",
            reason=doing.reason if doing else after.missing or after.reason,
            due_at=after.due_at,
        )
