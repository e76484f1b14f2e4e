"""Sheets for work on paper: one a code, form 01 (circular 01/2018/TT-VPCP) with its fields left blank, to fill in by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from console.outage.desk import Whereabouts
from console.page import Texts
from intake.outage import ReservedCode, SerialState

HERE: Final = Path(__file__).parent
LANGUAGES: Final = ("vi", "en")  # of the words on a sheet: the first large, the second small
PAPER_LINES: Final = 4
QUIET: Final = 4  # modules around the code, as ISO/IEC 18004 asks for
FIRST_YEARS: Final = "20"  # what is printed of the year one writes by hand
STYLE: Final = "outage-sheets.css"
COPIES: Final = ("applicant", "desk")  # names under [sheet]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page."""

    code: str
    day: str
    qr: Markup
    copy: str


def sheets_of(codes: Iterable[ReservedCode], *, copies: int) -> Sequence[Sheet]:
    """A page for each code that is still open, or two: what the applicant takes away, and what the desk keeps."""
    return [
        Sheet(code=each.code, day=f"{each.day:%d/%m/%Y}", qr=qr_of(each.code), copy=copy)
        for each in codes
        if each.state is SerialState.OPEN
        for copy in COPIES[:copies]
    ]


@lru_cache(512)
def qr_of(code: str) -> Markup:
    """A drawing without a style of its own: the style sheet says how large it is."""
    drawn = segno.make(code, micro=False, error="m", boost_error=False)
    # segno writes the drawing out of numbers alone: nothing of the code stands in it.
    return Markup(drawn.svg_inline(border=QUIET, omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704


def shown_sheets(
    codes: Iterable[ReservedCode],
    *,
    copies: int,
    agency: Sequence[str],
    where: Whereabouts,
    consent: str,
    texts: Mapping[str, Texts],
) -> Mapping[str, Any]:
    """What the template needs. `agency`: its name in each of LANGUAGES."""
    words = [texts[language]["sheet"] for language in LANGUAGES]
    return {
        "sheets": sheets_of(codes, copies=copies),
        "both": {name: tuple(each[name] for each in words) for name in words[0]},
        "agency": agency,
        "consent": consent,
        "where": [_where(each, where) for each in words],
        "lines": range(PAPER_LINES),
        "first_years": FIRST_YEARS,
    }


def _where(words: Mapping[str, str], where: Whereabouts) -> str:
    told = [words["by_sms"].format(code) for code in where.short_codes]
    told += [words["by_web"].format(where.site)] if where.site else []
    return "; ".join(told)


def sheet_file(shown: Mapping[str, Any], title: str) -> str:
    """The same as one HTML file that needs nothing else: for when the console is not there."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((HERE / "static" / STYLE).read_text(encoding="utf-8"))  # noqa: S704 - a file of ours
    return environment.get_template("outage-sheet-file.html").render(**shown, title=title, style=style)


def csv_of(codes: Iterable[ReservedCode], heads: Sequence[str]) -> Sequence[Sequence[str]]:
    """Heads and rows: code and the day it bears."""
    return [heads, *((each.code, _day(each.day)) for each in codes)]


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"
