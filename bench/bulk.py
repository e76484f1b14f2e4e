"""`python -m bench.bulk`: people ask, first alone, then while notices and broadcasts leave as fast as the operator lets
them: how many of those each answer stood behind, and what that cost it.
"""

from __future__ import annotations

import array
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.any_store import AnyStore
from bench.bulk_rows import Bulk, BulkRows
from bench.settings import gateway_of, settings_of
from bench.stores import Place, StoreKind, place, stores_option
from demo import onestop
from demo.process import GatewayProcess
from demo.smsc_load_server import Announce, LoadServer
from demo.smsc_tally import NUMBER_DIGITS, NUMBER_PREFIX, Load, LoadOptions, LoadResult, Mode, part_number
from domain.calendar import local_day
from domain.message import Category

ACCOUNT = """
[gateway.answer_budgets] # an answer is in the store when its question is acknowledged, however slow the machine
sms_ms = 60000
[[sms]]
name = "bulk"
host = "127.0.0.1"
port = {port}
system_id = "demo"
password = "demo"
short_code = "8088"
window = {window}
rate = {rate}
registered_delivery = 0
{binds}
"""
TEXTS = ("H51.18-250701-0001", "h51 18 250701 0002", "H51.29.18-250701-0004")
FIRST_BULK = 50_000_000  # the digits of the first number that is sent something unasked; questions come from below
FIRST_BESIDE = 20_000_000  # those of the first question that is asked beside
LONGEST = 2  # segments, of every tenth
LONG_EVERY = 10
WARM_UP = 40  # answers: caches, pools
PATIENCE = 600.0  # seconds
READY_WITHIN = 120.0
SLOWEST_MS = 1_000.0  # p99 of answers beside
SLOWER = 3.0  # times the p99 of answers alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """`bulk` messages, half of them notices, half of them of a broadcast, leave at `rate` segments a second over `binds`
    connections while `asked` questions a second come; so many `alone` before.
    """

    bulk: int = 20_000
    rate: int = 200
    asked: float = 20.0
    alone: int = 400
    window: int = 10
    binds: int = 1
    store: StoreKind = StoreKind.SQLITE

    @property
    def behind(self) -> int:
        """The most segments that may leave between a question and its answer: those in the windows, and what is left of
        one message.
        """
        return self.window * self.binds + LONGEST - 1

    @property
    def segments(self) -> int:
        return self.bulk + -(-self.bulk // LONG_EVERY) * (LONGEST - 1)

    def mail(self) -> list[Bulk]:
        return [
            Bulk(
                number=number,
                account="bulk",
                sender="8088",
                recipient=f"{NUMBER_PREFIX}{FIRST_BULK + number:0{NUMBER_DIGITS}}",
                category=Category.NOTICE if number % 2 else Category.BROADCAST,
                segments=1 if number % LONG_EVERY else LONGEST,
            )
            for number in range(self.bulk)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What came of it. `behind`: bulk segments between the acknowledgement of each question and its answer; `misplaced`:
    segments that came twice or out of their order; `all_segments`: with those of the answers that left among the bulk,
    which the operator counts, too.
    """

    mixed: Mixed
    alone: LoadResult
    beside: LoadResult
    behind: Sequence[int]
    segments: int
    all_segments: int
    misplaced: int
    seconds: float

    @property
    def kept(self) -> bool:
        """No answer stood behind too many, none is missing or doubled, nothing unasked is."""
        questions = (self.alone, self.beside)
        return (
            max(self.behind) <= self.mixed.behind
            and not any(each.missing or each.duplicates for each in questions)
            and (self.segments, self.misplaced) == (self.mixed.segments, 0)
        )

    @property
    def quick(self) -> bool:
        return self.beside.p99_ms < min(SLOWEST_MS, SLOWER * self.alone.p99_ms)


class MixedLoad(Load):
    """The SMSC's side: counts what nobody asked for, and how much of it each answer stood behind."""

    def __init__(self, options: LoadOptions, announce: Announce, bulk: int) -> None:
        super().__init__(options, announce)
        self.segments = self.misplaced = 0
        self.all_segments = 0  # from the first of the bulk to the last, answers among them
        self._came = self._came_before = 0
        self.behind: list[int] = []
        self.began_at = self.ended_at = 0.0
        self._wanted = bulk
        self._parts = bytearray(bulk)  # the last part that came of each
        self._before = array.array("L", bytes(8 * options.total))  # bulk segments before each acknowledgement
        self._news = asyncio.Event()

    def acknowledge(self, index: int) -> None:
        if not self.acknowledgements[index]:
            self._before[index] = self.segments
        super().acknowledge(index)

    def answer(self, buffer: bytes, pdu: slice, number_ends: int, now: float) -> None:
        self._came += 1
        digits = int(buffer[number_ends - NUMBER_DIGITS : number_ends])
        if digits >= FIRST_BULK:
            self._bulk(digits - FIRST_BULK, part_number(buffer[pdu], number_ends + 1 - pdu.start), now)
            return
        index = digits - self.options.first_number
        if 0 <= index < self.asked and not self.answers[index]:
            # An answer may overtake its acknowledgement where they leave by two connections.
            self.behind.append(self.segments - self._before[index] if self.acknowledgements[index] else 0)
        super().answer(buffer, pdu, number_ends, now)

    def turn_ended(self, now: float) -> None:
        """The base would end the run with the last answer, whatever is still to come."""
        self.last_news = now
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Looked at whenever something came."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def _bulk(self, number: int, part: int, now: float) -> None:
        if not self.segments:
            self.began_at, self._came_before = now, self._came - 1
        self.ended_at, self.all_segments = now, self._came - self._came_before
        self.segments += 1
        self.misplaced += part != self._parts[number] + 1
        self._parts[number] = part


