"""`python -m bench.burst`: half a million notices wait, and people ask all the same: rate, memory, order, and how many
notices each answer stood behind.
"""

from __future__ import annotations

import array
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import asyncpg  # type: ignore[import-untyped] # it ships no types
import click
from rich.console import Console
from rich.table import Table

from adapters.store.housekeeping import first_id
from adapters.store.migrate import sqlite_url
from adapters.store.migrate import upgrade as upgrade_file
from adapters.store.postgres_migrate import upgrade as upgrade_server
from bench.settings import gateway_of, settings_of
from bench.sms import cpu_seconds, resident_mb
from bench.stores import Place, StoreKind, place, stores_option
from demo import onestop
from demo.process import GatewayProcess
from demo.smsc_load_server import Announce, LoadServer
from demo.smsc_tally import NUMBER_DIGITS, Load, LoadOptions, LoadResult, Mode
from domain.calendar import local_day
from gateway.sender import SECONDS_AHEAD

ACCOUNT = """
[[sms]]
name = "burst"
host = "127.0.0.1"
port = {port}
system_id = "demo"
password = "demo"
short_code = "8088"
window = {window}
rate = {rate}
registered_delivery = 0
"""
TO_EACH = 5  # notices, of as many dossiers, in the order of their ids
FIRST_NOTICE = 50_000_000  # the digits of the first number that is sent a notice; questions come from below
TEXTS = ("H51.18-250701-0001", "h51 18 250701 0002", "H51.29.18-250701-0004")
HOUR_MS = 3_600_000
LOOK_EVERY = 0.5  # seconds between two looks at memory and progress
READY_WITHIN = 60.0

# Notice `n` is the (n / people)th of person n % people, and says so at its end. {series} gives n from 0.
FOLLOWS = """INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, followed_at)
SELECT 'sms:849' || ({first} + n % {people}), 'H13.18-260601-' || (10000 + n / {people}), 'burst', 'sms', 'burst',
    'sms:8088', 'text', false, {now} FROM {series}"""
NOTICES = """INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, language, params, source,
    dossier_code, version, state, created_at, available_at, expires_at, attempts)
SELECT {first_id} + n, 'sms', 'burst', 'notice', 1, 'sms:849' || ({first} + n % {people}), 'sms:8088',
    'Can Tho: ho so H13.18-260601-' || (10000 + n / {people}) || ' dang xu ly, chua hen ngay tra #' || (n / {people}), 'vi',
    '{{"kind":"in_process","urgency":"normal"}}', 'burst', 'H13.18-260601-' || (10000 + n / {people}), 1, 'ready',
    {now}, {now}, {now} + 86400000, 0 FROM {series}"""
FILE_SERIES = (
    "(WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {count}) SELECT n FROM s) AS t"
)
SERVER_SERIES = "generate_series(0, {count} - 1) AS t (n)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """`rate`: segments a second the operator lets us send; `asked`: questions a second. `seconds` None: until the last
    notice left.
    """

    notices: int
    rate: int
    asked: float = 20.0
    window: int = 10
    seconds: float | None = 30.0
    store: StoreKind = StoreKind.SQLITE

    @property
    def behind(self) -> int:
        """The most notices that may leave between a question and its answer: those in the window, and those handed over
        ahead of their turn.
        """
        return self.window + int(self.rate * SECONDS_AHEAD)

    @property
    def people(self) -> int:
        return -(-self.notices // TO_EACH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What came of it. `behind`: notices between each question and its answer; `waiting`: what /metrics said waits, with
    what had left by then.
    """

    burst: Burst
    told: int
    seconds: float
    misplaced: int
    answers: LoadResult
    behind: Sequence[int]
    waiting: Sequence[tuple[int, int]]
    before_mb: float
    highest_mb: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.told / self.seconds


