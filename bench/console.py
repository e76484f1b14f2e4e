"""`python -m bench.console`: how long every page of the staff console takes at the server, with a million messages and a
million dossiers in PostgreSQL.

The gateway runs as `tracuu serve --roles console`; its store and its servers are its own. Every page is asked for once
before it counts, then again and again by one browser at a time; what is told is the time from the request to the last byte
(of a stream: to its first event, of a file: to its first pages), so that it holds our side of the loopback as well.
"""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import click
from aiohttp import ClientSession, DummyCookieJar
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from adapters.store.postgres_migrate import upgrade
from bench.console_pages import LIST, Ask, Browser, asks, never_asked
from bench.console_seed import BASIS, PROVINCE, Seeded, seed
from demo.process import GatewayProcess, free_port
from gateway.source_scan import listed_routes

AIM_MS = 100.0
RATHER_LATE = 0.95
LONGEST_S = 15.0  # for one page
ROOT = Path(__file__).parent.parent
SETTINGS = f"""
[console]
secure_cookies = false
incident_recipients = ["sms:84912345678"]
[[console.legal_bases]]
agency = "{PROVINCE}"
words = "{BASIS}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A page, and how long it took, each time; milliseconds."""

    who: str
    ask: Ask
    times: Sequence[float]
    cpu: float = 0.0  # milliseconds of the gateway and its database for one of them, with what is counted on afterwards

    @property
    def p95(self) -> float:
        """By the nearest rank."""
        return sorted(self.times)[math.ceil(RATHER_LATE * len(self.times)) - 1]


@contextmanager
def filled(url: str | None, count: int) -> Iterator[tuple[str, Seeded]]:
    """The empty database that was named, or one of a server that is started for it, as it comes (fsync on); filled."""
    if url is None:
        from tests.servers.postgres import running  # noqa: PLC0415 - only where no database is named

        with running({}) as server, server.database("console") as made, filled(made, count) as found:
            yield found
        return
    asyncio.run(upgrade(url))
    yield url, asyncio.run(seed(url, count, datetime.now(UTC)))


@asynccontextmanager
async def served(url: str, folder: Path) -> AsyncIterator[GatewayProcess]:
    """The console, and nothing else of the gateway."""
    from tests.whole.gateways import Account, make_gateway  # noqa: PLC0415 - it belongs to the tests

    gateway = make_gateway(folder, Account(port=9), settings={"TRACUU_DATABASE__URL": url})
    gateway.config.write_text(gateway.config.read_text(encoding="utf-8") + SETTINGS, encoding="utf-8")
    gateway.staff_port, gateway.arguments = free_port(), ("--roles", "console")
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


async def measure(url: str, seeded: Seeded, times: int, only: str) -> Sequence[Timed]:
    """Every page, by both officers."""
    database = make_url(url).database or ""
    with tempfile.TemporaryDirectory(prefix="tracuu-bench-") as folder:
        async with served(url, Path(folder)) as gateway, ClientSession(cookie_jar=DummyCookieJar()) as http:
            timed = []
            for who, seen in seeded.who.items():
                browser = Browser(http=http, base=gateway.staff, secret=seen.secret)
                await browser.send_list(seeded.broadcasts[LIST])
                wanted = [each for each in asks(seeded, who) if only in f"{each.path} {each.name}"]
                agency = seen.officer.agency
                for each in wanted:
                    before = _cpu_ns(gateway.pid, database)
                    took = await _times(browser, agency, each, times)
                    after = _cpu_ns(gateway.pid, database)
                    used = sum(spent - before.get(thread, 0) for thread, spent in after.items())
                    cpu = used / 1e6 / (len(took) + 1)
                    timed.append(Timed(who=who, ask=each, times=took, cpu=cpu))
            return timed


def _cpu_ns(gateway: int, database: str) -> Mapping[Path, int]:
    """What all threads of the gateway have used, and what of its database runs on this machine."""
    mark = f" {database} ".encode()
    theirs = [
        each
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if _read(each).startswith(b"postgres:") and mark in _read(each)
    ]
    ours = Path(f"/proc/{gateway}/task").glob("*/schedstat")
    used = [*ours, *(each.with_name("schedstat") for each in theirs)]
    return {each: int((_read(each).split() or [b"0"])[0]) for each in used}


def _read(path: Path) -> bytes:
    """Empty of what has ended meanwhile."""
    try:
        return path.read_bytes()
    except OSError:  # it is no more
        return b""


async def _times(browser: Browser, agency: str, each: Ask, times: int) -> Sequence[float]:
    """Counts are made anew each time. One that is refused, as by a statement that took too long, took for ever; nobody waits for slow ones fifty times."""
    began, found = time.perf_counter(), list[float]()
    try:
        await browser.ask(each)
        while len(found) < times and (not found or time.perf_counter() - began < LONGEST_S):
            if each.counts:
                await browser.forget(agency)
            asked = time.perf_counter()
            await browser.ask(each)
            found.append((time.perf_counter() - asked) * 1000)
    except RuntimeError as error:  # told in the table
        click.echo(str(error), err=True)
        return [math.inf]
    return found


def table_of(timed: Sequence[Timed], times: int, seeded: Seeded) -> Table:
    """The worst first."""
    table = Table("", "by", "method", "page", "what", "least ms", "p50 ms", "p95 ms", "max ms", "CPU ms")
    table.title = f"{seeded.count:,} messages and as many dossiers, {times} requests each, warm"
    for each in sorted(timed, key=lambda each: -each.p95):
        mark = "over" if each.p95 >= AIM_MS else "max" if max(each.times) >= AIM_MS else ""
        figures = (
            f"{value:,.1f}" for value in (min(each.times), median(each.times), each.p95, max(each.times), each.cpu)
        )
        table.add_row(mark, each.who, each.ask.method, each.ask.path, each.ask.name, *figures)
    return table


@click.command()
@click.option("--url", help="An empty database (postgresql+asyncpg://...); without it a server is started.")
@click.option("--messages", default=1_000_000, show_default=True, help="And as many dossiers.")
@click.option("--times", default=50, show_default=True, help="Requests of each page.")
@click.option("--only", default="", help="Pages whose path or name holds this.")
def main(url: str | None, messages: int, times: int, only: str) -> None:
    """Measure every page of the console; ends with 1 where a page takes 100 ms or more (p95)."""
    console, busy, began = Console(width=170), os.getloadavg()[0], time.perf_counter()
    with filled(url, messages) as (at, seeded):
        console.print(
            f"{time.strftime('%Y-%m-%d %H:%M:%S')}, {os.cpu_count()} cores, load before it began {busy:.2f};"
            f" filled in {time.perf_counter() - began:.0f} s"
        )
        timed = asyncio.run(measure(at, seeded, times, only))
    # Without the desk's: no agency works with the intake module here (tests/integration/test_intake_plans.py has its plans).
    needed = [each for each in listed_routes(ROOT) if each.needs and not each.needs.startswith("Right.INTAKE")]
    routes = [(each.method, each.path) for each in needed]
    forgotten = [] if only else never_asked(routes, [each.ask for each in timed])
    console.print(table_of(timed, times, seeded))
    over = [each for each in timed if each.p95 >= AIM_MS]
    console.print(f"{len(timed)} pages, {len(over)} over {AIM_MS:.0f} ms; asked for by nobody: {forgotten or 'none'}")
    raise SystemExit(1 if over or forgotten else 0)


if __name__ == "__main__":
    main()
