"""The pumps of the walk, with a journal, a channel and a conversation that can misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import pytest

from channels.base import Arrival, Channel, Health, Inlet, ReportArrival, RouteDef, Settlement
from conversation.answer import Conversation, Pending
from conversation.ports import Decision, JournalBatch, JournalReceipt
from domain.answers import Outcome
from domain.errors import StoreError, StoreUnavailable, StoreUncertain
from domain.message import (
    Address,
    Button,
    Capabilities,
    Category,
    DeliveryReport,
    DeliveryStatus,
    InboundMessage,
    OutboundMessage,
    SendResult,
    SendStatus,
)
from gateway.dispatcher import Dispatcher, DispatcherSettings
from gateway.metrics import Metrics

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
REPLY = Decision(inquiry="look_up", outcome=Outcome.FOUND, text="dang xu ly")
SORRY = Decision(inquiry="failed", text="xin gui lai")


def question(number: int, text: str = "H51.18-210817-0005") -> InboundMessage:
    return InboundMessage(
        id=number,
        channel="sms",
        account="main",
        sender=Address("sms", f"849000{number:05d}"),
        recipient=Address("sms", "8088"),
        text=text,
        received_at=NOW,
    )


class Events:
    """Counts calls of something, and lets a test wait for the n-th."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self._changed = asyncio.Event()

    def add(self, item: Any) -> None:
        self.seen.append(item)
        self._changed.set()

    async def reach(self, number: int) -> list[Any]:
        async with asyncio.timeout(60):
            while len(self.seen) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.seen


class FakeChannel:
    name = "sms"
    account = "main"
    capabilities = Capabilities(accents=False, reports=True)

    def __init__(self, *, rate: float = 0.0, ready: bool = True) -> None:
        self.rate = rate
        self.ready = ready
        self.sent = Events()
        self.answer: Callable[[OutboundMessage], SendResult] = lambda message: SendResult(
            message_id=message.id, status=SendStatus.ACCEPTED
        )
        self.gate = asyncio.Event()
        self.gate.set()

    def fits(self, text: str) -> bool:
        return len(text) <= 160

    def routes(self) -> Iterable[RouteDef]:
        return ()

    async def run(self, inlet: Inlet) -> None:
        await asyncio.Event().wait()

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        for message in batch:
            self.sent.add(message)
        await self.gate.wait()
        return [self.answer(message) for message in batch]

    async def drain(self) -> None:
        return None

    async def health(self) -> Health:
        return Health(ok=True)


