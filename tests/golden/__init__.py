"""The golden table: what people type, and what each message must be taken for; reviewed by hand, row by row."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from domain import inquiry as wishes
from domain.agencies import Agencies
from domain.codes import DossierCode
from domain.grammar import Grammar
from domain.inquiry import Inquiry, read_inquiry

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("typed-messages.tsv")
PAGE = ROOT / "docs" / "typed-messages.md"
TODAY = date(2026, 11, 22)

_SHOWN = 160  # characters of a message that the page shows
_HEAD = """\
# Typed messages

<!-- Printed by `python -m tests.golden` from tests/golden/typed-messages.tsv; edit the table, not this page. -->

What people type, and what the gateway takes it for. Every row was judged as the citizen who typed it would, and is a
test. Where a message can mean two things the gateway asks (`AskBack`) or says what is missing (`Unreadable`); it never
guesses a dossier. The day is {today}, the agencies are those of `config/agencies.toml`, the words those of
`config/grammar.toml`. `⏎` is a line end, `⇥` a tab, `\\u200b` an invisible sign; a receipt number from before is written
with its agency, `H51.18:12345/2016/00123`.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One message, what it must be taken for (see `written`), and why."""

    section: str
    number: str
    message: str
    expected: str
    why: str


def rows() -> list[Row]:
    """The table, in its order; a line that begins with "# " names the section of the rows below it."""
    found: list[Row] = []
    section = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            section = line.removeprefix("# ")
        elif line:
            number, typed, expected, why = line.split("\t")
            found.append(Row(section, number, _unescaped(typed), expected, why))
    return found


def understood(message: str) -> str:
    """What the gateway takes a message for, as the table writes it."""
    return written(read_inquiry(message, _GRAMMAR, today=TODAY, legacy=_LEGACY))


def written(inquiry: Inquiry) -> str:
    """An inquiry in a few words: `LookUp H51.18-210817-0005 with last_four 1234`, `AskBack follow a | b`, `StopAll`."""
    name = type(inquiry).__name__
    detail = _DETAILS.get(type(inquiry))
    return f"{name} {detail(inquiry)}".rstrip() if detail else name


def _codes(inquiry: wishes.Follow | wishes.Unfollow) -> str:
    return _joined(inquiry.codes, " + ")


def _look_up(inquiry: wishes.LookUp) -> str:
    proof = inquiry.proof
    return _joined(inquiry.codes, " + ") + (f" with {proof.kind} {proof.value}" if proof else "")


def _ask_back(inquiry: wishes.AskBack) -> str:
    wish = "" if inquiry.wish == "look_up" else f"{inquiry.wish} "
    return wish + _joined(inquiry.candidates, " | ")


def _language(inquiry: wishes.ChooseLanguage) -> str:
    return inquiry.language + {None: "", True: " with accents", False: " without accents"}[inquiry.accents]


def _joined(codes: Sequence[DossierCode], between: str) -> str:
    return between.join(code.reference for code in codes)


_DETAILS: dict[type, Callable[[Any], str]] = {
    wishes.LookUp: _look_up,
    wishes.AskBack: _ask_back,
    wishes.Choice: lambda inquiry: str(inquiry.number),
    wishes.Follow: _codes,
    wishes.Unfollow: _codes,
    wishes.FindProcedure: lambda inquiry: inquiry.words,
    wishes.ChooseLanguage: _language,
    wishes.Feedback: lambda inquiry: inquiry.text,
    wishes.JoinNumber: lambda inquiry: inquiry.number,
    wishes.PartNumber: lambda inquiry: inquiry.number,
    wishes.Unreadable: lambda inquiry: inquiry.reason,
}


def page() -> str:
    """The table as a page of docs."""
    table = rows()
    lines = [_HEAD.format(today=TODAY.isoformat()), f"{len(table)} messages.\n"]
    for section in dict.fromkeys(row.section for row in table):
        lines += [f"## {section}\n", "| | message | is taken for | why |", "|---|---|---|---|"]
        lines += [_line(row) for row in table if row.section == section]
        lines.append("")
    return "\n".join(lines)


def _line(row: Row) -> str:
    shown = row.message if len(row.message) <= _SHOWN else f"{row.message[:60]} … {row.message[-60:]}"
    cells = (row.number, _cell("".join(_seen(shown))), _cell(row.expected), row.why)
    return f"| {' | '.join(cells)} |"


def _seen(text: str) -> Iterator[str]:
    """What cannot be seen, made visible."""
    for sign in text:
        yield {"\n": "⏎", "\t": "⇥"}.get(sign) or (sign if sign.isprintable() else f"\\u{ord(sign):04x}")


def _cell(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`" if text.strip() else ""


def _unescaped(typed: str) -> str:
    """`\\n`, `\\t` and `\\u200b` as the signs they stand for; everything else is itself."""
    parts = typed.split("\\")
    return parts[0] + "".join(_sign(part) for part in parts[1:])


def _sign(part: str) -> str:
    if part[0] == "u":
        return chr(int(part[1:5], 16)) + part[5:]
    return {"n": "\n", "t": "\t", "s": " "}[part[0]] + part[1:]


_GRAMMAR = Grammar.from_mapping(tomllib.loads((ROOT / "config" / "grammar.toml").read_text(encoding="utf-8")))
_LEGACY = Agencies.from_mapping(
    tomllib.loads((ROOT / "config" / "agencies.toml").read_text(encoding="utf-8"))
).legacy_patterns()
