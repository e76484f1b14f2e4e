"""What a look-up found. Outcomes are five and stay distinct: an outage is never told as "not found"."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.message import require_aware


class Outcome(enum.StrEnum):
    """The five ways a question can end (design: Outcomes)."""

    FOUND = "found"
    NOT_FOUND = "not_found"  # also: a proof was wrong, or required and missing
    UNREADABLE = "unreadable"
    SOURCE_DOWN = "source_down"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierAnswer:
    """One code, looked up.

    FOUND: `dossier` read at `as_of`. NOT_FOUND: no dossier. SOURCE_DOWN: `dossier` is the last known one, read at
    `as_of`, or None when nothing is known.
    """

    code: DossierCode
    outcome: Outcome
    dossier: Dossier | None = None
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        require_aware(self.as_of, "as_of")

    @property
    def stale(self) -> bool:
        """A last known answer, told because the source is down."""
        return self.outcome is Outcome.SOURCE_DOWN and self.dossier is not None