async def run_mixed(mixed: Mixed, directory: Path, at: Place) -> Beside:
    """Ask alone, then beside, of one gateway in a process of its own."""
    onestop.seed(directory, local_day(datetime.now(UTC)))
    server = LoadServer(make_load=lambda options, announce: MixedLoad(options, announce, mixed.bulk))
    async with server as smsc:
        gateway = await started(mixed, directory, at, smsc.port)
        try:
            await asyncio.wait_for(smsc.bound(mixed.binds), READY_WITHIN)
            alone = await ask_alone(mixed, smsc)
            return await ask_beside(mixed, smsc, at, alone)
        finally:
            await gateway.stop()


async def started(mixed: Mixed, directory: Path, at: Place, port: int) -> GatewayProcess:
    binds = f"\n[[sms.bind]]\ncount = {mixed.binds}\n" if mixed.binds > 1 else ""
    account = ACCOUNT.format(port=port, rate=mixed.rate, window=mixed.window, binds=binds)
    gateway = gateway_of(directory / "bulk.toml", settings_of(directory, at, account))
    await gateway.start(ready_within=READY_WITHIN)
    return gateway


async def ask_alone(mixed: Mixed, smsc: LoadServer) -> LoadResult:
    options = LoadOptions(
        total=mixed.alone + WARM_UP, warm_up=WARM_UP, mode=Mode.OPEN, rate=mixed.asked, texts=TEXTS, patience=PATIENCE
    )
    task = asyncio.create_task(smsc.run(options))
    await asyncio.sleep(0)  # it made its load
    load = current(smsc)
    await asyncio.wait_for(load.until(lambda: load.answered == load.acknowledged == options.total), PATIENCE)
    load.finished.set()
    return await task


async def ask_beside(mixed: Mixed, smsc: LoadServer, at: Place, alone: LoadResult) -> Beside:
    """Until the last of the bulk left; those who asked meanwhile get their answers."""
    most = int(mixed.asked * (3 * mixed.segments / mixed.rate + PATIENCE))
    options = LoadOptions(
        total=most, mode=Mode.OPEN, rate=mixed.asked, texts=TEXTS, first_number=FIRST_BESIDE, patience=PATIENCE
    )
    rows = BulkRows(AnyStore(at.database))
    await rows.open()
    task = asyncio.create_task(smsc.run(options))
    await asyncio.sleep(0)
    load = current(smsc)
    await rows.write(mixed.mail())
    await asyncio.wait_for(load.until(lambda: load.segments >= mixed.segments), PATIENCE)
    load.options = LoadOptions(
        total=load.asked, mode=Mode.OPEN, rate=mixed.asked, texts=TEXTS, first_number=FIRST_BESIDE, patience=PATIENCE
    )
    await asyncio.wait_for(load.until(lambda: load.answered == load.acknowledged == load.asked), PATIENCE)
    load.finished.set()
    return Beside(
        mixed=mixed,
        alone=alone,
        beside=await task,
        behind=load.behind,
        segments=load.segments,
        all_segments=load.all_segments,
        misplaced=load.misplaced,
        seconds=load.ended_at - load.began_at,
    )


def current(smsc: LoadServer) -> MixedLoad:
    """The load that is under way."""
    assert isinstance(smsc.load, MixedLoad)  # noqa: S101
    return smsc.load


# ---- as a program


@click.command()
@click.option("--bulk", default=20_000, show_default=True, help="Messages nobody asked for.")
@click.option("--rate", default=200, show_default=True, help="Of the account, segments a second.")
@click.option("--asked", default=20.0, show_default=True, help="Questions a second.")
@click.option("--alone", default=1_000, show_default=True, help="Questions before.")
@click.option("--window", default=10, show_default=True, help="Unanswered submit_sm of one bind.")
@click.option("--binds", default=1, show_default=True, help="Connections.")
@stores_option("Where they wait")
def main(*, stores: tuple[str, ...], bulk: int, rate: int, asked: float, alone: int, window: int, binds: int) -> None:
    """Measure what answers cost that leave beside bulk messages."""
    done = []
    for store in stores:
        kind = StoreKind[store.upper()]
        mixed = Mixed(bulk=bulk, rate=rate, asked=asked, alone=alone, window=window, binds=binds, store=kind)
        with tempfile.TemporaryDirectory(prefix="tracuu-bulk-") as folder, place(kind, Path(folder)) as at:
            done.append(asyncio.run(run_mixed(mixed, Path(folder), at)))
    Console(width=180).print(table_of(done))
    sys.exit(0 if all(each.kept and each.quick for each in done) else 1)


def table_of(done: Sequence[Beside]) -> Table:
    """One row a run."""
    heads = (
        "store",
        "bulk",
        "segments/s",
        "with answers",
        "misplaced",
        "asked",
        "p50 ms alone",
        "beside",
        "p99 ms alone",
        "beside",
    )
    table = Table(*heads, "behind, most", "bound", "verdict", title="Answers beside bulk messages")
    for each in done:
        verdict = "kept" if each.kept and each.quick else "too slow" if each.kept else "broken"
        cells = (
            each.mixed.store.value,
            f"{each.mixed.bulk:,}",
            f"{each.segments / each.seconds:,.0f}",
            f"{each.all_segments / each.seconds:,.0f} of {each.mixed.rate:,}",
            str(each.misplaced),
            str(each.beside.asked),
            f"{each.alone.p50_ms:.1f}",
            f"{each.beside.p50_ms:.1f}",
            f"{each.alone.p99_ms:.1f}",
            f"{each.beside.p99_ms:.1f}",
            str(max(each.behind, default=0)),
            str(each.mixed.behind),
            verdict,
        )
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    main()
