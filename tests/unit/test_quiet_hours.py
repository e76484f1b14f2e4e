"""At night nobody is told anything unasked, whatever is due: what was tried in vain in the evening, what an operator
released late, what fell back to another channel. Answers leave.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import cast

from channels.base import Channel
from domain.message import Address, Category, OutboundMessage
from gateway.sender import Sender
from tests.unit.test_dispatcher import NOW, FakeChannel, FakeStore

ANN = Address("sms", "84912345678")


def message(identifier: int, category: Category) -> OutboundMessage:
    return OutboundMessage(
        id=identifier,
        channel="sms",
        account="main",
        category=category,
        recipient=ANN,
        sender=Address("sms", "8079"),
        text="text",
        created_at=NOW,
        expires_at=NOW.replace(year=NOW.year + 1),
    )


async def test_what_is_due_at_night_waits_for_the_morning_and_answers_do_not() -> None:
    channel, store, night = FakeChannel(), FakeStore(), [True]
    notice = message(1, Category.NOTICE)
    store.ready = [notice, message(2, Category.REPLY)]
    line = cast("Channel", channel)
    sender = Sender(line, store, record=lambda _results: None, claim_every=0.001, quiet=lambda: night[0])
    running = asyncio.create_task(sender.run())
    try:
        assert [each.id for each in await channel.sent.reach(1)] == [2]
        store.ready.append(replace(notice, id=3, category=Category.REPLY))  # some looks later
        assert [each.id for each in await channel.sent.reach(2)] == [2, 3]
        night[0] = False
        assert [each.id for each in await channel.sent.reach(3)] == [2, 3, 1]
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
