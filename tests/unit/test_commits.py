"""The journal's pump before a journal that forgets to answer, refuses single rows, or breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from channels.base import ReportArrival, Settlement
from conversation.failing import NOTHING_SAID
from conversation.ports import Acknowledgement, Decision, Exchange, JournalBatch, JournalReceipt, SessionEnd
from domain.errors import StoreRejected, StoreUnavailable, StoreUncertain
from domain.message import (
    Address,
    Category,
    DeliveryReport,
    DeliveryStatus,
    InboundMessage,
    OutboundMessage,
    SegmentResult,
    SendResult,
    SendStatus,
)
from gateway import commits as pump
from gateway import given_up
from gateway.commits import Commits, Entry

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SENDER, SHORT_CODE = Address("sms", "84912345678"), Address("sms", "8088")
Told = list[tuple[str, int]]


def exchange(number: int, *, handed_over: bool = True) -> Exchange:
    """Message `number`, whose reply has the number's thousandfold."""
    message = InboundMessage(
        id=number,
        channel="sms",
        account="main",
        sender=SENDER,
        recipient=SHORT_CODE,
        text="H51",
        received_at=NOW,
    )
    reply = OutboundMessage(
        id=number * 1000,
        channel="sms",
        account="main",
        category=Category.REPLY,
        recipient=SENDER,
        sender=SHORT_CODE,
        text="dang xu ly",
        created_at=NOW,
        expires_at=NOW,
        inbound_id=number,
    )
    decision = Decision(inquiry="look_up", text=reply.text)
    return Exchange(message=message, decision=decision, reply=reply, handed_over=handed_over)


def result(number: int, *, segments: Sequence[SegmentResult] = ()) -> SendResult:
    return SendResult(message_id=number, status=SendStatus.ACCEPTED, segments=segments)


@dataclass
class FakeJournal:
    """Keeps ids. `trouble` is raised by the next commits, one after another, `after` by those that write all the same;
    `broken` are ids of rows it refuses, with their decision or (`hopeless`) altogether.
    """

    inbox: dict[int, Exchange] = field(default_factory=dict)
    replies: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    results: list[SendResult] = field(default_factory=list)
    acknowledged: list[Acknowledgement] = field(default_factory=list)
    ended: list[SessionEnd] = field(default_factory=list)
    reports: list[DeliveryReport] = field(default_factory=list)
    batches: list[JournalBatch] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)
    broken: Collection[int] = ()
    hopeless: Collection[int] = ()
    words: Callable[[], Exception] = lambda: StoreRejected("NotNullViolationError in feedback")
    given_up: list[int] = field(default_factory=list)

    async def commit(self, batch: JournalBatch) -> JournalReceipt:
        await asyncio.sleep(0)
        self.batches.append(batch)
        if self.trouble:
            raise self.trouble.pop(0)
        if any(map(self._refuses, (*batch.exchanges, *batch.closings))) or self._refuses_riders(batch):
            raise self.words()
        receipt = JournalReceipt(
            redelivered={e.message.id: e.message.id for e in batch.exchanges if e.message.id in self.inbox},
            already_closed=frozenset(e.message.id for e in batch.closings) & self.closed,
        )
        self._write(batch, receipt)
        if self.after:
            raise self.after.pop(0)
        return receipt

    def _refuses(self, each: Exchange) -> bool:
        return each.message.id in self.hopeless or (each.reply is not None and each.message.id in self.broken)

    def _refuses_riders(self, batch: JournalBatch) -> bool:
        segments = any(each.message_id in self.broken and each.segments for each in batch.results)
        dropped = {*(each.message_id for each in batch.results), *(each.inbound_id for each in batch.acknowledgements)}
        return (
            segments
            or bool(dropped & set(self.hopeless))
            or any(r.external_id in map(str, self.hopeless) for r in batch.reports)
        )

    def _write(self, batch: JournalBatch, receipt: JournalReceipt) -> None:
        for each in (*batch.exchanges, *batch.closings):
            if each.message.id in receipt.redelivered or each.message.id in receipt.already_closed:
                continue
            self.inbox[each.message.id] = each
            if each.reply is not None:
                self.replies.add(each.reply.id)
        self.closed |= {each.message.id for each in batch.closings}
        self.results += batch.results
        self.acknowledged += batch.acknowledgements
        self.ended += batch.session_ends
        self.reports += batch.reports

    async def written(self, ids: Sequence[int]) -> frozenset[int]:
        return frozenset(ids) & (self.inbox.keys() | self.replies)

    async def take_open(self, limit: int) -> Sequence[InboundMessage]:
        return ()

    async def give_up(self, refused: Mapping[int, int | None]) -> frozenset[int]:
        assert refused == {each: each * 1000 for each in refused}
        found = refused.keys() & self.inbox.keys()
        self.given_up += found
        return frozenset(found)


