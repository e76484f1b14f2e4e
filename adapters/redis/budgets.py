"""Budgets shared by every gateway: sliding windows in Redis, by the clock of its server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from adapters.redis.budget_scripts import REFUND, SPEND, Script
from adapters.redis.client import SharedRedis
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from domain.questions import Left

VERSION = "2"  # of what the scripts store
EXACT = 64  # spends a window remembers one by one; a merged one is at most a 64th of the window too strict
MEMBERS = 256  # members one key remembers; beyond, the oldest is forgotten and costs a unit again
IN_FLIGHT = 2
LARGEST = 500  # asks of several callers that travel together
LEFT = msgspec.msgpack.Decoder(list[Left])
VERDICTS = {ord("a"): Verdict.ALLOWED, ord("f"): Verdict.FIRST_REFUSAL, ord("r"): Verdict.REFUSED}


_Spent = tuple[Sequence[Verdict], Sequence[Left | None]]


class _Caller(NamedTuple):
    """One call of `spend` that waits for the next round trip; `told`: the places of which it hears what is left."""

    asks: Sequence[BudgetAsk]
    told: Sequence[int]
    spent: asyncio.Future[_Spent]


class RedisBudgets:
    """Implements conversation.ports.Budgets. A batch is one script and one round trip; calls that come while two are
    under way share the next. All keys share a slot by their tag.

    With Redis away the process's own budgets decide, each limit divided by `stricter`. So in any window everybody gets
    at most the limit, and once more its part per gateway. A refund goes where budgets are kept at that moment: wherever
    it lands, no more is given back in all than was spent. A spend of unknown outcome counts in both.
    """

    def __init__(
        self,
        redis: SharedRedis,
        own: Budgets,
        *,
        stricter: int = 2,
        prefix: str = "tracuu:",
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`own` stands in while Redis is away. `clock` is in seconds; None is the server's, one for all gateways."""
        if stricter < 1:
            raise ValueError("stricter is at least 1")
        self._redis = redis
        self._own = own
        self._stricter = stricter
        self._prefix = f"{prefix}{{budgets}}:{VERSION}:"
        self._clock = clock
        self._divided: dict[tuple[Limit, ...], tuple[Limit, ...]] = {}
        self._waiting: list[_Caller] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._called = False  # a take-off is due at the end of this loop turn

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        verdicts, _ = await self.spend_and_tell(asks, ())
        return verdicts

    async def spend_and_tell(self, asks: Sequence[BudgetAsk], told: Sequence[int]) -> _Spent:
        if not asks:
            return [], []
        loop = asyncio.get_running_loop()
        caller = _Caller(asks, told, loop.create_future())
        self._waiting.append(caller)
        if not self._called and len(self._flights) < IN_FLIGHT:
            self._called = True
            loop.call_soon(self._take_off)
        return await caller.spent

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        limited = [ask for ask in asks if ask.limits and ask.units and not ask.member]
        if limited and await self._run(REFUND, limited) is None:
            await self._own.refund([self._divide(ask) for ask in limited])

    async def close(self) -> None:
        """Cancel the round trips under way and due, and with them their callers."""
        waiting, self._waiting = self._waiting, []
        for caller in waiting:
            caller.spent.cancel()
        flights = list(self._flights)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _take_off(self) -> None:
        self._called = False
        while self._waiting and len(self._flights) < IN_FLIGHT:
            flight = asyncio.get_running_loop().create_task(self._fly(self._next_callers()))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _next_callers(self) -> list[_Caller]:
        """Those who wait, in order, up to LARGEST asks; a single call is never cut."""
        size = taken = 0
        for caller in self._waiting:
            size += len(caller.asks)
            if taken and size > LARGEST:
                break
            taken += 1
        callers, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return callers

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._take_off()

    async def _fly(self, callers: Sequence[_Caller]) -> None:
        asks: list[BudgetAsk] = []
        told: list[int] = []
        for caller in callers:
            told += [len(asks) + place for place in caller.told]
            asks += caller.asks
        try:
            verdicts, left = await self._decide(asks, told)
        except asyncio.CancelledError:
            for caller in callers:
                caller.spent.cancel()
            raise
        except Exception as failure:  # noqa: BLE001 - it is raised again where it was asked
            for caller in callers:
                if not caller.spent.done():
                    caller.spent.set_exception(failure)
            return
        verdict, rest = iter(verdicts), iter(left)
        for caller in callers:
            spent = list(islice(verdict, len(caller.asks))), list(islice(rest, len(caller.told)))
            if not caller.spent.done():
                caller.spent.set_result(spent)

    async def _decide(self, asks: Sequence[BudgetAsk], told: Sequence[int]) -> _Spent:
        if not any(ask.limits for ask in asks):
            return [Verdict.ALLOWED] * len(asks), [None] * len(told)
        limited = [place for place in told if asks[place].limits]
        answer = await self._run(SPEND, asks, limited)
        if answer is None:
            return await self._own.spend_and_tell([self._divide(ask) for ask in asks], told)
        size = len(asks)
        left = dict(zip(limited, LEFT.decode(answer[size:]), strict=True)) if limited else {}
        return [VERDICTS[each] for each in answer[:size]], [left.get(place) for place in told]

    async def _run(self, script: Script, asks: Sequence[BudgetAsk], told: Sequence[int] = ()) -> bytes | None:
        """What the script says, or None when Redis is away."""
        keys = [self._prefix + ask.key for ask in asks]
        arguments = [*self._arguments(asks), msgspec.msgpack.encode([place + 1 for place in told])]
        return await self._redis.ask(lambda client: script.run(client, keys, arguments), None)

    def _arguments(self, asks: Sequence[BudgetAsk]) -> list[Any]:
        places: dict[tuple[Limit, ...], int] = {}
        packed = [
            (places.setdefault(limits, len(places) + 1), units, _short(member) if member else "", needs)
            for _, limits, member, units, needs in asks
        ]
        rules = [[(limit.count, limit.seconds) for limit in sorted(limits, key=_seconds)] for limits in places]
        moment = "" if self._clock is None else repr(self._clock())
        return [moment, msgspec.msgpack.encode(rules), msgspec.msgpack.encode(packed), EXACT, MEMBERS]

    def _divide(self, ask: BudgetAsk) -> BudgetAsk:
        """The same ask under the stricter limits; one that allows anything still allows one."""
        limits = self._divided.get(ask.limits)
        if limits is None:
            limits = tuple(
                Limit(max(limit.count // self._stricter, min(limit.count, 1)), limit.seconds) for limit in ask.limits
            )
            self._divided[ask.limits] = limits
        return ask._replace(limits=limits)


def _seconds(limit: Limit) -> float:
    return limit.seconds


def _short(member: str) -> str:
    """A member in sixteen signs: nobody finds another that stands for it."""
    return hashlib.blake2b(member.encode(), digest_size=8).hexdigest()
