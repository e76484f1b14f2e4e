"""Where a claim begins to look: above what was claimed last, as long as more is known to wait there.

What was claimed leaves dead entries at the front of the index for as long as some old transaction could still see
them, and every claim would walk over them again: 16,000 instead of 36,000 rows a second in 300,000.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

LONGEST = 30.0  # seconds a floor is kept: a row written late with an early id waits no longer than this


class Floors:
    """One floor an account, in the priority that was not exhausted; those before it are looked through anew.

    Replies (priority 0) have none: they must not wait, and few of them ever wait in the outbox.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._floors: dict[str, tuple[int, int, float]] = {}  # priority, id, until

    def above(self, account: str, priority: int) -> int:
        """The id above which rows of this priority are looked for."""
        kept = self._floors.get(account)
        if kept is None or kept[0] != priority or self._monotonic() > kept[2]:
            return 0
        return kept[1]

    def claimed(self, account: str, rows: Sequence[tuple[int, int]], *, full: bool) -> None:
        """These (priority, id) were claimed; `full`: as many as were wanted, so that more may wait."""
        priority, identifier = max(rows, default=(0, 0))
        if not full or priority == 0:
            self._floors.pop(account, None)
            return
        kept = self._floors.get(account)
        standing = kept is not None and kept[0] == priority and self._monotonic() <= kept[2]
        until = kept[2] if kept is not None and standing else self._monotonic() + LONGEST
        self._floors[account] = (priority, identifier, until)

    def forget(self) -> None:
        """Rows became free again, perhaps below."""
        self._floors.clear()