@dataclass
class Desk:
    """A running pump, and what it told of each entry in turn."""

    commits: Commits
    journal: FakeJournal
    rejected: list[tuple[str, str]]
    told: Told = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def entry(self, number: int, *, handed_over: bool = True) -> Entry:
        def tell(word: str) -> None:
            self.told.append((word, number))
            self.changed.set()

        made = exchange(number, handed_over=handed_over)
        return Entry(made, lambda _: tell("written"), lambda *_: tell("repeated"), lambda _: tell("refused"))

    def hand_in(self, *numbers: int) -> None:
        for number in numbers:
            self.commits.exchange(self.entry(number))

    def close(self, number: int) -> None:
        self.commits.closing(self.entry(number))

    def report(self, external_id: str) -> list[Settlement]:
        settled: list[Settlement] = []

        def settle(settlement: Settlement) -> bool:
            settled.append(settlement)
            return True

        report = DeliveryReport(
            channel="sms", account="main", external_id=external_id, status=DeliveryStatus.DELIVERED, received_at=NOW
        )
        self.commits.report(ReportArrival(report, settle))
        return settled

    async def until(self, happened: Callable[[], object]) -> None:
        while not happened():
            self.changed.clear()
            await asyncio.wait([asyncio.create_task(self.changed.wait())], timeout=0.01)

    async def drained(self) -> Told:
        await self.commits.drained()
        return self.told


@asynccontextmanager
async def desk(**journal: object) -> AsyncIterator[Desk]:
    made = FakeJournal(**journal)  # type: ignore[arg-type]
    rejected: list[tuple[str, str]] = []
    commits = Commits(made, clock=lambda: NOW, rejected=lambda *what: rejected.append(what))
    task = asyncio.create_task(commits.run())
    try:
        async with asyncio.timeout(60):
            yield Desk(commits, made, rejected)
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "RETRY_DELAY", 0.001)
    monkeypatch.setattr(given_up, "LOOK_EVERY", 0.001)


# ---- a commit of unknown outcome


async def test_a_message_whose_commit_is_in_doubt_is_written_again_under_the_same_id() -> None:
    async with desk(trouble=[StoreUncertain("cut")]) as it:
        it.hand_in(1)
        assert await it.drained() == [("written", 1)]
        assert [each.exchanges for each in it.journal.batches] == [[exchange(1)], [exchange(1)]]


async def test_a_commit_that_is_seen_only_by_its_repetition_counts_as_written() -> None:
    async with desk(after=[StoreUncertain("cut")]) as it:
        it.journal.written = lambda ids: _raise(StoreUnavailable("away")) if it.journal.after else _of(it.journal, ids)  # type: ignore[method-assign]
        it.hand_in(1)
        assert await it.drained() == [("written", 1)]


async def test_a_store_that_goes_while_it_is_asked_whose_reply_stands_there_is_asked_again() -> None:
    async with desk(after=[StoreUncertain("cut")]) as it:
        away = [StoreUnavailable("away"), StoreUnavailable("away")]
        it.journal.written = lambda ids: _raise(away.pop()) if away else _of(it.journal, ids)  # type: ignore[method-assign]
        it.hand_in(1, 2)
        assert await it.drained() == [("written", 1), ("written", 2)]


async def test_new_messages_are_written_once_the_doubt_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "IN_DOUBT", 0.0)
    async with desk(trouble=[StoreUncertain("cut")]) as it:
        it.hand_in(1)
        await it.until(lambda: it.told)
        it.hand_in(2)
        assert await it.drained() == [("refused", 1), ("written", 2)]


async def test_what_was_refused_in_doubt_is_given_up_when_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "IN_DOUBT", 0.0)
    async with desk(trouble=[StoreUncertain("cut")]) as it:
        it.hand_in(1)
        await it.until(lambda: it.told == [("refused", 1)])
        it.journal._write(JournalBatch(exchanges=[exchange(1)]), JournalReceipt())  # the backend comes to its end
        await it.until(lambda: it.journal.given_up)
        assert it.journal.given_up == [1]


