"""When a question on the web does a proof of work first: where much was missed, and nowhere else; it refuses nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.memory.budgets import MemoryBudgets
from conversation.guards import Guards, GuardSettings
from conversation.ports import BudgetAsk, Limit, Verdict
from conversation.questions import Questions
from domain.answers import Outcome
from domain.message import Address
from domain.proof import Proof, ProofKind, Sealer
from domain.questions import Left, Question, QuestionAnswer
from lookup.disclosure import Disclosure, DisclosureRules
from tests.unit.asking_the_web import CODE
from tests.unit.looking_up_for_the_web import KEY, Known, known_dossier

OFFICE = Address("web", "203.0.113.9")
NEXT_DOOR = Address("web", "203.0.113.77")
ELSEWHERE = Address("web", "198.51.100.7")
SITE, OTHER_SITE = "ts_aaaaaaaaaaaaaaaa", "ts_bbbbbbbbbbbbbbbb"
UNKNOWN = "H51.18-250701-0009"
WORK_FIRST = QuestionAnswer(outcome=Outcome.REFUSED, reason="work_needed")
REFUSED = QuestionAnswer(outcome=Outcome.REFUSED)
RIGHT, WRONG = Proof(ProofKind.LAST_FOUR, "5678"), Proof(ProofKind.LAST_FOUR, "0000")


class CountedBudgets(MemoryBudgets):
    """Counts its round trips; the clock is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.spends: list[int] = []
        super().__init__(lambda: self.now)

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        self.spends.append(len(asks))
        return await super().spend(asks)


class Desk:
    """The real questions over one dossier, its guards as they are shipped unless a test says otherwise."""

    def __init__(self, known: Known | None = None, **settings: tuple[Limit, ...]) -> None:
        self.known = known or known_dossier()
        self.budgets = CountedBudgets()
        self.alarms: Counter[str] = Counter()
        chosen: dict[str, Any] = dict(settings)
        guards = Guards(self.budgets, GuardSettings(**chosen), count=lambda event: self.alarms.update([event]))
        disclosure = Disclosure(DisclosureRules(), Sealer(KEY))
        self.questions = Questions(lookups=self.known, guards=guards, clock=self.known.clock, disclosure=disclosure)

    async def ask(
        self,
        text: str = CODE,
        *,
        asker: Address = OFFICE,
        site: str = "",
        worked: bool = False,
        proof: Proof | None = None,
    ) -> QuestionAnswer:
        answer, self.left = await self.asked(Question(text=text, asker=asker, site=site, worked=worked, proof=proof))
        return answer

    async def asked(self, question: Question) -> tuple[QuestionAnswer, Left | None]:
        ((answer, left),) = await self.questions.ask([question])
        assert isinstance(answer, QuestionAnswer)
        return answer, left

    async def miss(self, count: int, asker: Address = OFFICE, site: str = "", *, worked: bool = False) -> None:
        for number in range(count):
            answer = await self.ask(f"H51.18-250702-{number + 1:04d}", asker=asker, site=site, worked=worked)
            assert answer.outcome is Outcome.NOT_FOUND


def few(count: int, seconds: float = 3600.0) -> tuple[Limit, ...]:
    return (Limit(count, seconds),)


async def test_nobody_who_misses_little_does_any_work() -> None:
    desk = Desk()
    await desk.miss(2, OFFICE, SITE)
    assert (await desk.ask(site=SITE)).outcome is Outcome.FOUND


async def test_after_three_misses_an_address_works_whatever_it_asks_for() -> None:
    desk = Desk()
    await desk.miss(3)
    assert [await desk.ask(text) for text in (CODE, UNKNOWN, f"ho so {CODE}")] == [WORK_FIRST] * 3
    assert (await desk.ask(asker=NEXT_DOOR)).outcome is Outcome.FOUND


