"""`tracuu intake`: codes set aside for paper, for when the console is down or will be soon (decision 40/2016 art. 7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import click

from gateway.loop import run
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, quiet_settings

NEW_FILE = click.Path(path_type=Path, dir_okay=False)


class ReserveRefused(Exception):
    """Why no codes are set aside, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedBlock:
    """What was set aside. `csv` and `html`: the same as files, sheets of A5 to fill in by hand."""

    codes: Sequence[str]
    csv: bytes
    html: str


@click.group()
def intake() -> None:
    """The minimal intake module: what can be done without the console."""


@intake.command("reserve")
@config_option
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), help="A working day within 30 days, as 2026-11-24; today unless given."
)
@click.option("--csv", "csv_file", type=NEW_FILE, help="Write the codes to this file, for a spreadsheet.")
@click.option(
    "--html", "html_file", type=NEW_FILE, help="Write sheets of A5 to this file, to be printed from any browser."
)
@click.option("--copies", type=click.IntRange(1, 2), default=1, show_default=True, help="Of each sheet.")
@click.argument("agency")
@click.argument("count", type=int)
def reserve(
    config: Path | None,
    *,
    day: datetime | None,
    csv_file: Path | None,
    html_file: Path | None,
    copies: int,
    agency: str,
    count: int,
) -> None:
    """Set COUNT codes of AGENCY aside, and print them. Nobody else is given them; each is to be entered afterwards, or
    voided with a reason, in the console.
    """
    settings = quiet_settings(config)
    for path in (csv_file, html_file):
        if path is not None and path.exists():
            raise click.ClickException(f"{path} is there already")
    wanted: date | None = day.date() if day else None
    try:
        made: ReservedBlock = run(_bootstrap().reserve_codes(settings, agency, wanted, count, copies=copies))
    except ReserveRefused as error:
        raise click.ClickException(str(error)) from error
    for code in made.codes:  # first of all: a file that cannot be written loses none
        click.echo(code)
    if csv_file is not None:
        csv_file.write_bytes(made.csv)
    if html_file is not None:
        html_file.write_text(made.html, encoding="utf-8")
