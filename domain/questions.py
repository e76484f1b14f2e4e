"""A question that is not a message: an HTTP GET asks, is answered at once and is not kept (design: An HTTP GET)."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from domain.answers import DossierAnswer, Outcome
from domain.message import Address
from domain.proof import Proof

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was typed, and by whom as far as the channel knows (an IP address); `proof` opens more of the dossier.

    `site`: the key of the site whose page asks. `worked`: a proof of work came with it, and was right.
    """

    text: str
    asker: Address
    proof: Proof | None = None
    site: str = ""
    worked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswer:
    """What may be told.

    `outcome` is that of `answer`, or UNREADABLE (with the reason, one of the names of domain.codes.WhyNone, or
    "ambiguous" with the `candidates` to choose among, each of which reads back) or REFUSED: a budget is spent, or, with
    the reason "proof_needed", the dossier is told only to who proves a right to it; or, with the reason "work_needed",
    enough was missed from there that a proof of work comes first. `proved`: the asker's proof was
    right, so that `answer` holds what the code alone does not open.
    """

    outcome: Outcome
    answer: DossierAnswer | None = None
    reason: str = ""
    candidates: tuple[str, ...] = ()
    proved: bool = False


class Left(NamedTuple):
    """What an asker has left of a budget: `left` of `most` in any `window_s` seconds; `resets_s`: until there is more."""

    most: int
    window_s: float
    left: int
    resets_s: float


Answer = QuestionAnswer | Awaitable[QuestionAnswer]  # or what to await for it


class Asked(NamedTuple, Generic[AnswerT]):
    """An answer, or what to await for it, and what the asker has left; None: it is not known, nothing is said of it."""

    answer: AnswerT
    left: Left | None = None
