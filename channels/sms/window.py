"""Requests written and not yet answered, by sequence number; and the numbers themselves."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Generic, TypeVar

LARGEST_SEQUENCE = 0x7FFFFFFF  # SMPP 3.4 §5.1.4; 0 belongs to generic_nack alone

T = TypeVar("T")


class SequenceNumbers:
    """1 to 0x7FFFFFFF and round again, never a number that still waits for its answer."""

    __slots__ = ("_last",)

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def next(self, in_flight: Container[int]) -> int:
        """The next free number; `in_flight` must be smaller than the space of numbers, which a window always is."""
        number = self._last
        while True:
            number = number + 1 if number < LARGEST_SEQUENCE else 1
            if number not in in_flight:
                self._last = number
                return number


class Window(Generic[T]):
    """What waits for an answer, oldest first.

    Every entry gets the same time, so the oldest is always the first to be overdue: the sweep looks at what it takes
    and at one entry more, however many wait.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, T]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, sequence: object) -> bool:
        return sequence in self._waiting

    def add(self, sequence: int, waiter: T, now: float) -> None:
        """`waiter` waits for the answer to `sequence` since `now` (the loop's clock)."""
        self._waiting[sequence] = (now, waiter)

    def take(self, sequence: int) -> T | None:
        """Who waited for this answer, or None: it is late, or nobody asked."""
        entry = self._waiting.pop(sequence, None)
        return entry[1] if entry is not None else None

    def overdue(self, since: float) -> Iterator[T]:
        """Take out, oldest first, whoever has waited since `since` or longer."""
        while self._waiting:
            sequence, (asked, waiter) = next(iter(self._waiting.items()))
            if asked > since:
                return
            del self._waiting[sequence]
            yield waiter

    def empty(self) -> list[T]:
        """Take everybody out: the link is gone."""
        waiters = [waiter for _, waiter in self._waiting.values()]
        self._waiting.clear()
        return waiters


class Questions:
    """What we asked of the link itself (bind, enquire_link, unbind) and is not yet answered."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[int, tuple[float, str]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, sequence: object) -> bool:
        return sequence in self._open

    def ask(self, sequence: int, what: str, by: float) -> None:
        """`what` was asked under `sequence` and must be answered `by` then (the loop's clock)."""
        self._open[sequence] = (by, what)

    def settle(self, sequence: int, what: str | None = None) -> str | None:
        """What is answered by this, no longer open; None if nothing is, or something other than `what`."""
        question = self._open.get(sequence)
        if question is None or what not in {None, question[1]}:
            return None
        del self._open[sequence]
        return question[1]

    def overdue(self, now: float) -> str | None:
        """A question that should have been answered by now."""
        return next((what for by, what in self._open.values() if by <= now), None)
