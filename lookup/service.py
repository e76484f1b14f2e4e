"""Where are these dossiers? Cache, then sources; one flight per code; the last known answer when a source is down."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from lookup.batching import Batcher, Crowded
from lookup.ports import CachedAnswer, StatusCache
from lookup.reading import SourceReader
from lookup.routing import Route, Router
from lookup.telling import keep, tell, tell_kept, tell_last_known
from lookup.walking import Finding, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupSettings:
    """How long an answer may be told, and how the sources are asked; what each is given: lookup.limits.

    `fresh_for`: told without asking again; short, because a person who was just called to the desk asks at once.
    `not_found_for`: the same for a code no source knows; shorter, since a dossier may be registered this very minute.
    `stale_for`: still told, with its time, while the source is away: one working day.
    `hedge_after`: seconds of silence after which the next source that may know a code is asked as well.
    `largest_batch`: codes in one read, of a source that can bear so many.
    """

    fresh_for: timedelta = timedelta(seconds=60)
    not_found_for: timedelta = timedelta(seconds=15)
    stale_for: timedelta = timedelta(hours=24)
    hedge_after: float = 1.0
    largest_batch: int = 200

    def __post_init__(self) -> None:
        if min(self.fresh_for, self.not_found_for) < timedelta(0) or self.stale_for < self.fresh_for:
            raise ValueError("times are not negative, and stale_for is at least fresh_for")
        if self.hedge_after < 0 or self.largest_batch < 1:
            raise ValueError("hedge_after is not negative, largest_batch is at least 1")


def no_count(event: str, source: str) -> None:
    """Counts nothing."""


def no_time(source: str, seconds: float) -> None:
    """Measures nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Flight:
    """A read under way: its codes, and those dropped since it left."""

    codes: Sequence[DossierCode]
    outdated: set[DossierCode] = field(default_factory=set)


