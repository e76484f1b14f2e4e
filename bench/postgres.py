"""`python -m bench.postgres`: the store on PostgreSQL alone: commits, a broadcast's fan-out, the claim loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from statistics import median

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.store.housekeeping import first_id
from adapters.store.plan import Rules
from adapters.store.postgres import PostgresSettings, PostgresStore
from adapters.store.postgres_migrate import upgrade
from bench.floor import Floor, exchange_of
from conversation.ports import Acknowledgement, Exchange, JournalBatch
from conversation.redelivery import is_redelivery
from domain.message import OutboundMessage, SegmentResult, SendResult, SendStatus
from notifications.retry import after_send

SIZES = (1, 10, 50, 100)
COMMITS = 200
CHUNK = 10_000  # recipients in one statement
CLAIMED_AT_ONCE = 500
ACCOUNT = "bench"

RECIPIENTS = """
DROP TABLE IF EXISTS bench_recipient;
CREATE TABLE bench_recipient (id bigint PRIMARY KEY, address text NOT NULL);
INSERT INTO bench_recipient SELECT n, 'sms:849' || lpad(n::text, 8, '0') FROM generate_series(1, {count}) AS n;
ANALYZE bench_recipient"""

# As broadcasts will be expanded: in the order of a key, the last one remembered, the unique key making it repeatable.
FAN_OUT = """
WITH chunk AS MATERIALIZED (
    SELECT id, address FROM bench_recipient WHERE id > :above ORDER BY id LIMIT :limit),
written AS (
    INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, broadcast_id, state,
        created_at, available_at, expires_at, attempts)
    SELECT CAST(:first_id AS bigint) + id, 'sms', 'bench', 'broadcast', 2, address, 'sms:8079', 'Cong hoa xa hoi chu nghia', 1, 'ready',
        at, at, at + 86400000, 0 FROM chunk, (SELECT CAST(:now AS bigint) AS at) AS moment
    ON CONFLICT (broadcast_id, recipient) WHERE broadcast_id IS NOT NULL DO NOTHING RETURNING 1)
SELECT max(id), (SELECT count(*) FROM written) FROM chunk"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many rows in so many seconds."""

    what: str
    rows: int
    seconds: float
    longest_ms: float = 0.0

    @property
    def per_second(self) -> float:
        return self.rows / self.seconds


def store_on(url: str, owner: int) -> PostgresStore:
    rules = Rules(is_redelivery=is_redelivery, after_send=after_send)
    return PostgresStore(url, owner=owner, rules=rules, settings=PostgresSettings(migrate=False))


async def journal_floor(url: str, size: int, *, riders: bool) -> Floor:
    """Commit batch after batch, nothing else; `riders`: with what became of the batch before, as in earnest."""
    store = store_on(url, time.time_ns())
    await store.open()
    ids = count(first_id(datetime.now(UTC)))
    before: Sequence[Exchange] = ()
    times = []
    try:
        for _ in range(COMMITS):
            exchanges = [exchange_of(next(ids)) for _ in range(size)]
            batch = with_riders(exchanges, before if riders else ())
            started = time.perf_counter()
            await store.commit(batch)
            times.append((time.perf_counter() - started) * 1000)
            before = exchanges
    finally:
        await store.close()
    return Floor(size, median(times))


def with_riders(exchanges: Sequence[Exchange], before: Sequence[Exchange]) -> JournalBatch:
    """New questions, and of those before that they were acknowledged and what became of the replies."""
    now = datetime.now(UTC)
    return JournalBatch(
        exchanges=exchanges,
        acknowledgements=[Acknowledgement(inbound_id=e.message.id, at=now) for e in before],
        results=[taken(e.reply) for e in before if e.reply is not None],
    )


def taken(message: OutboundMessage) -> SendResult:
    segment = SegmentResult(segment=1, segments=1, external_id=str(message.id))
    return SendResult(message_id=message.id, status=SendStatus.ACCEPTED, segments=[segment])


