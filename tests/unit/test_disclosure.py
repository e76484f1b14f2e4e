"""What may be told to whom, and that what is not allowed looks like what does not exist."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import pytest

from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.proof import Proof, ProofKind, Sealer
from lookup.disclosure import OPENABLE, Disclosure, DisclosureRules, Judged, Tier

SEALER = Sealer(b"a key of sixteen bytes")
CODE = DossierCode(text="H51.18-210817-0005", agency="H51.18")
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
OWNER, STRANGER = "84912345678", "84987654321"
RIGHT = [Proof(ProofKind.LAST_FOUR, "5678"), Proof(ProofKind.SECRET, "ab-12 cd"), Proof(ProofKind.NUMBER, "0912345678")]
WRONG = [Proof(ProofKind.LAST_FOUR, "1234"), Proof(ProofKind.SECRET, "AB12CE"), Proof(ProofKind.LAST_FOUR, "")]
DOSSIER = Dossier(
    code=CODE,
    source="h51",
    status=DossierStatus.MORE_DOCUMENTS,
    agency="H51.18",
    received_at=NOW,
    due_on=date(2026, 11, 30),
    due_unknown=True,
    finished_at=NOW,
    returned_at=NOW,
    changed_at=NOW,
    unit="Desk 3",
    procedure="1.004946",
    procedure_name="Birth registration",
    missing="a photo",
    fee="20,000 dong",
    receiving_agency="H51.18.1",
    returning_agency="H51.18.2",
    proofs=SEALER.seals_of(CODE, numbers=["0912 345 678"], secret="AB12CD"),
)
STRICT, REQUIRED = DisclosureRules(), DisclosureRules(proof_required=True)
WITHHELD = {"unit", "procedure", "procedure_name", "missing", "fee"}

FOUND = DossierAnswer(code=CODE, outcome=Outcome.FOUND, dossier=DOSSIER, as_of=NOW)
NOT_FOUND = DossierAnswer(code=CODE, outcome=Outcome.NOT_FOUND, as_of=NOW)
STALE = DossierAnswer(code=CODE, outcome=Outcome.SOURCE_DOWN, dossier=DOSSIER, as_of=NOW)
DOWN = DossierAnswer(code=CODE, outcome=Outcome.SOURCE_DOWN)
REFUSED = DossierAnswer(code=CODE, outcome=Outcome.REFUSED)


def judge(rules: DisclosureRules, answer: DossierAnswer, *, sealed: bool = True, **asked: Any) -> Judged:
    return Disclosure(rules, SEALER if sealed else None).judge(answer, **asked)


def told_fields(judged: Judged) -> set[str]:
    """The fields of the dossier that hold something."""
    assert judged.answer.dossier is not None
    return {field.name for field in fields(Dossier) if getattr(judged.answer.dossier, field.name)}


EVERYTHING = {field.name for field in fields(Dossier)} - {"proofs"}


@pytest.mark.parametrize("answer", [FOUND, STALE])
def test_code_alone_opens_the_public_tier(answer: DossierAnswer) -> None:
    judged = judge(STRICT, answer)
    assert (judged.tier, judged.missed, judged.answer.outcome) == (Tier.PUBLIC, False, answer.outcome)
    assert told_fields(judged) == EVERYTHING - WITHHELD


@pytest.mark.parametrize("answer", [FOUND, STALE])
@pytest.mark.parametrize("rules", [STRICT, REQUIRED])
@pytest.mark.parametrize("asked", [{"number": OWNER}, *({"proof": proof} for proof in RIGHT)])
def test_proof_opens_the_rest_but_no_seal(rules: DisclosureRules, answer: DossierAnswer, asked: dict[str, Any]) -> None:
    judged = judge(rules, answer, **asked)
    assert (judged.tier, judged.missed, judged.answer.outcome) == (Tier.PROVED, False, answer.outcome)
    assert told_fields(judged) == EVERYTHING


@pytest.mark.parametrize("proof", WRONG)
@pytest.mark.parametrize("rules", [STRICT, REQUIRED])
def test_wrong_proof_is_told_and_counted_like_a_code_nobody_knows(rules: DisclosureRules, proof: Proof) -> None:
    wrong, unknown = judge(rules, FOUND, proof=proof), judge(rules, NOT_FOUND, proof=proof)
    assert wrong == unknown == Judged(answer=NOT_FOUND, tier=Tier.PUBLIC, missed=True)


def test_required_and_missing_proof_is_told_and_counted_like_a_code_nobody_knows() -> None:
    for number in ("", STRANGER):
        missing, unknown = (judge(REQUIRED, answer, number=number) for answer in (FOUND, NOT_FOUND))
        assert missing == unknown == Judged(answer=NOT_FOUND, tier=Tier.PUBLIC, missed=True)


TYPED = [None, RIGHT[1], *WRONG[:1]]


ASKED = [
    {"number": number, "proof": proof, "walked": walked, "locked": locked}
    for number, proof, walked, locked in product(["", STRANGER], TYPED, [False, True], [False, True])
]


@pytest.mark.parametrize("asked", ASKED)
def test_where_a_proof_is_required_only_a_proof_shows_that_there_is_a_dossier(asked: dict[str, Any]) -> None:
    for there, not_there in ((FOUND, NOT_FOUND), (STALE, DOWN)):
        judged = judge(REQUIRED, there, **asked)
        if judged.tier is Tier.PUBLIC:
            assert judged == judge(REQUIRED, not_there, **asked)
        else:
            assert asked["proof"] == RIGHT[1]
            assert not asked["locked"]


def test_number_that_is_not_on_the_dossier_is_no_miss() -> None:
    """Anybody may ask for the state; it is only not the owner who does."""
    judged = judge(STRICT, FOUND, number=STRANGER)
    assert (judged.tier, judged.missed, judged.answer.outcome) == (Tier.PUBLIC, False, Outcome.FOUND)


def test_owner_who_mistypes_is_told_all_the_same_since_the_reply_goes_to_his_telephone() -> None:
    for proof in WRONG:
        assert judge(STRICT, FOUND, number=OWNER, proof=proof).tier is Tier.PROVED


def test_code_nobody_knows_is_a_miss() -> None:
    assert judge(STRICT, NOT_FOUND) == Judged(answer=NOT_FOUND, missed=True)
    assert judge(STRICT, NOT_FOUND, number=OWNER).missed


def test_wrong_proof_learns_nothing_from_a_last_known_answer_and_is_counted() -> None:
    assert judge(STRICT, STALE, proof=WRONG[0]) == Judged(answer=DOWN, missed=True)
    assert judge(REQUIRED, STALE) == Judged(answer=DOWN, missed=False)


def test_outage_is_no_miss_of_whoever_asks() -> None:
    assert judge(STRICT, DOWN) == Judged(answer=DOWN)
    assert judge(STRICT, DOWN, proof=RIGHT[0]) == Judged(answer=DOWN)
    assert judge(REQUIRED, DOWN) == Judged(answer=DOWN)


@pytest.mark.parametrize("answer", [FOUND, NOT_FOUND, STALE, DOWN])
def test_codes_that_are_walked_through_are_told_to_nobody_who_has_not_proved(answer: DossierAnswer) -> None:
    for proof in (None, WRONG[0]):
        assert judge(STRICT, answer, walked=True, number=STRANGER, proof=proof) == Judged(answer=REFUSED)


def test_owner_is_told_while_codes_like_his_are_walked_through() -> None:
    assert judge(STRICT, FOUND, walked=True, number=OWNER).tier is Tier.PROVED
    assert judge(STRICT, FOUND, walked=True, proof=RIGHT[0]).tier is Tier.PROVED


@pytest.mark.parametrize("proof", [RIGHT[0], WRONG[0]])
@pytest.mark.parametrize("answer", [FOUND, NOT_FOUND, STALE, DOWN])
def test_locked_code_takes_no_typed_proof_not_even_the_right_one(answer: DossierAnswer, proof: Proof) -> None:
    assert judge(STRICT, answer, locked=True, proof=proof) == Judged(answer=REFUSED)
    assert judge(REQUIRED, answer, locked=True) == Judged(answer=REFUSED)


def test_locked_code_still_opens_to_its_owner_and_its_public_tier_to_all() -> None:
    assert judge(STRICT, FOUND, locked=True, number=OWNER, proof=WRONG[0]).tier is Tier.PROVED
    assert judge(STRICT, FOUND, locked=True).answer.outcome is Outcome.FOUND


def test_proof_there_is_nothing_to_compare_with_is_neither_right_nor_wrong() -> None:
    """The system keeps no number and no secret, or the installation has no key: "not found" would not be true."""
    bare = judge(STRICT, FOUND).answer
    without_key = judge(STRICT, FOUND, sealed=False, proof=WRONG[0])
    assert judge(STRICT, bare, proof=WRONG[0]) == without_key == Judged(answer=bare)
    assert judge(REQUIRED, bare, proof=WRONG[0]) == Judged(answer=NOT_FOUND, missed=True)


def test_installation_may_open_more_with_the_code_alone() -> None:
    judged = judge(DisclosureRules(public=frozenset({"procedure_name", "fee"})), FOUND)
    assert told_fields(judged) == EVERYTHING - (WITHHELD - {"procedure_name", "fee"})


@pytest.mark.parametrize("name", ["proofs", "status", "nonsense"])
def test_only_what_may_be_opened_can_be_opened(name: str) -> None:
    assert OPENABLE == WITHHELD
    with pytest.raises(ValueError, match=name):
        DisclosureRules(public=frozenset({name, "fee"}))


def test_proof_cannot_be_required_without_a_key() -> None:
    with pytest.raises(ValueError, match="no key"):
        Disclosure(REQUIRED, None)


def test_whoever_may_not_know_that_there_is_a_dossier_is_known_before_the_look_up() -> None:
    strict, required = Disclosure(STRICT, SEALER), Disclosure(REQUIRED, SEALER)
    assert not strict.proving(None)
    assert strict.proving(WRONG[0])
    assert required.proving(None)


class CountingSealer(Sealer):
    """Counts what is sealed."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        super().__init__(b"a key of sixteen bytes")
        self.count = 0

    def seal(self, code: DossierCode, proof: Proof) -> str:
        self.count += 1
        return super().seal(code, proof)


@pytest.mark.parametrize(
    "asked", [{"proof": WRONG[0]}, {"number": STRANGER}, {"number": STRANGER, "proof": WRONG[1]}, {}]
)
@pytest.mark.parametrize("rules", [STRICT, REQUIRED])
def test_as_much_is_sealed_for_a_code_nobody_knows(rules: DisclosureRules, asked: dict[str, Any]) -> None:
    counts = []
    for answer in (FOUND, NOT_FOUND):
        sealer = CountingSealer()
        Disclosure(rules, sealer).judge(answer, **asked)
        counts.append(sealer.count)
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("number", "tier"), [(OWNER, Tier.PROVED), (STRANGER, Tier.PUBLIC)])
def test_no_tier_lets_a_seal_out(number: str, tier: Tier) -> None:
    judged = judge(STRICT, FOUND, number=number)
    assert judged.tier is tier
    assert "proofs" not in told_fields(judged)
