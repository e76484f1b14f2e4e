"""Our own database on SQLite: the embedded default, for one serving process.

One thread writes, over one connection, whole batches at a time; a second one reads. Why batches travel as JSON is told
in adapters.store.statements. A lock file keeps a second gateway away, so every owner but ours is a former one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from adapters.store import statements as sql
from adapters.store.housekeeping import Steps, mask, purge
from adapters.store.lane import Lane, transaction
from adapters.store.lockfile import LockFile
from adapters.store.migrate import sqlite_url, upgrade
from adapters.store.plan import Rules, Seen, SentRow, Standing, judge_abandoned, plan_commit, questions
from adapters.store.repeats import LOOK_BACK
from adapters.store.rows import (
    MessageRow,
    OutboundRow,
    PersonRow,
    decode,
    encode,
    from_ms,
    read_message,
    read_outbound,
    read_person,
    to_ms,
)
from adapters.store.sqlite_leases import SqliteLeases
from conversation.ports import JournalBatch, JournalReceipt, Person, Recollection
from domain.errors import StoreError
from domain.ids import COUNTER_BITS, EPOCH_MS, PROCESS_BITS
from domain.message import Address, InboundMessage, OutboundMessage

TIDY_EVERY = 0.25  # seconds between two checkpoints, where there is something to move
HEARTBEAT_MS = 5_000  # what we write also says that we live, at most this often
FEEDBACK_BLOCK = 10  # numbers reserved at a time: as many may be lost with a process


log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSettings:
    """`busy_timeout` in seconds: how long a locked database is waited for. `lease`: how long a claim is ours."""

    busy_timeout: float = 2.0
    lease: timedelta = timedelta(seconds=60)


class SqliteStore:
    """Journal, People and Outbox in one SQLite file.

    `owner` is a random 63-bit number, one per process start. `clock` gives aware moments and is the store's clock:
    with one serving process there is no other. Every method raises StoreUnavailable when nothing was done, and those
    that write StoreUncertain when that is not known.
    """

    def __init__(
        self,
        path: Path,
        *,
        owner: int,
        clock: Callable[[], datetime],
        rules: Rules,
        settings: SqliteSettings | None = None,
    ) -> None:
        self._settings = settings or SqliteSettings()
        self._path = path
        self._owner = owner
        self._clock = clock
        self._rules = rules
        timeout = self._settings.busy_timeout
        self._writer = Lane(path, name="store-writer", busy_timeout=timeout, setup=sql.WRITER_SETUP)
        self._reader = Lane(path, name="store-reader", busy_timeout=timeout)
        self._tidier = Lane(path, name="store-tidier", busy_timeout=timeout)
        self._tidying: asyncio.Task[None] | None = None
        self._untidied = False  # something was committed since the last checkpoint
        self._lock = LockFile(path.with_name(path.name + ".lock"))
        self._lease_ms = round(self._settings.lease.total_seconds() * 1000)
        self._process_number: int | None = None
        self._beat_ms = 0  # the last sign of life written; touched by the writer thread only
        self._feedback_numbers = iter(range(0))  # the rest of the block; likewise
        # Everybody who chose something, as urns: nearly nobody did, and asking the file about each sender would put a
        # hop to another thread before every answer. Nobody else writes this file, so the set is complete.
        self._chosen: set[str] = set()

    async def open(self) -> None:
        """Take the lock file, bring the schema up to date, connect, and end what former processes left.

        Raises:
            StoreError: another process serves this database.
            StoreUnavailable: the file cannot be opened or is locked.
        """
        self._lock.acquire()
        try:
            await asyncio.to_thread(upgrade, sqlite_url(self._path))
            await self._writer.open()
            await self._reader.open()
            await self._tidier.open()
            self._process_number = await self._writer.run(self._start)
            self._chosen = await self._reader.run(lambda c: {row[0] for row in c.exec_driver_sql(sql.CHOSEN)})
            self._tidying = asyncio.create_task(self._tidy(), name="store checkpoints")
        except BaseException:
            await self._disconnect()
            raise

    async def close(self) -> None:
        """Finish what was begun, say that this end was an orderly one, and let go of the file."""
        if self._process_number is None:
            return
        self._process_number = None
        try:
            await self._writer.run(self._end)
        finally:
            await self._disconnect()

    def process_number(self) -> int:
        """The number of this start, for domain.ids; rises by one with each.

        Raises:
            StoreError: the store is not open.
        """
        if self._process_number is None:
            raise StoreError("the store is not open")
        return self._process_number

    def leases(self) -> SqliteLeases:
        """Who does what; see gateway.leases."""
        return SqliteLeases(self._writer, self._owner, self._clock)

    # Journal

    async def commit(self, batch: JournalBatch) -> JournalReceipt:
        """See conversation.ports.Journal. Cancelled while it runs, it is still carried out."""
        self._chosen.update(_choosers(batch))
        self._untidied = True
        return await self._writer.run(lambda connection: self._commit(connection, batch))

    async def written(self, inbound_ids: Sequence[int]) -> frozenset[int]:
        ids = encode(inbound_ids)
        return frozenset(await self._reader.run(lambda c: decode(_text(c, sql.WRITTEN, ids), list[int])))

    async def take_open(self, limit: int) -> Sequence[InboundMessage]:
        return await self._writer.run(lambda connection: self._take_open(connection, limit))

    # Outbox

    async def claim(self, account: str, limit: int) -> Sequence[OutboundMessage]:
        return await self._writer.run(lambda connection: self._claim(connection, account, limit))

    async def hand_over(self, message_ids: Sequence[int]) -> frozenset[int]:
        standing = self._standing()
        parameters = (standing.now, standing.lease_until, encode(message_ids), self._owner)
        return await self._writer.run(lambda c: _hand_over(c, parameters))

    async def release(self, message_ids: Sequence[int]) -> None:
        await self._writer.run(lambda c: _write(c, sql.RELEASE, (encode(message_ids), self._owner)))

    async def recover(self) -> Mapping[str, int]:
        """Rows of former processes: `freed` (only claimed), `resend` (will leave once more), `closed`."""
        return await self._writer.run(self._recover)

    async def depth(self) -> Mapping[str, int]:
        return await self._reader.run(lambda c: {row[0]: row[1] for row in c.exec_driver_sql(sql.DEPTH)})

    async def renew(self) -> None:
        """Say that we live and keep what we hold for another lease; to be called every half lease."""
        await self._writer.run(self._renew)

    # People

    async def get(self, addresses: Sequence[Address]) -> Mapping[Address, Person]:
        chosen = [address.urn for address in addresses if address.urn in self._chosen]
        if not chosen:
            return {}
        urns = encode(chosen)
        rows = await self._reader.run(lambda c: decode(_text(c, sql.PEOPLE, urns), list[PersonRow]))
        return {person.address: person for person in map(read_person, rows)}

    async def recall(self, address: Address) -> Recollection:
        code, answered_at = await self._reader.run(lambda c: c.exec_driver_sql(sql.RECALL, (address.urn,)).one())
        return Recollection(last_code=code, last_answered_at=None if answered_at is None else from_ms(answered_at))

    async def next_feedback_number(self) -> int:
        return await self._writer.run(self._next_feedback_number)

    # Housekeeping

    async def purge(self, before: datetime, limit: int) -> int:
        return await self._writer.run(lambda connection: _housekeep(connection, purge(before, limit)))

    async def mask(self, before: datetime, limit: int) -> int:
        now = self._standing().now
        return await self._writer.run(lambda connection: _housekeep(connection, mask(before, limit, now)))

    # What the writer thread does

    def _standing(self) -> Standing:
        now = to_ms(self._clock())
        return Standing(self._owner, now, now + self._lease_ms)

    def _start(self, connection: Connection) -> int:
        standing = self._standing()
        first_recent = max(standing.now - EPOCH_MS - _ms(LOOK_BACK), 0) << (PROCESS_BITS + COUNTER_BITS)
        with transaction(connection):
            started = connection.exec_driver_sql(sql.START_PROCESS, (self._owner, standing.now, standing.now))
            number: int = started.scalar_one()
            connection.exec_driver_sql(sql.END_FORMER_SESSIONS, (standing.now, first_recent, self._owner))
        self._beat_ms = standing.now
        return number

    def _end(self, connection: Connection) -> None:
        now = self._standing().now
        _write(connection, sql.END_PROCESS, (now, now, self._owner))

    def _commit(self, connection: Connection, batch: JournalBatch) -> JournalReceipt:
        asked = questions(batch)
        with transaction(connection):
            standing = self._standing()
            seen = Seen.of(*connection.exec_driver_sql(sql.READ_JOURNAL, asked).one())
            plan = plan_commit(batch, seen, self._rules, standing)
            if not plan.empty:
                connection.exec_driver_sql(sql.WRITE_JOURNAL, plan.parameters())
            self._beat(connection, standing)
        return plan.receipt

    def _take_open(self, connection: Connection, limit: int) -> Sequence[InboundMessage]:
        with transaction(connection):
            standing = self._standing()
            rows = decode(_text(connection, sql.OPEN_MESSAGES, self._owner, limit), list[MessageRow])
            if rows:
                ids = encode([row[0] for row in rows])
                connection.exec_driver_sql(sql.TAKE_MESSAGES, (self._owner, standing.lease_until, ids))
        return sorted(map(read_message, rows), key=lambda message: message.id)

    def _claim(self, connection: Connection, account: str, limit: int) -> Sequence[OutboundMessage]:
        claimed: list[OutboundMessage] = []
        with transaction(connection):
            standing = self._standing()
            while len(claimed) < limit:
                wanted = limit - len(claimed)
                rows = decode(_text(connection, sql.DUE, account, standing.now, wanted), list[OutboundRow])
                claimed += _claim_live(connection, [read_outbound(row) for row in rows], standing)
                if len(rows) < wanted:
                    break
        return sorted(claimed, key=lambda message: (message.category.priority, message.id))

    def _recover(self, connection: Connection) -> Mapping[str, int]:
        with transaction(connection):
            standing = self._standing()
            freed = connection.exec_driver_sql(sql.FREE_CLAIMED, (self._owner,)).rowcount
            abandoned = decode(_text(connection, sql.ABANDONED, self._owner), list[SentRow])
            judged, resend = judge_abandoned(abandoned, self._rules, standing)
            connection.exec_driver_sql(sql.WRITE_RESULTS, (encode(judged),))
            self._beat(connection, standing)
        return {"freed": freed, "resend": resend, "closed": len(judged) - resend}

    def _renew(self, connection: Connection) -> None:
        with transaction(connection):
            standing = self._standing()
            connection.exec_driver_sql(sql.RENEW_MESSAGES, (standing.lease_until, self._owner))
            connection.exec_driver_sql(sql.RENEW_OUTBOX, (standing.lease_until, self._owner))
            self._beat(connection, standing)

    def _beat(self, connection: Connection, standing: Standing) -> None:
        """Say that we live, if that was long ago."""
        if standing.now - self._beat_ms >= HEARTBEAT_MS:
            connection.exec_driver_sql(sql.BEAT, (standing.now, self._owner))
            self._beat_ms = standing.now

    def _next_feedback_number(self, connection: Connection) -> int:
        number = next(self._feedback_numbers, None)
        if number is not None:
            return number
        with transaction(connection):
            highest: int = connection.exec_driver_sql(sql.RESERVE, ("feedback", FEEDBACK_BLOCK)).scalar_one()
        self._feedback_numbers = iter(range(highest - FEEDBACK_BLOCK + 1, highest + 1))
        return next(self._feedback_numbers)

    async def _tidy(self) -> None:
        """Move what was committed from the write-ahead log to the file, on a thread of its own.

        SQLite does it inside a commit otherwise, which then takes 10 to 50 ms: under load half the time of all commits.
        The writer's own limit (lane.PRAGMAS) remains for when this cannot keep up.
        """
        while True:
            await asyncio.sleep(TIDY_EVERY)
            if not self._untidied:
                continue
            self._untidied = False
            try:
                await self._tidier.run(lambda c: c.exec_driver_sql(sql.CHECKPOINT).all())
            except StoreError as error:
                log.warning("store.checkpoint_failed", error=str(error))

    async def _disconnect(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        try:
            await self._tidier.close()
            await self._reader.close()
            await self._writer.close()
        finally:
            self._lock.release()


def _choosers(batch: JournalBatch) -> Iterator[str]:
    for exchange in (*batch.exchanges, *batch.closings):
        if exchange.decision is not None and exchange.decision.person is not None:
            yield exchange.decision.person.address.urn


def _claim_live(
    connection: Connection, due: Sequence[OutboundMessage], standing: Standing
) -> Sequence[OutboundMessage]:
    """Claim what may still leave and close the rest."""
    now = from_ms(standing.now)
    live = [message for message in due if message.expires_at > now]
    expired = [message.id for message in due if message.expires_at <= now]
    if expired:
        connection.exec_driver_sql(sql.EXPIRE, (standing.now, encode(expired)))
    if live:
        ids = encode([message.id for message in live])
        connection.exec_driver_sql(sql.CLAIM, (standing.owner, standing.lease_until, ids))
    return live


def _write(connection: Connection, statement: str, parameters: tuple[object, ...]) -> None:
    with transaction(connection):
        connection.exec_driver_sql(statement, parameters)


def _hand_over(connection: Connection, parameters: tuple[object, ...]) -> frozenset[int]:
    with transaction(connection):
        return frozenset(row[0] for row in connection.exec_driver_sql(sql.HAND_OVER, parameters).fetchall())


def _housekeep(connection: Connection, steps: Steps) -> int:
    with transaction(connection):
        try:
            statement, values = next(steps)
            while True:
                statement, values = steps.send(connection.exec_driver_sql(statement, dict(values)).fetchall())
        except StopIteration as end:
            return int(end.value)


def _text(connection: Connection, statement: str, *parameters: object) -> str:
    """The one JSON text a statement answers with."""
    answer: str = connection.exec_driver_sql(statement, parameters).scalar_one()
    return answer


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
