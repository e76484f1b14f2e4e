"""A load generator that speaks as an SMSC: it asks many questions by deliver_sm and counts the answers that come back.

`python -m demo.smsc_load --port 0` prints JSON lines: where it listens, who binds, what came of each run.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypedDict, Unpack

import click

from demo.smsc_load_server import LoadServer, run_load
from demo.smsc_tally import LoadOptions, LoadResult, Mode

__all__ = ["LoadOptions", "LoadResult", "LoadServer", "Mode", "main", "run_load"]


def print_line(event: dict[str, object]) -> None:
    """One JSON object a line, at once: another process reads it."""
    click.echo(json.dumps(event))


def runner() -> asyncio.Runner:
    """The faster loop where it is installed: less of the machine for the generator, more for what it measures."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.Runner()
    uvloop = importlib.import_module("uvloop")
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def read_texts(path: Path | None) -> Sequence[str]:
    """One question a line; the default question where no file is named."""
    if path is None:
        return LoadOptions(total=1).texts
    return tuple(line for line in path.read_text(encoding="ascii").splitlines() if line)


async def run_windows(server: LoadServer, options: LoadOptions, windows: Sequence[int], binds: int) -> bool:
    """One run for each window, each from numbers of its own; True if every question of all was answered once."""
    clean = True
    async with server:
        await server.bound(binds)
        for turn, window in enumerate(windows):
            first = options.first_number + turn * options.total
            result = await server.run(replace(options, window=window, first_number=first))
            print_line({"event": "result", **asdict(result)})
            clean = clean and result.missing == result.duplicates == 0
    return clean


class Figures(TypedDict):
    """The options that go into a run as they are."""

    rate: float
    total: int
    warm_up: int
    destination: str
    first_number: int
    redeliver_after: float
    patience: float
    linger: float
    progress: int


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one and says which.")
@click.option("--system-id", default="demo", show_default=True, help="The account the gateway binds with.")
@click.option("--password", default="demo", show_default=True, help="Its password.")
@click.option("--binds", default=1, show_default=True, help="Start when so many receiving binds are there.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    default="r",
    show_default=True,
    help="a: N unacknowledged deliver_sm; r: N unanswered questions; o: open loop at --rate.",
)
@click.option(
    "--window", "windows", multiple=True, default=(10,), show_default=True, help="N; several are run one after another."
)
@click.option("--rate", default=100.0, show_default=True, help="Questions a second in mode o.")
@click.option("--total", default=10_000, show_default=True, help="Questions in each run.")
@click.option("--warm-up", default=0, show_default=True, help="First answers left out of rate and latency.")
@click.option(
    "--texts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with one question (ASCII) a line, taken in turn.",
)
@click.option("--destination", default="8088", show_default=True, help="Short code the questions go to.")
@click.option("--first-number", default=0, show_default=True, help="The first question comes from 849 and this number.")
@click.option(
    "--redeliver-after",
    default=30.0,
    show_default=True,
    help="Seconds before an unacknowledged question is sent again.",
)
@click.option(
    "--patience", default=10.0, show_default=True, help="Seconds without news before the rest counts as missing."
)
@click.option(
    "--linger", default=0.0, show_default=True, help="Seconds to go on counting duplicates after the last answer."
)
@click.option("--progress", default=0, show_default=True, help="Print a line every so many answers; 0 never.")
def main(
    *,
    host: str,
    port: int,
    system_id: str,
    password: str,
    binds: int,
    mode: str,
    windows: tuple[int, ...],
    texts: Path | None,
    **figures: Unpack[Figures],
) -> None:
    """Ask as an SMSC, count the answers, print JSON lines: listening, bound, lost, progress, result.

    Exits 1 when an answer is missing or came twice.
    """
    try:
        options = LoadOptions(mode=Mode(mode), texts=read_texts(texts), **figures)
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault
    server = LoadServer(host=host, port=port, system_id=system_id, password=password, announce=print_line)
    with runner() as loop:
        clean = loop.run(run_windows(server, options, windows, binds))
    raise SystemExit(0 if clean else 1)


if __name__ == "__main__":
    main()
