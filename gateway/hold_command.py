"""`tracuu hold`: mass changes whose notices wait for an operator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from domain.calendar import LOCAL_ZONE
from gateway.loop import run
from gateway.settings import Settings
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, progress, quiet_settings
from notifications.ports import Hold

HEADS = ("hold", "source", "since", "changed", "of", "notices waiting")


@click.group()
def hold() -> None:
    """Mass changes: so many dossiers changed at once that nobody is told before you say so."""


@hold.command("list")
@config_option
def list_holds(config: Path | None) -> None:
    """Show what is held back, since when, and how many notices wait."""
    holds = _holds(quiet_settings(config))
    if not holds:
        click.echo("nothing is held back")
        return
    print_table(HEADS, [_cells(each) for each in holds])


@hold.command()
@config_option
@click.argument("identifier", metavar="HOLD", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
def release(config: Path | None, identifier: int, *, yes: bool) -> None:
    """Send the notices of HOLD after all: at once, or when the quiet hours are over."""
    settings = quiet_settings(config)
    found = _found(settings, identifier)
    if not yes:
        click.confirm(f"{found.waiting} people's notices about {found.source} will leave. Go on?", abort=True)
    with progress("notices given back", found.waiting) as told:
        given_back: int = run(_bootstrap().close_hold(settings, identifier, release=True, on_progress=told))
    click.echo(f"{given_back} notices leave")


@hold.command()
@config_option
@click.argument("identifier", metavar="HOLD", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(config: Path | None, identifier: int, *, yes: bool) -> None:
    """Never send the notices of HOLD: nobody is told of these changes, what changes later is told as ever."""
    settings = quiet_settings(config)
    found = _found(settings, identifier)
    if not yes:
        click.confirm(f"{found.waiting} notices about {found.source} will never be sent. Go on?", abort=True)
    with progress("notices dropped", found.waiting) as told:
        dropped: int = run(_bootstrap().close_hold(settings, identifier, release=False, on_progress=told))
    click.echo(f"{dropped} notices dropped")


def _holds(settings: Settings) -> Sequence[Hold]:
    holds: Sequence[Hold] = run(_bootstrap().list_holds(settings))
    return holds


def _found(settings: Settings, identifier: int) -> Hold:
    for each in _holds(settings):
        if each.id == identifier:
            return each
    raise click.ClickException(f"there is no hold {identifier}; `tracuu hold list` shows those that are open")


def _cells(each: Hold) -> Sequence[str]:
    since = f"{each.opened_at.astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M}"
    return str(each.id), each.source, since, str(each.changes), str(each.tracked), str(each.waiting)