async def test_who_did_the_work_is_answered_as_before() -> None:
    desk = Desk()
    await desk.miss(3)
    assert (await desk.ask(worked=True)).outcome is Outcome.FOUND
    assert (await desk.ask(UNKNOWN, worked=True)).outcome is Outcome.NOT_FOUND
    assert await desk.ask() == WORK_FIRST


async def test_an_hour_later_no_work_is_needed() -> None:
    desk = Desk()
    await desk.miss(3)
    desk.budgets.now += 3600.0
    assert (await desk.ask()).outcome is Outcome.FOUND


async def test_work_buys_nothing_beyond_the_budgets() -> None:
    desk = Desk(misses_per_address=few(5))
    await desk.miss(3)
    await desk.miss(2, worked=True)
    assert await desk.ask(worked=True) == REFUSED
    assert await desk.ask() == REFUSED  # work would not help


async def test_neighbours_who_miss_together_work_together() -> None:
    desk = Desk()
    for number in range(5):
        await desk.miss(2, Address("web", f"203.0.113.{number}"))
    assert await desk.ask(asker=NEXT_DOOR) == WORK_FIRST
    assert (await desk.ask(asker=NEXT_DOOR, worked=True)).outcome is Outcome.FOUND
    assert (await desk.ask(asker=ELSEWHERE)).outcome is Outcome.FOUND


async def test_a_site_through_which_much_is_missed_raises_an_alarm_and_its_visitors_work() -> None:
    desk = Desk(site_misses_before_work=few(4))
    with capture_logs() as logs:
        for number in range(4):
            await desk.miss(1, Address("web", f"198.51.{number}.7"), SITE)
        assert [await desk.ask(site=SITE) for _ in range(3)] == [WORK_FIRST] * 3
    assert desk.alarms == {"site_walked": 1}
    assert [(line["event"], line["site"]) for line in logs] == [("guard.site_walked", SITE)]
    assert (await desk.ask(site=SITE, worked=True)).outcome is Outcome.FOUND
    assert [(await desk.ask(site=site)).outcome for site in ("", OTHER_SITE)] == [Outcome.FOUND] * 2


async def test_a_site_with_very_many_questions_works_for_further_ones_only() -> None:
    desk = Desk(site_questions_before_work=few(3, 60.0))
    answers = [await desk.ask(site=SITE, asker=Address("web", f"198.51.{n}.7")) for n in range(5)]
    assert [answer.reason for answer in answers] == ["", "", "", "work_needed", "work_needed"]
    assert (await desk.ask(site=OTHER_SITE)).outcome is Outcome.FOUND
    desk.budgets.now += 60.0
    assert (await desk.ask(site=SITE)).outcome is Outcome.FOUND


async def test_what_was_worked_for_is_not_counted_against_the_site() -> None:
    desk = Desk(site_questions_before_work=few(3, 60.0))
    for _ in range(5):
        await desk.ask(site=SITE, worked=True)
    assert (await desk.ask(site=SITE)).outcome is Outcome.FOUND


async def test_a_right_proof_needs_no_work() -> None:
    desk = Desk()
    await desk.miss(3)
    answer = await desk.ask(proof=RIGHT)
    assert (answer.outcome, answer.proved) == (Outcome.FOUND, True)


@pytest.mark.parametrize("keeps", [True, False], ids=["with a number on it", "with nothing to compare with"])
async def test_a_proof_that_proves_nothing_tells_whoever_must_work_nothing_at_all(*, keeps: bool) -> None:
    """Else anything typed as a proof would do instead of the work, where a system keeps nothing to compare with."""
    known = known_dossier()
    if not keeps:
        known.dossier = replace(known.dossier, proofs=frozenset())
    desk = Desk(known)
    await desk.miss(3)
    both = [await desk.ask(text, proof=WRONG) for text in (CODE, UNKNOWN)]
    assert [(each.outcome, each.reason, each.proved) for each in both] == [(Outcome.REFUSED, "work_needed", False)] * 2
    assert [each.answer.dossier for each in both if each.answer is not None] == [None] * 2
    told = await desk.ask(proof=WRONG, worked=True)
    assert told.outcome is (Outcome.NOT_FOUND if keeps else Outcome.FOUND)


