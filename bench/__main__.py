"""`python -m bench`: what this gateway does on this machine, printed beside the aims of the design."""

from __future__ import annotations

import asyncio
import platform
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.floor import Floor, journal_floor
from bench.sms import Case, Run, run_case, stamp
from bench.stores import StoreKind, place, stores_option

AIMS = {10: 6_000, 50: 10_000, 100: 14_000}  # replies a second, closed loop (reference: peers)

WIDTH = 130  # columns, so that no heading is cut


@click.command()
@click.option("--total", default=20_000, show_default=True, help="Questions in each run.")
@click.option("--window", "windows", multiple=True, default=(1, 10, 50, 100), show_default=True, help="Open questions.")
@stores_option("Where the journal is kept")
def main(total: int, windows: tuple[int, ...], stores: tuple[str, ...]) -> None:
    """Measure answers by SMS: cached, uncached and at a fixed rate; beside them the floor of the journal."""
    console = Console(width=WIDTH)
    console.print(f"{stamp()}, {platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    kinds = [StoreKind[name.upper()] for name in stores]
    runs = [run for case in cases(kinds, windows, total) for run in measured(case, console)]
    with tempfile.TemporaryDirectory(prefix="tracuu-bench-") as directory:
        floors = [asyncio.run(journal_floor(Path(directory), size)) for size in (1, 10, 50, 100)]
    console.print(table_of_runs(runs), table_of_floors(floors))
    raise SystemExit(1 if any(run.missing or run.duplicates for run in runs) else 0)


def cases(kinds: Sequence[StoreKind], windows: Sequence[int], total: int) -> Iterator[Case]:
    """Every case on one store, then on the other: side by side in one run."""
    for name, fresh_s in (("cached", 600.0), ("uncached", 0.001)):
        for kind in kinds:
            codes = 1_000 if name == "cached" else total + 1
            yield Case(name=name, store=kind, windows=windows, total=total, codes=codes, fresh_s=fresh_s)
    for kind in kinds:
        yield Case(name="open loop, 500/s", store=kind, mode="o", windows=(1_000,), total=5_000, rate=500.0)


def measured(case: Case, console: Console) -> list[Run]:
    """One case, in a folder and with servers of its own."""
    with tempfile.TemporaryDirectory(prefix="tracuu-bench-") as folder, place(case.store, Path(folder)) as at:
        runs = asyncio.run(run_case(case, Path(folder), at))
    console.print(f"{case.store.value}, {case.name}: done")
    return runs


def table_of_runs(runs: Sequence[Run]) -> Table:
    """One row a run."""
    headings = (
        "store",
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
    table = Table(*headings, title="SMS answers, journal on")
    for run in runs:
        aim = AIMS.get(run.window) if run.mode == "r" else None
        table.add_row(
            run.store.value,
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
    table = Table(
        "exchanges in a commit", "ms a commit", "messages/s if nothing else ran", title="The journal alone, on SQLite"
    )
    for floor in floors:
        table.add_row(str(floor.size), f"{floor.milliseconds:.2f}", f"{floor.size / floor.milliseconds * 1000:,.0f}")
    return table


if __name__ == "__main__":
    main()
