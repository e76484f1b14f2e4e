"""The status cache in this process: a dictionary with expiry and a size cap, because no living library is as cheap."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from domain.codes import DossierCode
from lookup.ports import CachedAnswer


class MemoryStatusCache:
    """Implements lookup.ports.StatusCache. What was not asked for the longest goes first when it is full."""

    def __init__(self, clock: Callable[[], datetime], *, size: int = 50_000) -> None:
        """`size` is in answers; one takes about 1 kB."""
        if size < 1:
            raise ValueError("size is at least 1")
        self._clock = clock
        self._size = size
        self._answers: OrderedDict[DossierCode, CachedAnswer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        now = self._clock()
        usable: dict[DossierCode, CachedAnswer] = {}
        for code in codes:
            answer = self._answers.get(code)
            if answer is None:
                continue
            if now < answer.usable_until:
                usable[code] = answer
                self._answers.move_to_end(code)
            else:
                del self._answers[code]
        return usable

    async def put(self, answers: Sequence[CachedAnswer]) -> None:
        for answer in answers:
            self._answers[answer.code] = answer
            self._answers.move_to_end(answer.code)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        for code in codes:
            self._answers.pop(code, None)

    async def clear(self) -> None:
        self._answers.clear()