class FakeStore:
    """Journal and outbox in lists; `trouble` is raised by the next commits, one after another."""

    def __init__(self) -> None:
        self.commits = Events()
        self.inbox: dict[int, InboundMessage] = {}
        self.outbox: dict[int, OutboundMessage] = {}
        self.ready: list[OutboundMessage] = []
        self.trouble: list[Exception] = []
        self.repeats: dict[int, int] = {}
        self.left_open: list[InboundMessage] = []
        self.closed: set[int] = set()
        self.hand_over_trouble: list[Exception] = []
        self.writes_despite_trouble = False
        self.results: list[SendResult] = []
        self.acknowledged: list[int] = []

    async def commit(self, batch: JournalBatch) -> JournalReceipt:
        await asyncio.sleep(0)
        trouble = self.trouble.pop(0) if self.trouble else None
        already_closed = frozenset(e.message.id for e in batch.closings) & self.closed
        if trouble is None or self.writes_despite_trouble:
            self._write(batch)
        self.commits.add(batch)
        if trouble is not None:
            raise trouble
        repeats = {e.message.id: self.repeats[e.message.id] for e in batch.exchanges if e.message.id in self.repeats}
        return JournalReceipt(redelivered=repeats, already_closed=already_closed)

    def _write(self, batch: JournalBatch) -> None:
        for exchange in (*batch.exchanges, *batch.closings):
            if exchange.message.id in self.repeats:
                continue
            self.inbox[exchange.message.id] = exchange.message
            if exchange.reply is not None:
                self.outbox[exchange.reply.id] = exchange.reply
                if not exchange.handed_over:
                    self.ready.append(exchange.reply)
        self.closed |= {each.message.id for each in batch.closings}
        self.results += batch.results
        self.acknowledged += [each.inbound_id for each in batch.acknowledgements]

    async def written(self, ids: Sequence[int]) -> frozenset[int]:
        return frozenset(ids) & (self.inbox.keys() | self.outbox.keys())

    async def give_up(self, refused: Mapping[int, int | None]) -> frozenset[int]:
        return frozenset(refused) & self.inbox.keys()

    async def take_open(self, limit: int) -> Sequence[InboundMessage]:
        taken, self.left_open = self.left_open, []
        return taken

    async def claim(self, account: str, limit: int, *, replies_only: bool = False) -> Sequence[OutboundMessage]:
        taken = [each for each in self.ready if not replies_only or each.category is Category.REPLY][:limit]
        self.ready = [each for each in self.ready if each not in taken]
        return taken

    async def hand_over(self, message_ids: Sequence[int]) -> frozenset[int]:
        if self.hand_over_trouble:
            raise self.hand_over_trouble.pop()
        return frozenset(message_ids)

    async def renew(self) -> None:
        return None

    async def release(self, message_ids: Sequence[int]) -> None:
        return None

    async def recover(self) -> Mapping[str, int]:
        return {}

    async def depth(self) -> Mapping[str, int]:
        return {}

    async def deferred(self) -> Mapping[tuple[str, str], int]:
        return {}


@dataclass
class FakeConversation:
    """Decides by message id; everything not named is answered at once."""

    decisions: dict[int, Decision | Pending | Exception] = field(default_factory=dict)
    apologies: dict[int, Decision | Exception] = field(default_factory=dict)
    refunds: Events = field(default_factory=Events)

    async def begin(self, messages: Sequence[InboundMessage], shapes: object) -> list[Decision | Pending]:
        decided = [self.decisions.get(message.id, REPLY) for message in messages]
        for each in decided:
            if isinstance(each, Exception):
                raise each
        return cast("list[Decision | Pending]", decided)

    async def apologise(self, message: InboundMessage, shapes: object) -> Decision:
        apology = self.apologies.get(message.id, SORRY)
        if isinstance(apology, Exception):
            raise apology
        return apology

    async def refund(self, senders: Sequence[Address]) -> None:
        for sender in senders:
            self.refunds.add(sender)


@dataclass
class AwayOnce(FakeConversation):
    """The store cannot be read the first time."""

    begun: int = 0

    async def begin(self, messages: Sequence[InboundMessage], shapes: object) -> list[Decision | Pending]:
        self.begun += 1
        if self.begun == 1:
            raise StoreUnavailable("locked")
        return await super().begin(messages, shapes)


@dataclass
class Desk:
    """A running dispatcher with everything around it."""

    dispatcher: Dispatcher
    channel: FakeChannel
    store: FakeStore
    conversation: FakeConversation
    settled: Events = field(default_factory=Events)

    def arrive(self, *numbers: int) -> None:
        for number in numbers:
            self.dispatcher.arrive(Arrival(question(number), self._settle(number)))

    def _settle(self, number: int) -> Callable[[Settlement], bool]:
        def settle(settlement: Settlement) -> bool:
            self.settled.add((number, settlement))
            return True

        return settle


@asynccontextmanager
async def desk(
    channel: FakeChannel | None = None, conversation: FakeConversation | None = None, **settings: Any
) -> AsyncIterator[Desk]:
    channel, store, talk = channel or FakeChannel(), FakeStore(), conversation or FakeConversation()
    async with running(channel, store, talk, **settings) as made:
        yield made


