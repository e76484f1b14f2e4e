"""Two caches as one: a near one in this process before a far one shared with others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from domain.codes import DossierCode
from lookup.batching import Batcher, at_once
from lookup.ports import CachedAnswer, StatusCache


class TwoLevelCache:
    """Implements StatusCache over two others. Only what `first` does not hold fresh is asked of `second`, in batches.

    What another process forgot stays fresh in ours for as long as a source's answer may be told at all
    (LookupSettings.fresh_for), never longer.
    """

    def __init__(self, first: StatusCache, second: StatusCache, clock: Callable[[], datetime]) -> None:
        self._first = first
        self._second = second
        self._clock = clock
        self._far: Batcher[DossierCode, CachedAnswer] = Batcher(at_once(second.get))
        self._cleared = 0  # times

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        near = await self._first.get(codes)
        now = self._clock()
        wanted = [code for code in codes if (kept := near.get(code)) is None or not kept.fresh(now)]
        if not wanted:
            return near
        cleared = self._cleared
        far = await self._far.get(wanted)
        newer = {
            code: answer
            for code, answer in far.items()
            if (kept := near.get(code)) is None or kept.read_at < answer.read_at
        }
        if not newer:
            return near
        if cleared == self._cleared:
            await self._first.put(list(newer.values()))
        return {**near, **newer}

    async def put(self, answers: Sequence[CachedAnswer]) -> None:
        await self._first.put(answers)
        await self._second.put(answers)

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        self._far.forget(codes)
        await self._first.drop(codes)
        await self._second.drop(codes)
        await self._first.drop(codes)  # a far read that left before may have landed meanwhile

    async def clear(self) -> None:
        self._cleared += 1  # a far read that left before is told, and not kept
        self._far.forget_all()
        await self._first.clear()
        await self._second.clear()

    async def close(self) -> None:
        """Cancel the far reads under way."""
        await self._far.close()
