"""Long polling: a question for updates is left open, and its successor acknowledges what is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from channels.base import Settlement
from channels.telegram.bot import TelegramBot
from channels.telegram.counters import TelegramCounters
from channels.telegram.taking import Taking
from channels.telegram.updates import ALLOWED

PAUSE_AFTER_REFUSAL = 1.0  # seconds before what was handed back is asked for again


class Polling:
    """One account's polls. The offset is the process's own: after a restart, what was not acknowledged comes again, and
    the journal knows it.
    """

    def __init__(
        self,
        bot: TelegramBot,
        taking: Taking,
        counters: TelegramCounters,
        *,
        timeout: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._bot = bot
        self._taking = taking
        self._counters = counters
        self._timeout = max(1, int(timeout))
        self._sleep = sleep
        self._offset = 0  # acknowledges all below it; 0: nothing

    async def once(self, *, wait: bool, on_answer: Callable[[], None]) -> None:
        """Ask once, hand in what comes, wait until all of it is settled. `wait`: for the first to come.

        Raises:
            TelegramError: the question was not answered; nothing is lost.
        """
        raws = await self._bot.raw_updates(self._offset, self._timeout if wait else 0, ALLOWED)
        self._offset = 0  # done its work; after a quiet week numbers begin anew, perhaps below it, and would be lost
        self._counters.polls += 1
        on_answer()
        if raws:
            await self.taken(raws)

    async def taken(self, raws: Sequence[Mapping[str, Any]]) -> None:
        """Move the offset past the updates that are durable, up to the first that is not."""
        settled = [await self._hand_in(raw) for raw in raws]
        for raw, settlement in zip(raws, await asyncio.gather(*settled), strict=True):
            if settlement is Settlement.REFUSED:
                await self._sleep(PAUSE_AFTER_REFUSAL)
                return
            self._offset = int(raw["update_id"]) + 1

    async def _hand_in(self, raw: Mapping[str, Any]) -> asyncio.Future[Settlement]:
        settled: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()

        def settle(settlement: Settlement) -> bool:
            if not settled.done():
                settled.set_result(settlement)
            return True

        await self._taking.take(raw, settle)
        return settled
