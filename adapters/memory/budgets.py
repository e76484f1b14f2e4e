"""Budgets in this process: sliding windows whose memory is bounded in every direction, and never by forgetting a spend.

Three things would grow with traffic, and all give way on the strict side. A window that holds many spends merges
neighbours, which then count until the later one is too old. When there are more keys than fit, further ones share a
budget with others: those of one scheme among themselves, and neighbours first, so that a flood of web addresses takes
nothing from telephone numbers, and one from a single block little from anybody else. A member that does not fit among
those remembered costs a unit each time.
"""

from __future__ import annotations

import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from itertools import takewhile

from conversation.ports import BudgetAsk, Limit, Verdict
from domain.questions import Left

EXACT = 64  # spends a window remembers one by one; a merged one is at most a 64th of the window too strict
SHARED = 1024  # budgets that are shared, per purpose and scheme, by keys that do not fit
MEMBERS = 256  # members one key remembers; beyond, the oldest is forgotten
MEMBERS_PER_KEY = 4  # members all keys together remember, for each key that fits (about 100 bytes each)
_ALLOWED, _REFUSED = Verdict.ALLOWED, Verdict.REFUSED
_NEVER = float("-inf")
_Accounts = OrderedDict[str, "_Account"]


class _Window:
    """The spends of one key under one limit: [moment, how many], oldest first."""

    __slots__ = ("most", "refused_at", "seconds", "spends", "step", "total")

    def __init__(self, limit: Limit) -> None:
        self.most = limit.count
        self.seconds = limit.seconds
        self.step = limit.seconds / EXACT
        self.spends: list[list[float]] = []
        self.total = 0
        self.refused_at: float | None = None  # when its first refusal was answered

    def exceeded(self, now: float) -> bool:
        spends, since = self.spends, now - self.seconds
        while spends and spends[0][0] <= since:
            self.total -= int(spends.pop(0)[1])
        return self.total >= self.most

    def spend(self, now: float) -> None:
        spends = self.spends
        self.total += 1
        if len(spends) >= EXACT and now - spends[-2][0] < self.step:
            last = spends[-1]
            last[0] = now
            last[1] += 1
        else:
            spends.append([now, 1])

    def refund(self) -> None:
        """Take back the latest unit, if it has not expired."""
        if not self.spends:
            return
        self.total -= 1
        self.spends[-1][1] -= 1
        if not self.spends[-1][1]:
            self.spends.pop()

    def left(self, now: float) -> Left:
        """What may still be spent, and when the oldest spend is forgotten."""
        self.exceeded(now)
        resets = self.spends[0][0] + self.seconds - now if self.spends else 0.0
        return Left(self.most, self.seconds, max(0, self.most - self.total), resets)

    def refuse(self, now: float) -> Verdict:
        if self.refused_at is not None and now - self.refused_at < self.seconds:
            return Verdict.REFUSED
        self.refused_at = now
        return Verdict.FIRST_REFUSAL


class _Account:
    """The budget of one key: its windows, shortest first, and its members with when each was counted, oldest first.

    `scheme`: whose room it takes. `shared`: by several keys.
    """

    __slots__ = ("members", "scheme", "shared", "used_at", "windows")

    def __init__(self, limits: Sequence[Limit], scheme: str, *, shared: bool) -> None:
        self.windows = tuple(_Window(limit) for limit in sorted(limits, key=_seconds))
        self.members: dict[str, float] = {}
        self.scheme = scheme
        self.shared = shared
        self.used_at = 0.0

    def refusing(self, now: float) -> _Window | None:
        """The longest window that is spent: it has the word."""
        refusing = None
        for window in self.windows:
            if window.exceeded(now):
                refusing = window
        return refusing

    def counted(self, member: str, now: float) -> bool:
        """Whether this member is counted already, in the longest window."""
        return self.members.get(member, _NEVER) > now - self.windows[-1].seconds

    def forget_members(self, since: float) -> int:
        """Drop those counted at `since` or before; gives how many."""
        members = self.members
        expired = list(takewhile(lambda member: members[member] <= since, members))
        for member in expired:
            del members[member]
        return len(expired)


