"""Which notices an agency does not want sent (pure): by agency, procedure and kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.agencies import from_the_province_down
from domain.notices import NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """These notices are off. What is empty matches everything; an agency stands for itself and all below it."""

    agency: str = ""
    procedure: str = ""
    kinds: frozenset[NoticeKind] = frozenset()

    def matches(self, agency: str, procedure: str, kind: NoticeKind) -> bool:
        """A notice of this kind about a dossier of this agency and procedure is off."""
        return (
            (not self.kinds or kind in self.kinds)
            and self.procedure in ("", procedure)
            and (not self.agency or _within(agency, self.agency))
        )


def switched_off(off: Sequence[Switch], agency: str, procedure: str, kind: NoticeKind) -> bool:
    """Any of them matches."""
    return any(switch.matches(agency, procedure, kind) for switch in off)


def _within(agency: str, above: str) -> bool:
    levels = from_the_province_down(above)
    return list(from_the_province_down(agency)[: len(levels)]) == list(levels)
