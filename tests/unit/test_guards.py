"""Who gets an answer, and how often: budgets refuse in their order, cost nobody what they did not use, and raise alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from adapters.memory.budgets import MemoryBudgets
from conversation.charges import block_of, prefix_of
from conversation.guards import Dues, Guards, GuardSettings, Miss, Wanted
from conversation.ports import BudgetAsk, Limit, Verdict
from domain.codes import CodeFamily, DossierCode, parse_canonical
from domain.message import Address
from domain.proof import Proof, ProofKind

OK, FIRST, NO = Verdict.ALLOWED, Verdict.FIRST_REFUSAL, Verdict.REFUSED
MOTHER = Address("sms", "84912345678")
NEIGHBOUR = Address("sms", "84912340000")
STRANGER = Address("sms", "84355500001")
OFFICE = Address("web", "203.0.113.9")
GUESS = Proof(ProofKind.LAST_FOUR, "1234")


def code(serial: int, prefix: str = "H51.18-250701") -> DossierCode:
    read = parse_canonical(f"{prefix}-{serial:04d}")
    assert read is not None
    return read


def about(*serials: int, asker: Address = MOTHER, proof: Proof | None = None) -> Wanted:
    return Wanted(asker=asker, codes=tuple(code(serial) for serial in serials), proof=proof)


class CountedBudgets(MemoryBudgets):
    """Counts its round trips."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.spends = self.refunds = 0

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        self.spends += 1
        return await super().spend(asks)

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        self.refunds += 1
        await super().refund(asks)


@pytest.fixture
def budgets() -> CountedBudgets:
    return CountedBudgets()


def few(count: int, seconds: float = 3600.0) -> tuple[Limit, ...]:
    return (Limit(count, seconds),)


async def test_a_batch_is_one_round_trip_and_its_misses_another(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings())
    await guards.admit_messages([about(1, 2, asker=Address("sms", f"8491234{n:04d}"), proof=GUESS) for n in range(50)])
    assert (budgets.spends, budgets.refunds) == (1, 0)
    await guards.settle(Dues(misses=[Miss(MOTHER, code(1)), Miss(STRANGER, code(2))]))
    assert (budgets.spends, budgets.refunds) == (2, 0)
    await guards.settle(Dues())
    assert (budgets.spends, budgets.refunds) == (2, 0)


async def test_distinct_codes_are_counted_and_the_same_one_again_is_free(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(codes=few(2)))
    admitted = await guards.admit_messages([about(n) for n in (1, 1, 2, 1, 3, 4, 2)])
    assert [each.verdict for each in admitted] == [OK, OK, OK, OK, FIRST, NO, OK]


async def test_of_two_codes_the_one_that_is_left_is_admitted(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(codes=few(1)))
    (admitted,) = await guards.admit_messages([about(1, 2)])
    assert (admitted.verdict, admitted.codes) == (OK, (code(1),))


async def test_spent_misses_refuse_what_names_a_code_and_nothing_else(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(misses=few(2)))
    await guards.settle(Dues(misses=[Miss(MOTHER, code(1)), Miss(MOTHER, code(2))]))
    admitted = await guards.admit_messages([about(3), about(3), about(), about(3, asker=STRANGER)])
    assert [each.verdict for each in admitted] == [FIRST, NO, OK, OK]


async def test_misses_of_a_block_close_it_and_refuse_nobody(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(misses_per_block=few(1)))
    await guards.settle(Dues(misses=[Miss(MOTHER, code(1))]))
    admitted = await guards.admit_messages([about(3, asker=NEIGHBOUR), about(3, asker=STRANGER)])
    assert [(each.verdict, each.closed) for each in admitted] == [(OK, True), (OK, False)]
    (on_the_web,) = await guards.admit_questions([about(3, asker=OFFICE)])
    assert not on_the_web.closed


async def test_replies_of_a_block_are_limited(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(replies_per_block=few(1)))
    admitted = await guards.admit_messages([about(asker=each) for each in (MOTHER, NEIGHBOUR, STRANGER)])
    assert [(each.verdict, each.busy) for each in admitted] == [(OK, False), (FIRST, True), (OK, False)]


async def test_every_number_of_a_spent_block_is_told_so_once_an_hour(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(replies_per_block=few(1)))
    numbers = [Address("sms", f"8491234{number:04d}") for number in range(4)]
    for expected in ([OK, FIRST, FIRST, FIRST], [NO, NO, NO]):
        told = await guards.admit_messages([about(asker=asker) for asker in numbers[-len(expected) :]])
        assert [each.verdict for each in told] == expected


async def test_refusals_that_are_told_are_replies_of_the_hour(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(replies=few(1), replies_per_block=few(1), all_replies=few(3)))
    await guards.admit_messages([about()])
    told = [(await guards.admit_messages([about(asker=each)]))[0] for each in (MOTHER, NEIGHBOUR, STRANGER)]
    assert [(each.verdict, each.capped) for each in told] == [(FIRST, False), (FIRST, False), (OK, True)]


