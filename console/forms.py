"""What a form or an address says, as plain text: nothing of it is believed before it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from domain.text import safe_text

MOST_FIELDS = 100
MOST_ROW_ID = 2**63 - 1


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
