"""`tracuu incident`: tell those who must know that something is wrong (decision 40/2016/QĐ-UBND art. 6.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gateway.loop import run
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, quiet_settings

NOBODY = "nobody is to be told: set console.incident_recipients"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedIncident:
    """What leaves, and to whom; of an address only the end is shown."""

    recipients: Sequence[str]
    text: str


class IncidentFault(Exception):
    """It was not sent; the message says why."""


@click.group()
def incident() -> None:
    """Incidents, as the console reports them: at once, at night as well, at most five an hour."""


@incident.command("report")
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("text")
def report_incident(config: Path | None, text: str, *, yes: bool) -> None:
    """Send TEXT to console.incident_recipients; a gateway that serves lets it leave."""
    settings = quiet_settings(config)
    if not settings.console.incident_recipients:
        raise click.ClickException(NOBODY)
    if not yes:
        click.confirm(f"Tell {len(settings.console.incident_recipients)} recipients now?", abort=True)
    try:
        reported: ReportedIncident = run(_bootstrap().report_incident(settings, text))
    except IncidentFault as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"on its way to {', '.join(reported.recipients)}: {reported.text}")
