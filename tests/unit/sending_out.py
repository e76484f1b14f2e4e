"""A queue of what leaves, with links that do what a test says and a clock that goes when told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from channels.sms import commands as c
from channels.sms.account import SmppAccount
from channels.sms.counters import SmsCounters
from channels.sms.outgoing import Outgoing, Outward, Request, Unanswered
from domain.message import Category, SendResult

PATIENCE = 60.0
HOUR = 3_600.0


class Line:
    """A link of some window. `written` keeps everything, as words; `open`, what was not answered yet, oldest first."""

    def __init__(self, name: str = "1", window: int = 10) -> None:
        self.name = name
        self.window = window
        self.written: list[str] = []
        self.open: list[Request] = []

    @property
    def room(self) -> int:
        return self.window - len(self.open)

    def submit(self, requests: Sequence[Request]) -> None:
        assert len(requests) <= self.room
        self.open += requests
        self.written += [request.frame.decode() for request in requests]

    def answer(self, *commands: int) -> None:
        """The oldest ones, so; the queue is not told that there is room again."""
        for command in commands:
            self.open.pop(0).answered(command, "" if command else "id")

    def lose(self, why: Unanswered = Unanswered.LINK_LOST) -> None:
        """Nothing of it will be answered."""
        gone, self.open = self.open, []
        for request in gone:
            request.unanswered(why)


class Desk:
    """The queue of one account."""

    def __init__(self, *lines: Line, **changes: Any) -> None:
        self.now = 1_000.0
        self.counters = SmsCounters()
        defaults: dict[str, Any] = {"name": "a", "host": "h", "system_id": "s", "password": "p", "short_code": "8088"}
        self.account = SmppAccount(**{**defaults, "rate": 0.0, **changes})
        self.outgoing = Outgoing(self.account, self.counters, lambda: self.now)
        self.lines = list(lines)
        for line in lines:
            self.outgoing.attach(line)

    async def enter(self, *messages: Outward) -> asyncio.Task[Sequence[SendResult]]:
        """Hand in a batch; what may leave at once has left."""
        sending = asyncio.create_task(self.outgoing.send(messages))
        await asyncio.sleep(0)
        return sending

    def message(self, name: str, category: Category = Category.REPLY, **changes: Any) -> Outward:
        """`name` is its frame's word too; with `parts` 3: a.1, a.2, a.3."""
        parts = changes.pop("parts", 1)
        frames = [name.encode()] if parts == 1 else [f"{name}.{number}".encode() for number in range(1, parts + 1)]
        given: dict[str, Any] = {"message_id": sum(name.encode()), "recipient": name, "frames": frames}
        return Outward(category=category, **{"expires_at": self.now + HOUR, **given, **changes})

    def reply(self, name: str, **changes: Any) -> Outward:
        return self.message(name, Category.REPLY, **changes)

    def notice(self, name: str, **changes: Any) -> Outward:
        return self.message(name, Category.NOTICE, **changes)

    def broadcast(self, name: str, **changes: Any) -> Outward:
        return self.message(name, Category.BROADCAST, **changes)

    def wait(self, seconds: float) -> None:
        """Time passes, and the queue looks what it may write."""
        self.now += seconds
        self.outgoing.pump()

    def answer_all(self) -> None:
        """ROK to everything, until nothing is left to be answered."""
        while any(line.open for line in self.lines) or self.outgoing.waiting:
            for line in self.lines:
                line.answer(*[c.ROK] * len(line.open))
            self.wait(1.0)


async def soon(waiting: asyncio.Task[Sequence[SendResult]]) -> Sequence[SendResult]:
    async with asyncio.timeout(PATIENCE):
        return await waiting
