"""Leases: what only one process does at a time, whoever it is. Kept by the store, watched here by the monotonic clock.

A holder believes in its lease until its length has passed since it last asked, on its own monotonic clock, which is
never later than the store believes: whoever cannot reach the store stops before another begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Protocol

import structlog

from channels.base import Channel, Health
from domain.errors import StoreError

RENEWED_AT = 1 / 3  # of the length
LOOK_EVERY = 1.0  # seconds, while somebody else holds one we want, or the store is away; never later than renewals
LEAVE_WITHIN = 5.0  # seconds for a goodbye when a lease is lost

log = structlog.get_logger()


class Leases(Protocol):
    """Where leases are kept."""

    async def take(self, names: Collection[str], length: timedelta) -> frozenset[str]:
        """Take or renew those that are free or ours, in one statement; gives those that are ours now.

        Raises:
            StoreError: nobody knows; what was ours lasts as long as it did.
        """
        ...

    async def give_back(self, names: Collection[str]) -> None:
        """Those of them that are ours are free at once."""
        ...


class Lease:
    """One thing only one process does at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = False  # the store has said something about it
        self._until: float | None = None  # event loop time; None: not ours
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

    @property
    def held(self) -> bool:
        return self._until is not None

    async def taken(self) -> None:
        """Wait until it is ours."""
        while not self.held:
            await self._next_change()

    async def lost(self) -> None:
        """Wait until it is not ours."""
        while self.held:
            await self._next_change()

    def hold(self, until: float | None) -> None:
        """It is ours until then, by the event loop's clock; None: for good."""
        self.asked = True
        self._stop_timer()
        began = not self.held
        self._until = float("inf") if until is None else until
        if until is not None:
            self._timer = asyncio.get_running_loop().call_at(until, self.lose)
        if began:
            log.info("lease.taken", lease=self.name)
            self._change()

    def lose(self) -> None:
        """It is not ours."""
        self.asked = True
        self._stop_timer()
        if self.held:
            self._until = None
            log.warning("lease.lost", lease=self.name)
            self._change()

    def let_go(self) -> None:
        """It is given back, as it should be."""
        self._stop_timer()
        self._until = None
        self._change()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _next_change(self) -> None:
        await self._changed.wait()


class LeaseKeeper:
    """Takes and renews every lease this process wants. A part of the process: `run`, then `close`."""

    def __init__(
        self, leases: Leases, *, length: timedelta, alone: bool = False, look_every: float = LOOK_EVERY
    ) -> None:
        """`alone`: the store is for one process, so a lease once taken is never lost."""
        self._leases = leases
        self._length = length
        self._alone = alone
        self._renew_every = length.total_seconds() * RENEWED_AT
        self._look_every = min(look_every, self._renew_every)
        self._wanted: dict[str, Lease] = {}
        self._failing = False

    def want(self, name: str) -> Lease:
        """A lease of this name, ours whenever it can be; to be said before `run`."""
        return self._wanted.setdefault(name, Lease(name))

    @property
    def wanted(self) -> Collection[Lease]:
        """Every lease this process wants, ours or not."""
        return self._wanted.values()

    async def run(self) -> None:
        """Take and renew until cancelled. Being away from the store is waited out."""
        while True:
            settled = await self._turn()
            await asyncio.sleep(self._renew_every if settled else self._look_every)

    async def close(self) -> None:
        """Give everything back, so that nobody has to wait."""
        held = [lease for lease in self._wanted.values() if lease.held]
        for lease in held:
            lease.let_go()
        if not held:
            return
        try:
            await self._leases.give_back([lease.name for lease in held])
        except StoreError as error:
            log.warning("lease.not_given_back", error=str(error))

    async def _turn(self) -> bool:
        """One look; True when everything wanted is ours."""
        if not self._wanted:
            return True
        asked_at = asyncio.get_running_loop().time()
        try:
            ours = await self._leases.take(list(self._wanted), self._length)
        except StoreError as error:
            if not self._failing:
                log.warning("lease.not_renewed", error=str(error))
            self._failing = True
            return False
        self._failing = False
        until = None if self._alone else asked_at + self._length.total_seconds()
        for name, lease in self._wanted.items():
            if name in ours:
                lease.hold(until)
            else:
                lease.lose()
        return len(ours) == len(self._wanted)


async def while_held(
    lease: Lease, work: Callable[[], Awaitable[None]], leave: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Do `work` whenever the lease is ours; returns or raises what `work` does. When the lease is lost, `leave` is
    given a while to end the work in good order, and what is left of it is cancelled.
    """
    while True:
        await lease.taken()
        working = asyncio.ensure_future(work())
        lost = asyncio.ensure_future(lease.lost())
        try:
            await asyncio.wait({working, lost}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                return
            if leave is not None:
                await _within(leave(), LEAVE_WITHIN)
        finally:
            for task in (working, lost):
                task.cancel()
            await asyncio.gather(working, lost, return_exceptions=True)


async def _within(work: Awaitable[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        log.warning("lease.leave_cut_short", seconds=seconds)


def health_of(channel: Channel, lease: Lease) -> Callable[[], Awaitable[Health]]:
    """The channel's health while its account is ours; somebody else's account is no fault of ours."""

    async def health() -> Health:
        if lease.held:
            return await channel.health()
        if lease.asked:
            return Health(ok=True, detail="another process holds this account")
        return Health(ok=False, detail="it is not known yet who holds this account")

    return health
