"""`tracuu officer`: the first administrator of the console, and help when nobody else can give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from domain.calendar import LOCAL_ZONE
from domain.officers import OfficerRole
from gateway.loop import run
from gateway.settings import Settings
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, quiet_settings

HEADS = ("login", "name", "agency", "roles", "state", "since")
GIVEN = "one-time password, shown only now: "
NEXT = (
    "to sign in: the staff console, on {host}:{port} (listen.staff) or the name your proxy gives it; it asks for a "
    "password of one's own, then for a second factor (an authenticator's codes)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOfficer:
    """An officer to be added. `agency` empty: the one that answers where nobody else does."""

    login: str
    name: str
    agency: str
    roles: frozenset[OfficerRole]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOfficer:
    """One line of the list."""

    login: str
    name: str
    agency: str
    roles: Sequence[str]
    state: str
    since: datetime


class OfficerFault(Exception):
    """What was asked cannot be done; the message says why."""


@click.group()
def officer() -> None:
    """Accounts of the console. Who they are is kept there; this is for the first one, and for when all are locked out."""


@officer.command("add")
@config_option
@click.argument("login")
@click.option("--name", required=True, help="As colleagues know the person.")
@click.option("--agency", default="", help="An identifier of the catalogue; its default agency unless given.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([str(role) for role in OfficerRole]),
    help="May be given several times.",
)
def add_officer(config: Path | None, login: str, name: str, agency: str, roles: Sequence[str]) -> None:
    """Add the officer LOGIN and print a one-time password, once."""
    wanted = NewOfficer(login=login, name=name, agency=agency, roles=frozenset(map(OfficerRole, roles)))
    settings = quiet_settings(config)
    try:
        password: str = run(_bootstrap().add_officer(settings, wanted))
    except OfficerFault as fault:
        raise click.ClickException(str(fault)) from fault
    _tell(settings, password)


@officer.command("list")
@config_option
def list_officers(config: Path | None) -> None:
    """Show all officers."""
    found: Sequence[ListedOfficer] = run(_bootstrap().list_officers(quiet_settings(config)))
    if not found:
        click.echo("there are no officers; `tracuu officer add` adds the first")
        return
    print_table(HEADS, [_cells(each) for each in found])


@officer.command("reset")
@config_option
@click.argument("login")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_officer(config: Path | None, login: str, *, yes: bool) -> None:
    """Give LOGIN a new one-time password and print it, once; the second factor is taken off, sessions end."""
    if not yes:
        click.confirm(f"{login} loses the password, the second factor and all sessions. Go on?", abort=True)
    settings = quiet_settings(config)
    try:
        password: str = run(_bootstrap().reset_officer(settings, login))
    except OfficerFault as fault:
        raise click.ClickException(str(fault)) from fault
    _tell(settings, password)


@officer.command("close")
@config_option
@click.argument("login")
@click.option("--reopen", is_flag=True, help="The other way round.")
def close_officer(config: Path | None, login: str, *, reopen: bool) -> None:
    """Close the account LOGIN; its sessions end."""
    settings = quiet_settings(config)
    try:
        run(_bootstrap().close_officer(settings, login, reopen=reopen))
    except OfficerFault as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"{login} is {'open again' if reopen else 'closed'}")


def _tell(settings: Settings, password: str) -> None:
    """The password alone on its line, for whoever reads it by a program; what comes next beside it."""
    click.echo(f"{GIVEN}{password}")
    staff = settings.listen.staff
    click.echo(NEXT.format(host=staff.host, port=staff.port), err=True)


def _cells(each: ListedOfficer) -> Sequence[str]:
    since = f"{each.since.astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M}"
    return each.login, each.name, each.agency, ", ".join(each.roles), each.state, since
