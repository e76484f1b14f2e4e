"""Identifiers of our own rows: 63-bit, rising with time, made by a process without asking the store.

42 bits of milliseconds since 2025-01-01 (139 years), 10 bits of process number, 11 bits of counter. The store hands
each process start the next number, so two live processes would have to be 1,024 starts apart to share one.
"""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
PROCESS_BITS = 10
COUNTER_BITS = 11


class IdSequence:
    """Rising ids for one process. A clock that steps back does not make them fall."""

    __slots__ = ("_last", "_process")

    def __init__(self, process_number: int) -> None:
        self._process = (process_number % (1 << PROCESS_BITS)) << COUNTER_BITS
        self._last = 0  # milliseconds << COUNTER_BITS | counter

    def next(self, now_ms: int) -> int:
        """The next id; `now_ms` is Unix time in milliseconds."""
        self._last = max((now_ms - EPOCH_MS) << COUNTER_BITS, self._last + 1)
        milliseconds, counter = divmod(self._last, 1 << COUNTER_BITS)
        return milliseconds << (PROCESS_BITS + COUNTER_BITS) | self._process | counter


def moment_of(identifier: int) -> datetime:
    """When an id was made, to the millisecond."""
    milliseconds = (identifier >> (PROCESS_BITS + COUNTER_BITS)) + EPOCH_MS
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
