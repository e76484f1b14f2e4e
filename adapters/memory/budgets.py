"""Budgets in this process: sliding windows whose memory is bounded in every direction, and never by forgetting a spend.

Three things would grow with traffic, and all give way on the strict side. A window that holds many spends merges
neighbours, which then count until the later one is too old. When there are more keys than fit, further ones share a
budget with others. A member that does not fit among those remembered costs a unit each time.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from conversation.ports import BudgetAsk, Limit, Verdict

EXACT = 64  # spends a window remembers one by one; a merged one is at most a 64th of the window too strict
SHARED = 1024  # budgets that are shared, per purpose, by keys that do not fit
MEMBERS = 256  # members one key remembers; beyond, the oldest is forgotten
MEMBERS_PER_KEY = 4  # members all keys together remember, for each key that fits (about 100 bytes each)


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


class _Account:
    """The budget of one key: its windows, shortest first, and its members with when each was counted, oldest first."""

    __slots__ = ("members", "used_at", "windows")

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.windows = tuple(_Window(limit) for limit in sorted(limits, key=_seconds))
        self.members: dict[str, float] = {}
        self.used_at = 0.0

    def forget_members(self, since: float) -> int:
        """Drop those counted at `since` or before; gives how many."""
        before = len(self.members)
        while self.members:
            oldest = next(iter(self.members))
            if self.members[oldest] > since:
                break
            del self.members[oldest]
        return before - len(self.members)


class MemoryBudgets:
    """Implements conversation.ports.Budgets. A key always comes with the same limits: they are settings."""

    def __init__(self, clock: Callable[[], float], *, keys: int = 50_000) -> None:
        """`clock` is monotonic, in seconds; `keys` is how many have a budget of their own (about 1 kB each, and 100
        bytes for each member).
        """
        if keys < 1:
            raise ValueError("keys is at least 1")
        self._clock = clock
        self._keys = keys
        self._size = 0
        self._members = 0  # of all keys
        # By longest window, then in the order of their last use: the first of each is the first to expire.
        self._accounts: dict[float, OrderedDict[str, _Account]] = {}

    def __len__(self) -> int:
        return self._size

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        now = self._clock()
        self._forget_expired(now)
        return [self._spend(ask, now) for ask in asks]

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        for ask in asks:
            if ask.limits and ask.units and not ask.member:
                accounts = self._accounts.get(_longest(ask)) or OrderedDict()
                account = accounts.get(ask.key) or accounts.get(_shared_key(ask.key))
                for window in account.windows if account else ():
                    window.refund()

    def _spend(self, ask: BudgetAsk, now: float) -> Verdict:
        if not ask.limits:
            return Verdict.ALLOWED
        account = self._account(ask, now)
        if account is None or (ask.member and self._counted(account, ask, now)):
            return Verdict.ALLOWED
        refusing = None
        for window in account.windows:
            if window.exceeded(now):
                refusing = window  # the longest has the word
        if refusing is not None:
            return refusing.refuse(now)
        if ask.units:
            for window in account.windows:
                window.spend(now)
            self._remember(account, ask, now)
        return Verdict.ALLOWED

    def _account(self, ask: BudgetAsk, now: float) -> _Account | None:
        """The budget of a key; None for one that is only asked about and from which nothing was spent."""
        seconds, key = _longest(ask), ask.key
        accounts = self._accounts.get(seconds)
        if accounts is None:
            accounts = self._accounts[seconds] = OrderedDict()
        account = accounts.get(key)
        if account is None and self._size >= self._keys:
            key = _shared_key(key)
            account = accounts.get(key)
        if account is None:
            if not ask.units and all(limit.count for limit in ask.limits):
                return None
            account = accounts[key] = _Account(ask.limits)
            self._size += 1
        account.used_at = now
        accounts.move_to_end(key)
        return account

    def _counted(self, account: _Account, ask: BudgetAsk, now: float) -> bool:
        """Whether this member is counted already, in the longest window."""
        self._members -= account.forget_members(now - _longest(ask))
        return _member(ask) in account.members

    def _remember(self, account: _Account, ask: BudgetAsk, now: float) -> None:
        if not ask.member or self._members >= self._keys * MEMBERS_PER_KEY:
            return
        if len(account.members) >= MEMBERS:
            self._members -= account.forget_members(next(iter(account.members.values())))
        before = len(account.members)
        account.members[_member(ask)] = now
        self._members += len(account.members) - before

    def _forget_expired(self, now: float) -> None:
        for seconds, accounts in self._accounts.items():
            while accounts:
                key, account = next(iter(accounts.items()))
                if now - account.used_at < seconds:
                    break
                del accounts[key]
                self._size -= 1
                self._members -= len(account.members)


def _seconds(limit: Limit) -> float:
    return limit.seconds


def _longest(ask: BudgetAsk) -> float:
    limits = ask.limits
    return limits[0].seconds if len(limits) == 1 else max(limit.seconds for limit in limits)


def _shared_key(key: str) -> str:
    """One of SHARED keys for the same purpose; no address can spell it."""
    purpose, _, _ = key.partition(":")
    return f"{purpose}\0{zlib.crc32(key.encode()) % SHARED}"


def _member(ask: BudgetAsk) -> str:
    """A member of this key and no other: a budget may be shared."""
    return f"{ask.key}\0{ask.member}"
