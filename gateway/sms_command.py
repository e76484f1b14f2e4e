"""`tracuu sms`: the accounts at operators' SMSCs, tried by hand: does a bind come about, does a message arrive?"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from gateway.exit_codes import ExitCode
from gateway.loop import run
from gateway.settings import Settings, SmsSettings
from gateway.terminal import PAPER_WIDTH, config_option, print_table, quiet_settings
from gateway.terminal import bootstrap as _bootstrap

HEADING = "begin"  # the step that opens a bind; all others are lines below it
NAME_WIDTH, TIME_WIDTH = 13, 8
INDENT = " " * (2 + NAME_WIDTH + 1 + TIME_WIDTH + 2)
REPORT_WAIT = 60.0  # seconds
LONGEST_WAIT = 3_600.0


class ToldStep(Protocol):
    """What a trial met, step by step (channels.sms.steps)."""

    @property
    def name(self) -> str: ...

    @property
    def words(self) -> str: ...

    @property
    def seconds(self) -> float | None: ...

    @property
    def failed(self) -> bool: ...

    @property
    def fatal(self) -> bool: ...

    @property
    def advice(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBind:
    """A bind as the settings name it, without its secrets. `rate`: of the whole account."""

    account: str
    bind: str
    mode: str
    host: str
    tls: bool
    system_id: str
    number: str
    brand_name: str
    rate: float
    window: int


@click.group()
def sms() -> None:
    """The accounts at operators' SMSCs, tried by hand. Passwords are never shown."""


@sms.command("list")
@config_option
def list_accounts(config: Path | None) -> None:
    """Show every account with its binds; nothing is connected."""
    listed: Sequence[ListedBind] = _bootstrap().list_sms(quiet_settings(config))
    heads = ("account", "bind", "mode", "SMSC", "as", "number", "notices as", "rate", "window")
    print_table(heads, [_cells(each) for each in listed])


@sms.command("probe")
@config_option
@click.option("--bind", default="", metavar="NAME", help="Only this bind, as `tracuu sms list` names it.")
@click.argument("account")
def probe_account(config: Path | None, bind: str, account: str) -> None:
    """Try the binds of an account, one after the other: connect, bind, enquire_link, unbind, with what the SMSC said and
    how long it took; on failure, what to do. Nothing is tried twice, since a wrong password repeated can lock the
    account, and no message is taken: what the SMSC hands over is refused for now and comes again.

    A bind beside a gateway that serves may be refused, or push the gateway's own out, where the operator allows no more;
    probe before the gateway serves, or ask how many binds there may be. Ends with 4 where our name or password is
    refused, with 1 where anything else failed.
    """
    settings = quiet_settings(config)
    chosen = _chosen(settings, account)
    names = [each.bind for each in _bootstrap().list_sms(settings) if each.account == account]
    if bind and bind not in names:
        raise click.ClickException(f"account {account} has no bind {bind}; it has: {', '.join(names)}")
    _finish(run(_try_out(settings, account, _bootstrap().probe_sms(chosen, bind))))


@sms.command("send")
@config_option
@click.option("--from", "sender", default="", help="The sender, a number or a name of yours; unset: `short_code`.")
@click.option(
    "--accents/--no-accents", default=None, help="With Vietnamese accents (UCS-2) or without; unset: `accents`."
)
@click.option(
    "--wait",
    "waiting",
    type=click.FloatRange(0, LONGEST_WAIT),
    default=REPORT_WAIT,
    show_default=True,
    help="Seconds to wait for delivery reports.",
)
@click.argument("account")
@click.argument("number")
@click.argument("text")
def send_one(
    config: Path | None, account: str, number: str, text: str, *, sender: str, accents: bool | None, waiting: float
) -> None:
    """Send one message by a bind of its own, beside the gateway, and print how it leaves, what each of its segments costs
    and is answered, and the delivery reports as they come. It is sent once, whatever happens, and stands in no journal.
    Ends with an error where a segment was not taken.
    """
    settings = quiet_settings(config)
    chosen = _chosen(settings, account)
    normalised: str = _bootstrap().persons_number(number)
    if not normalised:
        raise click.ClickException(f"{number} is no telephone number a person can have")
    if not text.strip():
        raise click.ClickException("a message needs a text")
    wanted = chosen.accents if accents is None else accents
    steps = _bootstrap().send_sms(chosen, normalised, text, sender=sender, accents=wanted, waiting=waiting)
    _finish(run(_try_out(settings, account, steps)))


def _chosen(settings: Settings, name: str) -> SmsSettings:
    found = next((each for each in settings.sms if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in settings.sms) or "none"
        raise click.ClickException(f"no SMSC account is named {name}; there are: {known}")
    return found


def _cells(each: ListedBind) -> Sequence[str]:
    return (
        each.account,
        each.bind,
        each.mode,
        each.host + (" (TLS)" if each.tls else ""),
        each.system_id,
        each.number,
        each.brand_name or each.number,
        f"{each.rate:g} a second" if each.rate > 0 else "as the windows allow",
        str(each.window) if each.mode != "receiver" else "",
    )


# ---- steps as lines


async def _try_out(settings: Settings, account: str, steps: AsyncIterator[ToldStep]) -> ExitCode:
    """Who else is bound is said first: much of what can go wrong comes from that."""
    holder: str = await _bootstrap().sms_holder(settings, account)
    if holder:
        click.echo(f"note: {holder}")
    return await _print_all(steps)


async def _print_all(steps: AsyncIterator[ToldStep]) -> ExitCode:
    """Each as soon as it is known; the worst of them is how the command ends."""
    code = ExitCode.OK
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PAPER_WIDTH
    async for step in steps:
        for line in lines(step, width):
            click.echo(line)
        if step.fatal:
            code = ExitCode.CREDENTIALS_REFUSED
        elif step.failed and code is ExitCode.OK:
            code = ExitCode.FAILED
    return code


def lines(step: ToldStep, width: int) -> Iterator[str]:
    """A step for the terminal (pure); nothing is cut off."""
    if step.name == HEADING:
        yield step.words
        return
    words = f"FAILED: {step.words}" if step.failed else step.words
    head = f"  {step.name:{NAME_WIDTH}} {_time(step.seconds):>{TIME_WIDTH}}  "
    yield from textwrap.wrap(words, width, initial_indent=head, subsequent_indent=INDENT)
    yield from textwrap.wrap(step.advice, width, initial_indent=INDENT, subsequent_indent=INDENT)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"  # noqa: PLR2004 - a millisecond


def _finish(code: ExitCode) -> None:
    if code is not ExitCode.OK:
        sys.exit(code)
