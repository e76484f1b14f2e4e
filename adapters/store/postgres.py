"""Our own database on PostgreSQL: for several gateways that share the work.

A commit is one statement (adapters.store.postgres_statements tells why it is right among several gateways). It is
planned on a supposition, that the messages are new and our rows as we left them, and planned again with what the
database saw where that was wrong. What is bulk has connections of its own, so that a claim never keeps a commit waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import URL

from adapters.store import postgres_statements as sql
from adapters.store.audit import StoreAudit
from adapters.store.broadcasts import StoreBroadcasts
from adapters.store.conversations import StoreConversations
from adapters.store.floors import Floors
from adapters.store.health import StoreHealth
from adapters.store.heard import StoreLastAccounts
from adapters.store.held import Held
from adapters.store.housekeeping import expire, mask, purge
from adapters.store.incidents import StoreIncidents
from adapters.store.intake import StoreIntake
from adapters.store.links import StoreLinks
from adapters.store.mass_mail import StoreMassMail
from adapters.store.notices_dialect import PostgresDialect
from adapters.store.officers import StoreOfficers
from adapters.store.opinions import StoreOpinions
from adapters.store.pins import StorePins
from adapters.store.plan import Plan, Rules, Seen, Standing, judge_abandoned, plan_commit, questions
from adapters.store.postgres_leases import PostgresLeases
from adapters.store.postgres_migrate import upgrade
from adapters.store.postgres_notices import PostgresNotices
from adapters.store.postgres_pool import Collision, Driver, Pool, Timeouts
from adapters.store.readable import UNREADABLE, readable
from adapters.store.report_ids import StoreSentIds, match_kept
from adapters.store.rows import (
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
from adapters.store.steps import Steps, Walk
from adapters.store.store_clock import StoreClock
from adapters.store.tables import OutboxStates
from adapters.store.unheard import Unheard
from adapters.store.wakeups import wakeups
from adapters.store.zalo_tokens import StoreZaloTokens
from conversation.ports import Expired, Following, JournalBatch, JournalReceipt, Person, Place, Recollection
from domain.broadcast_fitness import Fitness
from domain.errors import StoreError, StoreUnavailable
from domain.message import PRIORITIES, Address, Category, InboundMessage, OutboundMessage

Result = TypeVar("Result")

HEARTBEAT_MS = 5_000  # what we write also says that we live, at most this often
FEEDBACK_BLOCK = 10  # numbers reserved at a time: as many may be lost with a process
PLANS = 6  # of one commit, each on what the one before was told; the second is right unless others interfere
RECOVERED_AT_ONCE = 500  # rows in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings:
    """`connections` carry commits and reads, `bulk_connections` claims and recoveries; one more listens.

    `lease`: how long a claim is ours. `migrate`: bring the schema up to date when opening.
    """

    connections: int = 4
    bulk_connections: int = 2
    timeouts: Timeouts = field(default_factory=Timeouts)
    lease: timedelta = timedelta(seconds=60)
    migrate: bool = True


class PostgresStore:
    """Journal, People, Outbox and Housekeeping in one PostgreSQL database, shared with other processes.

    `owner` is a random 63-bit number, one per process start. Time is the database's; `store_clock` takes its place in
    tests only. Every method raises StoreUnavailable when nothing was done, and those that write StoreUncertain when
    that is not known. PostgreSQL may go and come back: the next call connects again.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        owner: int,
        rules: Rules,
        settings: PostgresSettings | None = None,
        store_clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._settings = settings or PostgresSettings()
        if self._settings.lease.total_seconds() < 4 * self._settings.timeouts.statement:
            raise ValueError("a lease must be at least four times as long as a statement may take")
        self._url = url
        self._owner = owner
        self._rules = rules
        self._shown = store_clock
        self._clock = StoreClock()
        self._lease_ms = round(self._settings.lease.total_seconds() * 1000)
        timeouts, name = self._settings.timeouts, f"tracuu {owner}"
        self._name = name
        self._hot = Pool(url, size=self._settings.connections, timeouts=timeouts, name=name, setup=sql.JOURNAL_FUNCTION)
        self._bulk = Pool(url, size=self._settings.bulk_connections, timeouts=timeouts, name=f"{name} bulk")
        self._held = Held(owner)
        self._floors = Floors()
        self._unheard = Unheard(timeouts.statement)
        self._begun: set[asyncio.Task[Any]] = set()
        self._process_number: int | None = None
        self._beat_ms = 0  # the last sign of life written
        self._feedback_numbers = iter(range(0))  # the rest of the block

    async def open(self) -> None:
        """Bring the schema up to date, connect, and say that we live.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached, or refuses us.
        """
        if self._settings.migrate:
            await upgrade(self._url)
        self._hot.open()
        self._bulk.open()
        try:
            asked_at = self._clock.start()
            async with self._hot.writing() as driver:
                row = await driver.fetchrow(sql.START_PROCESS, self._owner, self._fixed())
            self._clock.told(row["started_at"], asked_at)
            self._process_number, self._beat_ms = row["number"], row["started_at"]
        except BaseException:
            await self._disconnect()
            raise

    async def close(self) -> None:
        """Finish what was begun, say that this end was an orderly one, and disconnect."""
        if self._process_number is None:
            return
        self._process_number = None
        try:
            if self._begun:
                await asyncio.wait(self._begun)
            await self._hot.write(lambda driver: driver.execute(sql.END_PROCESS, self._owner, self._fixed()))
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

    def now(self) -> datetime:
        """The database's clock, without asking: fit to be the clock of the whole process, since all gateways share it
        and nobody setting this machine's moves it.
        """
        return from_ms(self._standing().now)

    def wakeups(self) -> AsyncIterator[None]:
        """An item whenever something may be claimed, from any process; see adapters.store.wakeups."""
        return wakeups(self._url, self._settings.timeouts, f"{self._name} listens")

    def leases(self) -> PostgresLeases:
        """Who does what; see gateway.leases."""
        return PostgresLeases(self._bulk, self._owner, self._fixed)

    def notices(self) -> PostgresNotices:
        """Who follows what and is told of it; one object is to be kept and used."""
        return PostgresNotices(self._bulk, self.now)

    def pins(self) -> StorePins:
        """Numbers proved by a code sent back; see conversation.ports.Pins."""
        return StorePins(self._stepped, self.now)

    def links(self) -> StoreLinks:
        """Addresses joined by a code sent to the other one; see conversation.ports.Links."""
        return StoreLinks(self._stepped, self.now)

    def last_accounts(self) -> StoreLastAccounts:
        """See notifications.ports.LastAccounts."""
        return StoreLastAccounts(self._looked, PostgresDialect())

    def zalo_tokens(self) -> StoreZaloTokens:
        """See channels.zalo.ports.ZaloTokens."""
        return StoreZaloTokens(self._stepped, self.now)

    def sms_parts(self) -> StoreParts:
        """See channels.sms.ports.PartStore."""
        return StoreParts(read=self._looked, write=self._stepped, engine="postgresql")

    def officers(self) -> StoreOfficers:
        """See console.accounts.ports.Officers."""
        return StoreOfficers(self._stepped, self._looked)

    def sessions(self) -> StoreSessions:
        """See console.accounts.ports.Sessions."""
        return StoreSessions(self._stepped, self._looked)

    def audit(self) -> StoreAudit:
        """See console.accounts.ports.AuditLog."""
        return StoreAudit(self._stepped, self._looked)

    def conversations(self) -> StoreConversations:
        """See console.messages.ports.Conversations."""
        return StoreConversations(self._looked)

    def opinions(self) -> StoreOpinions:
        """See console.messages.ports.Opinions."""
        return StoreOpinions(self._stepped, self._looked)

    def health(self) -> StoreHealth:
        """See console.health.ports.Figures."""
        return StoreHealth(self._looked, self.now)

    def incidents(self) -> StoreIncidents:
        """See console.health.ports.Incidents."""
        return StoreIncidents(self._stepped)

    def broadcasts(self, *, good_for: timedelta, fitness: Fitness) -> StoreBroadcasts:
        """See console.broadcasts.ports.Broadcasts. `good_for`: how long an approval is; `fitness`: what may leave at all."""
        return StoreBroadcasts(
            self._stepped, self._looked, PostgresDialect(), self.now, good_for=good_for, fitness=fitness
        )

    def mass_mail(self) -> StoreMassMail:
        """See notifications.ports.MassMail."""
        return StoreMassMail(self._stepped, self._looked, PostgresDialect(), self.now)

    def intake(self) -> StoreIntake:
        """See intake.ports.IntakeBook."""
        return StoreIntake(self._stepped, self._looked, PostgresDialect(), self.now)

    def sent_ids(self) -> StoreSentIds:
        """See channels.sms.ports.SentIds."""
        return StoreSentIds(self._looked, PostgresDialect())

    def sites(self) -> StoreSites:
        """See channels.web.ports.SiteBook."""
        return StoreSites(read=self._looked, write=self._stepped, engine="postgresql")

    # Journal

    async def commit(self, batch: JournalBatch) -> JournalReceipt:
        """See conversation.ports.Journal. Cancelled while it runs, it is still carried out."""
        return await self._carried_out(self._commit(batch))

    async def written(self, ids: Sequence[int]) -> frozenset[int]:
        rows = await self._hot.read(lambda driver: driver.fetch(sql.WRITTEN, list(ids)))
        return frozenset(row[0] for row in rows)

    async def give_up(self, refused: Mapping[int, int | None]) -> frozenset[int]:
        replies = [reply for reply in refused.values() if reply is not None]
        parameters = (list(refused), replies, self._owner)
        rows = await self._bulk.write(lambda driver: driver.fetch(sql.GIVE_UP, *parameters))
        return frozenset(row[0] for row in rows)

    async def take_open(self, limit: int) -> Sequence[InboundMessage]:
        parameters = (self._owner, self._lease_ms, self._fixed(), limit)
        rows = await self._bulk.write(lambda driver: driver.fetch(sql.TAKE_MESSAGES, *parameters))
        messages, _ = readable(map(tuple, rows), read_message, "inbox")
        return sorted(messages, key=lambda message: message.id)

    # Outbox

    async def claim(self, account: str, limit: int, *, replies_only: bool = False) -> Sequence[OutboundMessage]:
        if self._unheard.suspected(account):
            await self._free_unheard(account)
        claimed: list[OutboundMessage] = []
        try:
            while len(claimed) < limit:
                wanted = limit - len(claimed)
                rows = await self._claim_rows(account, wanted, replies_only=replies_only)
                claimed += await self._read_claimed([row for row in rows if row["state"] == OutboxStates.CLAIMED])
                if len(rows) < wanted:
                    break
        except BaseException:
            self._unheard.missed(account)
            raise
        self._held.claimed(claimed)
        return sorted(claimed, key=lambda message: (message.category.priority, message.id))

    async def hand_over(self, message_ids: Sequence[int]) -> frozenset[int]:
        parameters = (list(message_ids), self._owner, self._lease_ms, self._fixed())
        rows = await self._bulk.write(lambda driver: driver.fetch(sql.HAND_OVER, *parameters))
        ours = {row[0]: row[1] for row in rows}
        self._held.handed_over(ours)
        self._held.forget(set(message_ids) - ours.keys())
        return frozenset(ours)

    async def release(self, message_ids: Sequence[int]) -> None:
        await self._bulk.write(lambda driver: driver.execute(sql.RELEASE, list(message_ids), self._owner))
        self._held.forget(message_ids)
        self._floors.forget()

    async def recover(self) -> Mapping[str, int]:
        """Rows whose owner's lease is over: `freed` (only claimed), `resend` (will leave once more), `closed`."""
        freed = resend = judged = 0
        while True:
            freed_now, resend_now, judged_now = await self._recover_some()
            freed, resend, judged = freed + freed_now, resend + resend_now, judged + judged_now
            if max(freed_now, judged_now) < RECOVERED_AT_ONCE:
                self._floors.forget()
                return {"freed": freed, "resend": resend, "closed": judged - resend}

    async def depth(self) -> Mapping[str, int]:
        rows = await self._bulk.read(lambda driver: driver.fetch(sql.DEPTH, self._fixed()))
        return {row[0]: row[1] for row in rows}

    async def deferred(self) -> Mapping[tuple[str, str], int]:
        rows = await self._bulk.read(lambda driver: driver.fetch(sql.DEFERRED, self._fixed()))
        return {(row[0], row[1]): row[2] for row in rows}

    async def renew(self) -> None:
        """Say that we live and keep what we hold for another lease; to be called several times in one."""
        parameters = (self._owner, self._lease_ms, self._fixed())
        await self._bulk.write(lambda driver: driver.execute(sql.RENEW, *parameters))
        async with self._bulk.reading() as driver:
            asked_at = self._clock.start()
            self._clock.told(await driver.fetchval(sql.READ_CLOCK), asked_at)

    # People

    async def get(self, addresses: Sequence[Address]) -> Mapping[Address, Person]:
        if not addresses:
            return {}
        urns = [address.urn for address in addresses]
        rows, blocked = await self._hot.read(lambda driver: _people(driver, urns))
        return read_people(rows, blocked)

    async def recall(self, address: Address) -> Recollection:
        code, answered_at = await self._hot.read(lambda driver: driver.fetchrow(sql.RECALL, address.urn))
        return Recollection(last_code=code, last_answered_at=None if answered_at is None else from_ms(answered_at))

    async def following(self, address: Address, limit: int) -> Sequence[Following]:
        rows = await self._hot.read(lambda driver: driver.fetch(sql.FOLLOWING, address.urn, limit))
        return [each for row in rows if (each := read_following(tuple(row))) is not None]

    async def next_feedback_number(self) -> int:
        number = next(self._feedback_numbers, None)
        if number is not None:
            return number
        highest = await self._hot.write(lambda driver: driver.fetchval(sql.RESERVE, "feedback", FEEDBACK_BLOCK))
        self._feedback_numbers = iter(range(highest - FEEDBACK_BLOCK + 1, highest + 1))
        return next(self._feedback_numbers)

    # Housekeeping

    async def purge(self, before: datetime, limit: int) -> int:
        return await self._stepped(purge(before, limit, self._standing().now))

    async def match_reports(self) -> int:
        return await self._stepped(match_kept(PostgresDialect(), self._standing().now))

    async def mask(self, before: datetime, limit: int) -> int:
        return await self._stepped(mask(before, limit, self._standing().now))

    async def expire(self, account: str, before: datetime, limit: int, *, behind: Place) -> Expired:
        now = self._standing().now
        return await self._stepped(expire(PostgresDialect(), account, before, limit, now, behind))

    # How it is done

    def _fixed(self) -> int | None:
        """What a statement takes for now: None is the database's own clock."""
        return None if self._shown is None else to_ms(self._shown())

    def _standing(self) -> Standing:
        now = self._clock.now_ms() if self._shown is None else to_ms(self._shown())
        return Standing(self._owner, now, now + self._lease_ms)

    async def _commit(self, batch: JournalBatch) -> JournalReceipt:
        asked = questions(batch)
        seen = self._supposed(batch)
        supposed = _supposed_text(seen)
        for _ in range(PLANS):
            standing = self._standing()
            plan = plan_commit(batch, seen, self._rules, standing)
            try:
                found = await self._write(supposed, asked, plan, standing)
            except Collision:
                continue
            if found is None:
                self._held.written(plan.rows["outbox"], plan.rows["results"])
                return plan.receipt
            supposed, seen = found, Seen.read(found)
        raise StoreUnavailable("the store changed under a commit again and again")

    async def _write(self, supposed: str, asked: tuple[str | None, ...], plan: Plan, standing: Standing) -> str | None:
        """None: written. Otherwise what stands in the tables, as JSON."""
        beats = standing.now - self._beat_ms >= HEARTBEAT_MS
        mine = (self._owner, standing.now, self._fixed(), self._lease_ms, beats, plan.leaves_ready(standing.now))
        async with self._hot.writing() as driver:
            asked_at = self._clock.start()
            row = await driver.fetchrow(sql.JOURNAL, supposed, *asked, *plan.parameters(), *mine)
            self._clock.told(row[0], asked_at)
        if row[1] is None and beats:
            self._beat_ms = standing.now
        found: str | None = row[1]
        return found

    def _supposed(self, batch: JournalBatch) -> Seen:
        """All messages new, what we sent as we left it, what is to be closed open, no report there before its message."""
        sent = self._held.known(result.message_id for result in batch.results)
        return Seen(sent, (), {}, frozenset(closing.message.id for closing in batch.closings), ())

    async def _claim_rows(self, account: str, wanted: int, *, replies_only: bool) -> Sequence[Any]:
        priorities = [Category.REPLY.priority] if replies_only else sorted(PRIORITIES.values())
        above = [self._floors.above(account, priority) for priority in priorities]
        parameters = (account, wanted, self._owner, self._lease_ms, self._fixed(), priorities, above)
        rows = await self._bulk.write(lambda driver: driver.fetch(sql.CLAIM, *parameters))
        if not replies_only:  # of the others nothing was learnt
            self._floors.claimed(account, [(row["priority"], row["id"]) for row in rows], full=len(rows) == wanted)
        return rows

    async def _read_claimed(self, rows: Sequence[Any]) -> Sequence[OutboundMessage]:
        """What can be read is ours to send; the rest is closed."""
        good, bad = readable((tuple(row)[2:] for row in rows), read_outbound, "outbox")
        if bad:
            parameters = (bad, self._owner, UNREADABLE, self._fixed())
            await self._bulk.write(lambda driver: driver.execute(sql.CLOSE_UNREADABLE, *parameters))
        return good

    async def _free_unheard(self, account: str) -> None:
        """What was claimed for it without our hearing of it may be claimed again, by whoever holds the account."""
        began = asyncio.get_running_loop().time()
        parameters = (self._owner, account, self._held.all_known())
        if await self._bulk.write(lambda driver: driver.fetch(sql.FREE_UNHEARD, *parameters)):
            self._floors.forget()
        self._unheard.looked(account, began)

    async def _recover_some(self) -> tuple[int, int, int]:
        return await self._bulk.transact(self._recover_on)

    async def _recover_on(self, driver: Driver) -> tuple[int, int, int]:
        parameters = (self._owner, self._fixed(), RECOVERED_AT_ONCE)
        freed = len(await driver.fetch(sql.FREE_CLAIMED, *parameters))
        abandoned = [tuple(row) for row in await driver.fetch(sql.ABANDONED, *parameters)]
        judged, resend = judge_abandoned(abandoned, self._rules, self._standing())
        if judged:
            await driver.execute(sql.SETTLE, encode(judged))
        if freed or resend:
            await driver.execute(sql.WAKE)
        return freed, resend, len(judged)

    async def _stepped(self, steps: Steps[Result]) -> Result:
        """All steps in one transaction."""
        return await self._bulk.transact(Walk(steps).on)

    async def _looked(self, steps: Steps[Result]) -> Result:
        """Steps that only read."""
        return await self._bulk.read(Walk(steps).on)

    async def _carried_out(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run to its end even if the caller is cancelled; `close` waits for it."""
        if self._process_number is None:
            work.close()
            raise StoreUnavailable("the store is not open")
        task = asyncio.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._begun.discard(task)
        if not task.cancelled():
            task.exception()  # seen: who asked may be gone

    async def _disconnect(self) -> None:
        await self._hot.close()
        await self._bulk.close()


def _supposed_text(seen: Seen) -> str:
    """As pg_temp.journal will say it, should it be so."""
    sent = [seen.sent[identifier] for identifier in sorted(seen.sent)]
    return encode([sent, [], [], [], sorted(seen.open_ids), []]) or "[]"


async def _people(driver: Driver, urns: Sequence[str]) -> tuple[Sequence[tuple[Any, ...]], Sequence[str]]:
    """What is known of them, and who of them blocked us."""
    rows = [tuple(row) for row in await driver.fetch(sql.PEOPLE, list(urns))]
    silent = stopped(rows)
    return rows, [row[0] for row in await driver.fetch(sql.WHO_BLOCKED, silent)] if silent else []
