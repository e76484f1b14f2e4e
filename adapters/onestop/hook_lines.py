"""One log line for each call of the webhook, so few that a flood does not fill a disk. Counters count every one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

log = structlog.get_logger()

LINES_A_MINUTE: Final = 60  # of one source and one way to end
MINUTE_S: Final = 60.0

Later = Callable[[float, Callable[[], None]], object]


class Write(Protocol):
    def __call__(self, **more: int) -> None: ...


@dataclass(slots=True)
class _Minute:
    """What was written since the first line of this minute, and what was not."""

    since: float
    written: int = 0
    left_out: int = 0


def _on_the_loop(seconds: float, then: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, then)


class HookLines:
    """Writes at most sixty lines a minute of each (source, reason). What is left out is told in one line more, with
    their number as `left_out`, when that minute is over.

    clock: seconds on any scale that never goes back. later: calls something after so many seconds.
    """

    __slots__ = ("_clock", "_later", "_minutes")

    def __init__(self, clock: Callable[[], float] = time.monotonic, later: Later = _on_the_loop) -> None:
        self._clock = clock
        self._later = later
        self._minutes: dict[tuple[str, str], _Minute] = {}  # as many as there are sources and reasons

    def accepted(self, source: str, dossiers: int, unknown: int) -> None:
        def write(**more: int) -> None:
            log.info("hook.accepted", source=source, dossiers=dossiers, unknown=unknown, **more)

        def write_rest(**more: int) -> None:
            log.info("hook.accepted", source=source, **more)

        self._spare((source, ""), write, write_rest)

    def refused(self, source: str, reason: str) -> None:
        def write(**more: int) -> None:
            log.warning("hook.refused", source=source, reason=reason, **more)

        self._spare((source, reason), write, write)

    def _spare(self, key: tuple[str, str], write: Write, write_rest: Write) -> None:
        now = self._clock()
        minute = self._minutes.get(key)
        if minute is None or now - minute.since >= MINUTE_S:
            minute = self._minutes[key] = _Minute(since=now)
        if minute.written < LINES_A_MINUTE:
            minute.written += 1
            write()
            return
        if not minute.left_out:
            self._later(max(0.0, minute.since + MINUTE_S - now), lambda: self._end(key, minute, write_rest))
        minute.left_out += 1

    def _end(self, key: tuple[str, str], minute: _Minute, write_rest: Write) -> None:
        if self._minutes.get(key) is minute:
            del self._minutes[key]
        write_rest(left_out=minute.left_out)
