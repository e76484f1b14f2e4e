"""What a form or an address says, as plain text: nothing of it is believed before it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from domain.calendar import LOCAL_ZONE
from domain.text import safe_text

MOST_FIELDS = 100
MOST_ROW_ID = 2**63 - 1
YEARS: Final = range(2, 9999)  # a day before and a day after them are days as well


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field, for the error summary: the id of its input, and the words."""

    field: str
    words: str


async def read_form(request: web.Request, *, most_fields: int = MOST_FIELDS) -> MultiDict[str]:
    """The fields of a form as a page of ours sends it; none of anything else. Passwords come as they were typed.

    Raises:
        web.HTTPRequestEntityTooLarge: it is longer than anything of ours.
    """
    body = (await request.read()).decode("utf-8", "replace")
    try:
        return MultiDict(parse_qsl(body, keep_blank_values=True, max_num_fields=most_fields))
    except ValueError:  # more fields than this form has
        return MultiDict()


def one_line(fields: Mapping[str, str], name: str, longest: int) -> str:
    """A field as one line of at most so many characters, without control signs; empty: it is not there."""
    return safe_text(fields.get(name, ""), longest)


def row_id(text: str) -> int | None:
    """The number of a row as an address or a form names it; None: no row can have it."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(MOST_ROW_ID)) + 1 else None
    return number if number is not None and number <= MOST_ROW_ID else None


def read_day(text: str, years: range = YEARS) -> date | None:
    """A day written 2026-11-23; None: it is none, or none of these years."""
    try:
        day = date.fromisoformat(text)
    except ValueError:  # the caller tells
        return None
    return day if day.year in years else None


def read_moment(text: str, years: range = YEARS) -> datetime | None:
    """A moment written 2026-11-23T14:05, as the desk's clock shows it; None: it is none, or none of these years."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # the caller tells
        return None
    if moment.year not in years:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=LOCAL_ZONE)
