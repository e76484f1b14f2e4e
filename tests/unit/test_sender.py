"""One account's way out: notices leave in turn and in measure, and a reply does not stand behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from domain.message import Address, Category, OutboundMessage, SendResult
from gateway.sender import Sender
from tests.unit.test_dispatcher import NOW, FakeChannel, FakeStore

RATE = 200.0
AHEAD = 20  # messages: a tenth of a second of it
IN_TIME = 60.0


class Outbox(FakeStore):
    """Remembers what was handed over and given back."""

    def __init__(self, messages: Sequence[OutboundMessage]) -> None:
        super().__init__()
        self.ready = list(messages)
        self.handed_over: list[int] = []
        self.released: list[int] = []
        self.given_back = asyncio.Event()

    async def claim(self, account: str, limit: int, *, replies_only: bool = False) -> Sequence[OutboundMessage]:
        await asyncio.sleep(0)
        self.ready.sort(key=lambda message: (message.category.priority, message.id))
        return await super().claim(account, limit, replies_only=replies_only)

    async def hand_over(self, message_ids: Sequence[int]) -> frozenset[int]:
        await asyncio.sleep(0)
        self.handed_over += message_ids
        return frozenset(message_ids)

    async def release(self, message_ids: Sequence[int]) -> None:
        self.released += message_ids
        self.given_back.set()


def message(identifier: int, category: Category = Category.NOTICE) -> OutboundMessage:
    return OutboundMessage(
        id=identifier,
        channel="sms",
        account="main",
        category=category,
        recipient=Address("sms", "84912345678"),
        sender=Address("sms", "8088"),
        text="da xong",
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )


@asynccontextmanager
async def sending(channel: FakeChannel, outbox: Outbox, results: list[SendResult]) -> AsyncIterator[Sender]:
    sender = Sender(channel, outbox, record=results.extend, claim_every=0.01)
    task = asyncio.create_task(sender.run())
    try:
        async with asyncio.timeout(IN_TIME):
            yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_no_more_is_handed_over_than_a_tenth_of_a_second_ahead() -> None:
    channel, outbox = FakeChannel(rate=RATE), Outbox([message(n) for n in range(1000)])
    channel.gate.clear()
    async with sending(channel, outbox, []):
        await channel.sent.reach(AHEAD)
        await asyncio.sleep(0.05)  # the claim loop looks some times more, and finds no room
        assert outbox.handed_over == list(range(AHEAD))
        assert len(channel.sent.seen) == AHEAD


async def test_a_reply_in_the_outbox_goes_before_notices_that_were_claimed_earlier() -> None:
    channel, outbox = FakeChannel(rate=RATE), Outbox([message(n) for n in range(1000)])
    channel.gate.clear()
    async with sending(channel, outbox, []) as sender:
        await channel.sent.reach(AHEAD)
        outbox.ready.append(message(5000, Category.REPLY))
        sender.claim_soon()
        assert (await channel.sent.reach(AHEAD + 1))[-1].id == 5000


async def test_everything_leaves_once_and_in_order() -> None:
    results: list[SendResult] = []
    channel, outbox = FakeChannel(rate=RATE), Outbox([message(n) for n in range(500)])
    async with sending(channel, outbox, results):
        sent = await channel.sent.reach(500)
    assert [each.id for each in sent] == list(range(500))
    assert {result.message_id for result in results} == set(range(500))


async def test_what_was_claimed_is_given_back_when_the_channel_cannot_send_any_more() -> None:
    channel, outbox = FakeChannel(rate=RATE), Outbox([message(n) for n in range(100)])
    channel.gate.clear()
    async with sending(channel, outbox, []):
        await channel.sent.reach(AHEAD)
        channel.ready = False
        await outbox.given_back.wait()
    assert outbox.released == list(range(AHEAD, 100))


async def test_an_account_that_may_send_one_a_second_sends_all_the_same() -> None:
    channel, outbox = FakeChannel(rate=0.5), Outbox([message(n) for n in range(3)])
    async with sending(channel, outbox, []):
        assert [each.id for each in await channel.sent.reach(3)] == [0, 1, 2]


async def test_what_was_taken_from_us_and_claimed_again_is_sent_once() -> None:
    """A broadcast that is paused and resumed at once: what we hold is not ours any more, and then it is again."""
    twice = [message(number, Category.BROADCAST) for number in (1, 1, 2)]
    channel, outbox = FakeChannel(rate=RATE), Outbox(twice)
    async with sending(channel, outbox, []):
        assert [each.id for each in await channel.sent.reach(2)] == [1, 2]
    assert outbox.handed_over == [1, 2]


class SlowForNotices(FakeChannel):
    """The other side puts off what is no reply, and a whole batch waits for its last."""

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        if all(each.category is Category.REPLY for each in batch):
            return [self.answer(each) for each in batch]
        return await super().send(batch)


class Told(list[SendResult]):
    """Results as they are told; `news` is set by each telling."""

    def __init__(self) -> None:
        super().__init__()
        self.news = asyncio.Event()

    def extend(self, results: Iterable[SendResult]) -> None:
        super().extend(results)
        self.news.set()


async def test_what_became_of_a_reply_is_told_before_a_notice_that_was_handed_over_with_it() -> None:
    results = Told()
    outbox = Outbox([message(1), message(2, Category.REPLY), message(3), message(4, Category.REPLY)])
    channel = SlowForNotices(rate=RATE)
    channel.gate.clear()
    async with sending(channel, outbox, results):
        await channel.sent.reach(2)  # the notices
        await results.news.wait()
        assert [result.message_id for result in results] == [2, 4]
        results.news.clear()
        channel.gate.set()
        await results.news.wait()
    assert [result.message_id for result in results] == [2, 4, 1, 3]


async def test_a_claim_that_breaks_is_tried_again_and_ends_nothing() -> None:
    class Broken(Outbox):
        breaks = 2

        async def claim(self, account: str, limit: int, *, replies_only: bool = False) -> Sequence[OutboundMessage]:
            if self.breaks:
                self.breaks -= 1
                raise KeyError("a bug of ours")
            return await super().claim(account, limit, replies_only=replies_only)

    channel = FakeChannel(rate=RATE)
    async with sending(channel, Broken([message(1)]), []):
        assert [each.id for each in await channel.sent.reach(1)] == [1]
