"""`tracuu site`: the agencies' sites that carry the widget, their keys, and how much they are used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from domain.calendar import LOCAL_ZONE
from domain.sites import Site, SiteUse, Used, read_name, read_origins
from gateway.loop import run
from gateway.settings import Settings
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, quiet_settings

HEADS = ("key", "name", "agency", "origins", "since", "")
EVERYWHERE = "the province"
DAYS = 30  # whose use is shown
UNSET = (
    "web.base_url is not set, and what the webmaster pastes names it: set it to the address by which citizens reach the "
    "public listener, then call this again. No site was added"
)
AT_HOME = ("localhost", "127.0.0.1")  # whose pages nobody on the way can change

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A site and the webmaster's secret, which is told now and never again; empty: the old one holds."""

    site: Site
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """What a webmaster needs. `tags` go where the look-up shall stand, `policies` into the site's own policy;
    `use_page` shows how much it is used, `more` tells the rest. `assumed`: an example's address, where ours is not set.
    """

    tags: str
    policies: Sequence[str]
    use_page: str
    more: str
    assumed: str


@click.group()
def site() -> None:
    """Sites of agencies that carry the widget. A key is public and works on the site's own origins only."""


@site.command("add")
@config_option
@click.option(
    "--origin", "origins", metavar="ORIGIN", multiple=True, help="As https://stnmt.example.gov.vn; may be repeated."
)
@click.option(
    "--agency", metavar="ID", default="", help="An agency's identifier, as H51.18; the province unless given."
)
@click.argument("name")
def add_site(config: Path | None, origins: Sequence[str], agency: str, name: str) -> None:
    """Give a key to the site NAME, and a secret for its webmaster, which is shown once."""
    settings = quiet_settings(config)
    asked = {
        "name": _read(read_name, name, "NAME"),
        "agency": _agency(settings, agency),
        "origins": _origins(origins),
    }
    if not settings.web.base_url:
        raise click.ClickException(UNSET)
    added: NewSecret = run(_bootstrap().add_site(settings, **asked))
    click.echo(f"site {added.site.key} is added: {added.site.name}")
    _print_secret(added.secret)
    _print_pasted(_bootstrap().pasted(settings, added.site))


@site.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def list_sites(config: Path | None, *, as_json: bool) -> None:
    """Show all keys, revoked ones too."""
    sites = _sites(quiet_settings(config))
    if as_json:
        click.echo(json.dumps([_plain(each) for each in sites], ensure_ascii=False, indent=2))
    elif sites:
        print_table(HEADS, [_cells(each) for each in sites])
    else:
        click.echo("no site has a key")


@site.command("show")
@config_option
@click.argument("key")
def show_site(config: Path | None, key: str) -> None:
    """Show the site KEY, what its webmaster pastes, and its use of the last 30 days."""
    settings = quiet_settings(config)
    found = _found(settings, key)
    for head, cell in zip((*HEADS[:-1], "state"), _cells(found), strict=True):
        click.echo(f"{head:8}  {cell or 'in force'}")
    used: Sequence[Used] = run(_bootstrap().site_use(settings, key, DAYS))
    click.echo()
    if used:
        print_table(*use_table(used))
    else:
        click.echo(f"it was not used in the last {DAYS} days")
    if found.revoked_at is None:
        _print_pasted(_bootstrap().pasted(settings, found))


@site.command("change")
@config_option
@click.option("--name", metavar="NAME", help="Another name.")
@click.option("--origin", "origins", metavar="ORIGIN", multiple=True, help="All its origins, in place of the old ones.")
@click.option("--agency", metavar="ID", help='Another agency; "" for the province.')
@click.option("--new-secret", is_flag=True, help="Make another secret; the old one opens nothing any more.")
@click.argument("key")
def change_site(
    config: Path | None, name: str | None, origins: Sequence[str], agency: str | None, *, new_secret: bool, key: str
) -> None:
    """Change what is given of the site KEY; those who serve know it within seconds."""
    settings = quiet_settings(config)
    found = _found(settings, key)
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = _read(read_name, name, "--name")
    if origins:
        changes["origins"] = _origins(origins)
    if agency is not None:
        changes["agency"] = _agency(settings, agency)
    if not changes and not new_secret:
        raise click.ClickException("nothing to change: give --name, --origin, --agency or --new-secret")
    changed: NewSecret | None = run(
        _bootstrap().change_site(settings, replace(found, **changes), new_secret=new_secret)
    )
    if changed is None:
        raise click.ClickException(f"site {key} is revoked, for good: add another one")
    click.echo(f"site {key} is changed")
    if changed.secret:
        _print_secret(changed.secret)


