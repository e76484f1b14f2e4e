"""What the commands share: where the settings come from, and tables for people."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway.configuration import CONFIG_VARIABLE

MASK = "***"
PAPER_WIDTH = 200  # columns of a table that nobody's terminal bounds

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=CONFIG_VARIABLE,
    help="Your TOML file; it wins over the defaults, TRACUU_<SECTION>__<KEY> variables win over it.",
)


def print_table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """As wide as the terminal, or as paper; nothing is cut off."""
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PAPER_WIDTH
    Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False).print(table)


def without_secret(secret: str) -> str:
    """Of an address, where it leads; of anything else, nothing."""
    if "://" not in secret:
        return MASK
    return re.sub(r"(?<=://).*@", f"{MASK}@", secret.partition("?")[0])
