"""Many askers, few reads: whatever is asked while reads are under way is read together by the next one.

A read leaves at the end of the loop turn in which it was asked for, as long as fewer than `in_flight` are under way;
otherwise the keys wait and leave together when one lands. No timer: an idle batcher adds one loop turn, a busy one
never makes a read smaller than it has to be. What a read knows early it may hand out early: nobody waits for the rest.
What nobody waits for any more when its turn comes is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from domain.errors import SourceUnavailable

MOST_WAITING = 20_000  # keys; whoever comes then would be told "try later" before his turn comes anyway
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def at_once(
    read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
) -> Callable[[Sequence[K]], AsyncIterator[Mapping[K, V]]]:
    """The read of a Batcher, of one that knows everything at the same time."""

    async def parts(keys: Sequence[K]) -> AsyncIterator[Mapping[K, V]]:
        yield await read(keys)

    return parts


class Crowded(SourceUnavailable):
    """So many wait that there is no use in waiting."""


class _Asker(Generic[K, V]):
    """One call of `get`: one future, however many keys it waits for."""

    __slots__ = ("future", "missing", "values")

    def __init__(self, future: asyncio.Future[None], missing: int) -> None:
        self.future = future
        self.missing = missing
        self.values: dict[K, V] = {}

    def land(self, key: K, value: V) -> None:
        self.values[key] = value
        self.go_without()

    def go_without(self) -> None:
        """One key less to wait for."""
        self.missing -= 1
        if not self.missing and not self.future.done():
            self.future.set_result(None)

    def fail(self, failure: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(failure)


class Batcher(Generic[K, V]):
    """Collects keys and reads them with `read`, which answers for the keys it knows, in one part or in several.

    One flight per key: whoever asks for a key that is already on its way joins that flight. A flight belongs to nobody,
    so an asker who is cancelled takes nothing away from the others.
    """

    def __init__(
        self,
        read: Callable[[Sequence[K]], AsyncIterator[Mapping[K, V]]],
        *,
        in_flight: int = 2,
        largest: int = 200,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """At most `in_flight` reads at a time, of at most `largest` keys each; while `most_waiting` keys wait for a
        read, no others are taken. A key is answered with the first part that holds it, and as unknown when the read
        ends without.
        """
        if min(in_flight, largest, most_waiting) < 1:
            raise ValueError("in_flight, largest and most_waiting are at least 1")
        self._read = read
        self._in_flight = in_flight
        self._largest = largest
        self._most_waiting = most_waiting
        self._askers: dict[K, list[_Asker[K, V]]] = {}  # keys that can be joined: waiting or on their way
        self._waiting: dict[K, list[_Asker[K, V]]] = {}  # the same lists, of keys that have not left yet
        self._flights: set[asyncio.Task[None]] = set()
        self._called = False  # a take-off is due at the end of this loop turn

    async def get(self, keys: Iterable[K]) -> dict[K, V]:
        """What the read knows of these; other keys are absent.

        Raises:
            Crowded: too many keys wait already.
            Exception: whatever the read of one of these keys raised.
        """
        distinct = dict.fromkeys(keys)
        if not distinct:
            return {}
        if len(self._waiting) >= self._most_waiting and any(key not in self._askers for key in distinct):
            raise Crowded(f"{len(self._waiting)} wait already")
        loop = asyncio.get_running_loop()
        asker: _Asker[K, V] = _Asker(loop.create_future(), len(distinct))
        for key in distinct:
            self._join(key, asker)
        if self._waiting and not self._called and len(self._flights) < self._in_flight:
            self._called = True
            loop.call_soon(self._take_off)
        await asker.future
        return asker.values

    def forget(self, keys: Iterable[K]) -> None:
        """Do not let anybody join a read of these that has already left: what it brings may be out of date."""
        for key in keys:
            if key not in self._waiting:
                self._askers.pop(key, None)

    def forget_all(self) -> None:
        """The same for every key."""
        self.forget(list(self._askers))

    async def close(self) -> None:
        """Cancel the reads under way, and with them their askers; what waits leaves behind them and is cancelled too."""
        while self._flights:
            flights = list(self._flights)
            for flight in flights:
                flight.cancel()
            await asyncio.gather(*flights, return_exceptions=True)

    def _join(self, key: K, asker: _Asker[K, V]) -> None:
        askers = self._askers.get(key)
        if askers is None:
            self._askers[key] = self._waiting[key] = [asker]
        else:
            askers.append(asker)

    def _take_off(self) -> None:
        self._called = False
        while self._waiting and len(self._flights) < self._in_flight:
            batch = self._next_batch()
            if not batch:
                return
            flight = asyncio.get_running_loop().create_task(self._fly(batch))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _next_batch(self) -> dict[K, list[_Asker[K, V]]]:
        """The keys whose turn it is; those that everybody gave up before are dropped."""
        batch: dict[K, list[_Asker[K, V]]] = {}
        given_up: list[K] = []
        for key, askers in self._waiting.items():
            if len(batch) == self._largest:
                break
            if askers[0].future.done() and all(asker.future.done() for asker in askers):
                given_up.append(key)
            else:
                batch[key] = askers
        for key in given_up:
            del self._askers[key], self._waiting[key]
        if len(batch) == len(self._waiting):
            self._waiting = {}
        else:
            for key in batch:
                del self._waiting[key]
        return batch

    async def _fly(self, batch: dict[K, list[_Asker[K, V]]]) -> None:
        try:
            async for values in self._read(list(batch)):
                for key, value in values.items():
                    for asker in self._close(batch, key):
                        asker.land(key, value)
        except asyncio.CancelledError:
            for asker in self._rest(batch):
                asker.future.cancel()
            raise
        except Exception as failure:  # noqa: BLE001 - it is raised again where the keys were asked for
            for asker in self._rest(batch):
                asker.fail(failure)
        else:
            for asker in self._rest(batch):
                asker.go_without()

    def _rest(self, batch: dict[K, list[_Asker[K, V]]]) -> list[_Asker[K, V]]:
        """Everybody who still waits for a key of the flight; nobody joins it any more."""
        return [asker for key in list(batch) for asker in self._close(batch, key)]

    def _close(self, batch: dict[K, list[_Asker[K, V]]], key: K) -> list[_Asker[K, V]]:
        """Everybody who waits for the key."""
        askers = batch.pop(key, [])
        if self._askers.get(key) is askers:
            del self._askers[key]
        return askers

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._take_off()
