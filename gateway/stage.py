"""A stage of the walk: collects while one batch is being worked on, starts at once when idle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stage(Generic[Item]):
    """One batch under way, the next collecting: batches form by themselves under load and cost nothing without."""

    def __init__(self, work: Callable[[list[Item]], Awaitable[None]], *, most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: list[Item] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, item: Item) -> None:
        """Hand one in; never waits. The caller bounds how many there are."""
        self._waiting.append(item)
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled. `work` deals with its own failures."""
        while True:
            await self._wake.wait()
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if not self._waiting:
                self._wake.clear()
            await self._work(batch)
            if self._waiting:
                await asyncio.sleep(0)  # the next stage takes this batch up before the next one is begun
            else:
                self._idle.set()

    async def drained(self) -> None:
        """Wait until nothing is waiting or under way."""
        await self._idle.wait()
