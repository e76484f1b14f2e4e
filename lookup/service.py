"""Where are these dossiers? Cache, then source; one flight per code; the last known answer when the source is down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceError
from lookup.batching import Batcher
from lookup.ports import CachedAnswer, StatusCache
from lookup.reading import SourceReader
from lookup.retry import RetryPolicy
from lookup.routing import Route, Router


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupSettings:
    """How long an answer may be told, and what a source is given.

    `fresh_for`: told without asking again; short, because a person who was just called to the desk asks at once.
    `not_found_for`: the same for a code no source knows; shorter, since a dossier may be registered this very minute.
    `stale_for`: still told, with its time, while the source is away: one working day.
    `time_limit`: seconds for one attempt. With the retry policy a read ends within time_limit + retry.total seconds,
    so that two of them, one behind the other, end within the 20 s after which a person is told "try later".
    `in_flight`, `largest_batch`: reads at a time per source, codes per read.
    """

    fresh_for: timedelta = timedelta(seconds=60)
    not_found_for: timedelta = timedelta(seconds=15)
    stale_for: timedelta = timedelta(hours=24)
    time_limit: float = 5.0
    in_flight: int = 2
    largest_batch: int = 200
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if min(self.fresh_for, self.not_found_for) < timedelta(0) or self.stale_for < self.fresh_for:
            raise ValueError("times are not negative, and stale_for is at least fresh_for")
        if self.time_limit <= 0 or self.in_flight < 1 or self.largest_batch < 1:
            raise ValueError("time_limit is positive, in_flight and largest_batch are at least 1")


def no_count(event: str, source: str) -> None:
    """Counts nothing."""


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
    ) -> None:
        """`count(event, source)`: see lookup.reading."""
        self._router = router
        self._cache = cache
        self._clock = clock
        self._settings = settings
        self._readers = {
            source.name: SourceReader(
                source,
                in_flight=settings.in_flight,
                time_limit=settings.time_limit,
                retry=settings.retry,
                count=count,
            )
            for source in router.sources
        }
        self._batchers: dict[Route, Batcher[DossierCode, DossierAnswer]] = {
            route: Batcher(partial(self._read, route), in_flight=settings.in_flight, largest=settings.largest_batch)
            for route in router.routes
        }
        # Per read under way: its codes, and the codes dropped since it left.
        self._underway: list[tuple[Sequence[DossierCode], set[DossierCode]]] = []

    async def cached(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        """What can be told at once: fresh answers only; everything else is absent."""
        known = await self._cache.get(codes)
        now = self._clock()
        return {code: _tell(kept) for code, kept in known.items() if kept.fresh(now)}

    async def last_known(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        """For every code SOURCE_DOWN, with the last known dossier if there is one; asks the cache only."""
        known = await self._cache.get(codes)
        down = (DossierAnswer(code=code, outcome=Outcome.SOURCE_DOWN) for code in codes)
        return {answer.code: _or_last_known(answer, known.get(answer.code)) for answer in down}

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        """An answer for every code."""
        known = await self._cache.get(codes)
        now = self._clock()
        answers: dict[DossierCode, DossierAnswer] = {}
        wanted: dict[Route, list[DossierCode]] = {}
        for code in codes:
            kept = known.get(code)
            if kept is not None and kept.fresh(now):
                answers[code] = _tell(kept)
            else:
                wanted.setdefault(self._router.route(code), []).append(code)
        for read in await self._fetch(wanted):
            answers.update((code, _or_last_known(answer, known.get(code))) for code, answer in read.items())
        return answers

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        """These changed: forget what we know of them."""
        for _, outdated in self._underway:
            outdated.update(codes)
        for batcher in self._batchers.values():
            batcher.forget(codes)
        await self._cache.drop(codes)

    async def clear(self) -> None:
        """Anything may have changed: forget all that only this process keeps."""
        for codes, outdated in self._underway:
            outdated.update(codes)
        for batcher in self._batchers.values():
            batcher.forget_all()
        await self._cache.clear()

    async def close(self) -> None:
        """Cancel the reads under way."""
        for batcher in self._batchers.values():
            await batcher.close()

    async def _fetch(self, wanted: Mapping[Route, Sequence[DossierCode]]) -> Iterable[dict[DossierCode, DossierAnswer]]:
        reads = [self._batchers[route].get(codes) for route, codes in wanted.items()]
        return await asyncio.gather(*reads) if len(reads) > 1 else [await read for read in reads]

    async def _read(self, route: Route, codes: Sequence[DossierCode]) -> dict[DossierCode, DossierAnswer]:
        """One flight: ask the route's sources, keep what they said."""
        outdated: set[DossierCode] = set()
        self._underway.append((codes, outdated))
        try:
            as_of = self._clock()  # taken before the read: what it brings is at least this recent
            answers = await self._walk(route, codes, as_of)
            await self._keep([answer for answer in answers.values() if answer.code not in outdated], as_of)
            if outdated:
                await self._cache.drop(list(outdated))  # it may have been kept just before it was dropped
        finally:
            self._underway = [other for other in self._underway if other[1] is not outdated]
        return answers

    async def _walk(
        self, route: Route, codes: Sequence[DossierCode], as_of: datetime
    ) -> dict[DossierCode, DossierAnswer]:
        """The first source that knows a code answers for it; "not found" is said only when every one was heard."""
        remaining = list(codes)
        found: dict[DossierCode, Dossier] = {}
        missing = Outcome.NOT_FOUND
        for source in route.sources:
            try:
                read = await self._readers[source.name].find(remaining)
            except SourceError:  # logged and counted by the reader
                missing = Outcome.SOURCE_DOWN
                continue
            found.update((code, read[code]) for code in remaining if code in read)
            remaining = [code for code in remaining if code not in read]
            if not remaining:
                break
        return {code: _answer(code, found.get(code), missing, as_of) for code in codes}

    async def _keep(self, answers: Iterable[DossierAnswer], as_of: datetime) -> None:
        fresh_until = as_of + self._settings.fresh_for
        usable_until = as_of + self._settings.stale_for
        unknown_until = as_of + self._settings.not_found_for
        kept = [
            CachedAnswer(
                code=answer.code,
                dossier=answer.dossier,
                read_at=as_of,
                fresh_until=fresh_until if answer.dossier else unknown_until,
                usable_until=usable_until if answer.dossier else unknown_until,
            )
            for answer in answers
            if answer.outcome is not Outcome.SOURCE_DOWN
        ]
        if kept:
            await self._cache.put(kept)


def _answer(code: DossierCode, dossier: Dossier | None, missing: Outcome, as_of: datetime) -> DossierAnswer:
    if dossier is not None:
        return DossierAnswer(code=code, outcome=Outcome.FOUND, dossier=dossier, as_of=as_of)
    return DossierAnswer(code=code, outcome=missing, as_of=as_of if missing is Outcome.NOT_FOUND else None)


def _tell(kept: CachedAnswer) -> DossierAnswer:
    outcome = Outcome.NOT_FOUND if kept.dossier is None else Outcome.FOUND
    return DossierAnswer(code=kept.code, outcome=outcome, dossier=kept.dossier, as_of=kept.read_at)


def _or_last_known(answer: DossierAnswer, kept: CachedAnswer | None) -> DossierAnswer:
    """A source that is down is told with the last dossier it had, if we still know one."""
    if answer.outcome is not Outcome.SOURCE_DOWN or kept is None or kept.dossier is None:
        return answer
    return DossierAnswer(code=answer.code, outcome=Outcome.SOURCE_DOWN, dossier=kept.dossier, as_of=kept.read_at)