class LookupService:
    """The one look-up of all channels. Never raises for a source's sake.

    Changes may be announced by `drop` at any time: what a read brings that left before is told to its askers, who
    asked before, but is not kept, and nobody joins it any more.
    """

    def __init__(
        self,
        *,
        router: Router,
        cache: StatusCache,
        clock: Callable[[], datetime],
        settings: LookupSettings,
        count: Callable[[str, str], None] = no_count,
        timed: Callable[[str, float], None] = no_time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`count(event, source)` and `timed(source, seconds)`: see lookup.reading."""
        self._router = router
        self._cache = cache
        self._clock = clock
        self._settings = settings
        self._count = count
        self._readers = {
            source.name: SourceReader(
                source,
                limits=router.limits[source.name],
                largest=settings.largest_batch,
                clock=clock,
                monotonic=monotonic,
                count=count,
                timed=timed,
            )
            for source in router.sources
        }
        self._batchers: dict[Route, Batcher[DossierCode, DossierAnswer]] = {}
        self._underway: set[_Flight] = set()

    def paused(self) -> Collection[str]:
        """The names of the sources that are left alone for a while, having failed again and again."""
        return [name for name, reader in self._readers.items() if reader.paused]

    async def cached(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        """What can be told at once: fresh answers only; everything else is absent.

        Of `proving` what was found is told no longer than "not found" would be, so that neither the time an answer
        takes nor the reads it costs show whether there is a dossier.
        """
        return self._fresh(await self._cache.get(codes), proving)

    async def last_known(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        """For every code SOURCE_DOWN, with the last known dossier if there is one; asks the cache only."""
        known = await self._cache.get(codes)
        return {code: tell_last_known(code, known.get(code)) for code in codes}

    async def find(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        """An answer for every code; of `proving` every source is asked that may know them."""
        proving = frozenset(proving)
        answers = self._fresh(await self._cache.get(codes), proving)
        wanted: dict[Route, list[DossierCode]] = {}
        for code in [code for code in codes if code not in answers] if answers else codes:
            route = self._router.route(code, everyone=bool(proving) and code in proving)
            wanted.setdefault(route, []).append(code)
        reads = [self._asked(route, asked) for route, asked in wanted.items()]
        for read in await asyncio.gather(*reads) if len(reads) > 1 else [await read for read in reads]:
            answers.update(read)
        return answers

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        """These changed: forget what we know of them."""
        for flight in self._underway:
            flight.outdated.update(codes)
        for batcher in self._batchers.values():
            batcher.forget(codes)
        for reader in self._readers.values():
            reader.forget(codes)
        await self._cache.drop(codes)

    async def clear(self) -> None:
        """Anything may have changed: forget all that only this process keeps."""
        for flight in self._underway:
            flight.outdated.update(flight.codes)
        for batcher in self._batchers.values():
            batcher.forget_all()
        for reader in self._readers.values():
            reader.forget_all()
        await self._cache.clear()

    async def close(self) -> None:
        """Cancel the reads under way."""
        for batcher in self._batchers.values():
            await batcher.close()
        for reader in self._readers.values():
            await reader.close()

    def _fresh(
        self, known: Mapping[DossierCode, CachedAnswer], proving: Collection[DossierCode]
    ) -> dict[DossierCode, DossierAnswer]:
        now = self._clock()
        proving = frozenset(proving)
        return {
            code: tell_kept(kept)
            for code, kept in known.items()
            if kept.fresh(now) and (code not in proving or now < kept.read_at + self._settings.not_found_for)
        }

    async def _asked(self, route: Route, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        try:
            return await self._batcher(route).get(codes)
        except Crowded:  # counted: who waited until his turn would have been told the same by then
            for source in route.sources:
                self._count("skipped", source.name)
            return await self.last_known(codes)

    def _batcher(self, route: Route) -> Batcher[DossierCode, DossierAnswer]:
        """Made with the first code on its way; what a source can bear is its reader's business.

        Nobody waits for codes of a second read. Reads of one source wait for each other, so that few of them keep what
        they brought together; one more than it bears, so that nobody waits behind the one that tries whether it is back. Where several sources are asked none
        waits: it may be silent for longer than the next codes need.
        """
        batcher = self._batchers.get(route)
        if batcher is None:
            names = [source.name for source in route.sources]
            in_flight = self._router.limits[names[0]].in_flight + 1 if len(names) == 1 else sys.maxsize
            largest = min([self._settings.largest_batch, *(source.largest_read for source in route.sources)])
            batcher = Batcher(partial(self._read, route), in_flight=in_flight, largest=largest)
            self._batchers[route] = batcher
        return batcher

    async def _read(
        self, route: Route, codes: Sequence[DossierCode]
    ) -> AsyncGenerator[Mapping[DossierCode, DossierAnswer], None]:
        """One flight: ask the route's sources, keep what they said."""
        flight = _Flight(codes)
        self._underway.add(flight)
        found = walk(route, codes, self._readers, hedge_after=self._settings.hedge_after, asked_at=self._clock())
        try:
            async with aclosing(found):
                async for findings in found:
                    yield await self._answers(findings, flight, everyone=route.everyone)
        finally:
            self._underway.discard(flight)

    async def _answers(
        self, findings: Sequence[Finding], flight: _Flight, *, everyone: bool
    ) -> dict[DossierCode, DossierAnswer]:
        settings = self._settings
        fresh_for = settings.not_found_for if everyone else settings.fresh_for  # found is kept like not found
        partly = [finding.code for finding in findings if finding.unheard]
        known = await self._cache.get(partly) if partly else {}
        answers: dict[DossierCode, DossierAnswer] = {}
        kept: list[CachedAnswer] = []
        for finding in findings:
            last = known.get(finding.code) if known else None
            answers[finding.code] = answer = tell(finding, last, everyone=everyone)
            if answer.outcome is not Outcome.SOURCE_DOWN:
                kept.append(
                    keep(
                        answer,
                        finding.as_of,
                        partly=bool(finding.unheard),
                        fresh_for=fresh_for,
                        not_found_for=settings.not_found_for,
                        stale_for=settings.stale_for,
                    )
                )
        await self._keep(kept, flight.outdated)
        return answers

    async def _keep(self, kept: Sequence[CachedAnswer], outdated: set[DossierCode]) -> None:
        still = [each for each in kept if each.code not in outdated] if outdated else kept
        if still:
            await self._cache.put(still)
        if outdated:
            await self._cache.drop(list(outdated))  # it may have been kept just before it was dropped
