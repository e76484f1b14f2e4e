"""What happened, as events a page can follow and catch up on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Generic, Protocol, TypeVar

KEPT = 200  # events a page that opens late is told
BEHIND = 400  # events a page may lag before it is cut off; it comes back and catches up


class Numbered(Protocol):
    """An event; `id` is from `EventLog.next_id`."""

    @property
    def id(self) -> int: ...


Event = TypeVar("Event", bound=Numbered)


class EventLog(Generic[Event]):
    """The latest events, and whoever follows them."""

    def __init__(self) -> None:
        self._latest = 0
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._followers: set[asyncio.Queue[Event | None]] = set()

    def next_id(self) -> int:
        """The number of the next event; greater than all before."""
        self._latest += 1
        return self._latest

    @property
    def latest(self) -> int:
        """The number given last: what follows is new."""
        return self._latest

    def tell(self, event: Event) -> None:
        """It happened."""
        self._events.append(event)
        for queue in list(self._followers):
            if queue.qsize() < BEHIND:
                queue.put_nowait(event)
            else:
                self._followers.discard(queue)
                queue.put_nowait(None)

    async def follow(self, after: int = 0, *, idle: float | None = None) -> AsyncGenerator[Event | None]:
        """The kept events with a greater id than `after`, then each new one, until `close` or too far behind.

        None whenever nothing has happened for `idle` seconds.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        for event in self._events:
            if event.id > after:
                queue.put_nowait(event)
        self._followers.add(queue)
        try:
            while True:
                try:
                    async with asyncio.timeout(idle):
                        following = await queue.get()
                except TimeoutError:  # the follower may want to show that the line is alive
                    yield None
                    continue
                if following is None:
                    return
                yield following
        finally:
            self._followers.discard(queue)

    def close(self) -> None:
        """Nothing more will come: let every follower go."""
        for queue in self._followers:
            queue.put_nowait(None)
        self._followers.clear()
