"""`tracuu outbox`: what did not leave and why, sent once more or dropped by an operator."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from domain.calendar import LOCAL_ZONE
from gateway.exit_codes import ExitCode
from gateway.loop import run
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, quiet_settings
from notifications.ports import Letter, Letters

PAGE = 200
NOTHING = {
    "dead": "nothing is dead: whatever left was taken",
    "deferred": "nothing waits for a later moment",
    "held": "nothing is held back",
    "ready": "nothing waits",
    "all": "nothing waits and nothing is dead",
}
HEADS = ("id", "what", "to", "about", "account", "state", "why", "report", "leaves from", "until", "tries")
TIME = "%d/%m %H:%M"


@click.group()
def outbox() -> None:
    """What did not leave: dead letters, and what waits for a moment or for you."""


@outbox.command("list")
@config_option
@click.option("--dead", "which", flag_value="dead", help="Refused, expired, blocked or in doubt (default).")
@click.option("--deferred", "which", flag_value="deferred", help="What waits for a later moment.")
@click.option("--held", "which", flag_value="held", help="What waits for an operator: see `tracuu hold`.")
@click.option("--ready", "which", flag_value="ready", help="What is due.")
@click.option("--all", "which", flag_value="all", help="All of these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--after", type=click.IntRange(0), default=0, help="Those with a higher id: the next page.")
def list_letters(config: Path | None, which: str | None, limit: int, after: int) -> None:
    """Show what did not leave and why; numbers are masked."""
    wanted = which or "dead"
    found: Sequence[Letter] = run(_letters(config).listed(wanted, limit=limit, after=after))
    if not found:
        click.echo(NOTHING[wanted])
        return
    print_table(HEADS, map(cells, found))
    if len(found) == limit:
        click.echo(f"\nthere may be more: --after {found[-1].id}")


@outbox.command("retry")
@config_option
@click.option("--all-dead", is_flag=True, help="Every dead letter.")
@click.option(
    "--valid-h", type=click.IntRange(1, 720), default=24, show_default=True, help="Hours after which it expires again."
)
@click.argument("ids", nargs=-1, type=int, metavar="[ID]...")
def retry_letters(config: Path | None, ids: Sequence[int], *, all_dead: bool, valid_h: int) -> None:
    """Send dead letters once more. What is not followed any more, or was overtaken, is closed when its turn comes."""
    if bool(ids) == all_dead:
        raise click.UsageError("name the ids, or --all-dead")
    letters = _letters(config)
    expires_at = datetime.now(UTC) + timedelta(hours=valid_h)
    if all_dead:
        click.echo(f"sent once more: {run(_retry_all(letters, expires_at))}")
        return
    _end("sent once more", run(_retry(letters, ids, expires_at)), ids, "not a dead letter")


@outbox.command("drop")
@config_option
@click.argument("ids", nargs=-1, type=int, required=True, metavar="ID...")
def drop_letters(config: Path | None, ids: Sequence[int]) -> None:
    """Close what waits, is held or is dead: it will not be sent."""
    done: Sequence[int] = run(_letters(config).drop(ids))
    _end("dropped", done, ids, "neither waiting, held nor dead")


async def _retry(letters: Letters, ids: Sequence[int], expires_at: datetime) -> Sequence[int]:
    return await letters.retry(ids, expires_at=expires_at)


async def _retry_all(letters: Letters, expires_at: datetime) -> int:
    """Page by page, by id: what dies again meanwhile is not tried a second time."""
    done = after = 0
    while page := await letters.listed("dead", limit=PAGE, after=after):
        done += len(await letters.retry([letter.id for letter in page], expires_at=expires_at))
        after = page[-1].id
    return done


def _end(words: str, done: Sequence[int], ids: Sequence[int], otherwise: str) -> None:
    """Say what was done; ends with 1 where something that was named was not."""
    left = [str(each) for each in dict.fromkeys(ids) if each not in done]
    named = f"; {otherwise}: {'id' if len(left) == 1 else 'ids'} {', '.join(left)}" if left else ""
    click.echo(f"{words}: {len(done)}{named}")
    if left:
        sys.exit(ExitCode.FAILED)


def cells(letter: Letter) -> Sequence[str]:
    """A row of HEADS; pure."""
    return (
        str(letter.id),
        letter.kind or letter.category,
        letter.recipient,
        letter.dossier_code,
        letter.account,
        letter.state,
        letter.reason,
        letter.delivery_status,
        _local(letter.available_at),
        _local(letter.expires_at),
        str(letter.attempts),
    )


def _local(moment: datetime) -> str:
    return moment.astimezone(LOCAL_ZONE).strftime(TIME)


def _letters(config: Path | None) -> Letters:
    settings = quiet_settings(config)
    letters: Letters = _bootstrap().letters(settings)
    return letters