class Watched(Load):
    """The SMSC's side: counts notices, whether each person's come in order, and how many an answer stood behind."""

    def __init__(self, options: LoadOptions, announce: Announce, people: int) -> None:
        super().__init__(options, announce)
        self.told = self.misplaced = 0
        self.behind: list[int] = []
        self._news = asyncio.Event()
        self._told_at = array.array("L", bytes(8 * options.total))  # notices before each question
        self._next = bytearray(people)

    def take(self, holder: int, now: float) -> list[bytes]:
        first = self.asked
        pdus = super().take(holder, now)
        for index in range(first, self.asked):
            self._told_at[index] = self.told
        return pdus

    def answer(self, buffer: bytes, pdu: slice, number_ends: int, now: float) -> None:
        person = int(buffer[number_ends - NUMBER_DIGITS : number_ends]) - FIRST_NOTICE
        if person >= 0:
            self._notice(person, int(buffer[pdu].rpartition(b"#")[2]))
            return
        if not self.answers[person + FIRST_NOTICE]:
            self.behind.append(self.told - self._told_at[person + FIRST_NOTICE])
        super().answer(buffer, pdu, number_ends, now)

    def room(self, now: float) -> int:
        """Questions are counted from the first bind."""
        if not self.asked:
            self.started_at = now
        return super().room(now)

    def turn_ended(self, now: float) -> None:
        """The base would end the run with the last answer, whatever notices are still to come."""
        self.last_news = now
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Looked at whenever something came."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def _notice(self, person: int, place: int) -> None:
        self.told += 1
        self.misplaced += place != self._next[person]
        self._next[person] = place + 1


