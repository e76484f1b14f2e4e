"""`tracuu intake reserve`, beside the processes that serve: the same rules, the same book, noted in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from adapters.store.intake import StoreIntake
from adapters.store.notices_dialect import PostgresDialect, SqliteDialect
from adapters.store.outside import OutsideSteps
from console.outage.sheets import LANGUAGES, csv_of, sheet_file, shown_sheets
from domain.calendar import WorkCalendar, local_day
from domain.csv_lines import MARK, csv_lines
from domain.ids import IdSequence
from domain.intake import Actor, NumberBlock
from domain.numbering import NumberPattern
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.console_outage import whereabouts
from gateway.bootstrap.console_texts import read_console_texts
from gateway.bootstrap.desk import outside
from gateway.bootstrap.intake import patterns_of
from gateway.bootstrap.store import utc_now
from gateway.bootstrap.words import read_words
from gateway.intake_command import ReservedBlock, ReserveRefused
from gateway.settings import Settings
from intake.outage import MOST_OF_BLOCK, MOST_OPEN, IntakeLate, ReserveFault, codes_of, reserve_fault
from intake.ports import IntakeBook

LOGIN: Final = "tracuu"  # who did it, as the audit log says
FAULTS: Final[Mapping[ReserveFault, str]] = {
    ReserveFault.COUNT: f"from 1 to {MOST_OF_BLOCK} codes are set aside at once",
    ReserveFault.PAST: "this day is over",
    ReserveFault.TOO_FAR: "codes are set aside for the next 30 days only",
    ReserveFault.DAY_OFF: "this is a day off; name a working day",
    ReserveFault.TOO_MANY_OPEN: f"at most {MOST_OPEN} codes of an agency may be open: enter or void those there are",
    ReserveFault.FULL: "the day has not so many codes left",
}


async def reserve_codes(
    settings: Settings, agency: str, day: date | None, count: int, *, copies: int = 1
) -> ReservedBlock:
    """Set them aside. Texts and calendar are read before, so that nothing is set aside that could not be printed.

    Raises:
        ReserveRefused: the agency does not work with the module, or no such codes may be set aside.
        SettingsError, StoreError: nothing was done, or, with StoreUncertain, perhaps it was.
    """
    now = utc_now()
    pattern = patterns_of(settings.intake).get(agency)
    if pattern is None:
        known = ", ".join(sorted(patterns_of(settings.intake))) or "none does; see [[intake.agencies]]"
        raise ReserveRefused(f"{agency} does not work with the intake module ({known})")
    texts, words = read_console_texts(settings), read_words(settings)
    calendar = read_calendar(settings.notices.calendar, local_day(now))
    book = _book(settings)
    block = await _reserve(book, pattern, day or local_day(now), count, now, calendar)
    codes = codes_of(block, pattern)
    found = words.agencies.find(agency)
    shown = shown_sheets(
        codes,
        copies=copies,
        agency=[found.name(language) if found else agency for language in LANGUAGES],
        where=whereabouts(settings),
        consent=settings.intake.consent,
        texts=texts,
    )
    first = texts[LANGUAGES[0]]
    title = first["numbers"]["sheets_title"].format(f"{block.day:%d/%m/%Y}")
    return ReservedBlock(
        codes=[each.code for each in codes],
        csv=MARK + csv_lines(csv_of(codes, [first["numbers"]["code"], first["numbers"]["day"]])),
        html=sheet_file(shown, title),
    )


async def _reserve(
    book: IntakeBook, pattern: NumberPattern, day: date, count: int, now: datetime, calendar: WorkCalendar
) -> NumberBlock:
    late = IntakeLate(book, patterns={pattern.agency: pattern}, clock=lambda: now)
    blocks = await late.blocks([pattern.agency])
    fault = reserve_fault(count, day, today=local_day(now), calendar=calendar, blocks=blocks)
    if fault is not None:
        raise ReserveRefused(FAULTS[fault])
    block = NumberBlock(
        id=IdSequence(0).next(int(now.timestamp() * 1000)),
        agency=pattern.agency,
        day=day,
        first=1,
        last=count,
        reserved_at=now,
        reserved_by=LOGIN,
    )
    try:
        return await book.reserve(block, pattern, count, Actor(officer=None, login=LOGIN))
    except ValueError as error:
        raise ReserveRefused(FAULTS[ReserveFault.FULL]) from error


def _book(settings: Settings) -> IntakeBook:
    steps = OutsideSteps(outside(settings))
    dialect = PostgresDialect() if settings.database.shared else SqliteDialect()
    return StoreIntake(steps.write, steps.look, dialect, utc_now)
