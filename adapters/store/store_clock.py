"""The database's clock as a process knows it: what it last said, and the time since then by the monotonic clock.

A process whose own clock is set forward or back is not fooled, and all processes on one database agree to within a
round trip.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class StoreClock:
    """Corrected by every answer that says the time, no more than it must be: the estimate does not jitter."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset: float | None = None  # milliseconds of the store at the monotonic zero

    def start(self) -> float:
        """Before asking; to be given to `told`."""
        return self._monotonic() * 1000

    def told(self, milliseconds: int, asked_at: float) -> None:
        """The store said this between `asked_at` and now."""
        lowest, highest = milliseconds - self._monotonic() * 1000, milliseconds - asked_at
        known = self._offset
        self._offset = (lowest + highest) / 2 if known is None else min(max(known, lowest), highest)

    def now_ms(self) -> int:
        """Epoch milliseconds.

        Raises:
            RuntimeError: the store was not asked yet.
        """
        if self._offset is None:
            raise RuntimeError("the store was not asked for the time yet")
        return round(self._offset + self._monotonic() * 1000)
