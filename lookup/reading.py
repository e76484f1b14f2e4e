"""One one-stop system as the look-up asks it: many askers in few reads, a time limit, the retries, the breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceError, SourceIncomplete, SourceMisread, SourceUnavailable
from lookup.batching import Batcher, Crowded, at_once
from lookup.breaker import Breaker
from lookup.limits import SourceLimits
from lookup.ports import DossierSource
from lookup.retry import call_with_retries

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heard:
    """What a source said of one code, None if it does not know it; `as_of`: not earlier than what it told."""

    dossier: Dossier | None
    as_of: datetime


class SourceReader:
    """Reads one source, over all routes never more at once than its limits allow. An outage is logged when it begins and
    when it ends, and counted each time.

    `count(event, source)` is told "answered", "incomplete", "unavailable" or "misread" for every read, and "skipped" for
    one that the breaker did not let pass or that too many would wait for; `timed(source, seconds)` how long every
    attempt took.
    """

    def __init__(
        self,
        source: DossierSource,
        *,
        limits: SourceLimits,
        largest: int,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        count: Callable[[str, str], None],
        timed: Callable[[str, float], None],
    ) -> None:
        """`largest`: codes in one read, as far as the source can bear so many."""
        self._source = source
        self._limits = limits
        self._clock = clock
        self._monotonic = monotonic
        self._count = count
        self._timed = timed
        self._breaker = Breaker(
            source.name, failures=limits.breaker_failures, pause=limits.breaker_pause, monotonic=monotonic
        )
        self._batcher: Batcher[DossierCode, Heard] = Batcher(
            at_once(self._read), in_flight=limits.in_flight, largest=min(largest, source.largest_read)
        )
        self._unanswered: Sequence[DossierCode] = ()  # of the last read that failed
        self._trouble = ""  # what was last said of it in the log; empty: it answers

    @property
    def paused(self) -> bool:
        """It failed so often that it is left alone for a while."""
        return self._breaker.refuses()

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Heard]:
        """What the source says of each of these; those are absent that could not be read while others could.

        Raises:
            SourceUnavailable: it did not answer within the limits, is left alone for a while, or too many wait for it.
            SourceMisread: it answered something that cannot be understood, or its adapter failed.
        """
        if self._breaker.refuses():  # not even behind a read that tries whether it is back
            raise self._skipped()
        try:
            return await self._batcher.get(codes)
        except Crowded:
            self._count("skipped", self._source.name)
            raise

    def forget(self, codes: Sequence[DossierCode]) -> None:
        """Do not let anybody join a read of these that has already left."""
        self._batcher.forget(codes)

    def forget_all(self) -> None:
        """The same for every code."""
        self._batcher.forget_all()

    async def close(self) -> None:
        """Cancel the reads under way."""
        await self._batcher.close()

    async def _read(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Heard]:
        if self._breaker.refuses():  # it was not yet when these were asked for
            raise self._skipped()
        as_of = self._clock()  # taken before the read: what it brings is at least this recent
        try:
            with self._breaker.guard(again=len(codes) == 1 and codes == self._unanswered):
                found = await call_with_retries(partial(self._once, codes), self._limits.retry)
        except SourceIncomplete as part:
            self._note("incomplete", part)
            return {code: Heard(part.found.get(code), as_of) for code in codes if code not in part.failed}
        except SourceError as failure:
            self._unanswered = codes
            self._note("misread" if isinstance(failure, SourceMisread) else "unavailable", failure)
            raise
        except Exception as failure:
            # An adapter's own fault: the citizen is told "try later" all the same, the operator gets the whole story.
            log.exception("source.adapter_failed", source=self._source.name)
            self._count("misread", self._source.name)
            raise SourceMisread(f"{self._source.name}: {type(failure).__name__}") from failure
        self._note("answered", None)
        return {code: Heard(found.get(code), as_of) for code in codes}

    async def _once(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        limit = self._limits.time_limit
        started = self._monotonic()
        try:
            async with asyncio.timeout(limit):
                return await self._source.find(codes)
        except TimeoutError as late:
            raise SourceUnavailable(f"{self._source.name}: no answer within {limit:g} s") from late
        finally:
            self._timed(self._source.name, self._monotonic() - started)

    def _skipped(self) -> SourceUnavailable:
        self._count("skipped", self._source.name)
        return SourceUnavailable(f"{self._source.name} is left alone for a while")

    def _note(self, event: str, failure: SourceError | None) -> None:
        self._count(event, self._source.name)
        trouble = "" if failure is None else event
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if failure is None:
            log.info("source.back", source=self._source.name)
        else:
            action = f"source.{event}"
            log.error(action, source=self._source.name, error=str(failure))
