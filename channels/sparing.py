"""Log lines about what anybody may cause, so few that a flood of it does not fill a disk. Counters count every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

LINES_A_MINUTE: Final = 3  # of one account and action, or reason
_MINUTE: Final = 60.0  # seconds


@dataclass(slots=True, kw_only=True)
class _Minute:
    """What was written in the minute that began with its first line."""

    since: float
    written: int = 0
    left_out: int = 0  # since the last line that was written


class Sparing:
    """Says whether a line may be written. clock: seconds on any scale that never goes back."""

    __slots__ = ("_clock", "_minutes")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._minutes: dict[str, _Minute] = {}  # as many as there are actions, or reasons, in the source

    def left_out(self, what: str) -> int | None:
        """How many lines about it were not written since the last that was; None: this one is not, either."""
        now = self._clock()
        minute = self._minutes.setdefault(what, _Minute(since=now))
        if now - minute.since >= _MINUTE:
            minute.since, minute.written = now, 0
        if minute.written == LINES_A_MINUTE:
            minute.left_out += 1
            return None
        minute.written += 1
        left_out, minute.left_out = minute.left_out, 0
        return left_out


class SparingLog:
    """A logger that writes at most three lines a minute of each action; the next one written says `left_out`, how many
    there were in between. What is bound from it shares its count: one for an account, over all its connections.
    """

    __slots__ = ("_sparing", "_through")

    def __init__(self, through: FilteringBoundLogger, sparing: Sparing) -> None:
        self._through = through
        self._sparing = sparing

    def bind(self, **ids: object) -> SparingLog:
        """The same log with `ids` in each of its lines."""
        return SparingLog(self._through.bind(**ids), self._sparing)

    def info(self, action: str, **what: object) -> None:
        self._spare(self._through.info, action, what)

    def warning(self, action: str, **what: object) -> None:
        self._spare(self._through.warning, action, what)

    def error(self, action: str, **what: object) -> None:
        self._spare(self._through.error, action, what)

    def _spare(self, write: Callable[..., Any], action: str, what: dict[str, object]) -> None:
        left_out = self._sparing.left_out(action)
        if left_out is None:
            return
        if left_out:
            what["left_out"] = left_out
        write(action, **what)