class MemoryBudgets:
    """Implements conversation.ports.Budgets. A key always comes with the same limits: they are settings."""

    def __init__(self, clock: Callable[[], float], *, keys: int = 50_000) -> None:
        """`clock` is monotonic, in seconds; `keys` is how many of each scheme have a budget of their own (about 1 kB
        each, and 100 bytes for each member).
        """
        if keys < 1:
            raise ValueError("keys is at least 1")
        self._clock = clock
        self._keys = keys
        self._size = 0
        self._sizes: Counter[str] = Counter()  # by scheme
        self._members = 0  # of all keys
        # By longest window, then in the order of their last use: the first of each is the first to expire.
        self._accounts: dict[float, _Accounts] = {}

    def __len__(self) -> int:
        return self._size

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        """As the port says. What is nearly always asked is answered in the loop itself, the hottest code of a cached
        question: one limit, and a key from which nothing was spent yet, or whose budget is not spent.
        """
        now = self._clock()
        self._forget_expired(now)
        verdicts: list[Verdict] = []
        say, by_seconds, roomy = verdicts.append, self._accounts, self._size < self._keys
        for ask in asks:
            key, limits, member, units, needs = ask
            if needs and verdicts[-needs] is not _ALLOWED:
                say(_REFUSED)
            elif len(limits) != 1 or (accounts := by_seconds.get(limits[0].seconds)) is None:
                say(self._spend(ask, now))
            elif (account := accounts.get(key)) is None:
                say(_ALLOWED if roomy and not units and limits[0].count else self._spend(ask, now))
            elif member and account.members.get(member, _NEVER) > now - limits[0].seconds:
                say(_ALLOWED)
            elif (window := account.windows[0]).exceeded(now):
                say(self._refuse(account, window, key, now))
            else:
                if units:
                    window.spend(now)
                    account.used_at = now
                    accounts.move_to_end(key)
                    if member:
                        self._remember(account, ask, now)
                say(_ALLOWED)
        return verdicts

    async def spend_and_tell(
        self, asks: Sequence[BudgetAsk], told: Sequence[int]
    ) -> tuple[Sequence[Verdict], Sequence[Left | None]]:
        verdicts = await self.spend(asks)
        now = self._clock()
        return verdicts, [self._left(asks[place], now) for place in told]

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        for ask in asks:
            if ask.limits and ask.units and not ask.member:
                accounts = self._accounts.get(_longest(ask.limits)) or OrderedDict()
                account = accounts.get(ask.key) or accounts.get(_shared_key(ask.key))
                for window in account.windows if account else ():
                    window.refund()

    def _spend(self, ask: BudgetAsk, now: float) -> Verdict:
        """Any ask, when what it needs is allowed."""
        if not ask.limits:
            return Verdict.ALLOWED
        key, account = self._account(ask)
        if account is None or (ask.member and account.counted(_member(account, ask), now)):
            return Verdict.ALLOWED
        refusing = account.refusing(now)
        if refusing is not None:
            return self._refuse(account, refusing, key, now)
        if ask.units:
            for window in account.windows:
                window.spend(now)
            if ask.member:
                self._remember(account, ask, now)
            self._use(account, key, now)
        return Verdict.ALLOWED

    def _left(self, ask: BudgetAsk, now: float) -> Left | None:
        if not ask.limits:
            return None
        accounts = self._accounts.get(_longest(ask.limits))
        account = None if accounts is None else accounts.get(ask.key)
        if account is None:  # shared, or nothing was spent
            _, account = self._account(ask._replace(units=0))
        if account is None:
            return min((Left(limit.count, limit.seconds, limit.count, 0.0) for limit in ask.limits), key=_nearest)
        if len(account.windows) == 1:
            return account.windows[0].left(now)
        return min((window.left(now) for window in account.windows), key=_nearest)

    def _refuse(self, account: _Account, window: _Window, key: str, now: float) -> Verdict:
        self._use(account, key, now)
        return window.refuse(now)

    def _use(self, account: _Account, key: str, now: float) -> None:
        """Something was written: it is kept for its longest window from now on."""
        account.used_at = now
        self._accounts[account.windows[-1].seconds].move_to_end(key)

    def _account(self, ask: BudgetAsk) -> tuple[str, _Account | None]:
        """The budget of a key and its name; none for one that is only asked about and from which nothing was spent."""
        seconds, key = _longest(ask.limits), ask.key
        accounts = self._accounts.get(seconds)
        if accounts is None:
            accounts = self._accounts[seconds] = OrderedDict()
        account = accounts.get(key)
        shared = account is None and self._sizes[scheme_of(key)] >= self._keys
        if shared:
            key = _shared_key(key)
            account = accounts.get(key)
        if account is None and (ask.units or not all(limit.count for limit in ask.limits)):
            account = accounts[key] = _Account(ask.limits, scheme_of(ask.key), shared=shared)
            self._size += 1
            self._sizes[account.scheme] += 1
        return key, account

    def _remember(self, account: _Account, ask: BudgetAsk, now: float) -> None:
        members = account.members
        self._members -= account.forget_members(now - account.windows[-1].seconds)
        if self._members >= self._keys * MEMBERS_PER_KEY:
            return
        if len(members) >= MEMBERS:
            del members[next(iter(members))]
        else:
            self._members += 1
        members[_member(account, ask)] = now

    def _forget_expired(self, now: float) -> None:
        for seconds, accounts in self._accounts.items():
            while accounts:
                key, account = next(iter(accounts.items()))
                if now - account.used_at < seconds:
                    break
                del accounts[key]
                self._size -= 1
                self._sizes[account.scheme] -= 1
                self._members -= len(account.members)


def scheme_of(key: str) -> str:
    """The scheme of whose key it is: "sms" of `reply:sms:8491234|84912345678`; empty for what is nobody's."""
    _, _, whose = key.partition(":")
    scheme, colon, _ = whose.partition(":")
    return scheme if colon else ""


def _seconds(limit: Limit) -> float:
    return limit.seconds


def _nearest(left: Left) -> tuple[int, float]:
    """The window that ends first; of two the longer."""
    return left.left, -left.window_s


def _longest(limits: Sequence[Limit]) -> float:
    return limits[0].seconds if len(limits) == 1 else max(limit.seconds for limit in limits)


def _shared_key(key: str) -> str:
    """One of SHARED keys for the same purpose and scheme, the same for all neighbours; no address can spell it."""
    purpose, _, _ = key.partition(":")
    neighbours, _, _ = key.partition("|")
    return f"{purpose}:{scheme_of(key)}\0{zlib.crc32(neighbours.encode()) % SHARED}"


def _member(account: _Account, ask: BudgetAsk) -> str:
    """A member of this key and no other: a budget may be shared."""
    return f"{ask.key}\0{ask.member}" if account.shared else ask.member
