"""How fast we may send, and how long we wait before we call again (pure: the time is passed in)."""

from __future__ import annotations

import math
from dataclasses import dataclass

BURST_SECONDS = 0.02  # a bucket holds so much of its rate: smooth, yet no timer for every PDU


class TokenBucket:
    """A smooth rate: `rate` PDUs a second, never more than a fiftieth of a second's worth (or one) at once.

    It starts full and never saves up, so that an idle second is not followed by a burst an operator would punish.
    A rate of 0 or less has no limit. What costs several tokens leaves with the first of them and owes the others.
    """

    __slots__ = ("_capacity", "_filled_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._capacity = max(1.0, rate * BURST_SECONDS)
        self._tokens = self._capacity
        self._filled_at = now

    def tokens(self, now: float) -> float:
        """What may leave now; below one, nothing."""
        if self._rate <= 0:
            return math.inf
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return self._tokens

    def spend(self, count: int) -> None:
        """So many left."""
        self._tokens -= count

    def wait(self) -> float:
        """Seconds from the last look until another token is there."""
        return max(0.0, (1.0 - self._tokens) / self._rate) if self._rate > 0 else 0.0

    def change(self, rate: float, now: float) -> None:
        """From now on so fast; what came in until now came at the rate that was."""
        if rate == self._rate:
            return
        left = self.tokens(now)
        self._rate = rate
        self._capacity = max(1.0, rate * BURST_SECONDS)
        self._tokens = min(self._capacity, left)
        self._filled_at = now


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """Delays between attempts: doubled each time up to a cap, spread over their upper half so that many do not return
    at once.
    """

    first: float  # seconds
    cap: float

    def delay(self, attempt: int, spread: float) -> float:
        """Seconds before attempt number `attempt` (0: the first one after a failure); `spread` is in [0, 1)."""
        doubled = self.first * 2.0 ** min(attempt, 32)  # 2**32 is past any cap, and the exponent stays small
        return min(self.cap, doubled) * (0.5 + spread / 2)
