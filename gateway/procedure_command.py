"""`tracuu procedures`: another catalogue is looked through before it is taken, and taken whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import click

from domain.calendar import local_day
from domain.procedure import Procedure
from domain.working_time import DeskHours
from gateway.configuration import CONFIG_DIRECTORY
from gateway.procedure_files import FORMS, ProcedureFile, put_in_place, read_procedures, surroundings, wording_changes
from gateway.settings import Settings
from gateway.terminal import config_option, print_table, quiet_settings
from intake.procedure_changes import ProcedureChange, changes, dropped

HEADS = ("", "code", "procedure", "what")
SAMPLE = CONFIG_DIRECTORY / "procedures.toml"
AT_NEXT_START = "gateways that run go on with the former one: each takes the new one when it is started again"
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def procedures() -> None:
    """The catalogue of procedures: papers, time, fee, versions and their days. It is one TOML file, named in the settings."""


@procedures.command("check")
@config_option
@click.argument("file", type=EXISTING, required=False)
def check_procedures(config: Path | None, file: Path | None) -> None:
    """Name every fault of FILE (the configured one unless given) with its line, and say what FILE would change."""
    settings = quiet_settings(config)
    today = local_day(datetime.now(UTC))
    configured = settings.procedures.path
    found = _sound(settings, file or configured)
    click.echo(f"{found.path}: {_counted(_procedures(found), today)}")
    if not found.path.samefile(configured):
        _print_changes(read_procedures(configured), found, today)


@procedures.command("import")
@config_option
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--drop", is_flag=True, help="Procedures may be gone that nobody gave a last day.")
@click.argument("file", type=EXISTING)
def import_procedures(config: Path | None, file: Path, *, dry_run: bool, drop: bool) -> None:
    """Put FILE in place of the configured catalogue, which is kept beside it with the day's date.

    Nothing is changed if FILE has a fault, or if a procedure would be gone that has no last day (`valid_to`). Forms to
    download are not copied: they must be in the folder `forms` beside the configured file before.
    """
    settings = quiet_settings(config)
    today = local_day(datetime.now(UTC))
    found, former = _sound(settings, file), read_procedures(settings.procedures.path)
    _refuse_sample(former.path)
    _print_changes(former, found, today)
    if not drop:
        _refuse_dropped(former, found, today)
    if found.content == former.content:
        click.echo("it is in place already")
    elif dry_run:
        click.echo("dry run: nothing is changed")
    else:
        _put(former.path, found, today)


def change_rows(found: Sequence[ProcedureChange]) -> Sequence[Sequence[str]]:
    """The cells of a table: a row a version, what differs line by line (pure)."""
    return [(each.kind, each.code, each.name, "\n".join(each.what)) for each in found]


def _sound(settings: Settings, path: Path) -> ProcedureFile:
    """The file, if the gateway could work with it; every fault is printed otherwise."""
    found = read_procedures(path)
    chosen = settings.intake
    desk = DeskHours.of(chosen.hours, chosen.saturday, chosen.cut_off)
    around = surroundings(found.read.rows, settings.procedures.path.parent / FORMS, desk)
    faults = sorted([*found.read.faults, *around], key=lambda fault: -1 if fault.row is None else fault.row)
    if not faults:
        return found
    for fault in faults:
        click.echo(found.told(fault), err=True)
    raise click.ClickException("1 fault" if len(faults) == 1 else f"{len(faults)} faults")


def _procedures(file: ProcedureFile) -> Sequence[Procedure]:
    return [procedure for _, procedure in file.read.rows]


def _counted(found: Sequence[Procedure], today: date) -> str:
    in_force = sum(each.in_force(today) for each in found)
    later = sum(each.valid_from is not None and each.valid_from > today for each in found)
    return f"no fault; {in_force} procedures in force, {later} versions begin later, {len(found) - in_force - later} are over"


def _print_changes(former: ProcedureFile, found: ProcedureFile, today: date) -> None:
    if former.read.faults:
        click.echo(f"what would change is not known: {former.path} has faults itself")
        return
    told = changes(_procedures(former), _procedures(found), today)
    if told:
        print_table(HEADS, change_rows(told))
    else:
        click.echo("no procedure differs")
    for line in wording_changes(former.mapping, found.mapping):
        click.echo(line)


def _refuse_dropped(former: ProcedureFile, found: ProcedureFile, today: date) -> None:
    if former.read.faults:
        first = former.told(former.read.faults[0])
        raise click.ClickException(
            f"the configured file has faults itself, so nobody knows what would be gone; --drop takes FILE all the same\n{first}"
        )
    gone = dropped(_procedures(former), _procedures(found), today)
    if gone:
        raise click.ClickException(
            f"nothing is changed: {', '.join(gone)} would be gone; give each its last day (valid_to), or --drop"
        )


def _refuse_sample(configured: Path) -> None:
    if configured.resolve() == SAMPLE.resolve():
        raise click.ClickException(
            f"nothing is changed: {configured} is the sample that came with the program, and the next version brings another; "
            "copy it beside your settings and name the copy there: [procedures] path"
        )


def _put(configured: Path, found: ProcedureFile, today: date) -> None:
    try:
        kept = put_in_place(configured, found.content, today)
    except OSError as error:
        raise click.ClickException(f"nothing is changed: {configured} cannot be replaced: {error.strerror}") from error
    click.echo(f"{configured} is replaced; the former one is {kept}")
    click.echo(AT_NEXT_START)