async def test_guesses_of_a_proof_are_counted_whether_or_not_work_is_needed() -> None:
    desk = Desk(misses_per_code=few(2))
    await desk.miss(3)
    assert [(await desk.ask(proof=WRONG)).reason for _ in range(3)] == ["work_needed", "work_needed", ""]
    locked = await desk.ask(proof=RIGHT)
    assert (locked.outcome, locked.reason) == (Outcome.REFUSED, "")


async def test_what_is_no_code_is_told_so_without_work() -> None:
    desk = Desk()
    await desk.miss(3)
    assert (await desk.ask("xin chao")).outcome is Outcome.UNREADABLE
    assert await desk.questions.admit(OFFICE)


async def test_being_told_to_work_spends_no_code() -> None:
    desk = Desk(codes_per_address=few(4, 86_400.0))
    await desk.miss(3)
    for number in range(10):
        assert await desk.ask(f"H51.18-250703-{number + 1:04d}") == WORK_FIRST
    assert (await desk.ask(worked=True)).outcome is Outcome.FOUND


async def test_suspicion_takes_no_round_trip_of_its_own() -> None:
    desk = Desk()
    await desk.questions.ask([Question(text=CODE, asker=OFFICE, site=SITE) for _ in range(20)])
    assert len(desk.budgets.spends) == 1
    await desk.miss(1, OFFICE, SITE)
    assert len(desk.budgets.spends) == 3  # and one for the miss
    await desk.ask(worked=True)
    assert desk.budgets.spends[-1] == desk.budgets.spends[0] // 20 - 4  # address, block, site, its questions


async def test_messages_are_never_told_to_work() -> None:
    desk = Desk(misses_before_work=few(0), block_misses_before_work=few(0))
    assert await desk.ask() == WORK_FIRST
    guards = Guards(MemoryBudgets(lambda: 0.0), GuardSettings(misses_before_work=few(0)))
    charges = guards._messages.of(Address("sms", "84912345678"))
    assert charges.suspicions == charges.suspected == ()


# ---- what is left


async def test_whoever_asks_hears_what_the_address_has_left() -> None:
    desk = Desk()
    await desk.ask()
    assert desk.left == Left(30, 60.0, 29, 60.0)
    desk.budgets.now += 20.0
    for text in (CODE, "xin chao", f"ho so {CODE}", UNKNOWN):
        await desk.ask(text)
    assert desk.left == Left(30, 60.0, 25, 40.0)
    await desk.ask(asker=NEXT_DOOR)
    assert desk.left == Left(30, 60.0, 29, 60.0)


async def test_who_is_refused_hears_when_there_is_more() -> None:
    desk = Desk(questions_per_address=few(2, 60.0))
    assert [(await desk.ask(text)).outcome for text in (CODE, "xin chao")] == [Outcome.FOUND, Outcome.UNREADABLE]
    desk.budgets.now += 10.0
    for text in (CODE, "xin chao"):
        assert await desk.ask(text) == REFUSED
        assert desk.left == Left(2, 60.0, 0, 50.0)


async def test_what_is_left_costs_no_round_trip() -> None:
    desk = Desk()
    await desk.ask()
    assert len(desk.budgets.spends) == 1


async def test_everybody_in_a_batch_hears_of_their_own() -> None:
    desk = Desk()
    texts = [CODE, "xin chao", f"ho so {CODE}", CODE]
    askers = [OFFICE, NEXT_DOOR, ELSEWHERE, OFFICE]
    asked = await desk.questions.ask(
        [Question(text=text, asker=asker) for text, asker in zip(texts, askers, strict=True)]
    )
    assert [left and left.left for _, left in asked] == [28, 29, 29, 28]


async def test_the_same_answer_is_still_the_same_object() -> None:
    desk = Desk()
    assert await desk.ask() is await desk.ask()
