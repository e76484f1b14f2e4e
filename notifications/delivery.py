"""What is done every few seconds for notices that are already written: the next channel, followings that are over, the
figures an operator watches, and a hold's notices given back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from notifications.ports import Notices, Outbox
from notifications.routing import Routing

log = structlog.get_logger()

FALL_BACK_PAGE = 100
END_PAGE = 500
MOST_PAGES = 100  # in one tick; the rest is done in the next
CLOSE_PAGE = 500


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One process at a time does this, by lease; doing it twice does no harm.

    `routing`: by which account a telephone number is reached that somebody joined to a chat.
    `deferred`: rows that wait, by (account, reason); `held`: notices that wait for an operator, by source.
    """

    notices: Notices
    outbox: Outbox
    clock: Callable[[], datetime]
    new_id: Callable[[], int]
    keep_closed: timedelta
    routing: Routing = field(default_factory=Routing)
    deferred: Mapping[tuple[str, str], int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)

    async def tick(self) -> None:
        """Do everything once.

        Raises:
            StoreUnavailable, StoreUncertain: the rest waits for the next time.
        """
        await self._fall_back()
        await self._end_followings()
        self.deferred = await self.outbox.deferred()
        held: Counter[str] = Counter()
        for hold in await self.notices.holds():
            held[hold.source] += hold.waiting
        self.held = held

    async def _fall_back(self) -> None:
        total = 0
        for _ in range(MOST_PAGES):
            new_ids = [self.new_id() for _ in range(FALL_BACK_PAGE)]
            done = await self.notices.fall_back(new_ids, self.routing.joined)
            total += done
            if done < FALL_BACK_PAGE:
                break
        if total:
            log.info("notices.fell_back", notices=total)

    async def _end_followings(self) -> None:
        before = self.clock() - self.keep_closed
        total = 0
        for _ in range(MOST_PAGES):
            done = await self.notices.end_followings(before, END_PAGE)
            total += done
            if not done:
                break
        if total:
            log.info("followings.ended", followings=total)


async def close_hold(
    notices: Notices, hold: int, *, release_at: datetime | None, on_progress: Callable[[int], None] = lambda _: None
) -> int:
    """Give all notices of a hold back, to leave from `release_at` on, or drop them (None). Gives how many;
    `on_progress` is told after each step how many are done.

    Raises:
        StoreUnavailable, StoreUncertain: some of them may be done; to be called again.
    """
    total = 0
    while done := await notices.close_hold(hold, release_at=release_at, limit=CLOSE_PAGE):
        total += done
        on_progress(total)
    return total
