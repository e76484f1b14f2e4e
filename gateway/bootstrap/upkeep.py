"""What is done now and then beside the walk: signs of life, the outbox' depth, old rows, wake-ups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from channels.base import Health
from conversation.ports import FIRST_PLACE, Housekeeping, LateReports, Unserved
from domain.errors import StoreError
from gateway.settings import RetentionSettings
from notifications.ports import Outbox

log = structlog.get_logger()

AGAIN_AFTER = 1.0  # seconds after something failed because the store is away
DEPTH_EVERY = 5.0
REPORTS_EVERY = 30.0
TIDY_EVERY = 3_600.0
TIDY_BATCH = 200  # rows a transaction: a commit waits no longer than that for its turn
TIDY_PAUSE = 0.05  # seconds between two of them
UNSERVED_FOR = timedelta(hours=1)  # after it expired: long enough for settings that are being changed


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Work that needs the store, done again and again. A store that is away is told once, and waited out."""

    name: str
    work: Callable[[], Awaitable[None]]
    every: float  # seconds
    again_after: float = AGAIN_AFTER

    async def run(self) -> None:
        """Until cancelled."""
        failing = False
        while True:
            try:
                await self.work()
            except StoreError as error:
                if not failing:
                    log.warning("upkeep.failed", work=self.name, error=str(error))
                failing = True
            else:
                if failing:
                    log.info("upkeep.resumed", work=self.name)
                failing = False
            await asyncio.sleep(min(self.again_after, self.every) if failing else self.every)


class Waiting:
    """How many rows wait in the outbox, read now and then: /metrics must not wait for the store."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.depth: Mapping[str, int] = {}

    async def read(self) -> None:
        self.depth = await self._outbox.depth()

    async def health(self) -> Health:
        """The store answers a read now."""
        depth = await self._outbox.depth()
        return Health(ok=True, detail=f"{sum(depth.values())} waiting")


async def tidy(store: Housekeeping, clock: Callable[[], datetime], retention: RetentionSettings) -> None:
    """Mask and remove what is old enough, a few rows at a time."""
    masked = await until_done(store.mask, clock() - timedelta(days=retention.mask_after_days))
    purged = await until_done(store.purge, clock() - timedelta(days=retention.purge_after_days))
    if masked or purged:
        log.info("store.tidied", masked=masked, purged=purged)


async def expire_unserved(store: Unserved, served: Collection[str], clock: Callable[[], datetime]) -> None:
    """Close what expired for accounts that are in the settings no more: a claim closes it for the others."""
    for account in sorted((await store.depth()).keys() - set(served)):
        if closed := await _expired(store, account, clock() - UNSERVED_FOR):
            log.info("store.unserved_expired", account=account, messages=closed)


async def _expired(store: Unserved, account: str, before: datetime) -> int:
    total, place = 0, FIRST_PLACE
    while True:
        step = await store.expire(account, before, TIDY_BATCH, behind=place)
        total += step.closed
        if step.behind is None:
            return total
        place = step.behind
        await asyncio.sleep(TIDY_PAUSE)


async def match_reports(store: LateReports) -> None:
    """Bring together delivery reports and messages that two processes wrote at the same moment."""
    if matched := await store.match_reports():
        log.info("store.reports_matched", reports=matched)


async def until_done(step: Callable[[datetime, int], Awaitable[int]], before: datetime) -> int:
    """Do a step a batch at a time, with a pause, until nothing is left; how many rows it was."""
    total = 0
    while done := await step(before, TIDY_BATCH):
        total += done
        await asyncio.sleep(TIDY_PAUSE)
    return total


async def follow(wakeups: Callable[[], AsyncIterator[None]], wake: Callable[[], None]) -> None:
    """Wake up whenever another process wrote something to send, until cancelled. Without it rows are found later."""
    failing = False
    while True:
        try:
            async for _ in wakeups():
                if failing:
                    log.info("wakeups.heard")
                failing = False
                wake()
        except StoreError as error:
            if not failing:
                log.warning("wakeups.lost", error=str(error))
            failing = True
        await asyncio.sleep(AGAIN_AFTER)