async def test_who_is_refused_spends_nothing_of_his_neighbours(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings())
    for _ in range(400):
        await guards.admit_questions([about(1, asker=OFFICE)])
    (next_door,) = await guards.admit_questions([about(2, asker=Address("web", "203.0.113.99"))])
    assert next_door.verdict is OK


async def test_who_is_refused_takes_no_memory_for_what_he_asked(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(questions_per_block=few(5)))
    before = None
    for subnet in range(50):
        asker = Address("web", f"2001:db8:1:{subnet:x}::/64")
        await guards.admit_questions([about(subnet, asker=asker, proof=GUESS)])
        if subnet == 5:
            before = len(budgets)
    assert len(budgets) == (before or 0) + 44  # the question of each


async def test_a_flood_from_a_site_of_many_addresses_mutes_nobody_else() -> None:
    """As many questions as a /48 is allowed, each from another address of it, until no budget of a day fits any more."""
    budgets = MemoryBudgets(lambda: float(minute) * 60.0, keys=1_000)
    guards = Guards(budgets, GuardSettings(codes_per_address=few(3, 86_400.0)))
    for minute in range(20):
        site = [Address("web", f"2001:db8:1:{minute * 300 + each:x}::/64") for each in range(300)]
        await guards.admit_questions([about(each, asker=asker) for each, asker in enumerate(site)])
    assert len(budgets) >= 1_000
    minute = 25
    offices = [Address("web", f"198.51.{number}.7") for number in range(50)]
    admitted = await guards.admit_questions([about(1, asker=office) for office in offices])
    admitted += await guards.admit_messages([about(1, asker=Address("sms", f"8470{n:04d}0001")) for n in range(50)])
    assert [each.verdict for each in admitted].count(OK) == 100
    (of_the_site,) = await guards.admit_questions([about(1, asker=Address("web", "2001:db8:1:ffff::/64"))])
    assert of_the_site.verdict is not OK


async def test_a_first_refusal_is_kept_for_an_answer_that_is_heard(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(replies=few(2), codes=few(1)))
    admitted = await guards.admit_messages([about(1), about(2), about(3), about(3)])
    assert [each.verdict for each in admitted] == [OK, FIRST, FIRST, NO]


async def test_of_two_codes_the_known_one_is_admitted_behind_one_too_many(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(codes=few(1)))
    await guards.admit_messages([about(1)])
    (admitted,) = await guards.admit_messages([about(2, 1)])
    assert (admitted.verdict, admitted.codes) == (OK, (code(1),))


async def test_an_answer_paid_before_the_text_was_read_is_not_charged_again(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(replies=few(1), codes=few(1)))
    (paid,) = await guards.admit_messages([about()])
    (admitted,) = await guards.admit_messages([about(1, proof=GUESS)._replace(paid=paid)])
    assert (admitted.verdict, admitted.codes, admitted.reply) == (OK, (code(1),), paid.reply)
    assert len(admitted.attempt) == 1
    (too_many,) = await guards.admit_messages([about(2)._replace(paid=paid)])
    assert (too_many.verdict, too_many.reply) == (FIRST, paid.reply)


@pytest.mark.parametrize(("askers", "walked"), [(5, False), (19, False), (20, True)])
async def test_a_prefix_is_locked_by_many_askers_and_not_by_few(
    budgets: CountedBudgets, askers: int, *, walked: bool
) -> None:
    guards = Guards(budgets, GuardSettings())
    for number in range(askers):
        asker = Address("web", f"198.51.{number}.9")
        await guards.settle(Dues(misses=[Miss(asker, code(serial)) for serial in range(20)]))
    (admitted,) = await guards.admit_messages([about(9)])
    assert bool(admitted.walked) is walked


async def test_one_asker_counts_towards_every_prefix_anew(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(misses_per_prefix=few(5)))
    others = [code(serial, "H51.18-250702") for serial in range(5)]
    await guards.settle(Dues(misses=[Miss(MOTHER, each) for each in (*others, *(code(serial) for serial in range(5)))]))
    (admitted,) = await guards.admit_messages([about(9)])
    assert admitted.walked


async def test_a_walked_prefix_is_marked_and_its_alarm_is_raised_once(budgets: CountedBudgets) -> None:
    counted: Counter[str] = Counter()
    guards = Guards(budgets, GuardSettings(misses_per_prefix=few(2)), count=lambda event: counted.update([event]))
    with capture_logs() as logs:
        await guards.settle(Dues(misses=[Miss(MOTHER, code(1)), Miss(STRANGER, code(2))]))
        admitted = await guards.admit_messages([about(9), about(9, asker=STRANGER)])
        other = Wanted(asker=MOTHER, codes=(code(1, "H51.29.18-250701"),))
        admitted += await guards.admit_messages([other])
    assert [each.verdict for each in admitted] == [OK] * 3
    assert [each.walked for each in admitted] == [{code(9)}, {code(9)}, frozenset()]
    assert counted == {"prefix_walked": 1}
    assert [(line["event"], line["prefix"]) for line in logs] == [("guard.prefix_walked", "H51.18-250701")]


