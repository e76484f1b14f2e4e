"""Hears what a source tells by itself, again and again: a help, whose end ends nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from domain.errors import SourceError
from notifications.ports import Heard, LiveFeed

log = structlog.get_logger()

FIRST_PAUSE = 1.0  # seconds after something failed, doubled up to the longest
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Seconds before something that failed is tried again."""

    first: float = FIRST_PAUSE
    longest: float = LONGEST_PAUSE

    def after(self, failures: int) -> float:
        """Of which so many came before this one."""
        return min(self.first * 2.0 ** min(failures, 16), self.longest)


class Listener:
    """Without it changes are found by the polls. Its connection's end is told once, and so is its return."""

    def __init__(self, live: LiveFeed, source: str, pauses: Pauses, hear: Callable[[Heard], None]) -> None:
        """`source` is the name in the log."""
        self._live = live
        self._source = source
        self._pauses = pauses
        self._hear = hear
        self._failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            fault = await self._listen()
            if not self._failures:
                log.warning("watch.hears_nothing", source=self._source, feed=self._live.name, error=fault)
            await asyncio.sleep(self._pauses.after(self._failures))
            self._failures += 1

    async def _listen(self) -> str:
        """As long as the connection lasts; why it ended."""
        try:
            async with aclosing(self._live.listen()) as told:
                async for heard in told:
                    if self._failures:
                        log.info("watch.hears_again", source=self._source, feed=self._live.name)
                    self._failures = 0
                    self._hear(heard)
        except SourceError as gone:
            return str(gone)
        except Exception as bug:
            if not self._failures:
                log.exception("watch.listener_failed", source=self._source, feed=self._live.name)
            return type(bug).__name__
        return "it ended"