@asynccontextmanager
async def running(
    channel: FakeChannel, store: FakeStore, talk: FakeConversation, **settings: Any
) -> AsyncIterator[Desk]:
    dispatcher = Dispatcher(
        conversation=cast("Conversation", talk),
        journal=store,
        outbox=store,
        channels=[cast("Channel", channel)],
        new_id=count(1_000_000).__next__,
        clock=lambda: NOW,
        metrics=Metrics(),
        settings=DispatcherSettings(answer_budgets={"sms": 0.05}, **settings),
    )
    tasks = [asyncio.create_task(dispatcher.run()), asyncio.create_task(dispatcher.take_over())]
    try:
        yield Desk(dispatcher, channel, store, talk)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _later(decision: Decision) -> Callable[[], Awaitable[Decision]]:
    async def give_up() -> Decision:
        return decision

    return give_up


def waiting_for(event: asyncio.Event, decision: Decision = REPLY) -> Pending:
    async def finish() -> Decision:
        await event.wait()
        return decision

    sorry = Decision(inquiry="look_up", outcome=Outcome.SOURCE_DOWN, text="gian doan")
    return Pending(cast("Callable[[], Awaitable[Decision]]", finish), _later(sorry))


async def test_nothing_is_acknowledged_while_the_store_is_away() -> None:
    async with desk() as it:
        it.store.trouble = [StoreUnavailable("locked")]
        it.arrive(1, 2)
        settled = await it.settled.reach(2)
        assert settled == [(1, Settlement.REFUSED), (2, Settlement.REFUSED)]
        assert not it.store.inbox
        assert not it.channel.sent.seen


async def test_what_can_be_pressed_leaves_with_the_text() -> None:
    rows = ((Button("Báo tin cho tôi", "DK H51.18-210817-0005"),),)
    async with desk(conversation=FakeConversation({1: replace(REPLY, buttons=rows)})) as it:
        it.arrive(1, 2)
        sent = await it.channel.sent.reach(2)
        assert [message.buttons for message in sent] == [rows, ()]


async def test_a_journal_that_takes_nothing_is_told_to_whoever_asks_for_health() -> None:
    async with desk() as it:
        it.store.trouble = [StoreUnavailable("disk full")]
        it.arrive(1)
        await it.settled.reach(1)
        assert (await it.dispatcher.health()).detail == "disk full"
        it.arrive(1)
        await it.settled.reach(2)
        assert (await it.dispatcher.health()).ok


async def test_a_refused_message_costs_its_sender_nothing() -> None:
    async with desk() as it:
        it.store.trouble = [StoreUnavailable("locked")]
        it.arrive(1)
        assert await it.conversation.refunds.reach(1) == [question(1).sender]


async def test_a_message_refused_once_is_answered_when_it_comes_again() -> None:
    async with desk() as it:
        it.store.trouble = [StoreUnavailable("locked")]
        it.arrive(1)
        await it.settled.reach(1)
        it.arrive(1)
        await it.settled.reach(2)
        assert it.settled.seen[1] == (1, Settlement.DURABLE)
        await it.channel.sent.reach(1)


async def test_a_message_is_acknowledged_after_its_commit_and_answered_once() -> None:
    async with desk() as it:
        it.arrive(1)
        await it.settled.reach(1)
        assert 1 in it.store.inbox
        sent = await it.channel.sent.reach(1)
        assert [(m.inbound_id, m.recipient, m.sender.value) for m in sent] == [(1, question(1).sender, "8088")]


async def test_results_and_acknowledgements_ride_with_a_later_commit() -> None:
    async with desk() as it:
        it.arrive(1)
        await it.channel.sent.reach(1)
        async with asyncio.timeout(60):
            while not (it.store.results and it.store.acknowledged):
                await it.store.commits.reach(len(it.store.commits.seen) + 1)
        assert it.store.acknowledged == [1]
        assert it.store.results[0].status is SendStatus.ACCEPTED