@site.command("revoke")
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("key")
def revoke_site(config: Path | None, *, yes: bool, key: str) -> None:
    """Close the key KEY for good: within seconds the widget of its site is answered no more."""
    settings = quiet_settings(config)
    found = _found(settings, key)
    if not yes:
        click.confirm(f"{found.name}: its widget will stop working. It cannot be undone. Go on?", abort=True)
    revoked: bool = run(_bootstrap().revoke_site(settings, key))
    if not revoked:
        raise click.ClickException(f"site {key} was revoked before")
    click.echo(f"site {key} is revoked")


def use_table(used: Sequence[Used]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Heads and rows: a day each, the newest first, then the totals; only of what happened at all (pure)."""
    totals: Counter[SiteUse] = Counter()
    days: dict[date, Counter[SiteUse]] = {}
    for each in used:
        totals[each.use] += each.count
        days.setdefault(each.day, Counter())[each.use] += each.count
    shown = [use for use in SiteUse if totals[use]]

    def row(head: str, counts: Counter[SiteUse]) -> Sequence[str]:
        return [head, *(str(counts[use]) for use in shown), str(counts.total())]

    rows = [row(f"{day:%d/%m/%Y}", days[day]) for day in sorted(days, reverse=True)]
    heads = ["day", *(use.value.replace("_", " ") for use in shown), "all"]
    return heads, [*rows, row("all", totals)]


def _read(read: Callable[[Any], Read], typed: object, where: str) -> Read:
    try:
        return read(typed)
    except ValueError as error:
        raise click.ClickException(f"{where}: {error}") from error


def _origins(typed: Sequence[str]) -> Sequence[str]:
    """As read_origins; one without encryption is taken, for a site that has none yet, and warned of."""
    origins = _read(read_origins, typed, "--origin")
    for origin in origins:
        scheme, _, host = origin.partition("://")
        if scheme == "http" and host.partition(":")[0] not in AT_HOME:
            _warn(f"{origin} is not https: whoever is on the way can change its pages, the widget on them too")
    return origins


def _warn(words: str) -> None:
    """Apart from what is pasted."""
    click.echo(f"WARNING: {words}", err=True)


def _agency(settings: Settings, typed: str) -> str:
    if not typed:
        return ""
    identifier: str | None = _bootstrap().site_agency(settings, typed)
    if identifier is None:
        raise click.ClickException(f"--agency: there is no agency {typed} in {settings.agencies.path}")
    return identifier


def _sites(settings: Settings) -> Sequence[Site]:
    sites: Sequence[Site] = run(_bootstrap().list_sites(settings))
    return sites


def _found(settings: Settings, key: str) -> Site:
    for each in _sites(settings):
        if each.key == key:
            return each
    raise click.ClickException(f"there is no site {key}; `tracuu site list` shows them")


def _print_secret(secret: str) -> None:
    click.echo(f"its webmaster's secret, shown only now: {secret}")


def _print_pasted(told: Pasted) -> None:
    if told.assumed:
        _warn(f"web.base_url is not set; write your own address in place of {told.assumed}")
    click.echo(f"\nto be pasted where the look-up shall stand:\n\n{told.tags}\n")
    click.echo("to be added to the site's Content-Security-Policy, if it has one:\n")
    for line in told.policies:
        click.echo(line)
    click.echo(f"\nmore ways: {told.more}   how much it is used: {told.use_page}")


def _cells(each: Site) -> Sequence[str]:
    state = "" if each.revoked_at is None else f"revoked {_local(each.revoked_at)}"
    return each.key, each.name, each.agency or EVERYWHERE, " ".join(each.origins), _local(each.created_at), state


def _plain(each: Site) -> dict[str, Any]:
    return {
        "key": each.key,
        "name": each.name,
        "agency": each.agency,
        "origins": list(each.origins),
        "created_at": each.created_at.isoformat(),
        "revoked_at": None if each.revoked_at is None else each.revoked_at.isoformat(),
    }


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M}"
