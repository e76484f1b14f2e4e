"""How many an audience reaches, for pages that must not wait: at once what the first dossiers tell, then all of them.

A count of fifty thousand dossiers takes seconds. A page is given what is found among the first few hundred, which is all
of it for many, and says "at least" of the rest; that is counted while nobody waits, and kept for whoever asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from console.broadcasts.ports import AudienceCount, Broadcasts, DayCount
from domain.broadcasts import Audience
from domain.errors import StoreError

log = structlog.get_logger()

AT_ONCE: Final = 250  # dossiers or rows looked at while a page waits
LOOKED_AT: Final = 50_000  # and afterwards
AT_A_TIME: Final = 2  # such counts, so that the store is left to those who wait
KEPT: Final = timedelta(seconds=10)  # a count is not made anew with every letter that is typed
MOST_KEPT: Final = 100

Key = tuple[int, Audience, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """`going_on`: more is known soon."""

    key: Key
    at: datetime
    count: AudienceCount
    going_on: bool = False


class Counts:
    """The last count of each officer. `day`: the day's count as it is kept now; None: none is. To be closed."""

    __slots__ = ("_broadcasts", "_clock", "_day", "_kept", "_tasks", "_turns")

    def __init__(
        self, broadcasts: Broadcasts, *, clock: Callable[[], datetime], day: Callable[[], DayCount | None]
    ) -> None:
        self._broadcasts = broadcasts
        self._clock = clock
        self._day = day
        self._kept: dict[int, Counted] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def of(self, officer: int, audience: Audience, *, broadcast: int, scope: frozenset[str]) -> Counted:
        """Raises StoreUnavailable."""
        key, kept = (broadcast, audience, scope), self._kept.get(officer)
        if kept is not None and kept.key == key and (kept.going_on or self._clock() - kept.at < KEPT):
            return kept
        count = await self._count(key, AT_ONCE)
        counted = Counted(key=key, at=self._clock(), count=count, going_on=count.more)
        self._keep(officer, counted)
        if count.more:
            task = asyncio.create_task(self._rest(officer, key))
            self._tasks[officer] = task
            task.add_done_callback(lambda done: self._forget(officer, done))
        return counted

    async def close(self) -> None:
        """End what is counted yet."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest(self, officer: int, key: Key) -> None:
        try:
            async with self._turns:
                count = await self._count(key, LOOKED_AT)
        except StoreError:  # whoever asks again begins anew
            log.warning("console.count_broken", broadcast=key[0])
            self._kept.pop(officer, None)
            return
        self._kept[officer] = Counted(key=key, at=self._clock(), count=count)

    async def _count(self, key: Key, limit: int) -> AudienceCount:
        broadcast, audience, scope = key
        return await self._broadcasts.count(audience, scope, identifier=broadcast, limit=limit, day=self._day())

    def _keep(self, officer: int, counted: Counted) -> None:
        """The latest of each, of a hundred; nobody waits any more for what was counted before."""
        self._drop(officer)
        while len(self._kept) >= MOST_KEPT:
            self._drop(next(iter(self._kept)))
        self._kept[officer] = counted

    def _drop(self, officer: int) -> None:
        self._kept.pop(officer, None)
        task = self._tasks.pop(officer, None)
        if task is not None:
            task.cancel()

    def _forget(self, officer: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(officer) is task:
            del self._tasks[officer]
