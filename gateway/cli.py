"""The command `tracuu`. Each command is short: it reads the settings, calls one factory and says how it went."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from pydantic import BaseModel, SecretStr

from domain.errors import GatewayError, SettingsError
from gateway.configuration import load_settings
from gateway.docs import write_docs
from gateway.exit_codes import ExitCode, exit_code_for
from gateway.hold_command import hold
from gateway.hook_command import hook
from gateway.incident_command import incident
from gateway.intake_command import intake
from gateway.logs import configure_logs
from gateway.loop import run
from gateway.notice_command import notice
from gateway.officer_command import officer
from gateway.outbox_command import outbox
from gateway.person_command import person
from gateway.procedure_command import procedures
from gateway.roles import Duties, Role, RolesFault, choose
from gateway.settings import Settings
from gateway.site_command import site
from gateway.sms_command import sms
from gateway.source_command import source
from gateway.standing import Standing
from gateway.stoppage_command import stoppage
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, quiet_settings, without_secret
from gateway.trigger_command import print_trigger
from gateway.version import installed_version


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Tra cứu Gateway: a citizen sends a dossier code and is answered within seconds."""


@cli.command()
@config_option
@click.option(
    "--roles", metavar="NAME,NAME", help="What this process does, of the roles below; all of them unless given."
)
@click.option(
    "--account",
    "accounts",
    metavar="NAME",
    multiple=True,
    help="Of the roles sms and chat, only this account; may be given several times.",
)
def serve(config: Path | None, roles: str | None, accounts: Sequence[str]) -> None:
    """Serve until SIGTERM or Ctrl-C; what is under way is finished first."""
    settings = load_settings(config)
    duties = _duties(settings, roles, accounts)
    configure_logs(settings.logs.level, settings.logs.format)
    sys.exit(run(_bootstrap().serve(settings, duties)))


def _duties(settings: Settings, roles: str | None, accounts: Sequence[str]) -> Duties:
    configured = {
        Role.SMS: [account.name for account in settings.sms],
        Role.CHAT: [*(bot.name for bot in settings.telegram), *(account.name for account in settings.zalo)],
    }
    try:
        return choose(roles, accounts, configured, alone=not settings.database.shared)
    except RolesFault as fault:
        raise click.ClickException(str(fault)) from fault


source.add_command(print_trigger)
for group in (source, sms, notice, outbox, hold, stoppage, person, hook, officer, site, incident, intake, procedures):
    cli.add_command(group)


@cli.command()
@config_option
def migrate(config: Path | None) -> None:
    """Bring the store's tables up to this version; `serve` does so too when it starts."""
    settings = load_settings(config)
    configure_logs(settings.logs.level, settings.logs.format)
    came_of: str = run(_bootstrap().migrate(settings))
    click.echo(came_of)


@cli.command("check-config")
@config_option
@click.option("--connect/--no-connect", default=True, show_default=True, help="Try everything the settings name.")
@click.option("--quiet", "-q", is_flag=True, help="Do not show what is set: only faults, and what was tried.")
def check_config(config: Path | None, *, connect: bool, quiet: bool) -> None:
    """Name every fault of the settings, or show what is set, secrets as ***; then connect to the store, Redis, every
    source and every SMSC's port and say what is wrong. Nothing is changed anywhere.
    """
    settings = load_settings(config)
    if not quiet:
        _print_settings(settings)
    if connect and not quiet:
        click.echo()
    if connect:
        _try_everything(settings)
    elif quiet:
        click.echo("the settings have no faults; nothing was tried")


def _print_settings(settings: Settings) -> None:
    rows = list(shown(settings))
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        click.echo(f"{key:{width}}  {value}".rstrip())


def _try_everything(settings: Settings) -> None:
    configure_logs("error", settings.logs.format)
    findings = run(_bootstrap().check(settings))
    tried = [(each.name, "ok" if each.health.ok else "WRONG", each.health.detail) for each in findings]
    print_table(("tried", "", "found"), tried)
    if not all(each.health.ok for each in findings):
        sys.exit(ExitCode.FAILED)


@cli.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def status(config: Path | None, *, as_json: bool) -> None:
    """Show who serves, who holds what and what waits, as the store says; the gateways are not asked."""
    settings = quiet_settings(config)
    told: Standing = run(_bootstrap().standing(settings))
    if as_json:
        click.echo(json.dumps(told.plain(), ensure_ascii=False, indent=2))
    else:
        _print_standing(told)


def _print_standing(told: Standing) -> None:
    for heads, rows, nothing in told.tables():
        if rows:
            print_table(heads, rows)
        else:
            click.echo(nothing)
        click.echo()
    click.echo(told.oldest_line())


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(installed_version() or "not installed (running from a checkout)")


@cli.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("docs"),
    show_default=True,
    help="Where the pages go.",
)
def docs(directory: Path) -> None:
    """Write the pages that are printed from the code: settings, commands, metrics, log actions, routes."""
    try:
        written = write_docs(directory, cli)
    except OSError as error:
        raise click.ClickException(f"{directory} cannot be written: {error.strerror}") from error
    for path in written:
        click.echo(path)


def main() -> None:
    """Run the command line; a fault we know is one clear line (or one a fault) and its exit code, never a traceback."""
    try:
        cli(prog_name="tracuu", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(ExitCode.FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.BAD_CONFIG)
    except GatewayError as error:
        heading = "the settings have faults:\n" if isinstance(error, SettingsError) else ""
        click.echo(f"tracuu: {heading}{error}", err=True)
        sys.exit(exit_code_for(error))


def shown(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every setting as `section.key` and text, secrets masked."""
    for name in Settings.model_fields:
        yield from _shown(name, getattr(settings, name))


def _shown(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _shown(f"{key}.{name}", getattr(value, name))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, entry in enumerate(value):
            yield from _shown(f"{key}[{index}]", entry)
    elif isinstance(value, SecretStr):
        yield key, without_secret(value.get_secret_value())
    elif isinstance(value, tuple | frozenset):
        yield key, ", ".join(str(item) for item in value)
    else:
        yield key, "" if value is None else str(value)


if __name__ == "__main__":
    main()
