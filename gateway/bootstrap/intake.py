"""The minimal intake module, for the agencies of the settings: the desk's service over our own store, and its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.files.vault import FolderVault
from domain.calendar import local_day
from domain.errors import SettingsError
from domain.numbering import NumberPattern
from domain.working_time import DeskHours
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.words import Words
from gateway.settings import IntakeAgency, IntakeSettings, Settings
from intake.ports import IntakeBook, Vault
from intake.service import Announce, IntakeService
from intake.uploads.inspecting import FileInspector


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What every part of the intake module is made with. `agencies`: those that work with it, by identifier."""

    service: IntakeService
    vault: Vault
    inspector: FileInspector
    agencies: Mapping[str, IntakeAgency]


def make_intake(
    settings: Settings, words: Words, opened: OpenStore, *, announce: Announce, new_id: Callable[[], int]
) -> Intake | None:
    """None: no agency works with it.

    Raises:
        SettingsError: see refuse_slips.
    """
    chosen = settings.intake
    if not chosen.agencies:
        return None
    agencies = {each.agency: each for each in chosen.agencies}
    refuse_slips(settings, words)
    return Intake(
        service=make_service(
            settings, words, opened.store.intake(), announce=announce, new_id=new_id, clock=opened.clock
        ),
        vault=FolderVault(chosen.files, now=opened.clock),
        inspector=FileInspector(),
        agencies=agencies,
    )


def make_service(
    settings: Settings,
    words: Words,
    book: IntakeBook,
    *,
    announce: Announce,
    new_id: Callable[[], int],
    clock: Callable[[], datetime],
) -> IntakeService:
    """Over a book that is there. Raises SettingsError as refuse_slips."""
    return IntakeService(
        book,
        procedures=words.procedures,
        numbers=patterns_of(settings.intake),
        hours=_hours(settings),
        calendar=read_calendar(settings.notices.calendar, local_day(clock())),
        announce=announce,
        new_id=new_id,
        clock=clock,
    )


def patterns_of(chosen: IntakeSettings) -> Mapping[str, NumberPattern]:
    """How each agency numbers."""
    return {
        each.agency: NumberPattern(agency=each.agency, text=each.pattern, first=each.first_serial)
        for each in chosen.agencies
    }


def refuse_slips(settings: Settings, words: Words) -> None:
    """What the settings, the catalogue of agencies and that of procedures do not see each by itself.

    Raises:
        SettingsError: an agency is named twice or nobody knows it, the hours contradict one another, or a procedure's
            cut-off does not lie within them.
    """
    _refuse_strangers(settings, words)
    hours = _hours(settings)
    slips = [
        f"procedures: {each.code}: its cut_off {each.cut_off:%H:%M} does not lie within intake.hours"
        for each in words.procedures
        if each.cut_off is not None and not replace(hours, cut_off=each.cut_off).cuts_within
    ]
    if slips:
        raise SettingsError("\n".join(dict.fromkeys(slips)))


def _hours(settings: Settings) -> DeskHours:
    chosen = settings.intake
    try:
        hours = DeskHours.of(chosen.hours, chosen.saturday, chosen.cut_off)
    except ValueError as error:
        raise SettingsError(f"intake.hours: {error}") from error
    if not hours.cuts_within:
        raise SettingsError("intake.cut_off: it does not lie within intake.hours")
    return hours


def _refuse_strangers(settings: Settings, words: Words) -> None:
    names = [each.agency for each in settings.intake.agencies]
    twice = sorted({name for name in names if names.count(name) > 1})
    unknown = sorted(name for name in names if words.agencies.find(name) is None)
    faults = [f"intake.agencies: {name} stands there twice" for name in twice]
    faults += [f"intake.agencies: {name} is in no catalogue of agencies" for name in unknown]
    if faults:
        raise SettingsError("\n".join(faults))
