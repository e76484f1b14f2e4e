"""How fast an account may send after its SMSC said it is too much (pure: the time is passed in).

Every such answer silences the account for a moment. The first one of a window also takes a share of its rate
(multiplicative decrease); the others of that window tell the same news. From the end of the silence the rate grows by
a fixed share of the agreed one each second (additive increase), so that it comes to rest just below what is let pass.
"""

from __future__ import annotations

from typing import Final

from channels.sms.account import SmppAccount
from channels.sms.pacing import TokenBucket

LEAST_RATE: Final = 1.0  # PDUs a second; so many are tried however often the SMSC refuses
LEAST_SHARE: Final = 1 / 64  # of the agreed rate: the same, for accounts that are fast


class Meter:
    """How many PDUs left in the last second: this second's, and of the one before the share that is not yet past."""

    __slots__ = ("_before", "_count", "_since")

    def __init__(self, now: float) -> None:
        self._before = self._count = 0
        self._since = now

    def add(self, count: int, now: float) -> None:
        self._turn(now)
        self._count += count

    def rate(self, now: float) -> float:
        self._turn(now)
        return self._count + self._before * (1.0 - (now - self._since))

    def _turn(self, now: float) -> None:
        passed = int(now - self._since)
        if passed:
            self._before = self._count if passed == 1 else 0
            self._count = 0
            self._since += passed


class Throttle:
    """The rate of one account over all its links: agreed, lowered by the SMSC's complaints, and won back.

    An account without a rate is slowed down from what it wrote in the second before the complaint, and has no limit
    again once it is back there. `era` counts the decreases: a complaint about what was written in an earlier one was
    on its way when we slowed down, and does not slow us down again.
    """

    __slots__ = ("_account", "_bucket", "_full", "_meter", "_paused_until", "_slow", "_won_since", "era")

    def __init__(self, account: SmppAccount, now: float) -> None:
        self.era = 0
        self._account = account
        self._bucket = TokenBucket(account.rate, now)
        self._meter = Meter(now) if account.rate <= 0 else None
        self._paused_until = now
        self._full = account.rate  # where the rate comes back to
        self._slow: float | None = None  # the rate when we were last told; None: it is the agreed one
        self._won_since = now

    def paused(self, now: float) -> bool:
        """Nothing may leave."""
        return now < self._paused_until

    def rate(self, now: float) -> float:
        """PDUs a second, pauses apart; 0: no limit."""
        if self._slow is None:
            return max(0.0, self._account.rate)
        won = self._account.throttle_recovery * self._full * max(0.0, now - self._won_since)
        return min(self._full, self._slow + won)

    def allowed(self, now: float) -> float:
        """How many PDUs may leave now; below one, none."""
        if now < self._paused_until:
            return 0.0
        if self._slow is not None:
            rate = self.rate(now)
            if rate >= self._full:
                self._slow, rate = None, self._account.rate
            self._bucket.change(rate, now)
        return self._bucket.tokens(now)

    def spend(self, count: int, now: float) -> None:
        """So many PDUs left."""
        self._bucket.spend(count)
        if self._meter is not None:
            self._meter.add(count, now)

    def wait(self, now: float) -> float:
        """Seconds until something may leave."""
        return max(self._paused_until - now, self._bucket.wait())

    def refused(self, era: int, now: float) -> bool:
        """The SMSC said it is too much, of something written in `era`; True: the rate is lower now."""
        before = self.rate(now)
        self._paused_until = self._won_since = now + self._account.throttle_pause
        if self._slow is not None:
            self._slow = before
        if era != self.era:
            return False
        self.era += 1
        if self._slow is None:
            before = self._full = self._account.rate if self._meter is None else max(LEAST_RATE, self._meter.rate(now))
        least = min(self._full, max(LEAST_RATE, self._full * LEAST_SHARE))
        self._slow = max(least, before * self._account.throttle_slowdown)
        self._bucket.change(self._slow, now)
        return self._slow < before
