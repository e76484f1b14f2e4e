"""Between the look-up and the words: what of each answer this asker may be told, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

from conversation.guards import Admission, Dues, Miss, Wanted
from conversation.ports import Person
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.message import Address
from domain.proof import Proof
from lookup.disclosure import Disclosure, Judged


class Judge:
    """The one way from what was found to what is told, for messages and for questions on the web."""

    __slots__ = ("_disclosure",)

    def __init__(self, disclosure: Disclosure) -> None:
        self._disclosure = disclosure

    def proving(self, wanted: Wanted, admission: Admission) -> list[DossierCode]:
        """The codes whose existence must not show: what is told of them depends on a proof."""
        if wanted.proof is None and not admission.walked and not self._disclosure.proving(None):
            return []
        return [
            code
            for code in admission.codes
            if code in admission.walked or self._disclosure.proving(_proof_of(code, wanted))
        ]

    def judge(
        self, wanted: Wanted, admission: Admission, found: Mapping[DossierCode, DossierAnswer], dues: Dues
    ) -> list[Judged]:
        """What may be told of each admitted code, in order; misses, and a proof that was no guess, go to `dues`."""
        return [self._judge(wanted, admission, found[code], dues) for code in admission.codes]

    def _judge(self, wanted: Wanted, admission: Admission, answer: DossierAnswer, dues: Dues) -> Judged:
        code, proof = answer.code, _proof_of(answer.code, wanted)
        judged = self._disclosure.judge(
            answer,
            number=_number_of(wanted.asker),
            joined=wanted.joined,
            proof=proof,
            walked=code in admission.walked,
            locked=admission.locked and code == wanted.codes[0],
        )
        if judged.missed:
            dues.misses.append(Miss(wanted.asker, code, wanted.site))
        elif proof is not None and judged.answer.outcome is not Outcome.REFUSED:
            dues.back += admission.attempt  # right, or nothing to compare it with: no guess
        return judged


def _proof_of(code: DossierCode, wanted: Wanted) -> Proof | None:
    """A typed proof belongs to the first code that was typed."""
    return wanted.proof if code == wanted.codes[0] else None


def _number_of(asker: Address) -> str:
    """The number an answer goes to: who reads it there shows possession of it. The web proves no number."""
    return asker.value if asker.scheme == "sms" else ""


def joined_numbers(person: Person | None) -> tuple[str, ...]:
    """Telephone numbers that were proved to be this person's, besides the address that is written from."""
    return tuple(address.value for address in person.linked if address.scheme == "sms") if person is not None else ()
