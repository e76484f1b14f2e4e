"""Too many dossiers changed at once: a migration or a re-import, of which nobody is told before an operator says so (pure).

Counted are distinct dossiers within a window, in this process's memory: a restart begins anew. What the count decides
holds for the notices that are still to be written; those written before it was reached leave. How few these are is the
watcher's doing: it looks ahead (notifications.backlog) before it writes.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.codes import DossierCode


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRules:
    """`share` of a source's dossiers may change within `window`, and `least` of them in any case."""

    share: float
    least: int
    window: timedelta

    def most(self, tracked: int) -> int:
        """How many changes are still no mass change."""
        return max(self.least, int(self.share * tracked))


# The share is the whole: it never looks ahead either.
NEVER_HELD = HoldRules(share=1.0, least=sys.maxsize, window=timedelta(minutes=1))


class MassGuard:
    """Counts one source's changed dossiers; each counts once, at the moment it was last seen changed."""

    def __init__(self, rules: HoldRules) -> None:
        self._rules = rules
        self._changed: OrderedDict[DossierCode, datetime] = OrderedDict()  # the longest ago first

    def count(self, changed: Collection[DossierCode], now: datetime) -> int:
        """How many changed within the window, these included."""
        for code in changed:
            self._changed[code] = now
            self._changed.move_to_end(code)
        self._forget(now)
        return len(self._changed)

    def with_these(self, changed: Collection[DossierCode], now: datetime) -> int:
        """What `count` would say, without counting them yet."""
        self._forget(now)
        return len(self._changed) + sum(code not in self._changed for code in changed)

    def most(self, tracked: int) -> int:
        """How many changes are still no mass change in a source of so many dossiers."""
        return self._rules.most(tracked)

    def exceeded(self, changes: int, tracked: int) -> bool:
        """So many changes are a mass change in a source of so many dossiers."""
        return changes > self._rules.most(tracked)

    def worth_looking_ahead(self, changed: int, of: int) -> bool:
        """So many of what was just looked at changed that it may be the beginning of a mass change."""
        return changed > self._rules.share * of

    def clear(self) -> None:
        """An operator decided: what comes from now on is counted anew."""
        self._changed.clear()

    def _forget(self, now: datetime) -> None:
        oldest = now - self._rules.window
        while self._changed:
            code, seen_at = next(iter(self._changed.items()))
            if seen_at > oldest:
                return
            del self._changed[code]
