"""What waits to be looked at for one reason (a feed, looks, what was heard), and whether together it is a mass change.

What a feed gave is kept here until it is recorded, and the feed is not asked again before: it may remember what it gave.

A feed with more to give than a page is looked ahead of before anything of it is recorded, so that a re-import of a
hundred thousand rows does not tell its first thousands of people. Nobody is told of a mass change but of
- what changed in the window before, in steps too small to show what was coming (at most the bound itself),
- the first LARGEST_AHEAD codes of a source so large that its bound lies beyond them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from domain.codes import DossierCode
from domain.errors import GatewayError
from notifications.looking import Batch, LookingAt

LARGEST_AHEAD = 200_000  # codes kept in memory, some 50 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What a reason gives at once; `more`: there is more behind it."""

    batches: Sequence[Batch] = ()
    more: bool = False


@dataclass(slots=True, kw_only=True)
class Backlog:
    """Batches in the order they are to be recorded."""

    looking: LookingAt
    fill: Callable[[], Awaitable[Filling]]
    _batches: deque[Batch] = field(default_factory=deque)
    _more: bool = False
    _judged: bool = False
    _mass: bool = False
    _tries: int = 0  # of the first batch, in vain

    async def step(self) -> bool:
        """Look at the next batch; True: there is another one at once. A step that failed is done again; one that met a
        bug, in halves, until the dossier that brings it out stands alone and is put off.

        Raises:
            SourceUnavailable, SourceMisread: the feed or the source did not answer.
            StoreUnavailable, StoreUncertain: nothing is recorded, as far as is known.
        """
        if not self._batches:
            await self._fill()
        if not self._batches:
            return self._more
        try:
            if not self._judged:
                self._mass = await self._is_mass()
                self._judged = True
            await self.looking.look(self._batches[0], tries=self._tries, mass=self._mass)
        except GatewayError:
            self._tries += 1
            raise
        except Exception:
            self._halve()
            raise
        self._tries = 0
        self._batches.popleft()
        if not self._batches:
            self._judged = self._mass = False
        return bool(self._batches) or self._more

    @property
    def waiting(self) -> int:
        """Codes that wait here."""
        return sum(len(batch.codes) for batch in self._batches)

    def _halve(self) -> None:
        """The cursor goes with the last part: until then the feed would begin anew."""
        batch = self._batches.popleft()
        middle = len(batch.codes) // 2
        parts = [replace(batch, codes=codes) for codes in (batch.codes[:middle], batch.codes[middle:])]
        if not middle:
            parts = [replace(batch, put_off=True)]
        self._batches.extendleft(reversed([replace(parts[0], cursor=None), parts[1]] if middle else parts))
        self._tries = 0

    async def _fill(self) -> None:
        filling = await self.fill()
        self._batches.extend(filling.batches)
        self._more = filling.more

    async def _is_mass(self) -> bool:
        if not self._worth_judging():
            return False
        guard, now = self.looking.guard, self.looking.clock()
        first = self._batches[0]
        changed = await self.looking.changed(first.codes, tries=self._tries)
        if not guard.worth_looking_ahead(len(changed), len(first.codes)):
            return False
        tracked = await self.looking.notices.tracked(self.looking.source.name)
        await self._gather(guard.most(tracked))
        if not self._more and not guard.exceeded(guard.with_these(self._all_codes(), now), tracked):
            return False  # even if all of them changed
        return await self._counted(tracked)

    def _worth_judging(self) -> bool:
        several = self._more or len(self._batches) > 1
        return several and not self._batches[0].baseline and not self.looking.holding

    async def _gather(self, codes: int) -> None:
        """Ask on until it is known whether there are more codes than these: that costs little, nothing is read yet."""
        while self._more and self.waiting <= min(codes, LARGEST_AHEAD):
            await self._fill()

    async def _counted(self, tracked: int) -> bool:
        """Read on and compare, recording nothing, for as long as it looks like a mass change."""
        guard, now = self.looking.guard, self.looking.clock()
        changed: set[DossierCode] = set()
        compared = index = 0
        while True:
            if index == len(self._batches):
                if not self._more or self.waiting >= LARGEST_AHEAD:
                    return False
                await self._fill()
                continue
            codes = self._batches[index].codes
            index += 1
            changed.update(await self.looking.changed(codes, tries=self._tries))
            compared += len(codes)
            if guard.exceeded(guard.with_these(changed, now), tracked):
                return True
            if not guard.worth_looking_ahead(len(changed), compared):
                return False

    def _all_codes(self) -> set[DossierCode]:
        return {code for batch in self._batches for code in batch.codes}
