"""A question that is not a message: an HTTP GET asks, is answered at once and is not kept (design: An HTTP GET)."""

from __future__ import annotations

from dataclasses import dataclass

from domain.answers import DossierAnswer, Outcome
from domain.message import Address
from domain.proof import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was typed, and by whom as far as the channel knows (an IP address); `proof` opens more of the dossier."""

    text: str
    asker: Address
    proof: Proof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswer:
    """What may be told.

    `outcome` is that of `answer`, or UNREADABLE (with the reason, one of the names of domain.codes.WhyNone, or
    "ambiguous" with the `candidates` to choose among, each of which reads back) or REFUSED: a budget is spent, or, with
    the reason "proof_needed", the dossier is told only to who proves a right to it. `proved`: the asker's proof was
    right, so that `answer` holds what the code alone does not open.
    """

    outcome: Outcome
    answer: DossierAnswer | None = None
    reason: str = ""
    candidates: tuple[str, ...] = ()
    proved: bool = False
