"""Several one-stop systems know one dossier: what is told of it (pure).

A dossier that passes between agencies leaves a row in each of their systems. The one that moved last tells its state,
agency, unit and dates. Where it is not known which that is, the further state counts, since a result that one system
has handed over is not undone by another that was never told; after that, the system that is asked first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from operator import itemgetter

from domain.dossier import Dossier, DossierStatus

_S = DossierStatus

# How far a dossier has come. A state that no mapping knows is told as "in process" and is as far as that.
FURTHER: dict[DossierStatus | None, int] = {
    _S.NEWLY_REGISTERED: 0,
    _S.ACCEPTED: 1,
    None: 2,
    _S.IN_PROCESS: 2,
    _S.MORE_DOCUMENTS: 2,
    _S.PAYMENT_DUE: 2,
    _S.WITHDRAWAL_ASKED: 2,
    _S.NOT_ACCEPTED: 3,
    _S.STOPPED: 3,
    _S.DONE: 3,
    _S.RETURNED: 4,
}


def moved_at(dossier: Dossier) -> datetime | None:
    """When it last moved, as far as its system says."""
    if dossier.changed_at is not None:
        return dossier.changed_at
    known = (dossier.received_at, dossier.finished_at, dossier.returned_at)
    return max((moment for moment in known if moment is not None), default=None)


def latest(dossiers: Sequence[Dossier]) -> Dossier:
    """The one of these, in the order in which they are believed, that tells the state.

    Known times decide, even for a state that went back (domain.dossier.LEGAL_MOVES); at equal times the further state.
    What has no time is only believed against the latest of the others where it is further.
    """
    timed = [(moment, each) for each in dossiers if (moment := moved_at(each)) is not None]
    last = max((moment for moment, _ in timed), default=None)
    candidates = [each for each in dossiers if moved_at(each) in (None, last)]
    return max(candidates, key=lambda each: FURTHER[each.status])  # the first of equals


def merge(dossiers: Sequence[Dossier]) -> Dossier:
    """One dossier out of what several systems say of the same code, in the order in which they are believed.

    State, agency, unit, dates, what is missing and what is to be paid come from one of them (`latest`), never mixed,
    but for a promised day that its system keeps nowhere or cannot say: then it is the one another system knows. It was received when and where the first of them received it; whatever proves a right to one proves it to all.
    """
    if len(dossiers) == 1:
        return dossiers[0]
    told = latest(dossiers)
    ordered = [told, *(each for each in dossiers if each is not told)]
    due_on = _first_day(ordered) if told.due_unknown else told.due_on
    received_at, first = min(_received(ordered), key=itemgetter(0), default=(None, told))
    return replace(
        told,
        received_at=received_at,
        receiving_agency=_other_than(told.agency, first.receiving_agency or first.agency),
        returning_agency=_other_than(told.agency, _first(each.returning_agency for each in ordered)),
        due_on=due_on,
        due_unknown=told.due_unknown and due_on is None,
        procedure=_first(each.procedure for each in ordered),
        procedure_name=_first(each.procedure_name for each in ordered),
        proofs=frozenset[str]().union(*(each.proofs for each in dossiers)),
    )


def _received(dossiers: Iterable[Dossier]) -> list[tuple[datetime, Dossier]]:
    return [(each.received_at, each) for each in dossiers if each.received_at is not None]


def _first_day(dossiers: Iterable[Dossier]) -> date | None:
    return next((each.due_on for each in dossiers if each.due_on is not None), None)


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")


def _other_than(agency: str, other: str) -> str:
    """Empty where it is the same: Dossier says so."""
    return "" if other == agency else other