async def test_a_slow_source_is_acknowledged_in_time_and_answered_later() -> None:
    source = asyncio.Event()
    async with desk(conversation=FakeConversation({1: waiting_for(source)})) as it:
        it.arrive(1)
        await it.settled.reach(1)
        assert not it.channel.sent.seen
        source.set()
        sent = await it.channel.sent.reach(1)
        assert sent[0].text == "dang xu ly"
        assert it.store.commits.seen[0].exchanges[0].decision is None


async def test_a_source_that_never_answers_is_told_as_down() -> None:
    never = FakeConversation({1: waiting_for(asyncio.Event())})
    async with desk(conversation=never, source_down_after=0.1) as it:
        it.arrive(1)
        sent = await it.channel.sent.reach(1)
        assert sent[0].text == "gian doan"


async def test_a_hanging_question_does_not_hold_up_its_neighbour() -> None:
    async with desk(conversation=FakeConversation({1: waiting_for(asyncio.Event())})) as it:
        it.arrive(1, 2)
        sent = await it.channel.sent.reach(1)
        assert sent[0].inbound_id == 2


async def test_a_source_that_breaks_a_rule_is_told_as_down() -> None:
    async def finish() -> Decision:
        raise RuntimeError("a bug of ours")

    sorry = Decision(inquiry="look_up", outcome=Outcome.SOURCE_DOWN, text="gian doan")
    async with desk(conversation=FakeConversation({1: Pending(finish, _later(sorry))})) as it:
        it.arrive(1)
        assert (await it.channel.sent.reach(1))[0].text == "gian doan"


async def test_one_undecidable_message_does_not_cost_its_neighbours_their_answer() -> None:
    async with desk(conversation=FakeConversation({2: RuntimeError("a bug of ours")})) as it:
        it.arrive(1, 2, 3)
        await it.settled.reach(3)
        sent = await it.channel.sent.reach(3)
        assert {m.inbound_id: m.text for m in sent} == {1: REPLY.text, 2: SORRY.text, 3: REPLY.text}
        assert it.store.inbox.keys() == {1, 2, 3}


async def test_a_redelivery_is_acknowledged_not_answered_and_costs_nothing() -> None:
    async with desk() as it:
        it.store.repeats = {7: 1}
        it.arrive(7)
        assert await it.settled.reach(1) == [(7, Settlement.DURABLE)]
        await it.conversation.refunds.reach(1)
        assert not it.channel.sent.seen
        assert it.dispatcher.queued() == {"main": 0}


async def test_an_uncertain_commit_is_read_back_before_anything_is_settled() -> None:
    async with desk() as it:
        it.store.trouble = [StoreUncertain("gone at commit")]
        it.store.writes_despite_trouble = True
        it.arrive(1)
        assert await it.settled.reach(1) == [(1, Settlement.DURABLE)]
        await it.channel.sent.reach(1)


async def test_an_uncertain_commit_that_did_not_happen_is_made_again() -> None:
    async with desk() as it:
        it.store.trouble = [StoreUncertain("gone at commit")]
        it.arrive(1)
        assert await it.settled.reach(1) == [(1, Settlement.DURABLE)]
        assert len(await it.channel.sent.reach(1)) == 1


async def test_a_reply_waits_in_the_outbox_while_its_account_has_no_room() -> None:
    channel = FakeChannel(rate=0.5)
    async with desk(channel) as it:
        channel.gate.clear()
        it.arrive(1, 2)
        await it.settled.reach(2)
        assert len(await channel.sent.reach(1)) == 1
        assert len(it.store.ready) == 1
        channel.gate.set()
        await channel.sent.reach(2)


async def test_nothing_is_handed_over_to_a_channel_that_cannot_send() -> None:
    channel = FakeChannel(ready=False)
    async with desk(channel) as it:
        it.arrive(1)
        await it.settled.reach(1)
        assert len(it.store.ready) == 1
        assert not channel.sent.seen
        channel.ready = True
        await channel.sent.reach(1)


