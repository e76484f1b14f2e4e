"""The pumps of the walk: collect -> conversation -> journal -> settle -> send. What a message means is not decided here.

Batches are made anew at every stage and never travel whole (design: Batches): an arrival whose decision must wait leaves
its batch, is written down as `open` when its answer budget is spent, and is answered by a closing later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from channels.base import Arrival, Channel, Health, ReportArrival, Settlement
from conversation.answer import Conversation, Pending, Shape
from conversation.failing import NOTHING_SAID
from conversation.ports import Decision, Exchange, Journal
from domain.answers import Outcome
from domain.buttons import Buttons
from domain.errors import StoreError
from domain.message import Address, Category, InboundMessage, OutboundMessage, SendResult
from gateway.commits import Commits, Entry
from gateway.metrics import Metrics
from gateway.sender import Sender
from gateway.stage import Stage
from notifications.ports import Outbox

LARGEST_BATCH = 32  # small enough that the next is decided while this one is being written
LARGEST_TAKE_OVER = 500
TAKE_OVER_EVERY = 5.0  # seconds between looks for open messages of owners that are gone

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherSettings:
    """`answer_budgets`: seconds by channel name, within which a decision and its message are written together."""

    answer_budgets: Mapping[str, float]
    default_budget: float = 0.5
    source_down_after: float = 20.0  # seconds from arrival to an honest "try later"
    reply_validity: timedelta = timedelta(hours=1)
    most_in_flight: int = 10_000


@dataclass(slots=True)
class _Walk:
    """One message on its way; `arrival` is None when it was taken over from an owner that is gone."""

    message: InboundMessage
    arrival: Arrival | None
    started: float  # event loop time


class Dispatcher:
    """Implements channels.base.Inlet."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        journal: Journal,
        outbox: Outbox,
        channels: Sequence[Channel],
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
        metrics: Metrics,
        settings: DispatcherSettings,
        quiet: Callable[[], bool] = lambda: False,
    ) -> None:
        """`quiet`: it is an hour at which nobody is told anything unasked."""
        self._conversation = conversation
        self._journal = journal
        self._outbox = outbox
        self._new_id = new_id
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._shapes = {channel.account: Shape(channel.capabilities, channel.fits) for channel in channels}
        self._commits = Commits(journal, clock=clock, observe=metrics.journal_commit, rejected=metrics.journal_rejected)
        self._senders = {
            channel.account: Sender(channel, outbox, record=self._recorder(channel), quiet=quiet)
            for channel in channels
        }
        self._stage = Stage(self._decide, most=LARGEST_BATCH)
        self._refunds = Stage[Address](conversation.refund, most=LARGEST_BATCH)
        self._waiting: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._draining = False

    # ---- the inlet: none of these wait

    def arrive(self, arrival: Arrival) -> None:
        message = arrival.message
        self._metrics.inbound(message.channel, message.account)
        if self._draining or self._in_flight >= self._settings.most_in_flight:
            self._metrics.refused(message.channel)
            arrival.settle(Settlement.REFUSED)
            return
        self._in_flight += 1
        self._stage.put(_Walk(message, arrival, asyncio.get_running_loop().time()))

    def report(self, arrival: ReportArrival) -> None:
        if self._draining:
            arrival.settle(Settlement.REFUSED)
        else:
            self._commits.report(arrival)

    def session_ended(self, session: str) -> None:
        self._commits.session_ended(session)

    # ---- running

    async def run(self) -> None:
        """Pump until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stage.run(), name="decide")
            group.create_task(self._commits.run(), name="commit")
            group.create_task(self._refunds.run(), name="refund")
            for account, sender in self._senders.items():
                group.create_task(sender.run(), name=f"send {account}")

    async def drain(self) -> None:
        """Refuse what is new, finish what is under way; the caller bounds the time."""
        self._draining = True
        await self._stage.drained()
        while self._waiting:
            await asyncio.wait(self._waiting)
        await self._commits.drained()
        for sender in self._senders.values():
            await sender.drained()
        await self._commits.drained()

    async def health(self) -> Health:
        """Whether the journal takes what is decided; a store that can only be read refuses every message."""
        trouble = self._commits.trouble
        return Health(ok=not trouble, detail=trouble or f"{self._in_flight} in flight")

    @property
    def in_flight(self) -> int:
        """Messages taken in and not yet written with their answer."""
        return self._in_flight

    def claim_soon(self) -> None:
        """Something waits in the outbox, for whichever account."""
        for sender in self._senders.values():
            sender.claim_soon()

    def queued(self) -> Mapping[str, int]:
        """Messages on their way out, by account."""
        return {account: sender.taken for account, sender in self._senders.items()}

    # ---- decide

    async def _decide(self, walks: list[_Walk]) -> None:
        try:
            decisions = await self._conversation.begin([walk.message for walk in walks], self._shapes)
        except StoreError as error:
            log.warning("message.not_decided", error=str(error), messages=len(walks))
            for walk in walks:
                self._put_off(walk)
        except Exception:
            log.exception("message.begin_failed", messages=len(walks))
            await self._decide_singly(walks)
        else:
            for walk, decision in zip(walks, decisions, strict=True):
                self._go_on(walk, decision)

    def _put_off(self, walk: _Walk) -> None:
        """The other side sends again what it handed in; what was taken over is ours already and is tried again."""
        if walk.arrival is None:
            asyncio.get_running_loop().call_later(TAKE_OVER_EVERY, self._stage.put, walk)
        else:
            self._in_flight -= 1
            self._turn_away(walk)

    async def _decide_singly(self, walks: list[_Walk]) -> None:
        """One message that breaks a rule of ours must not cost its neighbours their answer."""
        if len(walks) == 1:
            self._go_on(walks[0], await self._apology(walks[0]))
            return
        for walk in walks:
            await self._decide([walk])

    async def _apology(self, walk: _Walk) -> Decision | Pending:
        try:
            return await self._conversation.apologise(walk.message, self._shapes)
        except Exception:
            log.exception("message.not_said")
            return NOTHING_SAID

    def _go_on(self, walk: _Walk, decision: Decision | Pending) -> None:
        if isinstance(decision, Decision):
            self._write(walk, decision)
            return
        task = asyncio.create_task(self._wait_for(walk, decision))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _wait_for(self, walk: _Walk, pending: Pending) -> None:
        work = asyncio.create_task(self._finish(pending))
        budget = self._settings.answer_budgets.get(walk.message.channel, self._settings.default_budget)
        try:
            if walk.arrival is not None:
                if await self._within(work, walk, budget):
                    self._write(walk, work.result())
                    return
                if not await self._write_open(walk):
                    return
            decided = await self._within(work, walk, self._settings.source_down_after)
            self._close(walk, work.result() if decided else await self._give_up(pending))
        finally:
            work.cancel()

    async def _finish(self, pending: Pending) -> Decision:
        try:
            return await pending.finish()
        except StoreError as error:
            log.warning("message.not_finished", error=str(error))
        except Exception:
            log.exception("message.finish_failed")
        return await self._give_up(pending)

    async def _give_up(self, pending: Pending) -> Decision:
        """Never raises: what cannot even be given up is written down and settled all the same."""
        try:
            return await pending.give_up()
        except Exception:
            log.exception("message.not_said")
            return NOTHING_SAID

    async def _within(self, work: asyncio.Task[Decision], walk: _Walk, budget: float) -> bool:
        """Whether it is decided; work that somebody else cancelled never will be."""
        left = walk.started + budget - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait({work}, timeout=max(left, 0.0))
        return bool(done) and not work.cancelled()

    # ---- write down

    def _write(self, walk: _Walk, decision: Decision) -> None:
        exchange = self._exchange(walk, decision)
        if walk.arrival is None:
            self._commits.closing(Entry(exchange, partial(self._answered, walk), self._overtaken))
        else:
            on_written = partial(self._written, walk)
            self._commits.exchange(
                Entry(exchange, on_written, partial(self._repeated, walk), partial(self._refused, walk))
            )

    async def _write_open(self, walk: _Walk) -> bool:
        """The message alone, so that the peer is acknowledged in time; False when nothing is left to answer."""
        answerable: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def written(_: Entry) -> None:
            self._acknowledge(walk, walk.message.id)
            answerable.set_result(True)

        def repeated(entry: Entry, earlier: int) -> None:
            self._repeated(walk, entry, earlier)
            answerable.set_result(False)

        def refused(entry: Entry) -> None:
            self._refused(walk, entry)
            answerable.set_result(False)

        self._commits.exchange(Entry(Exchange(message=walk.message), written, repeated, refused))
        return await answerable

    def _close(self, walk: _Walk, decision: Decision) -> None:
        entry = Entry(self._exchange(walk, decision), partial(self._answered, walk), self._overtaken)
        self._commits.closing(entry)

    def _exchange(self, walk: _Walk, decision: Decision) -> Exchange:
        message = walk.message
        if decision.text is None:
            return Exchange(message=message, decision=decision)
        handed_over = self._senders[message.account].reserve()
        reply = self._reply(message, decision.text, decision.buttons)
        return Exchange(message=message, decision=decision, reply=reply, handed_over=handed_over)

    def _reply(self, message: InboundMessage, text: str, buttons: Buttons) -> OutboundMessage:
        now = self._clock()
        return OutboundMessage(
            id=self._new_id(),
            channel=message.channel,
            account=message.account,
            category=Category.REPLY,
            recipient=message.sender,
            sender=message.recipient,
            text=text,
            created_at=now,
            expires_at=now + self._settings.reply_validity,
            inbound_id=message.id,
            buttons=buttons,
        )

    # ---- written down: settle, send

    def _written(self, walk: _Walk, entry: Entry) -> None:
        self._acknowledge(walk, walk.message.id)
        self._answered(walk, entry)

    def _answered(self, walk: _Walk, entry: Entry) -> None:
        self._in_flight -= 1
        exchange = entry.exchange
        if exchange.decision is not None:
            elapsed = asyncio.get_running_loop().time() - walk.started
            self._metrics.answered(exchange.message.channel, exchange.decision, elapsed)
        if exchange.reply is None:
            self._refund(walk, exchange.decision)  # silence, by rule, costs nobody a reply
            return
        sender = self._senders[exchange.reply.account]
        if exchange.handed_over:
            sender.offer(exchange.reply)
        else:
            sender.claim_soon()

    def _repeated(self, walk: _Walk, entry: Entry, earlier: int) -> None:
        """The other side sent again what we have: acknowledged; its reply is on its way or was sent."""
        self._metrics.redelivered(walk.message.channel)
        self._acknowledge(walk, earlier)
        self._undo(walk, entry)

    def _overtaken(self, entry: Entry, _: int) -> None:
        self._in_flight -= 1
        self._release(entry)

    def _refused(self, walk: _Walk, entry: Entry) -> None:
        self._turn_away(walk)
        self._undo(walk, entry)

    def _acknowledge(self, walk: _Walk, inbound_id: int) -> None:
        if walk.arrival is not None and walk.arrival.settle(Settlement.DURABLE):
            self._commits.acknowledged(inbound_id)

    def _turn_away(self, walk: _Walk) -> None:
        self._metrics.refused(walk.message.channel)
        if walk.arrival is not None:
            walk.arrival.settle(Settlement.REFUSED)

    def _undo(self, walk: _Walk, entry: Entry) -> None:
        self._in_flight -= 1
        self._release(entry)
        self._refund(walk, entry.exchange.decision)

    def _refund(self, walk: _Walk, decision: Decision | None) -> None:
        """Give back the reply that was not written; one that was refused was never charged."""
        if decision is None or decision.outcome is not Outcome.REFUSED:
            self._refunds.put(walk.message.sender)

    def _release(self, entry: Entry) -> None:
        if entry.exchange.handed_over:
            self._senders[entry.exchange.message.account].cancel()

    def _recorder(self, channel: Channel) -> Callable[[list[SendResult]], None]:
        def record(results: list[SendResult]) -> None:
            self._metrics.sent(channel.name, channel.account, results)
            self._commits.results(results)

        return record

    # ---- what owners that are gone left behind

    async def take_over(self) -> None:
        """Take up what owners that are gone left behind, until cancelled; one process at a time does it for all."""
        while True:
            try:
                recovered = await self._outbox.recover()
                left_open = await self._journal.take_open(LARGEST_TAKE_OVER)
            except StoreError as error:
                log.warning("journal.take_over_failed", error=str(error))
            else:
                for sender in self._senders.values() if any(recovered.values()) else ():
                    sender.claim_soon()
                if any(recovered.values()) or left_open:
                    log.info("journal.taken_over", open=len(left_open), **recovered)
                self._take_over(left_open)
            await asyncio.sleep(TAKE_OVER_EVERY)

    def _take_over(self, messages: Sequence[InboundMessage]) -> None:
        now = asyncio.get_running_loop().time()
        for message in messages:
            self._in_flight += 1
            walk = _Walk(message, None, now)
            if message.account in self._senders:
                self._stage.put(walk)
            else:
                log.warning("message.account_gone", account=message.account)
                self._close(walk, NOTHING_SAID)
