"""Budgets in this process: sliding windows whose memory is bounded in every direction, and never by forgetting a spend.

Two things would grow with traffic, and both give way on the strict side. A window that holds many spends merges
neighbours, which then count until the later one is too old. When there are more keys than fit, further ones share a
budget with others.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from conversation.ports import BudgetAsk, Limit, Verdict

EXACT = 64  # spends a window remembers one by one; a merged one is at most a 64th of the window too strict
SHARED = 1024  # budgets that are shared, per purpose, by keys that do not fit


class _Window:
    """The spends of one key under one limit: [moment, how many], oldest first."""

    __slots__ = ("limit", "refused_at", "spends", "total")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.spends: list[list[float]] = []
        self.total = 0
        self.refused_at: float | None = None  # when its first refusal was answered

    def exceeded(self, now: float) -> bool:
        spends, since = self.spends, now - self.limit.seconds
        while spends and spends[0][0] <= since:
            self.total -= int(spends.pop(0)[1])
        return self.total >= self.limit.count

    def spend(self, now: float) -> None:
        self.total += 1
        if len(self.spends) >= EXACT and now - self.spends[-2][0] < self.limit.seconds / EXACT:
            self.spends[-1][0] = now
            self.spends[-1][1] += 1
        else:
            self.spends.append([now, 1])

    def refund(self) -> None:
        """Take back the latest unit, if it has not expired."""
        if not self.spends:
            return
        self.total -= 1
        self.spends[-1][1] -= 1
        if not self.spends[-1][1]:
            self.spends.pop()

    def refuse(self, now: float) -> Verdict:
        if self.refused_at is not None and now - self.refused_at < self.limit.seconds:
            return Verdict.REFUSED
        self.refused_at = now
        return Verdict.FIRST_REFUSAL


_Account = tuple[_Window, ...]  # shortest window first


class MemoryBudgets:
    """Implements conversation.ports.Budgets. A key always comes with the same limits: they are settings."""

    def __init__(self, clock: Callable[[], float], *, keys: int = 50_000) -> None:
        """`clock` is monotonic, in seconds; `keys` is how many have a budget of their own (about 1 kB each)."""
        if keys < 1:
            raise ValueError("keys is at least 1")
        self._clock = clock
        self._keys = keys
        self._size = 0
        # By longest window, then in the order of their last use: the first of each is the first to expire.
        self._accounts: dict[float, OrderedDict[str, tuple[float, _Account]]] = {}

    def __len__(self) -> int:
        return self._size

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        now = self._clock()
        self._forget_expired(now)
        return [self._spend(ask, now) for ask in asks]

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        for ask in asks:
            if ask.limits:
                accounts = self._accounts.get(_longest(ask)) or OrderedDict()
                found = accounts.get(ask.key) or accounts.get(_shared_key(ask.key))
                for window in found[1] if found else ():
                    window.refund()

    def _spend(self, ask: BudgetAsk, now: float) -> Verdict:
        if not ask.limits:
            return Verdict.ALLOWED
        account = self._account(ask, now)
        exceeded = [window for window in account if window.exceeded(now)]
        if exceeded:
            return exceeded[-1].refuse(now)
        for window in account:
            window.spend(now)
        return Verdict.ALLOWED

    def _account(self, ask: BudgetAsk, now: float) -> _Account:
        accounts = self._accounts.setdefault(_longest(ask), OrderedDict())
        key = ask.key
        if key not in accounts and self._size >= self._keys:
            key = _shared_key(key)
        found = accounts.get(key)
        if found is None:
            self._size += 1
            account = tuple(_Window(limit) for limit in sorted(ask.limits, key=_seconds))
        else:
            account = found[1]
        accounts[key] = (now, account)
        accounts.move_to_end(key)
        return account

    def _forget_expired(self, now: float) -> None:
        for seconds, accounts in self._accounts.items():
            while accounts:
                key, (used_at, _) = next(iter(accounts.items()))
                if now - used_at < seconds:
                    break
                del accounts[key]
                self._size -= 1


def _seconds(limit: Limit) -> float:
    return limit.seconds


def _longest(ask: BudgetAsk) -> float:
    return max(limit.seconds for limit in ask.limits)


def _shared_key(key: str) -> str:
    """One of SHARED keys for the same purpose; no address can spell it."""
    purpose, _, _ = key.partition(":")
    return f"{purpose}\0{zlib.crc32(key.encode()) % SHARED}"
