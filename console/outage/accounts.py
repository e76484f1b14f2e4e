"""Reconciliation after an outage: codes nobody accounted for, what was entered late, and what may be there twice. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from domain.calendar import local_day
from domain.intake import IntakeDossier
from domain.phones import significant_number
from domain.text import bare, fold
from intake.outage import ReservedCode, SerialState

Group = tuple[str, str, date]  # agency, procedure, day of receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class LateDay:
    """What an agency received on paper on a day. `longest`: until the last of it was entered."""

    agency: str
    day: date
    count: int
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspected:
    """One that was on paper and one that was in the system: same procedure and day, and probably the same person. `alike`:
    by which of ALIKE.
    """

    paper: IntakeDossier
    system: IntakeDossier
    alike: Sequence[str]


def unaccounted(codes: Iterable[ReservedCode], *, since: date, until: date) -> Sequence[ReservedCode]:
    """Codes of these days that are still open, the oldest first."""
    found = [each for each in codes if each.state is SerialState.OPEN and since <= each.day <= until]
    return sorted(found, key=lambda each: (each.day, each.agency, each.serial))


def gap(dossier: IntakeDossier) -> timedelta:
    """From when it was truly received until it was entered."""
    return dossier.entered_at - dossier.received_at


def by_day(late: Iterable[IntakeDossier]) -> Sequence[LateDay]:
    """The newest day first."""
    found: dict[tuple[date, str], list[IntakeDossier]] = defaultdict(list)
    for each in late:
        found[local_day(each.received_at), each.agency].append(each)
    days = [
        LateDay(agency=agency, day=day, count=len(of), longest=max(map(gap, of))) for (day, agency), of in found.items()
    ]
    return sorted(days, key=lambda each: (-each.day.toordinal(), each.agency))


def group_of(dossier: IntakeDossier) -> Group:
    """Where the other one of a pair would be."""
    return dossier.agency, dossier.procedure, local_day(dossier.received_at)


def suspected(late: Iterable[IntakeDossier], others: Iterable[IntakeDossier]) -> Sequence[Suspected]:
    """Pairs of one that was entered late and one of `others` that was not, in one group."""
    there: dict[Group, list[IntakeDossier]] = defaultdict(list)
    for each in others:
        if not each.late:
            there[group_of(each)].append(each)
    pairs = ((paper, system) for paper in late for system in there.get(group_of(paper), ()))
    return [
        Suspected(paper=paper, system=system, alike=alike)
        for paper, system in pairs
        if (alike := _alike(paper, system))
    ]


def _alike(one: IntakeDossier, other: IntakeDossier) -> Sequence[str]:
    """By what they seem to be one person's: an identity number that differs outweighs a name."""
    mine, theirs = _marks(one), _marks(other)
    same = [name for name in ALIKE if mine[name] and mine[name] == theirs[name]]
    contradicted = bool(mine["id_number"] and theirs["id_number"]) and "id_number" not in same
    return () if contradicted else same


ALIKE: Final = ("name", "phone", "id_number")


def _marks(dossier: IntakeDossier) -> Mapping[str, str]:
    person = dossier.person
    return {
        "name": " ".join(bare(fold(person.name)).split()),
        "phone": significant_number(person.phone),
        "id_number": person.id_number.upper(),
    }
