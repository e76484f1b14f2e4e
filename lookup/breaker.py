"""Leaves a one-stop system alone for a while that did not answer several times in a row (a circuit breaker)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from domain.errors import SourceUnavailable

log = structlog.get_logger()


class Breaker:
    """Closed: reads pass. Open, after `failures` of them in a row went unanswered: none passes for `pause` seconds, then
    one at a time, until one is answered. Only SourceUnavailable is a failure; a wrong answer came in time.
    """

    def __init__(self, source: str, *, failures: int, pause: float, monotonic: Callable[[], float]) -> None:
        """`source` is the name in the log."""
        self._source = source
        self._most = failures
        self._pause = pause
        self._monotonic = monotonic
        self._failures = 0  # in a row
        self._opened_at: float | None = None
        self._probing = False  # the one read is under way

    def refuses(self) -> bool:
        """No read may pass now."""
        if self._opened_at is None:
            return False
        return self._probing or self._monotonic() < self._opened_at + self._pause

    @contextmanager
    def guard(self, *, again: bool = False) -> Iterator[None]:
        """Around one read, its retries included; a read that is cancelled says nothing. Nor does, as long as reads pass,
        one that asks `again` for the one code that went unanswered before: it may be that record's own trouble.

        Raises:
            SourceUnavailable: no read may pass now.
        """
        if self.refuses():
            raise SourceUnavailable(f"{self._source}: left alone after {self._failures} reads without an answer")
        probe = self._probing = self._opened_at is not None
        try:
            yield
        except SourceUnavailable:
            if probe or not again:
                self._failed()
            raise
        except Exception:
            self._answered()
            raise
        else:
            self._answered()
        finally:
            if probe:
                self._probing = False

    def _failed(self) -> None:
        self._failures += 1
        if self._failures < self._most:
            return
        if self._opened_at is None:
            log.error("source.breaker_opened", source=self._source, failures=self._failures, pause=self._pause)
        self._opened_at = self._monotonic()

    def _answered(self) -> None:
        self._failures = 0
        if self._opened_at is not None:
            self._opened_at = None
            log.info("source.breaker_closed", source=self._source)
