"""Which rows of an overlap are looked at (pure): every change once at least, and few of them often.

A poll reads the last minutes again and again, because a row may be committed long after the moment it bears. What was
given already is given again only
- while another change may bear the very same moment (`resolution`), and
- for a last time when it leaves the overlap: whatever was committed meanwhile under that moment is seen then.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The moments of one round, by the source's clock: it reads from `since`, the next one from `then`; `now` is that of
    this page.
    """

    since: datetime
    then: datetime
    now: datetime


@dataclass(slots=True)
class Window:
    """What the last round read, and what this one has read so far: when each row was first seen. Bounded by the rows of
    one overlap.
    """

    resolution: timedelta
    _before: dict[Hashable, datetime] = field(default_factory=dict)
    _now: dict[Hashable, datetime] = field(default_factory=dict)

    def forget(self) -> None:
        """Nobody can tell what became of what was given."""
        self._before, self._now = {}, {}

    def is_due(self, key: Hashable, moment: datetime | None, span: Span) -> bool:
        """To be looked at? `key` is the row and the moment it bears; `moment` None: it cannot be read."""
        if moment is not None and moment < span.since:
            return False
        is_new = key not in self._before and key not in self._now
        first = self._before.get(key, span.now)
        self._now.setdefault(key, first)
        return is_new or span.now - first < self.resolution or (moment is not None and moment < span.then)

    def end_round(self) -> None:
        """Only what was read in this round is remembered."""
        self._before, self._now = self._now, {}