async def fan_out(url: str, recipients: int) -> Rate:
    """A broadcast to so many, one statement and one transaction a chunk."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            for statement in RECIPIENTS.format(count=recipients).split(";"):
                await connection.exec_driver_sql(statement)
        return await expand(engine)
    finally:
        await engine.dispose()


async def expand(engine: AsyncEngine) -> Rate:
    now = datetime.now(UTC)
    constant = {"limit": CHUNK, "first_id": first_id(now), "now": round(now.timestamp() * 1000)}
    above, rows, longest = 0, 0, 0.0
    started = time.perf_counter()
    async with engine.connect() as connection:
        while True:
            chunk_started = time.perf_counter()
            last, written = (await connection.execute(text(FAN_OUT), {**constant, "above": above})).one()
            if last is None:
                return Rate("fan-out", rows, time.perf_counter() - started, longest)
            above, rows = last, rows + written
            longest = max(longest, (time.perf_counter() - chunk_started) * 1000)


def claim_rate(url: str, workers: int, each: int) -> Rate:
    """Claim, hand over, record: so many processes at once, each until it has had `each` messages."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawning) as pool:
        list(pool.map(int, range(workers)))  # they are there and have imported everything
        started = time.perf_counter()
        rows = sum(pool.map(drain, [url] * workers, [each] * workers))
        return Rate(f"claim loop, {workers} worker{'s' * (workers > 1)}", rows, time.perf_counter() - started)


def drain(url: str, messages: int) -> int:
    """One worker."""
    return asyncio.run(_drain(url, messages))


async def _drain(url: str, messages: int) -> int:
    store = store_on(url, time.time_ns())
    await store.open()
    done = 0
    try:
        while done < messages:
            claimed = await store.claim(ACCOUNT, CLAIMED_AT_ONCE)
            if not claimed:
                break
            await store.hand_over([message.id for message in claimed])
            await store.commit(JournalBatch(results=[taken(message) for message in claimed]))
            done += len(claimed)
    finally:
        await store.close()
    return done


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """The one that was named, or one of a server that is started for it."""
    with ExitStack() as stack:
        if url is None:
            from tests.servers.postgres import running  # noqa: PLC0415 - only where no database is named

            url = stack.enter_context(stack.enter_context(running({})).database("bench"))
        asyncio.run(upgrade(url))
        yield url


@click.command()
@click.option("--url", help="An empty database (postgresql+asyncpg://...); without it a server is started.")
@click.option("--recipients", default=1_000_000, show_default=True, help="Of the broadcast.")
@click.option("--messages", default=50_000, show_default=True, help="Claimed by each worker.")
def main(url: str | None, recipients: int, messages: int) -> None:
    """Measure commits, a fan-out and the claim loop on PostgreSQL."""
    with database(url) as at:
        floors = [
            (riders, asyncio.run(journal_floor(at, size, riders=riders))) for riders in (False, True) for size in SIZES
        ]
        rates = [asyncio.run(fan_out(at, recipients)), *(claim_rate(at, workers, messages) for workers in (1, 2))]
    Console().print(table_of_floors(floors), table_of_rates(rates))


def table_of_floors(floors: Sequence[tuple[bool, Floor]]) -> Table:
    table = Table("exchanges in a commit", "riders", "ms a commit", "messages/s if nothing else ran")
    table.title = "The journal alone, on PostgreSQL"
    for riders, floor in floors:
        rate = floor.size / floor.milliseconds * 1000
        table.add_row(str(floor.size), "yes" if riders else "", f"{floor.milliseconds:.2f}", f"{rate:,.0f}")
    return table


def table_of_rates(rates: Sequence[Rate]) -> Table:
    table = Table("", "rows", "seconds", "rows/s", "longest ms", title="The outbox on PostgreSQL")
    for rate in rates:
        longest = f"{rate.longest_ms:.0f}" if rate.longest_ms else ""
        table.add_row(rate.what, f"{rate.rows:,}", f"{rate.seconds:.1f}", f"{rate.per_second:,.0f}", longest)
    return table


if __name__ == "__main__":
    main()
