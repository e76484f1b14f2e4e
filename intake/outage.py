"""Work on paper while the system is down (decision 40/2016/QĐ-UBND art. 7.3): codes set aside before, entered afterwards.

What may be set aside and what may be entered late is decided here without waiting; IntakeLate only fetches the blocks.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from domain.calendar import WorkCalendar, local_day
from domain.codes import read_codes
from domain.intake import NumberBlock
from domain.numbering import NumberPattern
from intake.ports import IntakeBook
from intake.service import Registration

MOST_OF_BLOCK: Final = 200  # codes set aside at once: what one can still print and carry
MOST_OPEN: Final = 2_000  # codes of an agency nobody has accounted for yet
FURTHEST: Final = timedelta(days=30)
LOOKED_BACK: Final = timedelta(days=2 * 366)  # how old a block may be and still be entered or reconciled


class ReserveFault(enum.StrEnum):
    """Why no codes are set aside."""

    COUNT = "count"  # none, or more than MOST_OF_BLOCK
    PAST = "past"
    TOO_FAR = "too_far"  # more than 30 days ahead
    DAY_OFF = "day_off"
    TOO_MANY_OPEN = "too_many_open"  # those there are must be accounted for first
    FULL = "full"  # the day has not so many left; told by the book


def reserve_fault(
    count: int, day: date, *, today: date, calendar: WorkCalendar, blocks: Iterable[NumberBlock]
) -> ReserveFault | None:
    """None: `count` codes of `day` may be set aside beside these blocks of the same agency."""
    checks = (
        (not 1 <= count <= MOST_OF_BLOCK, ReserveFault.COUNT),
        (day < today, ReserveFault.PAST),
        (day > today + FURTHEST, ReserveFault.TOO_FAR),
        (day != today and not calendar.working(day), ReserveFault.DAY_OFF),
        (sum(len(each.open) for each in blocks) + count > MOST_OPEN, ReserveFault.TOO_MANY_OPEN),
    )
    return next((fault for wrong, fault in checks if wrong), None)


# ---- codes set aside


class SerialState(enum.StrEnum):
    """What became of a code that was set aside."""

    OPEN = "open"
    USED = "used"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedCode:
    """One code of a block. `day` is the day it bears; `why`: of one that is void."""

    code: str
    agency: str
    block: int
    serial: int
    day: date
    state: SerialState
    why: str = ""


def codes_of(block: NumberBlock, pattern: NumberPattern) -> Sequence[ReservedCode]:
    """All of it, the first first."""
    return [
        ReservedCode(
            code=pattern.code(block.day, serial).reference,
            agency=block.agency,
            block=block.id,
            serial=serial,
            day=block.day,
            state=_state(block, serial),
            why=block.void.get(serial, ""),
        )
        for serial in range(block.first, block.last + 1)
    ]


def _state(block: NumberBlock, serial: int) -> SerialState:
    if serial in block.void:
        return SerialState.VOID
    return SerialState.USED if serial in block.used else SerialState.OPEN


def codes_of_all(blocks: Iterable[NumberBlock], patterns: Mapping[str, NumberPattern]) -> Mapping[str, ReservedCode]:
    """By code; blocks of an agency that no longer works with the module are left out."""
    return {
        each.code: each
        for block in blocks
        if block.agency in patterns
        for each in codes_of(block, patterns[block.agency])
    }


def read_reserved(typed: str, codes: Mapping[str, ReservedCode], today: date) -> ReservedCode | None:
    """The one that is meant, as forgivingly as citizens' codes are read; None: no such code was set aside."""
    exact = codes.get(typed.strip().upper())
    if exact is not None:
        return exact
    found = read_codes(typed, today=today).codes
    return codes.get(found[0].reference) if len(found) == 1 else None


# ---- entered late


class LateFault(enum.StrEnum):
    """Why a dossier cannot be entered with the code it had on paper."""

    NOT_RESERVED = "not_reserved"  # no such code, or another agency's
    USED = "used"
    VOID = "void"
    NO_MOMENT = "no_moment"
    FUTURE = "future"
    BEFORE_DAY = "before_day"  # received before the day the code bears


MOMENT_FAULTS: Final = frozenset({LateFault.NO_MOMENT, LateFault.FUTURE, LateFault.BEFORE_DAY})


def code_fault(code: ReservedCode | None, agencies: Collection[str]) -> LateFault | None:
    """None: it is one of these agencies' and nobody has accounted for it."""
    if code is None or code.agency not in agencies:
        return LateFault.NOT_RESERVED
    return {SerialState.USED: LateFault.USED, SerialState.VOID: LateFault.VOID}.get(code.state)


def moment_fault(received_at: datetime | None, day: date | None, now: datetime) -> LateFault | None:
    """None: it may have been received then. `day`: the one the code bears, where that is known."""
    if received_at is None:
        return LateFault.NO_MOMENT
    if received_at > now:
        return LateFault.FUTURE
    return LateFault.BEFORE_DAY if day is not None and local_day(received_at) < day else None


def entered_late(wish: Registration, code: ReservedCode, received_at: datetime) -> Registration:
    """The same dossier, with the code it had on paper and when it was truly received."""
    return replace(
        wish,
        agency=code.agency,
        received_at=received_at,
        late=True,
        block=code.block,
        serial=code.serial,
        declared_at=received_at if wish.declared_at else None,
    )


class IntakeLate:
    """Codes set aside, as forms and lists need them. `patterns`: how each agency numbers."""

    __slots__ = ("_book", "_clock", "patterns")

    def __init__(
        self, book: IntakeBook, *, patterns: Mapping[str, NumberPattern], clock: Callable[[], datetime]
    ) -> None:
        self._book = book
        self._clock = clock
        self.patterns = patterns

    async def blocks(self, agencies: Collection[str]) -> Sequence[NumberBlock]:
        """Those of two years, the newest first. Raises StoreUnavailable."""
        known = frozenset(agencies) & self.patterns.keys()
        if not known:
            return ()
        return await self._book.blocks(known, since=local_day(self._clock()) - LOOKED_BACK)

    async def codes(self, agencies: Collection[str]) -> Mapping[str, ReservedCode]:
        """All codes of those blocks. Raises StoreUnavailable."""
        return codes_of_all(await self.blocks(agencies), self.patterns)

    async def check(
        self, typed: str, received_at: datetime | None, agencies: Collection[str]
    ) -> ReservedCode | Sequence[LateFault]:
        """The code a form names, if a dossier received at that moment may be entered with it; else all that is wrong. What
        it gives goes into `entered_late`. Raises StoreUnavailable.
        """
        now = self._clock()
        code = read_reserved(typed, await self.codes(agencies), local_day(now))
        faults = (code_fault(code, agencies), moment_fault(received_at, code.day if code else None, now))
        told = [each for each in faults if each is not None]
        return told if told or code is None else code

    async def waiting(self, agencies: Collection[str]) -> int:
        """Codes up to today that nobody has accounted for: what the desk's first page shows. Raises StoreUnavailable."""
        today = local_day(self._clock())
        return sum(len(each.open) for each in await self.blocks(agencies) if each.day <= today)
