"""What asking about procedures needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from domain.procedure import Procedure

MOST_HITS = 4  # more are no question one can answer with a digit


class ProcedureCatalogue(Protocol):
    """The procedures of the province, held in memory: neither method waits."""

    def search(self, words: str, *, today: date, limit: int = MOST_HITS) -> Sequence[Procedure]:
        """Those in force on `today` that `words` may mean, the likeliest first; one when it is clear. A code, with or
        without the agency behind it, finds exactly that.
        """
        ...

    def get(self, code: str, *, today: date) -> Procedure | None:
        """The one with this code that is in force."""
        ...