async def test_a_channel_that_raises_leaves_an_unknown_outcome_not_a_lost_one() -> None:
    channel = FakeChannel()

    def broken(_: OutboundMessage) -> SendResult:
        raise RuntimeError("a bug of ours")

    channel.answer = broken
    async with desk(channel) as it:
        it.arrive(1)
        async with asyncio.timeout(60):
            while not it.store.results:
                await it.store.commits.reach(len(it.store.commits.seen) + 1)
        assert it.store.results[0].status is SendStatus.UNKNOWN


async def test_more_than_may_be_in_flight_is_refused_at_once() -> None:
    slow = FakeConversation({1: waiting_for(asyncio.Event())})
    async with desk(conversation=slow, most_in_flight=1) as it:
        it.arrive(1, 2)
        assert (await it.settled.reach(1))[0] == (2, Settlement.REFUSED)


async def test_what_a_dead_owner_left_open_is_answered() -> None:
    store = FakeStore()
    store.left_open = [question(5)]
    async with running(FakeChannel(), store, FakeConversation()) as it:
        sent = await it.channel.sent.reach(1)
        assert sent[0].inbound_id == 5
        assert not it.settled.seen


async def test_draining_refuses_the_new_and_finishes_the_old() -> None:
    source = asyncio.Event()
    async with desk(conversation=FakeConversation({1: waiting_for(source)})) as it:
        it.arrive(1)
        await it.settled.reach(1)
        draining = asyncio.create_task(it.dispatcher.drain())
        await asyncio.sleep(0)
        it.arrive(2)
        assert it.settled.seen[1] == (2, Settlement.REFUSED)
        source.set()
        async with asyncio.timeout(60):
            await draining
        assert [m.inbound_id for m in it.channel.sent.seen] == [1]
        assert it.store.results
        assert it.dispatcher.in_flight == 0


async def test_a_delivery_report_is_acknowledged_only_when_it_is_written() -> None:
    report = DeliveryReport(
        channel="sms", account="main", external_id="3E8", status=DeliveryStatus.DELIVERED, received_at=NOW
    )
    async with desk() as it:
        it.store.trouble = [StoreUnavailable("locked")]
        for _ in range(2):
            it.dispatcher.report(ReportArrival(report, it._settle(0)))
            await it.settled.reach(len(it.settled.seen) + 1)
        assert [settlement for _, settlement in it.settled.seen] == [Settlement.REFUSED, Settlement.DURABLE]


async def test_a_closing_of_unknown_outcome_that_was_written_is_sent() -> None:
    source = asyncio.Event()
    async with desk(conversation=FakeConversation({1: waiting_for(source)})) as it:
        it.arrive(1)
        await it.settled.reach(1)
        it.store.writes_despite_trouble = True
        it.store.trouble = [StoreUncertain("commit failed half-way")]
        source.set()
        (sent,) = await it.channel.sent.reach(1)
        assert sent.inbound_id == 1


@pytest.mark.parametrize("trouble", [StoreUnavailable("locked"), StoreUncertain("commit failed half-way")])
async def test_what_was_claimed_when_the_store_went_away_is_sent(trouble: StoreError) -> None:
    async with desk(FakeChannel(ready=False)) as it:
        it.store.hand_over_trouble = [trouble]
        it.arrive(1)
        await it.settled.reach(1)
        it.channel.ready = True
        (sent,) = await it.channel.sent.reach(1)
        assert sent.inbound_id == 1


async def test_silence_costs_nobody_a_reply() -> None:
    async with desk(conversation=FakeConversation({1: Decision(inquiry="thanks")})) as it:
        it.arrive(1)
        assert await it.conversation.refunds.reach(1) == [question(1).sender]


async def test_a_message_taken_over_while_the_store_is_away_is_decided_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.dispatcher.TAKE_OVER_EVERY", 0.01)
    channel, store, talk = FakeChannel(), FakeStore(), AwayOnce()
    store.left_open = [question(1)]
    async with running(channel, store, talk):
        (sent,) = await channel.sent.reach(1)
        assert sent.inbound_id == 1
        assert talk.begun == 2
