"""`python -m bench.web`: look-ups a second through the web API beside a bare handler, and what a wrong proof's time tells.

Slices of a few seconds alternate, the bare handler first, so that whatever else this machine does falls on all alike; a
ratio is taken within each round, and the median of the rounds is told.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

import click
from rich.console import Console
from rich.table import Table

from bench.sms import cpu_seconds
from bench.web_place import CODES, ORIGIN, bare, code_of, gateway, pin, seed
from tests.debian import provide
from tests.servers import postgres
from tests.servers.redis import running_redis

CONNECTIONS = 64
AIMS = {"cached": 0.85, "uncached": 0.5}
GIVEN_RATE = 500  # requests a second, for what an answer takes when nobody waits in a queue
FRESH_S = {"cached": 36_000.0, "uncached": 0.001}
PATH = "/api/v1/dossiers/"
WARM_UP = 100  # pairs
QUANTILES = (1, 10, 25, 50, 75, 90, 99)

# Each request asks for another code at random; `all` asks for each once, in their order, as a warm-up. With a pause
# each connection waits about so many milliseconds between two requests.
SCRIPT = """
local paths, place, pause = {}, nil, 0
function init(args)
  wrk.headers["Origin"] = args[6] ~= "" and args[6] or nil
  for line in io.lines(args[1]) do paths[#paths + 1] = wrk.format("GET", args[2] .. line .. args[5]) end
  math.randomseed(tonumber(args[3]))
  place = tonumber(args[4])
  pause = tonumber(args[7])
end
function delay()
  return pause == 0 and 0 or math.random(2 * pause)
end
function request()
  if place then place = place % #paths + 1 return paths[place] end
  return paths[math.random(#paths)]
end
function done(summary, latency)
  io.write(string.format('{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "wrong": %d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.errors.status
    + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What one slice showed. Times in milliseconds; `wrong`: requests that got no 2xx or 3xx; `cpu`: seconds the process
    worked, which says more than its rate where others work on the same cores.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    wrong: int
    cpu: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu / self.requests * 1e6


@dataclass(frozen=True, slots=True)
class Served:
    """Who is loaded: a process, its port, the path before the code and what follows it, and whose page asks.
    `pause_ms`: between two requests of a connection, so that the rate is given and not the most there is.
    """

    pid: int
    port: int
    path: str
    query: str = ""
    origin: str = ""
    pause_ms: int = 0


class Load:
    """wrk with our script, on a folder of its own."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._wrk = provide("wrk", _wrk, "the load generator of the bench")
        self._seconds = seconds
        self._codes, self._script = folder / "codes.txt", folder / "load.lua"
        self._codes.write_text("".join(f"{code_of(number)}\n" for number in range(CODES)), encoding="ascii")
        self._script.write_text(SCRIPT, encoding="ascii")

    async def run(self, served: Served, *, start: int | None = None) -> Slice:
        """Load one of them for a while: with codes at random, or with each from the one at `start` on."""
        options = ("-t1", f"-c{CONNECTIONS}", f"-d{self._seconds}s", "-s", str(self._script))
        where = (str(self._codes), served.path, str(random.randrange(2**31)), str(start))
        arguments = (*where, served.query, served.origin, str(served.pause_ms))
        process = await asyncio.create_subprocess_exec(
            self._wrk, *options, f"http://127.0.0.1:{served.port}", "--", *arguments, stdout=asyncio.subprocess.PIPE
        )
        before = cpu_seconds(served.pid)
        said, _ = await process.communicate()
        return Slice(**json.loads(said.splitlines()[-1]), cpu=cpu_seconds(served.pid) - before)


def _wrk() -> str | None:
    return shutil.which("wrk")


async def measure(url: str, folder: Path, rounds: int, seconds: int, pairs: int) -> tuple[Rounds, Sequence[Pair]]:
    """Everything, on one server of PostgreSQL."""
    await seed(url)
    load = Load(folder, seconds)
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(running_redis(folder))
        bare_pid, bare_port = await stack.enter_async_context(bare(redis.url))
        places = {
            "bare": Served(bare_pid, bare_port, "/small/"),
            "bare, same answer": Served(bare_pid, bare_port, "/same/"),
            "bare, a Redis GET": Served(bare_pid, bare_port, "/redis/"),
        }
        for name, fresh_s in FRESH_S.items():
            process, site = await stack.enter_async_context(gateway(folder, url, name, fresh_s))
            places[name] = Served(process.pid, process.public_port, PATH)
            if name == "cached":
                asked = replace(places[name], query=f"?site={site}&lang=vi", origin=ORIGIN)
                places["widget"] = asked
                places[f"widget at {GIVEN_RATE}/s"] = replace(asked, pause_ms=1000 * CONNECTIONS // GIVEN_RATE)
        pin([place.pid for place in places.values()], 0)
        await warm(load, places["cached"])
        done = [{name: await load.run(place) for name, place in places.items()} for _ in range(rounds)]
        return done, await asyncio.to_thread(timed_pairs, places["uncached"].port, pairs)


Rounds = Sequence[Mapping[str, Slice]]


async def warm(load: Load, served: Served) -> None:
    """Ask for every code once, in as many slices as that takes."""
    asked = 0
    while asked < CODES:
        asked += (await load.run(served, start=asked)).requests


@dataclass(frozen=True, slots=True)
class Pair:
    """Milliseconds until "not found" was read: for a dossier that exists, and for one that does not."""

    not_allowed: float
    not_found: float


def timed_pairs(port: int, pairs: int) -> Sequence[Pair]:
    """The same wrong proof for a code that somebody has and for one nobody has, in turns, each code once."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        for number in range(min(pairs, WARM_UP)):
            _asked(connection, number, known=bool(number % 2))
        return [_pair(connection, WARM_UP + number, known_first=bool(number % 2)) for number in range(pairs)]
    finally:
        connection.close()


def _pair(connection: http.client.HTTPConnection, number: int, *, known_first: bool) -> Pair:
    first, second = (_asked(connection, number, known=known) for known in (known_first, not known_first))
    return Pair(first, second) if known_first else Pair(second, first)


def _asked(connection: http.client.HTTPConnection, number: int, *, known: bool) -> float:
    started = time.perf_counter()
    body, headers = json.dumps({"last_four": "0000"}), {"Content-Type": "application/json"}
    connection.request("POST", PATH + code_of(number, known=known), body, headers)
    response = connection.getresponse()
    response.read()
    if response.status != http.HTTPStatus.NOT_FOUND:
        raise RuntimeError(f"a wrong proof was answered {response.status}")
    return (time.perf_counter() - started) * 1000


@click.command()
@click.option("--rounds", default=8, show_default=True, help="Times each is loaded.")
@click.option("--seconds", default=3, show_default=True, help="Of one slice.")
@click.option("--pairs", default=2_000, show_default=True, help="Of a wrong proof and an unknown code; 0: none.")
def main(rounds: int, seconds: int, pairs: int) -> None:
    """Measure cached and uncached look-ups over HTTP, and the time of not found against not allowed."""
    console = Console(width=120)
    busy = os.getloadavg()[0]
    cores = sorted(os.sched_getaffinity(0))
    pin([0], cores[-1])  # the database and the load generator inherit it; what is measured has the other core
    with (
        tempfile.TemporaryDirectory(prefix="tracuu-bench-") as folder,
        postgres.running({}) as server,
        server.database("onestop") as url,
    ):
        done, paired = asyncio.run(measure(url, Path(folder), rounds, seconds, pairs))
    console.print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}, {len(cores)} cores, load before it began {busy:.2f}")
    console.print(table_of_rates(done))
    if paired:
        console.print(table_of_times(paired))


def table_of_rates(done: Rounds) -> Table:
    """One row for each of those that were loaded."""
    title = f"Look-ups over HTTP, {CONNECTIONS} connections, {CODES:,} codes at random, {len(done)} rounds"
    headings = (
        "",
        "req/s",
        "of bare",
        "lowest",
        "highest",
        "aim",
        "p50 ms",
        "p99 ms",
        "CPU us",
        "CPU of bare",
        "wrong",
    )
    table = Table(*headings, title=title)
    for name in done[0]:
        slices = [each[name] for each in done]
        ratios = sorted(each[name].rate / each["bare"].rate for each in done)
        middle: Callable[[Sequence[float]], float] = median
        table.add_row(
            name,
            f"{middle([each.rate for each in slices]):,.0f}",
            *(f"{ratio:.2f}" for ratio in (middle(ratios), ratios[0], ratios[-1])),
            f"{AIMS[name]:.2f}" if name in AIMS else "",
            f"{middle([each.p50 for each in slices]):.2f}",
            f"{middle([each.p99 for each in slices]):.2f}",
            f"{middle([each.cpu_us for each in slices]):.0f}",
            f"{middle([each[name].cpu_us / each['bare'].cpu_us for each in done]):.2f}",
            str(sum(each.wrong for each in slices)),
        )
    return table


def table_of_times(pairs: Sequence[Pair]) -> Table:
    """What a stopwatch could learn."""
    title = f"A wrong proof, {len(pairs):,} pairs, milliseconds"
    table = Table("quantile", "not allowed", "not found", "difference within a pair", title=title)
    columns = (
        [each.not_allowed for each in pairs],
        [each.not_found for each in pairs],
        [each.not_allowed - each.not_found for each in pairs],
    )
    cut = [quantiles(column, n=100) for column in columns]
    for quantile in QUANTILES:
        table.add_row(f"{quantile} %", *(f"{column[quantile - 1]:.3f}" for column in cut))
    return table


if __name__ == "__main__":
    main()
