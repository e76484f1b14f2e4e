"""Who proves a right to a dossier is told more of it; nobody else learns even that it exists, by words, time or reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from conversation.guards import GuardSettings
from conversation.ports import Limit, Person
from domain.answers import Outcome
from domain.message import Address
from domain.proof import Proof, ProofKind
from domain.questions import Question, QuestionAnswer
from lookup.disclosure import DisclosureRules
from tests.whole.attackers import OWNED, OWNER, PREFIX, SECRET, Town

STRANGER, OTHER = "84355512345", "84366612345"
UNKNOWN = f"{PREFIX}-0001"
MORE = ("Cap giay chung nhan", "Phong Dat dai")
ADDRESS = Address("web", "203.0.113.9")


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    it = Town()
    yield it
    await it.close()


async def told(town: Town, number: str, text: str) -> str:
    (decision,) = await town.hear((number, text))
    return decision.text or ""


async def asked(town: Town, text: str, proof: Proof | None = None) -> QuestionAnswer:
    ((answer, _),) = await town.questions.ask([Question(text=text, asker=ADDRESS, proof=proof)])
    return answer if isinstance(answer, QuestionAnswer) else await answer


@pytest.mark.parametrize(
    ("number", "text"),
    [(OWNER, OWNED), (STRANGER, f"{OWNED} MK {SECRET}"), (STRANGER, f"{OWNED} SDT {OWNER[-4:]}")],
    ids=["own number", "secret", "last four digits"],
)
async def test_who_proves_is_told_more(town: Town, number: str, text: str) -> None:
    reply = await told(town, number, text)
    assert all(each in reply for each in MORE)


async def test_code_alone_tells_the_public_tier_only(town: Town) -> None:
    reply = await told(town, STRANGER, OWNED)
    assert OWNED in reply
    assert not any(each in reply for each in MORE)


async def test_what_one_proved_is_never_told_to_another_nor_less_to_who_proves(town: Town) -> None:
    """All within the minute in which a text may be told again."""
    first = await told(town, OWNER, OWNED)
    public = await told(town, STRANGER, OWNED)
    wrong = await told(town, STRANGER, f"{OWNED} MK 9Z9Z9Z")
    again = await told(town, OWNER, OWNED)
    assert first == again
    assert not any(each in public + wrong for each in MORE)
    assert len({first, public, wrong}) == 3
    assert await told(town, OTHER, OWNED) == public
    assert await told(town, OTHER, f"{OWNED} MK {SECRET}") == first


async def test_wrong_proof_reads_as_a_code_that_nobody_knows(town: Town) -> None:
    wrong = await told(town, STRANGER, f"{OWNED} MK 9Z9Z9Z")
    unknown = await told(town, OTHER, f"{UNKNOWN} MK 9Z9Z9Z")
    assert wrong.replace(OWNED, "") == unknown.replace(UNKNOWN, "")


async def calls_of(town: Town, number: str, text: str) -> tuple[Outcome | None, Counter[str]]:
    before = Counter(town.calls)
    (decision,) = await town.hear((number, text))
    return decision.outcome, town.calls - before


@pytest.mark.parametrize("pause", [0, 10, 20, 70])
@pytest.mark.parametrize(
    ("rules", "proof"), [(DisclosureRules(), " MK 9Z9Z9Z"), (DisclosureRules(proof_required=True), "")]
)
async def test_not_found_and_not_allowed_take_the_same_steps(rules: DisclosureRules, proof: str, pause: int) -> None:
    """The first time and again later: gets and puts of the cache, reads of the source, round trips of the budgets."""
    steps = []
    for code in (OWNED, UNKNOWN):
        town = Town(rules=rules)
        first = await calls_of(town, STRANGER, code + proof)
        town.now += timedelta(seconds=pause)
        steps.append((first, await calls_of(town, STRANGER, code + proof)))
        await town.close()
    allowed, unknown = steps
    assert allowed == unknown
    assert allowed[0][0] is Outcome.NOT_FOUND
    assert allowed[0][1]["spends"] == 2
    assert allowed[0][1]["refunds"] == 0


async def test_walked_code_takes_the_same_steps_whether_there_is_a_dossier_or_not() -> None:
    steps = []
    for code in (OWNED, UNKNOWN):
        town = Town(settings=GuardSettings(misses_per_prefix=(Limit(0, 60.0),)))
        steps.append([await calls_of(town, STRANGER, code)])
        town.now += timedelta(seconds=20)
        steps[-1].append(await calls_of(town, STRANGER, code))
        await town.close()
    assert steps[0] == steps[1]
    assert steps[0][0][0] is Outcome.REFUSED


async def test_look_up_from_the_cache_is_one_round_trip_of_the_budgets(town: Town) -> None:
    await told(town, STRANGER, OWNED)
    _, calls = await calls_of(town, STRANGER, OWNED)
    assert calls == {"cache gets": 1, "spends": 1, "asks": calls["asks"]}


async def test_misses_of_a_batch_are_counted_in_one_round_trip(town: Town) -> None:
    messages = [(f"84{number}0000001", UNKNOWN) for number in range(70, 90)]
    await town.hear(*messages)
    town.now += timedelta(seconds=1)  # now it is kept that nobody knows the code
    before = Counter(town.calls)
    await town.hear(*messages)
    assert (town.calls - before)["spends"] == 2


async def test_web_question_proves_by_what_it_gives_and_by_nothing_else(town: Town) -> None:
    public = await asked(town, OWNED)
    assert public.answer is not None
    assert public.answer.dossier is not None
    assert (public.answer.dossier.unit, public.answer.dossier.proofs) == ("", frozenset())
    proved = await asked(town, OWNED, Proof(ProofKind.SECRET, SECRET.lower()))
    assert proved.answer is not None
    assert proved.answer.dossier is not None
    assert (proved.answer.dossier.unit, proved.answer.dossier.proofs) == ("Phòng Đất đai", frozenset())
    wrong = await asked(town, OWNED, Proof(ProofKind.SECRET, "WRONG"))
    unknown = await asked(town, UNKNOWN, Proof(ProofKind.SECRET, "WRONG"))
    assert wrong.outcome is unknown.outcome is Outcome.NOT_FOUND


async def test_locked_code_is_refused_by_proof_and_told_to_its_number(town: Town) -> None:
    for number in range(70, 80):
        await told(town, f"84{number}0000001", f"{OWNED} MK 9Z9Z9Z")
    (right,) = await town.hear((STRANGER, f"{OWNED} MK {SECRET}"))
    (plain,) = await town.hear((OTHER, OWNED))
    (owner,) = await town.hear((OWNER, f"{OWNED} MK {SECRET}"))
    assert [each.outcome for each in (right, plain, owner)] == [Outcome.REFUSED, Outcome.FOUND, Outcome.FOUND]


async def test_a_walked_dossier_says_on_the_web_that_a_proof_opens_it() -> None:
    town = Town(settings=GuardSettings(misses_per_prefix=(Limit(0, 60.0),)))
    for text in (OWNED, UNKNOWN):
        plain, wrong = await asked(town, text), await asked(town, text, Proof(ProofKind.SECRET, "WRONG"))
        assert [(each.outcome, each.reason) for each in (plain, wrong)] == [(Outcome.REFUSED, "proof_needed")] * 2
    right = await asked(town, OWNED, Proof(ProofKind.SECRET, SECRET))
    assert (right.outcome, right.proved) == (Outcome.FOUND, True)
    await town.close()


async def test_a_spent_budget_does_not_ask_for_a_proof() -> None:
    proof = Proof(ProofKind.SECRET, "WRONG")
    for spent in ("misses_per_code", "questions_per_address", "misses_per_address", "codes_per_address"):
        town = Town(settings=GuardSettings(**{spent: (Limit(0, 60.0),)}))  # type: ignore[arg-type]
        refused = await asked(town, OWNED, proof)
        assert (refused.outcome, refused.reason) == (Outcome.REFUSED, ""), spent
        await town.close()


async def test_on_the_web_a_block_whose_misses_are_spent_is_told_what_there_is() -> None:
    town = Town(settings=GuardSettings(misses_per_block=(Limit(0, 60.0),)))
    found, missed = await asked(town, OWNED), await asked(town, UNKNOWN)
    wrong = await asked(town, OWNED, Proof(ProofKind.SECRET, "WRONG"))
    assert found.outcome is Outcome.FOUND
    assert wrong == missed == QuestionAnswer(outcome=Outcome.REFUSED)
    await town.close()


async def test_of_two_codes_in_a_block_whose_misses_are_spent_the_found_one_is_told() -> None:
    town = Town(settings=GuardSettings(misses_per_block=(Limit(0, 60.0),)))
    reply = await told(town, STRANGER, f"{UNKNOWN} {OWNED}")
    assert OWNED in reply
    assert UNKNOWN not in reply
    await town.close()


async def test_beyond_the_ceiling_strangers_are_muted_and_who_proves_or_is_known_is_not() -> None:
    known = Address("sms", OTHER)
    town = Town(
        settings=GuardSettings(all_replies=(Limit(1, 3600.0),)), people={known: Person(address=known, language="vi")}
    )
    await town.hear((STRANGER, "HELP"))
    decided = await town.hear(
        (STRANGER, "HELP"), (STRANGER, OWNED), (STRANGER, UNKNOWN), (OTHER, OWNED), (OWNER, OWNED)
    )
    assert [decision.muted for decision in decided] == [True, True, True, False, False]
    assert [decision.text is None for decision in decided] == [True, True, True, False, False]
    await town.close()


async def test_muted_strangers_have_their_replies_back() -> None:
    town = Town(settings=GuardSettings(all_replies=(Limit(1, 60.0),), replies=(Limit(2, 3600.0),)))
    await town.hear((OTHER, "HELP"))
    for _ in range(5):
        assert (await town.hear((STRANGER, OWNED)))[0].muted
    town.now += timedelta(seconds=60)
    assert (await town.hear((STRANGER, OWNED)))[0].outcome is Outcome.FOUND
    await town.close()


async def test_chosen_dossier_is_guarded_like_a_typed_one() -> None:
    town = Town(settings=GuardSettings(codes=(Limit(1, 3600.0),)))
    sender = Address("sms", STRANGER)
    await town.hear((STRANGER, OWNED))
    (asked_back,) = await town.hear((STRANGER, "h512918 250701 0004"))
    assert asked_back.person is not None
    town.people[sender] = asked_back.person
    (refused,) = await town.hear((STRANGER, "1"))
    assert refused.outcome is Outcome.REFUSED
    await town.close()