@dataclass(slots=True, kw_only=True)
class Looks:
    """What is seen of the gateway while it sends."""

    gateway: GatewayProcess
    load: Watched
    highest_mb: float = 0.0
    waiting: list[tuple[int, int]] = field(default_factory=list)
    fewer: asyncio.Event = field(default_factory=asyncio.Event)  # /metrics, counted anew now and then, has said so

    async def look(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession() as http:
            while True:
                self.highest_mb = max(self.highest_mb, resident_mb(self.gateway.pid))
                if (waits := await waiting(self.gateway, http)) is not None:
                    self.waiting.append((self.load.told, waits))
                    if waits < self.waiting[0][1]:
                        self.fewer.set()
                await asyncio.sleep(LOOK_EVERY)


async def waiting(gateway: GatewayProcess, http: aiohttp.ClientSession) -> int | None:
    """What /metrics says waits in the outbox; None: nothing was counted yet."""
    async with http.get(f"{gateway.operations}/metrics") as response:
        lines = (await response.text()).splitlines()
    values = [line.rpartition(" ")[2] for line in lines if line.startswith('tracuu_waiting{account="burst"}')]
    return int(float(values[0])) if values else None


async def run_burst(
    burst: Burst, directory: Path, at: Place, *, meanwhile: Callable[[GatewayProcess, Watched], None] | None = None
) -> Drained:
    """Fill the store, start the gateway, ask until the time is over (and a second's worth left, however busy the machine
    is) or nothing waits. `meanwhile` is called, off the loop, once half of the time is over.
    """
    onestop.seed(directory, local_day(datetime.now(UTC)))
    await fill(burst, at)
    total = int(burst.asked * (burst.seconds or 3 * burst.notices / burst.rate + READY_WITHIN)) + 1
    options = LoadOptions(total=total, mode=Mode.OPEN, rate=burst.asked, texts=TEXTS, patience=600.0)
    make = lambda options, announce: Watched(options, announce, burst.people)  # noqa: E731
    async with LoadServer(make_load=make) as smsc:
        task = asyncio.create_task(smsc.run(options))  # before anybody binds: notices come at once
        await asyncio.sleep(0)
        load = smsc.load
        assert isinstance(load, Watched)  # noqa: S101
        async with running(burst, directory, at, smsc.port) as gateway:
            begun, cpu, before = time.perf_counter(), cpu_seconds(gateway.pid), resident_mb(gateway.pid)
            already = load.told
            looks = Looks(gateway=gateway, load=load)
            looking = asyncio.create_task(looks.look())
            await passed(burst, load, begun, 0.5)
            if meanwhile is not None:
                await asyncio.to_thread(meanwhile, gateway, load)
            await passed(burst, load, begun, 1.0)
            enough = already + min(burst.rate, burst.notices - already - 1)
            await asyncio.wait_for(load.until(lambda: load.told > enough), READY_WITHIN)
            told, seconds, cpu = load.told - already, time.perf_counter() - begun, cpu_seconds(gateway.pid) - cpu
            await asyncio.wait_for(looks.fewer.wait(), READY_WITHIN)
            looking.cancel()
            answers = await end(load, task)
    return Drained(
        burst=burst,
        told=told,
        seconds=seconds,
        misplaced=load.misplaced,
        answers=answers,
        behind=load.behind,
        waiting=looks.waiting,
        before_mb=before,
        highest_mb=looks.highest_mb,
        cpu=cpu,
    )


async def passed(burst: Burst, load: Watched, begun: float, share: float) -> None:
    """Wait until that share of the time, or of the notices, is over."""
    if burst.seconds is not None:
        await asyncio.sleep(max(0.0, begun + share * burst.seconds - time.perf_counter()))
        return
    await load.until(lambda: load.told >= share * burst.notices)


async def end(load: Watched, task: asyncio.Task[LoadResult]) -> LoadResult:
    """No question more; those that were asked get their answers."""
    load.options = LoadOptions(
        total=max(load.asked, 1), mode=Mode.OPEN, rate=load.options.rate, texts=TEXTS, patience=600.0
    )
    async with asyncio.timeout(READY_WITHIN):
        await load.until(lambda: load.answered >= load.asked)
    load.finished.set()
    return await task


@asynccontextmanager
async def running(burst: Burst, directory: Path, at: Place, port: int) -> AsyncIterator[GatewayProcess]:
    account = ACCOUNT.format(port=port, rate=burst.rate, window=burst.window)
    gateway = gateway_of(directory / "burst.toml", settings_of(directory, at, account))
    await gateway.start(ready_within=READY_WITHIN)
    try:
        yield gateway
    finally:
        await gateway.stop()


async def fill(burst: Burst, at: Place) -> None:
    """Followings and notices, as many as the burst has, in an empty store."""
    now = round(time.time() * 1000)
    constant = {
        "first": FIRST_NOTICE,
        "people": burst.people,
        "now": now,
        "first_id": first_id(datetime.fromtimestamp((now - HOUR_MS) / 1000, UTC)),
    }
    if at.database.startswith("sqlite"):
        series = FILE_SERIES.format(count=burst.notices)
        file = Path(at.database.removeprefix("sqlite:///"))
        await asyncio.to_thread(_fill_file, file, [s.format(series=series, **constant) for s in (FOLLOWS, NOTICES)])
        return
    await upgrade_server(at.database)
    series = SERVER_SERIES.format(count=burst.notices)
    connection = await asyncpg.connect(at.database.replace("+asyncpg", ""))
    try:
        for statement in (FOLLOWS, NOTICES):
            await connection.execute(statement.format(series=series, **constant), timeout=600)
    finally:
        await connection.close()


def _fill_file(file: Path, statements: Sequence[str]) -> None:
    upgrade_file(sqlite_url(file))
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


# ---- as a program


@click.command()
@click.option("--notices", default=500_000, show_default=True, help="That wait in the outbox.")
@click.option("--rate", default=200, show_default=True, help="Of the account, a second.")
@click.option("--seconds", default=30.0, show_default=True, help="How long it is watched; 0: until the last one left.")
@click.option("--asked", default=20.0, show_default=True, help="Questions a second meanwhile.")
@click.option("--window", default=10, show_default=True, help="Unanswered submit_sm.")
@stores_option("Where they wait")
def main(*, stores: tuple[str, ...], seconds: float, notices: int, rate: int, asked: float, window: int) -> None:
    """Measure how a burst of notices leaves while people ask."""
    done = []
    for store in stores:
        burst = Burst(
            notices=notices,
            rate=rate,
            asked=asked,
            window=window,
            seconds=seconds or None,
            store=StoreKind[store.upper()],
        )
        with tempfile.TemporaryDirectory(prefix="tracuu-burst-") as folder, place(burst.store, Path(folder)) as at:
            done.append(asyncio.run(run_burst(burst, Path(folder), at)))
    Console(width=160).print(table_of(done))
    sys.exit(1 if any(each.misplaced or each.answers.missing for each in done) else 0)


def table_of(done: Sequence[Drained]) -> Table:
    """One row a run."""
    heads = ("store", "waited", "left", "seconds", "notices/s", "out of order", "answers", "p50 ms", "p99 ms")
    more = ("behind, most", "bound", "RSS MB before", "at most", "CPU s")
    table = Table(*heads, *more, title="A burst of notices, and questions beside it")
    for each in done:
        burst, answers = each.burst, each.answers
        cells = (
            burst.store.value,
            f"{burst.notices:,}",
            f"{each.told:,}",
            f"{each.seconds:.1f}",
            f"{each.rate:,.0f}",
            str(each.misplaced),
            str(answers.answered),
            f"{answers.p50_ms:.1f}",
            f"{answers.p99_ms:.1f}",
            str(max(each.behind, default=0)),
            str(burst.behind),
            f"{each.before_mb:.0f}",
            f"{each.highest_mb:.0f}",
            f"{each.cpu:.1f}",
        )
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    main()
