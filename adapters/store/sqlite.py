"""Our own database on SQLite: the embedded default, for one serving process.

One thread writes, over one connection, whole batches at a time; a second one reads. Why batches travel as JSON is told
in adapters.store.statements. A lock file keeps a second gateway away, so every owner but ours is a former one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from adapters.store import statements as sql
from adapters.store.audit import StoreAudit
from adapters.store.broadcasts import StoreBroadcasts
from adapters.store.conversations import StoreConversations
from adapters.store.health import StoreHealth
from adapters.store.heard import StoreLastAccounts
from adapters.store.housekeeping import expire, mask, purge
from adapters.store.incidents import StoreIncidents
from adapters.store.intake import StoreIntake
from adapters.store.lane import Lane, transaction
from adapters.store.links import StoreLinks
from adapters.store.lockfile import LockFile
from adapters.store.mass_mail import StoreMassMail
from adapters.store.migrate import sqlite_url, upgrade
from adapters.store.notices_dialect import SqliteDialect
from adapters.store.officers import StoreOfficers
from adapters.store.opinions import StoreOpinions
from adapters.store.pins import StorePins
from adapters.store.plan import Rules, Seen, SentRow, Standing, judge_abandoned, plan_commit, questions
from adapters.store.readable import UNREADABLE, readable
from adapters.store.repeats import LOOK_BACK
from adapters.store.report_ids import StoreSentIds, match_kept
from adapters.store.rows import (
    MessageRow,
    OutboundRow,
    PersonRow,
    decode,
    encode,
    from_ms,
    read_following,
    read_message,
    read_outbound,
    read_people,
    stopped,
    to_ms,
)
from adapters.store.sessions import StoreSessions
from adapters.store.sites import StoreSites
from adapters.store.sms_parts import StoreParts
from adapters.store.sqlite_leases import SqliteLeases
from adapters.store.sqlite_notices import SqliteNotices
from adapters.store.steps import Steps, carry_out
from adapters.store.zalo_tokens import END_FORMER, StoreZaloTokens
from conversation.ports import Expired, Following, JournalBatch, JournalReceipt, Person, Place, Recollection
from domain.broadcast_fitness import Fitness
from domain.errors import StoreError
from domain.ids import COUNTER_BITS, EPOCH_MS, PROCESS_BITS
from domain.message import Address, Category, InboundMessage, OutboundMessage

TIDY_EVERY = 0.25  # seconds between two checkpoints, where there is something to move
HEARTBEAT_MS = 5_000  # what we write also says that we live, at most this often
FEEDBACK_BLOCK = 10  # numbers reserved at a time: as many may be lost with a process


Result = TypeVar("Result")

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
        self._woken = asyncio.Event()  # something was written that may be claimed
        self._lock = LockFile(path.with_name(path.name + ".lock"))
        self._lease_ms = round(self._settings.lease.total_seconds() * 1000)
        self._process_number: int | None = None
        self._beat_ms = 0  # the last sign of life written; touched by the writer thread only
        self._feedback_numbers = iter(range(0))  # the rest of the block; likewise
        # Everybody who chose something, blocked us or has another address, as urns: nearly nobody did, and asking the file about each sender
        # would put a hop to another thread before every answer. Nobody else adds people to this file (an operator may
        # erase some), so the set is complete.
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

    async def wakeups(self) -> AsyncIterator[None]:
        """An item whenever something may be claimed, the first at once; for one listener."""
        while True:
            yield
            await self._woken.wait()
            self._woken.clear()

    def notices(self) -> SqliteNotices:
        """Who follows what and is told of it; one object is to be kept and used."""
        return SqliteNotices(self._writer, self._reader, self._clock, self._wrote)

    def pins(self) -> StorePins:
        """Numbers proved by a code sent back; see conversation.ports.Pins."""
        return StorePins(self._step, self._clock)

    def links(self) -> StoreLinks:
        """Addresses joined by a code sent to the other one; see conversation.ports.Links."""
        return StoreLinks(self._step, self._clock)

    def last_accounts(self) -> StoreLastAccounts:
        """See notifications.ports.LastAccounts."""
        return StoreLastAccounts(self._look, SqliteDialect())

    def zalo_tokens(self) -> StoreZaloTokens:
        """See channels.zalo.ports.ZaloTokens."""
        return StoreZaloTokens(self._step, self._clock)

    def sms_parts(self) -> StoreParts:
        """See channels.sms.ports.PartStore."""
        return StoreParts(read=self._look, write=self._step, engine="sqlite")

    def officers(self) -> StoreOfficers:
        """See console.accounts.ports.Officers."""
        return StoreOfficers(self._step, self._look)

    def sessions(self) -> StoreSessions:
        """See console.accounts.ports.Sessions."""
        return StoreSessions(self._step, self._look)

    def audit(self) -> StoreAudit:
        """See console.accounts.ports.AuditLog."""
        return StoreAudit(self._step, self._look)

    def conversations(self) -> StoreConversations:
        """See console.messages.ports.Conversations."""
        return StoreConversations(self._look)

    def opinions(self) -> StoreOpinions:
        """See console.messages.ports.Opinions."""
        return StoreOpinions(self._step, self._look)

    def health(self) -> StoreHealth:
        """See console.health.ports.Figures."""
        return StoreHealth(self._look, self._clock)

    def incidents(self) -> StoreIncidents:
        """See console.health.ports.Incidents."""
        return StoreIncidents(self._step)

    def broadcasts(self, *, good_for: timedelta, fitness: Fitness) -> StoreBroadcasts:
        """See console.broadcasts.ports.Broadcasts. `good_for`: how long an approval is; `fitness`: what may leave at all."""
        return StoreBroadcasts(self._step, self._look, SqliteDialect(), self._clock, good_for=good_for, fitness=fitness)

    def mass_mail(self) -> StoreMassMail:
        """See notifications.ports.MassMail."""
        return StoreMassMail(self._step, self._look, SqliteDialect(), self._clock)

    def intake(self) -> StoreIntake:
        """See intake.ports.IntakeBook."""
        return StoreIntake(self._step, self._look, SqliteDialect(), self._clock)

    def sent_ids(self) -> StoreSentIds:
        """See channels.sms.ports.SentIds."""
        return StoreSentIds(self._look, SqliteDialect())

    def sites(self) -> StoreSites:
        """See channels.web.ports.SiteBook."""
        return StoreSites(read=self._look, write=self._step, engine="sqlite")

    # Journal

    async def commit(self, batch: JournalBatch) -> JournalReceipt:
        """See conversation.ports.Journal. Cancelled while it runs, it is still carried out."""
        self._chosen.update(_choosers(batch))
        self._untidied = True
        return await self._writer.run(lambda connection: self._commit(connection, batch))

    async def written(self, ids: Sequence[int]) -> frozenset[int]:
        return frozenset(await self._reader.run(lambda c: _written(c, ids)))

    async def give_up(self, refused: Mapping[int, int | None]) -> frozenset[int]:
        return await self._writer.run(lambda connection: _give_up(connection, refused, self._owner))

    async def take_open(self, limit: int) -> Sequence[InboundMessage]:
        return await self._writer.run(lambda connection: self._take_open(connection, limit))

    # Outbox

    async def claim(self, account: str, limit: int, *, replies_only: bool = False) -> Sequence[OutboundMessage]:
        lowest = Category.REPLY if replies_only else Category.BROADCAST
        return await self._writer.run(lambda connection: self._claim(connection, account, limit, lowest))

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
        now = self._standing().now
        return await self._reader.run(lambda c: {row[0]: row[1] for row in c.exec_driver_sql(sql.DEPTH, (now,))})

    async def deferred(self) -> Mapping[tuple[str, str], int]:
        now = self._standing().now
        rows = await self._reader.run(lambda c: c.exec_driver_sql(sql.DEFERRED, (now,)).fetchall())
        return {(row[0], row[1]): row[2] for row in rows}

    async def renew(self) -> None:
        """Say that we live and keep what we hold for another lease; to be called several times in one."""
        await self._writer.run(self._renew)

    # People

    async def get(self, addresses: Sequence[Address]) -> Mapping[Address, Person]:
        chosen = [address.urn for address in addresses if address.urn in self._chosen]
        if not chosen:
            return {}
        return await self._reader.run(lambda connection: _people(connection, chosen))

    async def recall(self, address: Address) -> Recollection:
        code, answered_at = await self._reader.run(lambda c: c.exec_driver_sql(sql.RECALL, (address.urn,)).one())
        return Recollection(last_code=code, last_answered_at=None if answered_at is None else from_ms(answered_at))

    async def following(self, address: Address, limit: int) -> Sequence[Following]:
        rows = await self._reader.run(lambda c: c.exec_driver_sql(sql.FOLLOWING, (address.urn, limit)).fetchall())
        return [each for row in rows if (each := read_following((row[0], row[1]))) is not None]

    async def next_feedback_number(self) -> int:
        return await self._writer.run(self._next_feedback_number)

    # Housekeeping

    async def purge(self, before: datetime, limit: int) -> int:
        return await self._step(purge(before, limit, self._standing().now))

    async def match_reports(self) -> int:
        return await self._step(match_kept(SqliteDialect(), self._standing().now))

    async def mask(self, before: datetime, limit: int) -> int:
        return await self._step(mask(before, limit, self._standing().now))

    async def expire(self, account: str, before: datetime, limit: int, *, behind: Place) -> Expired:
        now = self._standing().now
        return await self._step(expire(SqliteDialect(), account, before, limit, now, behind))

    async def _step(self, steps: Steps[Result]) -> Result:
        result = await self._writer.run(lambda connection: _stepped(connection, steps))
        self._wrote()
        return result

    async def _look(self, steps: Steps[Result]) -> Result:
        """Steps that only read."""
        return await self._reader.run(lambda connection: carry_out(connection, steps))

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
            connection.exec_driver_sql(END_FORMER)
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
            if blocked := encode(plan.rows["blocked"]):
                self._chosen.update(row[0] for row in connection.exec_driver_sql(sql.RECIPIENTS, (blocked,)))
            self._beat(connection, standing)
        return plan.receipt

    def _take_open(self, connection: Connection, limit: int) -> Sequence[InboundMessage]:
        with transaction(connection):
            standing = self._standing()
            rows = decode(_text(connection, sql.OPEN_MESSAGES, self._owner, limit), list[MessageRow])
            if rows:
                ids = encode([row[0] for row in rows])
                connection.exec_driver_sql(sql.TAKE_MESSAGES, (self._owner, standing.lease_until, ids))
        messages, _ = readable(rows, read_message, "inbox")
        return sorted(messages, key=lambda message: message.id)

    def _claim(self, connection: Connection, account: str, limit: int, lowest: Category) -> Sequence[OutboundMessage]:
        claimed: list[OutboundMessage] = []
        with transaction(connection):
            standing = self._standing()
            while len(claimed) < limit:
                wanted = limit - len(claimed)
                asked = {"now": standing.now, "account": account, "limit": wanted, "lowest": lowest.priority}
                due: str = connection.exec_driver_sql(sql.DUE, asked).scalar_one()
                rows = decode(due, list[tuple[OutboundRow, str | None]])
                claimed += _claim_live(connection, rows, standing)
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

    def _wrote(self) -> None:
        self._untidied = True
        self._woken.set()

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
        if exchange.decision is None:
            continue
        if exchange.decision.person is not None:
            yield exchange.decision.person.address.urn
        if exchange.decision.links:
            yield exchange.message.sender.urn


def _claim_live(
    connection: Connection, due: Sequence[tuple[OutboundRow, str | None]], standing: Standing
) -> Sequence[OutboundMessage]:
    """Claim what may still leave and close the rest, each with the reason why not."""
    live, unreadable = readable([row for row, why in due if why is None], read_outbound, "outbox")
    if unreadable:
        connection.exec_driver_sql(sql.CLOSE_UNREADABLE, (standing.now, UNREADABLE, encode(unreadable)))
    closed = [(row[0], why) for row, why in due if why is not None]
    if closed:
        connection.exec_driver_sql(sql.CLOSE, (standing.now, encode(closed)))
    if live:
        ids = encode([message.id for message in live])
        connection.exec_driver_sql(sql.CLAIM, (standing.owner, standing.lease_until, ids))
    return live


def _written(connection: Connection, ids: Sequence[int]) -> Sequence[int]:
    return decode(_text(connection, sql.WRITTEN, encode(ids)), list[int])


def _give_up(connection: Connection, refused: Mapping[int, int | None], owner: int) -> frozenset[int]:
    replies = [reply for reply in refused.values() if reply is not None]
    with transaction(connection):
        connection.exec_driver_sql(sql.GIVE_UP_OPEN, (encode(list(refused)), owner))
        connection.exec_driver_sql(sql.GIVE_UP_REPLIES, (encode(replies), owner))
        return frozenset(_written(connection, list(refused)))


def _write(connection: Connection, statement: str, parameters: tuple[object, ...]) -> None:
    with transaction(connection):
        connection.exec_driver_sql(statement, parameters)


def _hand_over(connection: Connection, parameters: tuple[object, ...]) -> frozenset[int]:
    with transaction(connection):
        return frozenset(row[0] for row in connection.exec_driver_sql(sql.HAND_OVER, parameters).fetchall())


def _stepped(connection: Connection, steps: Steps[Result]) -> Result:
    """All steps in one transaction."""
    with transaction(connection):
        return carry_out(connection, steps)


def _people(connection: Connection, urns: Sequence[str]) -> Mapping[Address, Person]:
    def asked(statement: str, of: Sequence[str]) -> str:
        answer: str = connection.exec_driver_sql(statement, {"urns": encode(of)}).scalar_one()
        return answer

    rows = decode(asked(sql.PEOPLE, urns), list[PersonRow])
    blocked = decode(asked(sql.WHO_BLOCKED, silent), list[str]) if (silent := stopped(rows)) else []
    return read_people(rows, blocked)


def _text(connection: Connection, statement: str, *parameters: object) -> str:
    """The one JSON text a statement answers with."""
    answer: str = connection.exec_driver_sql(statement, parameters).scalar_one()
    return answer


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
