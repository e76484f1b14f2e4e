"""`tracuu source trigger`: the script by which an agency's PostgreSQL tells of changes by itself."""

from __future__ import annotations

from pathlib import Path

import click

from domain.errors import SettingsError
from gateway.configuration import load_settings
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option


@click.command("trigger")
@config_option
@click.argument("name")
def print_trigger(config: Path | None, name: str) -> None:
    """Print the SQL script by which the PostgreSQL of this system tells of changes at once (`watch.listen`). Nothing is
    connected; the owner of its tables runs the script.
    """
    settings = load_settings(config)
    known = [each.name for each in settings.sources]
    if name not in known:
        raise click.ClickException(f"no source is named {name}; there are: {', '.join(known)}")
    try:
        script: str = _bootstrap().trigger_script(settings, name)
    except SettingsError as fault:  # the settings are sound; what is asked of this system is not to be had
        raise click.ClickException(str(fault)) from fault
    click.echo(script, nl=False)
