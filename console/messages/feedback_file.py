"""Opinions as lines of a file, for spreadsheets and programs: a page at a time, moments in ISO 8601, numbers hidden."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from console.messages import clock
from console.messages.hiding import hidden
from console.messages.ports import Opinion, Opinions, OpinionSearch
from console.messages.shown import code_text
from domain.calendar import LOCAL_ZONE, WorkCalendar

PAGE = 500  # rows read at a time; as many are in memory
COLUMNS: Final = (
    "number",
    "at",
    "channel",
    "who",
    "text",
    "agency",
    "code",
    "state",
    "due",
    "answer",
    "answered",
    "answered_by",
)


async def all_of(opinions: Opinions, search: OpinionSearch) -> AsyncIterator[Sequence[Opinion]]:
    """Page by page. Raises StoreUnavailable."""
    while found := await opinions.listed(search, limit=PAGE):
        yield found
        search = replace(search, beyond=found[-1].number)


def line(opinion: Opinion, today: date, calendar: WorkCalendar) -> Sequence[str]:
    """Of COLUMNS."""
    return (
        str(opinion.number),
        _iso(opinion.received_at),
        "" if opinion.masked else opinion.sender.scheme,
        hidden(opinion.sender),
        opinion.text,
        opinion.agency,
        code_text(opinion.dossier_code),
        clock.state(opinion, today, calendar),
        clock.due_on(opinion.received_at, calendar).isoformat(),
        opinion.answer,
        "" if opinion.answered_at is None else _iso(opinion.answered_at),
        opinion.answered_by,
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(LOCAL_ZONE).isoformat(timespec="seconds")
