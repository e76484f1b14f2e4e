"""`tracuu person`: what is held about a number, handed out or forgotten, when its owner asks for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click

from domain.message import Address
from gateway.loop import run
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, quiet_settings

LEFT = "left"  # the count of what is answered or sent this moment
KEPT = "intake_kept"  # of dossiers that stay
# What the counts are called, in the order they are shown.
COUNTED: Mapping[str, str] = {
    "person": "language, accents, everything stopped",
    "subscriptions": "dossiers followed",
    "next_address": "other addresses to be told at",
    "follow_pin": "codes sent from the web page",
    "link_pin": "codes sent to join an address",
    "sms_parts": "parts of long messages received",
    "reports": "delivery reports that fit no message yet",
    "broadcast_rows": "lines of agencies' own lists of recipients",
    "inbox": "messages received (kept without number and text)",
    "outbox": "messages sent (kept without number and text)",
    "feedback": "opinions (kept without number and text)",
    "consents": "consents (kept without number and words)",
    "intake_drafts": "forms filled in and not sent",
    "intake_consents": "dossiers received here of which this number is told no more",
}


class PersonData(Protocol):
    """Everything that is held about one address."""

    async def export(self, address: Address) -> Mapping[str, Any]:
        """As plain data. Raises StoreError."""
        ...

    async def erase(self, address: Address, now: datetime) -> Mapping[str, int]:
        """How many rows of each kind; `left`: to be asked again; `intake_kept`: dossiers that stay. Raises StoreError."""
        ...


@click.group()
def person() -> None:
    """What is held about a number, when its owner asks for it. Make sure that it is theirs."""


@person.command("export")
@config_option
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False, writable=True), help="A new file instead."
)
@click.argument("number")
def export_person(config: Path | None, output: Path | None, number: str) -> None:
    """Print everything held about NUMBER, as JSON: 0912345678, or an address such as telegram:12345."""
    address = read_address(number)
    told: Mapping[str, Any] = run(_data(config).export(address))
    text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        write_private(output, text)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from error
    click.echo(f"{output}: {sum(len(rows) for rows in told.values() if isinstance(rows, list))} rows")


@person.command("erase")
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("number")
def erase_person(config: Path | None, *, yes: bool, number: str) -> None:
    """Forget everything held about NUMBER: what is followed ends, what waits is not sent, what is counted or proves
    something stays without whose it was. That everything was stopped is forgotten, too. A dossier that was received
    here is a record and stays, until it was closed for as long as retention.mask_dossiers_after_days says.
    """
    address = read_address(number)
    data = _data(config)
    if not yes:
        click.confirm(f"Forget everything held about {address.urn}? It cannot be undone", abort=True)
    counts: Mapping[str, int] = run(data.erase(address, datetime.now(UTC)))
    rows = [(words, str(counts[name])) for name, words in COUNTED.items() if counts.get(name)]
    if rows:
        print_table(("forgotten", "rows"), rows)
    elif not counts.get(LEFT) and not counts.get(KEPT):
        click.echo("nothing is held about it")
    if counts.get(KEPT):
        click.echo(
            f"{counts[KEPT]} dossiers received here are kept, with who handed them in, as records of the agency: "
            "retention.mask_dossiers_after_days says for how long"
        )
    if counts.get(LEFT):
        click.echo(f"{counts[LEFT]} messages are being answered or sent this moment: call this again in a minute")


def read_address(written: str) -> Address:
    """A telephone number in any form, or an address of another channel as it is kept.

    Raises:
        click.ClickException: it is neither.
    """
    if ":" in written:
        scheme, _, value = written.partition(":")
        if scheme and value:
            return Address(scheme, value) if scheme != "sms" else _as_kept(value)
    elif any(character.isdigit() for character in written):
        return _of_person(written)
    raise click.ClickException(f"{written} is no telephone number and no address such as telegram:12345")


def write_private(path: Path, text: str) -> None:
    """A new file that only its owner reads. Raises OSError; one that is there already is left as it is."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")


def _of_person(written: str) -> Address:
    """Of a number that lost a digit nothing is held, and its owner would be told so."""
    number: str = _bootstrap().persons_number(written)
    if not number:
        raise click.ClickException(
            f"{written} is no telephone number a person can have; an address is written as it is kept, sms:8100"
        )
    return Address("sms", number)


def _as_kept(written: str) -> Address:
    """Whatever the numbering plans say: what an operator handed us is kept under it."""
    number: str = _bootstrap().normalise_number(written)
    if not number.isdecimal():
        raise click.ClickException(f"{written} is no telephone number and no address such as telegram:12345")
    return Address("sms", number)


def _data(config: Path | None) -> PersonData:
    settings = quiet_settings(config)
    data: PersonData = _bootstrap().person_data(settings)
    return data
