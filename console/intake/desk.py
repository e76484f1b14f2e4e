"""What every page of the desk has at hand, whose dossiers an officer may touch, and how their addresses are made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Final, NewType

from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.forms import row_id
from console.page import Pages
from console.signed import signed
from domain.agencies import Agencies
from domain.calendar import WorkCalendar, local_day
from domain.codes import CodeReading
from domain.ids import moment_of
from domain.intake import Actor, IntakeDossier
from domain.procedure import Procedure
from intake.outage import IntakeLate
from intake.ports import ProcedureCatalogue, Vault
from intake.service import IntakeService
from intake.uploads.inspecting import FileInspector

DONE: Final = "xong"  # of the address one is sent to afterwards: a name under [intake_done]
OLDEST_FORM: Final = timedelta(days=6)  # files of a form nobody sent are dropped after a week
EARLY: Final = timedelta(minutes=1)  # by which clocks of two processes may differ

FormId = NewType("FormId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """What is taken as a file. `formats`: names of intake.uploads.FileFormat; sizes in bytes."""

    formats: Collection[str]
    largest: int
    most: int
    most_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDesk:
    """`units`: of each agency that works with the module, by identifier. `known`: every procedure there is. `consent`: what
    is asked and ticked. `supplement_days`: working days a supplement is awaited. `read_code` reads a code in any writing; `ids` makes identifiers (domain.ids).
    """

    pages: Pages
    service: IntakeService
    vault: Vault
    inspector: FileInspector
    audit: Audit
    agencies: Agencies
    units: Mapping[str, Sequence[str]]
    procedures: ProcedureCatalogue
    known: Sequence[Procedure]
    calendar: WorkCalendar
    read_code: Callable[[str], CodeReading]
    limits: FileLimits
    consent: str
    supplement_days: int
    ids: Callable[[], int]
    clock: Callable[[], datetime]
    late: IntakeLate | None = None  # codes set aside for paper; None: nobody counts them

    async def one(self, request: web.Request) -> IntakeDossier | None:
        """The dossier of the address, if the officer's agencies received it or have it now."""
        number = row_id(request.match_info["dossier"])
        found = await self.service.book.by_id(number) if number is not None else None
        return found if found is not None and seen(request, found) else None

    def missing(self, request: web.Request) -> web.Response:
        """There is none: all that is told of others' as well."""
        return self.pages.refuse(request, HTTPStatus.NOT_FOUND)

    def actor(self, request: web.Request) -> Actor:
        """Who is asking, as it is kept with what they do."""
        officer = signed(request).officer
        return Actor(
            officer=officer.id,
            login=officer.login,
            name=officer.name,
            agency=officer.agency,
            address=self.audit.address(request),
        )

    def words(self, request: web.Request, section: str) -> Mapping[str, str]:
        """A section of the texts, in the reader's language."""
        return self.pages.texts(request)[section]

    def receiving(self, request: web.Request) -> Sequence[str]:
        """The agencies this officer may receive for, the own one first."""
        own, scope = signed(request).officer.agency, signed(request).scope
        return sorted((each for each in self.units if each in scope), key=lambda name: (name != own, name))

    def agency_name(self, request: web.Request, identifier: str) -> str:
        """As lists show it."""
        found = self.agencies.find(identifier)
        return found.name(self.pages.language(request)) if found else identifier

    def form_id(self, text: str) -> FormId | None:
        """The identifier a form was given when it was shown, so that the form sent twice makes one; None: that is none, or
        too old.
        """
        number = row_id(text)
        if not number:
            return None
        age = self.clock() - moment_of(number)
        return FormId(number) if -EARLY < age < OLDEST_FORM else None

    def supplement_by(self) -> date:
        """Until when a supplement is awaited, unless an officer says otherwise."""
        return self.calendar.add_working_days(local_day(self.clock()), self.supplement_days)


def seen(request: web.Request, dossier: IntakeDossier) -> bool:
    """It is one of theirs."""
    scope = signed(request).scope
    return dossier.agency in scope or dossier.holder in scope


def at(path: str, dossier: int, **parts: str) -> str:
    """The address of this dossier under a path of console.paths; `parts` are the further ones of it."""
    found = path.replace("{dossier:[0-9]+}", str(dossier)).replace("{action:[a-z_]+}", parts.get("action", ""))
    return found.replace("{form:0[1-5]}", parts.get("form", "")).replace("{file:[0-9]+}", parts.get("file", ""))


def sent_on(address: str) -> web.Response:
    """What was asked for is done; the browser is to look there."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})


def done(dossier: int, name: str) -> web.Response:
    """On to its page, which says so."""
    return sent_on(f"{at(paths.INTAKE_ONE, dossier)}?{DONE}={name}")
