"""`tracuu stoppage`: planned interruptions, announced on answers and, if chosen, to the people who follow a dossier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import click

from domain.calendar import LOCAL_ZONE
from gateway.loop import run
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, quiet_settings
from notifications.ports import Stoppage

HEADS = ("stoppage", "from", "to", "words", "followers are told")
FORMATS = ("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M")
TEXT_MAX = 160  # characters: one SMS


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStoppage:
    """What an operator asks for; the store gives the number."""

    starts_at: datetime
    ends_at: datetime
    texts: Mapping[str, str] = field(default_factory=dict)
    tell_followers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What follows from announcing one now: how many people follow something, and the first day that would be early
    enough by law, where this one is not.
    """

    followers: int
    first_day: date | None = None


@click.group()
def stoppage() -> None:
    """Planned interruptions, said on every answer until they are over."""


@stoppage.command("list")
@config_option
def list_stoppages(config: Path | None) -> None:
    """Show what is announced and not over."""
    planned: Sequence[Stoppage] = run(_bootstrap().list_stoppages(quiet_settings(config)))
    if not planned:
        click.echo("no stoppage is announced")
        return
    print_table(HEADS, [_cells(each) for each in planned])


def _moment(_context: click.Context, _parameter: click.Parameter, typed: str) -> datetime:
    """A local time an operator typed."""
    for form in FORMATS:
        try:
            return datetime.strptime(typed.strip(), form).replace(tzinfo=LOCAL_ZONE)
        except ValueError:
            continue
    raise click.BadParameter(f"{typed!r} is not of the form 30/11/2026 22:00")


@stoppage.command()
@config_option
@click.option(
    "--from", "starts_at", metavar="MOMENT", callback=_moment, required=True, help="Local time, as 30/11/2026 22:00."
)
@click.option("--to", "ends_at", metavar="MOMENT", callback=_moment, required=True, help="Local time it is over.")
@click.option(
    "--text",
    "texts",
    metavar="LANGUAGE=WORDS",
    multiple=True,
    help="Your own words, at most 160 characters; ours where you give none. May be given for several languages.",
)
@click.option("--tell-followers", is_flag=True, help="Also send it to everybody who follows a dossier.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def add(
    config: Path | None,
    *,
    starts_at: datetime,
    ends_at: datetime,
    texts: Sequence[str],
    tell_followers: bool,
    yes: bool,
) -> None:
    """Announce a planned stoppage: from now until it is over it stands on web answers and, where it fits, in SMS replies.

    Decree 224/2026 art. 13 wants it announced seven working days before.
    """
    settings = quiet_settings(config)
    planned = PlannedStoppage(
        starts_at=starts_at, ends_at=ends_at, texts=_read_texts(texts), tell_followers=tell_followers
    )
    _refuse_impossible(planned, _now(), _bootstrap().read_words(settings).catalogue.languages)
    outlook: Outlook = run(_bootstrap().stoppage_outlook(settings, planned))
    for line in told_before(planned, outlook):
        click.echo(line)
    if not yes:
        click.confirm("Announce it?", abort=True)
    identifier: int = run(_bootstrap().plan_stoppage(settings, planned))
    click.echo(f"stoppage {identifier} is announced")


@stoppage.command()
@config_option
@click.argument("identifier", metavar="STOPPAGE", type=int)
def cancel(config: Path | None, identifier: int) -> None:
    """Announce STOPPAGE no longer. Messages that already left are not called back."""
    cancelled: bool = run(_bootstrap().cancel_stoppage(quiet_settings(config), identifier))
    if not cancelled:
        raise click.ClickException(f"there is no stoppage {identifier}; `tracuu stoppage list` shows what is announced")
    click.echo(f"stoppage {identifier} is announced no longer")


def told_before(planned: PlannedStoppage, outlook: Outlook) -> Sequence[str]:
    """What an operator should know before saying yes; pure."""
    lines = [f"from {_local(planned.starts_at)} to {_local(planned.ends_at)}, on every answer until then"]
    if planned.tell_followers:
        lines.append(f"{outlook.followers} people who follow a dossier are sent a message")
    else:
        lines.append("nobody is sent a message of its own (--tell-followers)")
    if outlook.first_day is not None:
        lines.append(
            f"WARNING: too late by decree 224/2026 art. 13, which wants seven working days: {outlook.first_day:%d/%m/%Y}"
            " would be the first day"
        )
    return lines


def _refuse_impossible(planned: PlannedStoppage, now: datetime, languages: Sequence[str]) -> None:
    if planned.ends_at <= planned.starts_at:
        raise click.BadParameter("must be later than --from", param_hint="--to")
    if planned.ends_at <= now:
        raise click.BadParameter(f"it is over since {_local(planned.ends_at)}", param_hint="--to")
    unknown = ", ".join(each for each in planned.texts if each not in languages)
    if unknown:
        known = ", ".join(languages)
        raise click.BadParameter(f"there are no texts in {unknown}; there are: {known}", param_hint="--text")


def _read_texts(texts: Sequence[str]) -> Mapping[str, str]:
    read: dict[str, str] = {}
    for each in texts:
        language, given, words = each.partition("=")
        if not given or not language.strip() or not words.strip():
            raise click.BadParameter(f"{each!r} is not of the form vi=...", param_hint="--text")
        if len(words.strip()) > TEXT_MAX:
            raise click.BadParameter(f"{language}: {len(words)} characters, at most {TEXT_MAX}", param_hint="--text")
        read[language.strip()] = words.strip()
    return read


def _cells(each: Stoppage) -> Sequence[str]:
    words = "; ".join(f"{language}: {text}" for language, text in each.texts.items()) or "our own"
    return str(each.id), _local(each.starts_at), _local(each.ends_at), words, "yes" if each.tell_followers else "no"


def _now() -> datetime:
    return datetime.now(UTC)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M}"
