"""`python -m bench.telegram`: updates answered a second and the CPU of each, beside python-telegram-bot as it comes.

One process is the Bot API: it hands updates in at a webhook as fast as they are taken, and takes the replies. The bot is
another process on the other core. Rounds alternate, so that whatever else this machine does falls on all alike; a ratio
is taken within each round against the faster of the library's two ways, and the median of the rounds is told.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from bench.sms import cpu_seconds
from bench.telegram_bots import BOTS, SECRET
from bench.telegram_wire import FakeApi, hand_in
from bench.web_place import pin
from channels.telegram.webhook import path_of
from demo.process import free_port
from gateway.loop import run

PATH = path_of("bench")
UPDATES = 5_000
CONNECTIONS = 64
AIM = 3.0  # times the library
WARM_UP = 200  # updates
LONGEST = 180.0  # seconds for one bot's updates


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One bot's round. Seconds from the first update handed in to the last reply taken."""

    updates: int
    answered: int  # different chats that got their reply
    seconds: float
    cpu: float  # seconds of the bot's process

    @property
    def rate(self) -> float:
        return self.answered / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu / max(1, self.answered) * 1e6


@asynccontextmanager
async def bot(name: str, api: FakeApi, core: int) -> AsyncIterator[tuple[int, int]]:
    """One of the bots, in a process of its own on this core: its pid and port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.telegram_bots", name, str(api.port), str(port)
    )
    try:
        await _listening(port)
        os.sched_setaffinity(process.pid, {core})
        yield process.pid, port
    finally:
        process.kill()
        await process.wait()


async def _listening(port: int) -> None:
    """Until the bot takes an update."""
    async with asyncio.timeout(15):
        while True:
            try:
                await hand_in(port, PATH, SECRET, [1], 1)
            except OSError:
                await asyncio.sleep(0.05)  # not yet
            else:
                return


async def load(name: str, api: FakeApi, updates: int, core: int) -> Run:
    async with bot(name, api, core) as (pid, port):
        await _answered(api, port, range(1, WARM_UP + 1))
        cpu, began = cpu_seconds(pid), time.perf_counter()
        await _answered(api, port, range(10_000, 10_000 + updates))
        return Run(
            updates=updates,
            answered=len(api.answered),
            seconds=time.perf_counter() - began,
            cpu=cpu_seconds(pid) - cpu,
        )


async def _answered(api: FakeApi, port: int, numbers: Sequence[int]) -> None:
    """Until all are answered, or no longer than anybody would wait: what is missing then is told."""
    api.expect(len(numbers))
    try:
        async with asyncio.timeout(LONGEST):
            await hand_in(port, PATH, SECRET, numbers, CONNECTIONS)
            await api.done.wait()
    except TimeoutError:
        print(f"{len(numbers) - len(api.answered)} of {len(numbers)} were not answered")


async def measure(rounds: int, updates: int, core: int) -> Sequence[Mapping[str, Run]]:
    async with FakeApi().serving() as api:
        return [{name: await load(name, api, updates, core) for name in BOTS} for _ in range(rounds)]


def table_of(done: Sequence[Mapping[str, Run]]) -> Table:
    """One row for each bot."""
    title = f"{done[0]['ours'].updates:,} updates by webhook, each answered, {len(done)} rounds"
    table = Table(
        "", "answered/s", "lowest", "highest", "CPU us", "ours is so many times", "aim", "missing", title=title
    )
    for name in BOTS:
        runs = [each[name] for each in done]
        rates = [each.rate for each in runs]
        table.add_row(
            name,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f}",
            f"{max(rates):,.0f}",
            f"{median(each.cpu_us for each in runs):,.0f}",
            "" if name == "ours" else f"{median(each['ours'].rate / each[name].rate for each in done):.1f}",
            "" if name == "ours" else f"{AIM:.0f}",
            str(sum(each.updates - each.answered for each in runs)),
        )
    return table


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--updates", default=UPDATES, show_default=True)
def main(rounds: int, updates: int) -> None:
    """Updates answered a second, ours and python-telegram-bot's own."""
    console = Console(width=120)
    busy, cores = os.getloadavg()[0], sorted(os.sched_getaffinity(0))
    pin([0], cores[-1])  # the Bot API and the load; a bot, which inherits it, is moved to the other core
    done = run(measure(rounds, updates, cores[0]))
    console.print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}, {len(cores)} cores, load before it began {busy:.2f}")
    console.print(table_of(done))


if __name__ == "__main__":
    main()
