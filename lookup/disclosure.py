"""What may be told to whom (pure): the public tier tells where a dossier is, never whose it is or what it is about.

The table is the strict default (design: Disclosure in two tiers); names, addresses and identity numbers are
not in it because the gateway never reads them. Seals prove, and leave with nobody.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.proof import Proof, ProofKind, Sealer


class Tier(enum.StrEnum):
    """How much somebody may know."""

    PUBLIC = "public"  # whoever has the code
    PROVED = "proved"  # whoever also showed a right to it


NOBODY: Mapping[str, object] = {"proofs": frozenset[str]()}
WITHHELD: Mapping[Tier, Mapping[str, object]] = {
    Tier.PUBLIC: {"procedure": "", "procedure_name": "", "unit": "", "missing": "", "fee": "", **NOBODY},
    Tier.PROVED: NOBODY,
}
OPENABLE = frozenset(WITHHELD[Tier.PUBLIC]) - frozenset(NOBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureRules:
    """`public`: fields of Dossier told with the code alone, beyond the strict default. `proof_required`: without a proof
    nothing is told at all, not even that there is a dossier.
    """

    public: frozenset[str] = frozenset()
    proof_required: bool = False

    def __post_init__(self) -> None:
        if not self.public <= OPENABLE:
            closed = ", ".join(sorted(self.public - OPENABLE))
            raise ValueError(f"{closed}: cannot be told with the code alone, only {', '.join(sorted(OPENABLE))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is told, how much of it, and whether it counts as a miss."""

    answer: DossierAnswer
    tier: Tier = Tier.PUBLIC
    missed: bool = False


class Disclosure:
    """Decides what of an answer is told to whom.

    Whatever is not allowed is told and counted as for a code that nobody knows, and takes the same steps.
    """

    def __init__(self, rules: DisclosureRules, sealer: Sealer | None) -> None:
        """Without a `sealer` nothing can be proved.

        Raises:
            ValueError: a proof is required and there is no sealer: nobody could be told anything.
        """
        if rules.proof_required and sealer is None:
            raise ValueError("a proof is required of everybody, and there is no key to compare proofs with")
        self._required = rules.proof_required
        self._sealer = sealer
        public = WITHHELD[Tier.PUBLIC]
        self._withheld = {
            Tier.PUBLIC: {name: empty for name, empty in public.items() if name not in rules.public},
            Tier.PROVED: WITHHELD[Tier.PROVED],
        }

    def proving(self, proof: Proof | None) -> bool:
        """Whether there is a dossier must not show in how long this question takes: LookUps' `proving`."""
        return self._required or proof is not None

    def judge(
        self,
        answer: DossierAnswer,
        *,
        number: str = "",
        joined: Sequence[str] = (),
        proof: Proof | None = None,
        walked: bool = False,
        locked: bool = False,
    ) -> Judged:
        """What is told of `answer`.

        `number` is the sender's own, empty where the channel does not prove it; `joined` are others that were proved to be
        theirs. When one of them is the one on the dossier it decides alone, even beside a wrong typed proof: the reply
        goes to the owner's telephone, or to what they joined to it. `walked`: somebody walks
        through codes like this one; `locked`: too many wrong proofs were typed for this code. Both refuse whoever has
        not proved, whatever there is; a locked code takes no typed proof, not even the right one.
        """
        proofs = answer.dossier.proofs if answer.dossier is not None else frozenset[str]()
        own = (number, *joined) if number else joined
        if any(self._shows(answer.code, Proof(ProofKind.NUMBER, each), proofs) for each in own):
            return self._told(answer, Tier.PROVED)
        if locked and self.proving(proof):
            return _refused(answer)
        if proof is not None and self._shows(answer.code, proof, proofs):
            return self._told(answer, Tier.PROVED)
        if walked:
            return _refused(answer)
        if self._required or self._is_wrong(answer, proof):
            return self._hidden(answer, proof)
        return self._told(answer, Tier.PUBLIC)

    def _shows(self, code: DossierCode, proof: Proof, proofs: frozenset[str]) -> bool:
        """Sealed even where there is nothing to compare with: the same steps for a code that nobody knows."""
        seal = "" if self._sealer is None else self._sealer.seal(code, proof)
        return seal in proofs

    def _is_wrong(self, answer: DossierAnswer, proof: Proof | None) -> bool:
        """A proof was typed that could have been compared and did not fit. Where the dossier's system keeps nothing
        to compare with, it is neither right nor wrong: the code alone opens what it opens.
        """
        if proof is None or self._sealer is None:
            return False
        return answer.dossier is None or bool(answer.dossier.proofs)

    def _hidden(self, answer: DossierAnswer, proof: Proof | None) -> Judged:
        """As if there was no dossier. While its source is down only guesses count, against a last known dossier; where
        nobody may know that there is one, against none too.
        """
        if answer.outcome is Outcome.SOURCE_DOWN:
            guessed = proof is not None and (self._required or answer.dossier is not None)
            return Judged(answer=DossierAnswer(code=answer.code, outcome=Outcome.SOURCE_DOWN), missed=guessed)
        return Judged(
            answer=DossierAnswer(code=answer.code, outcome=Outcome.NOT_FOUND, as_of=answer.as_of), missed=True
        )

    def _told(self, answer: DossierAnswer, tier: Tier) -> Judged:
        missed = answer.outcome is Outcome.NOT_FOUND
        if answer.dossier is None:
            return Judged(answer=answer, missed=missed)
        dossier = _reduced(answer.dossier, self._withheld[tier])
        return Judged(answer=replace(answer, dossier=dossier), tier=tier, missed=missed)


def _refused(answer: DossierAnswer) -> Judged:
    return Judged(answer=DossierAnswer(code=answer.code, outcome=Outcome.REFUSED))


def _reduced(dossier: Dossier, withheld: Mapping[str, object]) -> Dossier:
    if all(getattr(dossier, name) == empty for name, empty in withheld.items()):
        return dossier
    return replace(dossier, **withheld)  # type: ignore[arg-type]
