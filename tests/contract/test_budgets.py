"""What every implementation of the budgets promises."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.budgets import EXACT, SHARED, MemoryBudgets
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict

OK, FIRST, NO = Verdict.ALLOWED, Verdict.FIRST_REFUSAL, Verdict.REFUSED
SHORT, DAY = Limit(2, 10.0), Limit(4, 100.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory"])
def budgets(request: pytest.FixtureRequest, clock: Clock) -> Budgets:
    makers = {"memory": lambda: MemoryBudgets(clock)}
    return makers[request.param]()


def ask(key: str = "reply:sms:84912345678", *limits: Limit) -> BudgetAsk:
    return BudgetAsk(key, limits or (SHORT,))


async def test_budget_is_spent_then_refused_once_aloud_then_silently(budgets: Budgets) -> None:
    assert await budgets.spend([ask()] * 5) == [OK, OK, FIRST, NO, NO]


async def test_what_is_refused_is_not_counted(budgets: Budgets, clock: Clock) -> None:
    await budgets.spend([ask()] * 50)
    clock.now += 10.0
    assert await budgets.spend([ask()] * 3) == [OK, OK, FIRST]


async def test_window_slides_and_does_not_jump(budgets: Budgets, clock: Clock) -> None:
    assert await budgets.spend([ask()]) == [OK]
    clock.now += 9.0
    assert await budgets.spend([ask()]) == [OK]
    clock.now += 0.9
    assert await budgets.spend([ask()]) == [FIRST]
    clock.now += 0.1
    assert await budgets.spend([ask()] * 2) == [OK, NO]


async def test_first_refusal_comes_again_only_after_its_window(budgets: Budgets, clock: Clock) -> None:
    assert await budgets.spend([ask()] * 3) == [OK, OK, FIRST]
    clock.now += 10.0
    assert await budgets.spend([ask()] * 3) == [OK, OK, FIRST]
    clock.now += 9.9
    assert await budgets.spend([ask()]) == [NO]


async def test_longest_exceeded_window_decides_whether_a_refusal_is_the_first(budgets: Budgets, clock: Clock) -> None:
    both = ask("reply:x", SHORT, DAY)
    assert await budgets.spend([both] * 4) == [OK, OK, FIRST, NO]
    clock.now += 10.0
    assert await budgets.spend([both] * 4) == [OK, OK, FIRST, NO]
    for _ in range(8):
        clock.now += 10.0
        assert await budgets.spend([both]) == [NO]
    clock.now += 1000.0
    assert await budgets.spend([both] * 3) == [OK, OK, FIRST]


async def test_one_key_does_not_spend_anothers_budget(budgets: Budgets) -> None:
    assert await budgets.spend([ask("a:1"), ask("a:2"), ask("a:1"), ask("a:1"), ask("a:2")]) == [OK, OK, OK, FIRST, OK]


async def test_no_limits_allow_and_a_limit_of_nothing_refuses(budgets: Budgets) -> None:
    assert await budgets.spend([BudgetAsk("a:1", ())]) == [OK]
    assert await budgets.spend([ask("a:2", Limit(0, 10.0))] * 2) == [FIRST, NO]


async def test_refund_gives_back_one_unit_and_never_more_than_was_spent(budgets: Budgets, clock: Clock) -> None:
    await budgets.refund([ask(), ask("never:seen"), BudgetAsk("a:1", ())])
    await budgets.spend([ask()] * 2)
    await budgets.refund([ask()])
    assert await budgets.spend([ask()] * 2) == [OK, FIRST]
    await budgets.refund([ask()] * 9)
    assert await budgets.spend([ask()] * 3) == [OK, OK, NO]
    clock.now += 1000.0
    await budgets.refund([ask()])
    assert await budgets.spend([ask()] * 3) == [OK, OK, FIRST]


@settings(deadline=None)
@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=60),
)
async def test_never_more_than_allowed_in_any_window(count: int, steps: list[tuple[float, int]]) -> None:
    """Never open: what is allowed is always within a true sliding window, and below the exact size it is that window."""
    clock = Clock()
    budgets = MemoryBudgets(clock)
    exact: deque[float] = deque()
    for pause, units in steps:
        clock.now += pause
        while exact and exact[0] <= clock.now - 10.0:
            exact.popleft()
        for verdict in await budgets.spend([ask("a:1", Limit(count, 10.0))] * units):
            if verdict is OK:
                exact.append(clock.now)
            elif count <= EXACT:
                assert len(exact) == count
            assert len(exact) <= count


async def test_busy_key_takes_bounded_memory(clock: Clock) -> None:
    budgets = MemoryBudgets(clock)
    generous = ask("a:1", Limit(1_000_000, 600.0), Limit(10_000_000, 86_400.0))
    for _ in range(5_000):
        clock.now += 1.0
        await budgets.spend([generous] * 3)
    ((_, account),) = budgets._accounts[86_400.0].values()
    assert all(len(window.spends) <= 4 * EXACT for window in account)
    assert account[1].total == 15_000


async def test_expired_keys_are_forgotten(clock: Clock) -> None:
    budgets = MemoryBudgets(clock)
    await budgets.spend([ask(f"a:{number}") for number in range(100)])
    await budgets.spend([ask(f"b:{number}", DAY) for number in range(100)])
    assert len(budgets) == 200
    clock.now += 10.0
    await budgets.spend([])
    assert len(budgets) == 100
    clock.now += 90.0
    await budgets.spend([])
    assert len(budgets) == 0


async def test_flood_of_keys_makes_budgets_stricter_never_open(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=10)
    spent = [ask(f"a:{number}") for number in range(10)]
    await budgets.spend(spent * 2)
    flood = await budgets.spend([ask(f"a:flood{number}") for number in range(20 * SHARED)])
    assert len(budgets) <= 10 + SHARED
    assert flood.count(OK) <= SHARED * SHORT.count
    assert OK not in await budgets.spend(spent)
    assert await budgets.spend([ask("other:1")]) == [OK]


def test_room_for_nobody_is_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemoryBudgets(clock, keys=0)
