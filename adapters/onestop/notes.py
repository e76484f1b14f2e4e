"""What a source held that could not be understood: counted each time, logged once."""

from __future__ import annotations

from collections.abc import Callable

import structlog

MOST = 100  # values that are logged; all are counted

Count = Callable[[str, str], None]

log = structlog.get_logger()


def no_count(event: str, source: str) -> None:
    """Counts nothing."""


class Notes:
    """Of one source. Called with an event, one of the log actions without "source.", and the value it is about."""

    def __init__(self, source: str, count: Count) -> None:
        self._source = source
        self._count = count
        self._noted: set[tuple[str, str]] = set()

    def __call__(self, event: str, value: str) -> None:
        self._count(event, self._source)
        if (event, value) not in self._noted and len(self._noted) < MOST:
            self._noted.add((event, value))
            action = f"source.{event}"
            log.warning(action, source=self._source, value=value)
