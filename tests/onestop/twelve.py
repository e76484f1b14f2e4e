"""The same twelve dossiers as every one-stop system would hold them, and what a system has no way of saying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from demo.onestop import DemoDossier
from domain.dossier import DossierStatus

S = DossierStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A dossier but for its code and its agency; days are counted from today."""

    what: str
    status: DossierStatus | None
    received: int = -6
    due: int | None = 4
    finished: int | None = None
    returned: int | None = None


TWELVE: Sequence[Sketch] = (
    Sketch(what="newly registered", status=S.NEWLY_REGISTERED),
    Sketch(what="accepted, without a due date", status=S.ACCEPTED, due=None),
    Sketch(what="not accepted", status=S.NOT_ACCEPTED, finished=-1),
    Sketch(what="in process", status=S.IN_PROCESS),
    Sketch(what="in process, overdue", status=S.IN_PROCESS, received=-20, due=-5),
    Sketch(what="more documents needed", status=S.MORE_DOCUMENTS),
    Sketch(what="payment due", status=S.PAYMENT_DUE),
    Sketch(what="withdrawal asked", status=S.WITHDRAWAL_ASKED),
    Sketch(what="stopped", status=S.STOPPED, due=-2, finished=-3),
    Sketch(what="done", status=S.DONE, finished=-2),
    Sketch(what="returned", status=S.RETURNED, due=-1, finished=-3, returned=-2),
    Sketch(what="in a state nobody mapped", status=None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What the public schema of a style cannot say: `states` are told as not mapped, `dates` are missing."""

    states: frozenset[DossierStatus] = frozenset()
    dates: frozenset[str] = frozenset()
    why: str

    def left_of(self, sketch: Sketch) -> Sketch:
        """The dossier as far as such a system can say it."""
        return replace(
            sketch,
            status=None if sketch.status in self.states else sketch.status,
            finished=None if "finished" in self.dates else sketch.finished,
            returned=None if "returned" in self.dates else sketch.returned,
        )


NO_GAP = Gap(why="")
CANNOT_SAY: Mapping[str, Gap] = {
    "bkav": Gap(
        states=frozenset({S.NEWLY_REGISTERED, S.ACCEPTED, S.NOT_ACCEPTED, S.PAYMENT_DUE, S.WITHDRAWAL_ASKED}),
        why="no flag of its state number is known to mean these",
    ),
    "smallmysql": Gap(
        states=frozenset({S.NEWLY_REGISTERED, S.NOT_ACCEPTED, S.PAYMENT_DUE, S.WITHDRAWAL_ASKED, S.STOPPED}),
        dates=frozenset({"finished", "returned"}),
        why="its list of steps has none for these, and its table no column for the days of the result",
    ),
    "oepv2": Gap(
        states=frozenset({S.ACCEPTED, S.NOT_ACCEPTED, S.PAYMENT_DUE, S.WITHDRAWAL_ASKED, S.STOPPED}),
        why="what its numbers mean is not published, and none is taken to mean these",
    ),
    "digo": Gap(dates=frozenset({"returned"}), why="its search does not tell the day of handing over"),
}


def dossiers(agency: str, sketches: Sequence[Sketch], today: date, *, first: int = 1) -> list[DemoDossier]:
    """The sketches as dossiers of this agency, numbered on from `first`."""
    return [_dossier(code(agency, number), agency, sketch, today) for number, sketch in enumerate(sketches, first)]


def code(agency: str, number: int) -> str:
    """Codes of all agencies differ in the agency's part only."""
    return f"{agency}-250701-{number:04}"


def _dossier(dossier_code: str, agency: str, sketch: Sketch, today: date) -> DemoDossier:
    def morning(days: int | None) -> datetime | None:
        return None if days is None else datetime.combine(today + timedelta(days=days), time(8, 30))

    return DemoDossier(
        code=dossier_code,
        status=sketch.status,
        agency=agency,
        received_at=morning(sketch.received),
        due_at=morning(sketch.due),
        finished_at=morning(sketch.finished),
        returned_at=morning(sketch.returned),
    )
