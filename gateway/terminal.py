"""What the commands share: where the settings come from, and tables for people."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import click
from rich.console import Console
from rich.table import Table

from gateway.configuration import CONFIG_VARIABLE, load_settings
from gateway.logs import configure_logs
from gateway.settings import Settings

MASK = "***"
PAPER_WIDTH = 200  # columns of a table that nobody's terminal bounds

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=CONFIG_VARIABLE,
    help="Your TOML file; it wins over the defaults, TRACUU_<SECTION>__<KEY> variables win over it.",
)


def bootstrap() -> ModuleType:
    """Everything concrete, imported only by the commands that need it: the others work where a driver is missing."""
    from gateway import bootstrap as made  # noqa: PLC0415

    return made


def quiet_settings(config: Path | None) -> Settings:
    """The settings, for a command whose own words are to be read: of the log only errors are shown."""
    settings = load_settings(config)
    configure_logs("error", settings.logs.format)
    return settings


def print_table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """As wide as the terminal, or as paper; nothing is cut off."""
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PAPER_WIDTH
    Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False).print(table)


@contextmanager
def progress(words: str, of: int) -> Iterator[Callable[[int], None]]:
    """For long work: how far it is, on one line of the operator's terminal; nothing where errors go to a file."""
    shown = sys.stderr.isatty()

    def tell(done: int) -> None:
        if shown:
            click.echo(f"\r{words}: {done} of {of}", nl=False, err=True)

    yield tell
    if shown:
        click.echo("\r\x1b[K", nl=False, err=True)


def without_secret(secret: str) -> str:
    """Of an address, where it leads; of anything else, nothing."""
    scheme, separator, rest = secret.partition("://")
    if not separator:
        return MASK
    if "@" in rest.partition("?")[2]:  # a password may hold the one, and what follows it the other: nobody can tell
        return f"{scheme}://{MASK}"
    return re.sub(r"(?<=://).*@", f"{MASK}@", secret.partition("?")[0])
