"""One one-stop system as the look-up asks it: never more reads at once than it can bear, a time limit, the retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceError, SourceMisread, SourceUnavailable
from lookup.ports import DossierSource
from lookup.retry import RetryPolicy, call_with_retries

log = structlog.get_logger()


class SourceReader:
    """Reads one source. An outage is logged when it begins and when it ends, and counted each time.

    `count(event, source)` is told "answered", "unavailable" or "misread" for every read.
    """

    def __init__(
        self,
        source: DossierSource,
        *,
        in_flight: int,
        time_limit: float,
        retry: RetryPolicy,
        count: Callable[[str, str], None],
    ) -> None:
        """`time_limit` is for one attempt, in seconds."""
        self._source = source
        self._slots = asyncio.Semaphore(in_flight)
        self._time_limit = time_limit
        self._retry = retry
        self._count = count
        self._trouble = ""  # what was last said of it in the log; empty: it answers

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        """What the source knows of these.

        Raises:
            SourceUnavailable: it did not answer within the limits.
            SourceMisread: it answered something that cannot be understood, or its adapter failed.
        """
        try:
            async with self._slots:
                found = await call_with_retries(partial(self._once, codes), self._retry)
        except SourceError as failure:
            self._note("misread" if isinstance(failure, SourceMisread) else "unavailable", failure)
            raise
        except Exception as failure:
            # An adapter's own fault: the citizen is told "try later" all the same, the operator gets the whole story.
            log.exception("source.adapter_failed", source=self._source.name)
            self._count("misread", self._source.name)
            raise SourceMisread(f"{self._source.name}: {type(failure).__name__}") from failure
        self._note("answered", None)
        return found

    async def _once(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        try:
            async with asyncio.timeout(self._time_limit):
                return await self._source.find(codes)
        except TimeoutError as late:
            raise SourceUnavailable(f"{self._source.name}: no answer within {self._time_limit:g} s") from late

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