async def test_typed_proofs_are_charged_beforehand_so_that_a_flood_of_guesses_is_none(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(misses_per_code=few(3)))
    askers = [Address("sms", f"84{number}0000001") for number in range(70, 90)]
    admitted = await guards.admit_messages([about(1, asker=asker, proof=GUESS) for asker in askers])
    assert [each.locked for each in admitted] == [False] * 3 + [True] * 17
    (plain,) = await guards.admit_messages([about(1)])
    assert not plain.locked


async def test_a_right_proof_is_given_back(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(misses_per_code=few(1)))
    for _ in range(3):
        (admitted,) = await guards.admit_messages([about(1, proof=GUESS)])
        assert not admitted.locked
        await guards.settle(Dues(back=list(admitted.attempt)))


async def test_silence_takes_no_reply_from_the_block_nor_from_the_hour(budgets: CountedBudgets) -> None:
    settings = GuardSettings(replies=few(1), replies_per_block=few(2), all_replies=few(3))
    guards = Guards(budgets, settings)
    admitted = await guards.admit_messages([about()] * 2)
    await guards.settle(Dues(back=[ask for each in admitted[1:] for ask in each.reply]))
    after = await guards.admit_messages([about(asker=NEIGHBOUR), about(asker=STRANGER)])
    assert [(each.verdict, each.capped) for each in after] == [(OK, False), (OK, False)]


async def test_the_ceiling_of_an_hour_is_marked_and_logged_once(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(all_replies=few(2)))
    askers = [Address("sms", f"84{number}0000001") for number in range(70, 75)]
    with capture_logs() as logs:
        admitted = await guards.admit_messages([about(asker=asker) for asker in askers])
    assert [each.capped for each in admitted] == [False, False, True, True, True]
    assert [each.verdict for each in admitted] == [OK] * 5
    assert [line["event"] for line in logs] == ["guard.ceiling_reached"]


async def test_what_is_refunded_is_given_back_to_sender_block_and_hour(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(replies=few(1), replies_per_block=few(1), all_replies=few(1)))
    for _ in range(3):
        (admitted,) = await guards.admit_messages([about()])
        assert (admitted.verdict, admitted.capped) == (OK, False)
        await guards.refund_replies([MOTHER])


async def test_the_web_has_its_own_figures(budgets: CountedBudgets) -> None:
    guards = Guards(
        budgets,
        GuardSettings(codes_per_address=few(3), misses_per_address=few(4), misses_before_work=few(9), codes=few(1)),
    )
    admitted = await guards.admit_questions([about(n, asker=OFFICE) for n in (1, 2, 3, 4)])
    assert [each.verdict for each in admitted] == [OK, OK, OK, FIRST]
    await guards.settle(Dues(misses=[Miss(OFFICE, code(1))] * 3))
    assert (await guards.admit_questions([about(1, asker=OFFICE)]))[0].verdict is OK
    await guards.settle(Dues(misses=[Miss(OFFICE, code(1))]))
    assert (await guards.admit_questions([about(1, asker=OFFICE)]))[0].verdict is FIRST


async def test_questions_of_a_block_are_limited(budgets: CountedBudgets) -> None:
    guards = Guards(budgets, GuardSettings(questions_per_block=few(2)))
    askers = [Address("web", f"203.0.113.{number}") for number in range(3)]
    admitted = await guards.admit_questions([about(asker=asker) for asker in (*askers, Address("web", "203.0.114.1"))])
    assert [each.verdict is OK for each in admitted] == [True, True, False, True]


@pytest.mark.parametrize(
    ("address", "block"),
    [
        (MOTHER, "sms:8491234"),
        (OFFICE, "web:203.0.113"),
        (Address("web", "2001:db8:1:2::/64"), "web:2001:db8:1::/48"),
        (Address("web", "2001:db8:1:ffff::/64"), "web:2001:db8:1::/48"),
        (Address("web", "local"), "web:"),
        (Address("telegram", "12345"), ""),
    ],
)
def test_a_block_is_what_one_party_may_hold(address: Address, block: str) -> None:
    assert block_of(address) == block


def test_a_prefix_is_agency_and_day_and_of_old_receipts_all_but_the_last_number() -> None:
    assert prefix_of(code(5)) == "H51.18-250701"
    assert prefix_of(code(1, "000.00.18.H51-161220")) == "000.00.18.H51-161220"
    legacy = DossierCode(text="12345/2016/00123", family=CodeFamily.LEGACY, agency="H51.18")
    assert prefix_of(legacy) == "H51.18:12345/2016/"
    lettered = DossierCode(text="BN20160012-A", family=CodeFamily.LEGACY, agency="H51.18")
    assert prefix_of(lettered) == "H51.18:BN"