async def test_what_is_never_seen_is_not_looked_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "IN_DOUBT", 0.0)
    monkeypatch.setattr(given_up, "LOOK_FOR", 0.0)
    async with desk(trouble=[StoreUncertain("cut")]) as it:
        it.hand_in(1)
        await it.until(lambda: it.told == [("refused", 1)])
        await it.until(lambda: not it.commits.given_up.waiting)


async def test_a_closing_in_doubt_that_another_gateway_closed_meanwhile_is_not_sent() -> None:
    async with desk(trouble=[StoreUncertain("cut")]) as it:
        it.journal.inbox[1] = exchange(1)
        it.journal.closed.add(1)
        it.close(1)
        assert await it.drained() == [("repeated", 1)]


async def test_a_closing_in_doubt_that_was_ours_is_sent() -> None:
    async with desk(after=[StoreUncertain("cut")]) as it:
        it.close(1)
        assert await it.drained() == [("written", 1)]


# ---- a row that can never be written


async def test_one_row_the_store_can_never_write_costs_its_neighbours_nothing() -> None:
    async with desk(broken=[3]) as it:
        it.hand_in(1, 2, 3, 4, 5)
        await it.drained()
        assert sorted(it.told) == [("repeated", 3), ("written", 1), ("written", 2), ("written", 4), ("written", 5)]
        kept = it.journal.inbox[3]
        assert (kept.message, kept.reply) == (exchange(3).message, None)
        assert kept.decision == NOTHING_SAID
        assert it.rejected == [("exchange", "part")]


async def test_its_place_in_the_queue_of_its_account_can_be_given_back() -> None:
    async with desk(broken=[3]) as it:
        entry = it.entry(3)
        it.commits.exchange(entry)
        await it.drained()
        assert entry.exchange.handed_over


async def test_a_message_of_which_nothing_can_be_written_is_refused() -> None:
    async with desk(hopeless=[3]) as it:
        it.hand_in(1, 3)
        await it.drained()
        assert sorted(it.told) == [("refused", 3), ("written", 1)]


async def test_a_closing_that_can_never_be_written_does_not_stand_before_every_later_batch() -> None:
    async with desk(broken=[3], hopeless=[4]) as it:
        it.close(3)
        it.close(4)
        it.hand_in(1)
        await it.drained()
        assert sorted(it.told) == [("repeated", 3), ("repeated", 4), ("written", 1)]
        assert it.journal.inbox[3].decision == NOTHING_SAID


async def test_a_result_the_store_can_never_write_is_written_without_what_is_told_beside() -> None:
    async with desk(broken=[3], hopeless=[4]) as it:
        it.commits.results([result(3, segments=[SegmentResult(segment=1, segments=1, external_id="A")]), result(4)])
        it.hand_in(1)
        await it.drained()
        assert it.journal.results == [result(3)]
        assert it.told == [("written", 1)]


async def test_a_report_the_store_can_never_write_is_taken_and_told_of() -> None:
    async with desk(hopeless=[4]) as it:
        settled = [it.report("4"), it.report("5")]
        await it.drained()
        assert settled == [[Settlement.DURABLE], [Settlement.DURABLE]]
        assert [each.external_id for each in it.journal.reports] == ["5"]
        assert it.rejected == [("report", "nothing")]


async def test_a_store_that_goes_away_meanwhile_loses_nothing() -> None:
    async with desk(broken=[3]) as it:
        it.journal.trouble = [StoreRejected("one of them"), StoreUnavailable("locked")]
        it.close(1)
        it.close(2)
        it.close(3)
        await it.drained()
        assert sorted(it.told) == [("repeated", 3), ("written", 1), ("written", 2)]


# ---- a bug


@pytest.mark.parametrize("handed_in", ["exchange", "closing"])
async def test_a_journal_that_breaks_over_one_message_goes_on_with_the_others(handed_in: str) -> None:
    async with desk(broken=[3], words=lambda: KeyError("a bug of ours")) as it:
        for number in (1, 2, 3):
            it.hand_in(number) if handed_in == "exchange" else it.close(number)
        await it.drained()
        assert sorted(it.told) == [("repeated", 3), ("written", 1), ("written", 2)]


async def test_a_journal_that_breaks_after_it_wrote_leaves_nothing_unanswered() -> None:
    async with desk(after=[ValueError("a bug of ours")]) as it:
        it.hand_in(1, 2)
        await it.drained()
        assert sorted(it.told) == [("written", 1), ("written", 2)]


async def _raise(error: Exception) -> frozenset[int]:
    raise error


async def _of(journal: FakeJournal, ids: Sequence[int]) -> frozenset[int]:
    return await FakeJournal.written(journal, ids)
