"""`python -m bench`: what this gateway does on this machine, printed beside the aims of the design."""

from __future__ import annotations

import asyncio
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.floor import Floor, journal_floor
from bench.sms import Case, Run, run_case, stamp

AIMS = {10: 6_000, 50: 10_000, 100: 14_000}  # replies a second, closed loop (reference: peers)

WIDTH = 130  # columns, so that no heading is cut


@click.command()
@click.option("--total", default=20_000, show_default=True, help="Questions in each run.")
@click.option("--window", "windows", multiple=True, default=(1, 10, 50, 100), show_default=True, help="Open questions.")
@click.option(
    "--repeat", default=1, show_default=True, help="Runs of every case; the median is not taken, all are shown."
)
def main(total: int, windows: tuple[int, ...], repeat: int) -> None:
    """Measure answers by SMS: cached, uncached and at a fixed rate; beside them the floor of the journal."""
    console = Console(width=WIDTH)
    console.print(f"{stamp()}, {platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    cases = [
        Case(name="cached", windows=windows, total=total),
        Case(name="uncached", windows=windows, total=total // 2, codes=total // 2 + 1, fresh_s=0.001),
        Case(name="open loop", mode="o", windows=(1_000,), total=5_000, rate=500.0),
    ]
    runs = []
    for case in cases * repeat:
        with tempfile.TemporaryDirectory(prefix="tracuu-bench-") as directory:
            runs += asyncio.run(run_case(case, Path(directory)))
        console.print(f"{case.name}: done")
    with tempfile.TemporaryDirectory(prefix="tracuu-bench-") as directory:
        floors = [asyncio.run(journal_floor(Path(directory), size)) for size in (1, 10, 50, 100)]
    console.print(table_of_runs(runs), table_of_floors(floors))
    raise SystemExit(1 if any(run.missing or run.duplicates for run in runs) else 0)


def table_of_runs(runs: Sequence[Run]) -> Table:
    """One row a run."""
    headings = (
        "case",
        "mode",
        "window",
        "replies/s",
        "aim",
        "p50 ms",
        "p99 ms",
        "CPU ms/message",
        "RSS MB",
        "missing",
        "twice",
    )
    table = Table(*headings, title="SMS answers, journal on SQLite")
    for run in runs:
        aim = AIMS.get(run.window) if run.mode == "r" else None
        table.add_row(
            run.case,
            run.mode,
            str(run.window),
            f"{run.replies_per_second:,.0f}",
            f"{aim:,}" if aim else "",
            f"{run.p50:.2f}",
            f"{run.p99:.2f}",
            f"{run.cpu_per_message:.3f}",
            f"{run.rss_mb:.0f}",
            str(run.missing),
            str(run.duplicates),
        )
    return table


def table_of_floors(floors: Sequence[Floor]) -> Table:
    """What the journal alone costs."""
    table = Table("exchanges in a commit", "ms a commit", "messages/s if nothing else ran", title="The journal alone")
    for floor in floors:
        table.add_row(str(floor.size), f"{floor.milliseconds:.2f}", f"{floor.size / floor.milliseconds * 1000:,.0f}")
    return table


if __name__ == "__main__":
    main()
