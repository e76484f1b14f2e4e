"""Lines of CSV as a spreadsheet opens them: UTF-8 with its mark, and no cell that it would take for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from types import SimpleNamespace

MARK = "\ufeff".encode()
# What begins a formula (OWASP: CSV injection), in full width too; a sheet finds it behind what is not seen.
FORMULA = frozenset("=+-@＝＋－＠")
BREAKS = ("\t", "\r", "\n")
UNSEEN = " \u00a0\u200b\ufeff"


def safe(cell: str) -> str:
    """As text, whatever it begins with."""
    first = next((sign for sign in cell if sign.isprintable() and not sign.isspace()), "")
    return f"'{cell}" if first in FORMULA or cell.lstrip(UNSEEN).startswith(BREAKS) else cell


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """These rows, each cell safe."""
    lines: list[str] = []
    sheet = csv.writer(SimpleNamespace(write=lines.append), lineterminator="\r\n")
    sheet.writerows([safe(cell) for cell in row] for row in rows)
    return "".join(lines).encode()
