"""What may be told to whom (pure): the public tier tells where a dossier is, never whose it is or what it is about.

The table is the strict default of the design (§2, Disclosure in two tiers); names, addresses and identity numbers are
not in it because the gateway never reads them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import replace

from domain.answers import DossierAnswer
from domain.dossier import Dossier


class Tier(enum.StrEnum):
    """How much somebody may know."""

    PUBLIC = "public"  # whoever has the code


WITHHELD: dict[Tier, dict[str, str]] = {
    Tier.PUBLIC: {"procedure": "", "unit": ""},
}


def disclose(answers: Sequence[DossierAnswer], tier: Tier) -> list[DossierAnswer]:
    """The same answers with what the tier withholds taken out."""
    return [
        answer if answer.dossier is None else replace(answer, dossier=_reduced(answer.dossier, tier))
        for answer in answers
    ]


def _reduced(dossier: Dossier, tier: Tier) -> Dossier:
    withheld = WITHHELD[tier]
    if all(getattr(dossier, name) == empty for name, empty in withheld.items()):
        return dossier
    return replace(dossier, **withheld)  # type: ignore[arg-type]
