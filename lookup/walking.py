"""Asks the sources of a route, tier after tier; a source that keeps silent holds up neither the next tier nor a code
that another one knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceError
from lookup.merging import merge
from lookup.ports import DossierSource
from lookup.reading import Heard, SourceReader
from lookup.routing import Route

Said = Mapping[DossierCode, Heard] | None
"""What a source said of each code; absent: that one could not be read. None: the source is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the sources know of one code, not earlier than at `as_of`. `unheard`: the names of those that were asked and
    are down, were silent for too long or could not read this code; while there are any, "not found" cannot be said.
    """

    code: DossierCode
    dossier: Dossier | None
    as_of: datetime
    unheard: tuple[str, ...] = ()


class Hearing:
    """What was said so far of some codes, and which of them that decides (pure)."""

    def __init__(self, route: Route, codes: Sequence[DossierCode], asked_at: datetime) -> None:
        self.open = list(codes)  # not decided yet
        self._tiers = route.tiers
        self._asked_at = asked_at
        self._said: dict[str, Said] = {}
        self._asked = 0  # tiers
        self._overdue = 0  # tiers that are not waited for any more where another source knows the code

    @property
    def waits(self) -> bool:
        """The tier asked last has sources that are silent and not overdue."""
        return self._asked > self._overdue and not self._heard(self._tiers[self._asked - 1])

    def next_tier(self) -> tuple[DossierSource, ...]:
        """The sources to be asked now for all that is open; none while a tier is waited for, nor after the last."""
        if self.waits or self._asked == len(self._tiers):
            return ()
        self._asked += 1
        return self._tiers[self._asked - 1]

    def hear(self, source: str, said: Said) -> None:
        self._said[source] = said

    def wait_no_longer(self) -> None:
        """The tier asked last was silent for long enough."""
        self._overdue = self._asked

    def decided(self) -> list[Finding]:
        """What can be told now and was not before."""
        findings = [finding for code in self.open if (finding := self._decide(code)) is not None]
        if len(findings) == len(self.open):  # as nearly always
            self.open = []
        elif findings:
            told = {finding.code for finding in findings}
            self.open = [code for code in self.open if code not in told]
        return findings

    def _decide(self, code: DossierCode) -> Finding | None:
        """The first tier that knows the code tells it; nobody does only when the last source was heard or is down."""
        unheard: list[str] = []
        times: list[datetime] = []
        for number, tier in enumerate(self._tiers[: self._asked]):
            if number >= self._overdue and not self._heard(tier):
                return None
            found: list[Dossier] = []
            for source in tier:
                said = self._said.get(source.name)
                heard = None if said is None else said.get(code)
                if heard is None:
                    unheard.append(source.name)
                    continue
                times.append(heard.as_of)
                if heard.dossier is not None:
                    found.append(heard.dossier)
            if found:
                return Finding(code=code, dossier=merge(found), as_of=min(times), unheard=tuple(unheard))
        if self._asked < len(self._tiers) or not all(name in self._said for name in unheard):
            return None
        return Finding(code=code, dossier=None, as_of=min(times, default=self._asked_at), unheard=tuple(unheard))

    def _heard(self, tier: Sequence[DossierSource]) -> bool:
        return all(source.name in self._said for source in tier)


async def walk(
    route: Route,
    codes: Sequence[DossierCode],
    readers: Mapping[str, SourceReader],
    *,
    hedge_after: float,
    asked_at: datetime,
) -> AsyncGenerator[Sequence[Finding], None]:
    """A finding for every code, each as soon as there is one.

    A tier that is silent for `hedge_after` seconds is waited for no longer: the next one is asked too, and whichever
    knows a code first tells it. On a route that asks everyone all are waited for, so that the time does not depend on
    what one of them knows.
    """
    hearing = Hearing(route, codes, asked_at)
    if len(route.sources) <= 1:
        for source in hearing.next_tier():
            hearing.hear(source.name, await _said(readers[source.name], codes))
        yield hearing.decided()
        return
    loop = asyncio.get_running_loop()
    reads: dict[asyncio.Task[Said], str] = {}
    deadline = loop.time()
    try:
        while hearing.open:
            if tier := hearing.next_tier():
                asked = {loop.create_task(_said(readers[each.name], hearing.open)): each.name for each in tier}
                reads.update(asked)
                deadline = loop.time() + hedge_after
            hedged = hearing.waits and not route.everyone
            timeout = max(0.0, deadline - loop.time()) if hedged else None
            done, _ = await asyncio.wait(reads, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                hearing.wait_no_longer()
            for read in done:
                hearing.hear(reads.pop(read), read.result())
            yield hearing.decided()
    finally:
        for read in reads:
            read.cancel()  # the source's own read goes on, for whoever joined it


async def _said(reader: SourceReader, codes: Sequence[DossierCode]) -> Said:
    try:
        return await reader.find(codes)
    except SourceError:  # logged and counted by the reader
        return None
