"""What every implementation of the budgets promises."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self

import pytest
import redis
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

import adapters.redis.budgets
from adapters.memory.budgets import EXACT, MEMBERS, MEMBERS_PER_KEY, SHARED, MemoryBudgets
from adapters.redis.budgets import RedisBudgets
from adapters.redis.client import SharedRedis, connect
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from demo.process import free_port
from domain.questions import Left
from tests.servers.redis import PATIENCE, RedisServer, running_redis

OK, FIRST, NO = Verdict.ALLOWED, Verdict.FIRST_REFUSAL, Verdict.REFUSED
SHORT, DAY = Limit(2, 10.0), Limit(4, 100.0)
NUMBERS = count()
Steps = list[tuple[float, int]]
ALLOWED = st.integers(1, 200)
STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=60)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class NoBudgets:
    """Stands where the process's own budgets would, and must not be asked."""

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        raise AssertionError("Redis was given up")

    async def spend_and_tell(
        self, asks: Sequence[BudgetAsk], told: Sequence[int]
    ) -> tuple[Sequence[Verdict], Sequence[Left | None]]:
        raise AssertionError("Redis was given up")

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        raise AssertionError("Redis was given up")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@asynccontextmanager
async def in_redis(url: str, clock: Callable[[], float] | None = None) -> AsyncIterator[RedisBudgets]:
    shared = connect(url, time_limit=PATIENCE)
    budgets = RedisBudgets(shared, NoBudgets(), prefix=f"test{next(NUMBERS)}:", clock=clock)
    try:
        yield budgets
    finally:
        await budgets.close()
        await shared.aclose()


@pytest.fixture(params=["memory", "redis"])
async def budgets(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Budgets]:
    if request.param == "memory":
        yield MemoryBudgets(clock)
    else:
        async with in_redis(request.getfixturevalue("server").url, clock) as shared:
            yield shared


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


async def hold_against_a_true_window(budgets: Budgets, clock: Clock, count: int, steps: Steps) -> None:
    """Never open: what is allowed is always within a true sliding window, and below the exact size it is that window."""
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


@settings(deadline=None)
@given(ALLOWED, STEPS)
async def test_never_more_than_allowed_in_any_window_in_memory(count: int, steps: Steps) -> None:
    clock = Clock()
    await hold_against_a_true_window(MemoryBudgets(clock), clock, count, steps)


@settings(deadline=None, max_examples=30)
@given(count=ALLOWED, steps=STEPS)
async def test_never_more_than_allowed_in_any_window_in_redis(server: RedisServer, count: int, steps: Steps) -> None:
    clock = Clock()
    async with in_redis(server.url, clock) as budgets:
        await hold_against_a_true_window(budgets, clock, count, steps)


async def test_everybody_in_a_large_batch_has_a_verdict_in_their_place(budgets: Budgets) -> None:
    asks = [ask(f"a:{number}", Limit(number % 3, 10.0), DAY) for number in range(1000)]
    assert await budgets.spend(asks) == [FIRST if number % 3 == 0 else OK for number in range(1000)]


async def test_limits_are_ordered_by_their_windows_however_they_are_written(budgets: Budgets, clock: Clock) -> None:
    both = ask("reply:x", DAY, SHORT)
    assert await budgets.spend([both] * 4) == [OK, OK, FIRST, NO]
    clock.now += 10.0
    assert await budgets.spend([both] * 4) == [OK, OK, FIRST, NO]


# ---- distinct members


def member(name: str, *limits: Limit, key: str = "code:sms:84912345678", units: int = 1) -> BudgetAsk:
    return BudgetAsk(key, limits or (SHORT,), member=name, units=units)


async def test_a_member_that_was_counted_costs_nothing_more(budgets: Budgets) -> None:
    assert await budgets.spend([member("a"), member("a"), member("b"), member("a")]) == [OK] * 4
    assert await budgets.spend([member("c"), member("c"), member("b")]) == [FIRST, NO, OK]


async def test_a_member_is_counted_until_its_longest_window_is_over(budgets: Budgets, clock: Clock) -> None:
    both = (Limit(1, 10.0), Limit(2, 100.0))
    assert await budgets.spend([member("a", *both), member("b", *both)]) == [OK, FIRST]
    clock.now += 10.0
    assert await budgets.spend([member("a", *both), member("b", *both)]) == [OK, OK]
    clock.now += 89.9
    assert await budgets.spend([member("a", *both), member("c", *both)]) == [OK, FIRST]
    clock.now += 0.1
    assert await budgets.spend([member("c", *both), member("a", *both), member("b", *both)]) == [OK, NO, OK]


async def test_members_of_one_key_are_not_anothers(budgets: Budgets) -> None:
    one = (Limit(1, 10.0),)
    assert await budgets.spend([member("a", *one), member("a", *one, key="code:other")]) == [OK, OK]
    assert await budgets.spend([member("b", *one, key="code:other")]) == [FIRST]


async def test_a_refused_member_is_not_remembered(budgets: Budgets, clock: Clock) -> None:
    await budgets.spend([member(name) for name in "abcc"])
    clock.now += 10.0
    assert await budgets.spend([member(name) for name in "cde"]) == [OK, OK, FIRST]


async def test_a_member_gives_nothing_back_since_it_may_have_cost_nothing(budgets: Budgets) -> None:
    await budgets.spend([member("a"), member("b")])
    await budgets.refund([member("a"), member("b")])
    assert await budgets.spend([member("a"), member("b"), member("c")]) == [OK, OK, FIRST]


async def test_more_members_than_are_remembered_cost_again_and_never_nothing(budgets: Budgets) -> None:
    generous = (Limit(MEMBERS + 2, 10.0),)
    asks = [member(str(number), *generous) for number in range(MEMBERS + 1)]
    assert set(await budgets.spend(asks)) == {OK}
    assert await budgets.spend([asks[-1], asks[0], member("new", *generous)]) == [OK, OK, FIRST]


# ---- asking without spending


def only_asked(*limits: Limit) -> BudgetAsk:
    return BudgetAsk("reply:sms:84912345678", limits or (SHORT,), units=0)


async def test_who_only_asks_spends_nothing(budgets: Budgets) -> None:
    assert await budgets.spend([only_asked()] * 5) == [OK] * 5
    assert await budgets.spend([ask(), only_asked(), ask(), only_asked()]) == [OK, OK, OK, FIRST]
    assert await budgets.spend([only_asked(), ask()]) == [NO, NO]


async def test_who_only_asks_is_refused_while_the_budget_is_spent_and_no_longer(budgets: Budgets, clock: Clock) -> None:
    await budgets.spend([ask()] * 2)
    clock.now += 9.9
    assert await budgets.spend([only_asked()]) == [FIRST]
    clock.now += 0.1
    assert await budgets.spend([only_asked()]) == [OK]


async def test_who_only_asks_a_budget_of_nothing_is_refused(budgets: Budgets) -> None:
    assert await budgets.spend([only_asked(Limit(0, 10.0))] * 2) == [FIRST, NO]


async def test_who_only_asks_for_a_member_hears_whether_it_would_be_free(budgets: Budgets) -> None:
    await budgets.spend([member("a"), member("b")])
    assert await budgets.spend([member("a", units=0), member("c", units=0)]) == [OK, FIRST]


async def test_what_was_only_asked_gives_nothing_back(budgets: Budgets) -> None:
    await budgets.spend([ask()] * 2)
    await budgets.refund([only_asked()])
    assert await budgets.spend([ask()]) == [FIRST]


# ---- needing another


def needing(key: str, needs: int, *limits: Limit, units: int = 1, name: str = "") -> BudgetAsk:
    return BudgetAsk(key, limits or (SHORT,), member=name, units=units, needs=needs)


NOTHING = Limit(0, 10.0)


async def test_what_needs_a_refused_one_is_refused_silently_and_costs_nothing(budgets: Budgets) -> None:
    asks = [ask("a:1", Limit(1, 10.0)), needing("b:1", 1)]
    assert [await budgets.spend(asks) for _ in range(3)] == [[OK, OK], [FIRST, NO], [NO, NO]]
    assert await budgets.spend([ask("b:1")] * 2) == [OK, FIRST]


async def test_what_needs_one_that_needs_another_needs_both(budgets: Budgets) -> None:
    asks = [ask("a:1", NOTHING), needing("b:1", 1), needing("c:1", 1), needing("d:1", 2)]
    assert await budgets.spend(asks) == [FIRST, NO, NO, NO]
    assert await budgets.spend([ask("c:1")] * 3) == [OK, OK, FIRST]


async def test_what_is_needed_may_stand_further_up(budgets: Budgets) -> None:
    asks = [ask("a:1"), ask("b:1", NOTHING), needing("c:1", 2), needing("c:1", 3, name="x")]
    assert await budgets.spend(asks) == [OK, FIRST, OK, OK]


async def test_a_first_refusal_is_kept_for_one_that_is_heard(budgets: Budgets) -> None:
    """What was refused for another's sake has not said so."""
    spent = needing("b:1", 1, NOTHING)
    assert await budgets.spend([ask("a:1", NOTHING), spent]) == [FIRST, NO]
    assert await budgets.spend([ask("a:2"), spent]) == [OK, FIRST]


async def test_a_member_that_was_counted_needs_all_the_same(budgets: Budgets) -> None:
    counted = needing("b:1", 1, name="x")
    assert await budgets.spend([ask("a:1", Limit(1, 10.0)), counted]) == [OK, OK]
    assert await budgets.spend([ask("a:1", Limit(1, 10.0)), counted]) == [FIRST, NO]


async def test_one_without_limits_passes_on_what_it_needs(budgets: Budgets) -> None:
    open_ended = BudgetAsk("b:1", (), needs=1)
    assert await budgets.spend([ask("a:1"), open_ended, needing("c:1", 1)]) == [OK, OK, OK]
    assert await budgets.spend([ask("a:2", NOTHING), open_ended, needing("c:1", 1)]) == [FIRST, NO, NO]


async def test_callers_of_one_moment_need_their_own_asks_only(budgets: Budgets) -> None:
    callers = [
        budgets.spend([ask(f"a:{number}", Limit(number % 2, 10.0)), needing(f"b:{number}", 1)]) for number in range(20)
    ]
    assert await asyncio.gather(*callers) == [[OK, OK] if number % 2 else [FIRST, NO] for number in range(20)]


# ---- what is left


async def test_what_is_left_is_told_of_the_asks_it_is_wanted_of_and_in_their_order(budgets: Budgets) -> None:
    asks = [ask("a:1"), ask("b:1", DAY), ask("c:1", DAY)]
    assert await budgets.spend_and_tell(asks, [2, 0]) == ([OK] * 3, [Left(4, 100.0, 3, 100.0), Left(2, 10.0, 1, 10.0)])
    assert await budgets.spend_and_tell(asks, []) == ([OK] * 3, [])
    assert await budgets.spend_and_tell([], []) == ([], [])


async def test_what_is_left_is_what_all_of_the_batch_leave(budgets: Budgets) -> None:
    assert await budgets.spend_and_tell([ask("a:1", DAY)] * 3, [0, 2]) == ([OK] * 3, [Left(4, 100.0, 1, 100.0)] * 2)


async def test_what_is_left_is_of_the_window_nearest_its_end_and_of_two_the_longer(
    budgets: Budgets, clock: Clock
) -> None:
    both = ask("a:1", DAY, SHORT)
    assert (await budgets.spend_and_tell([both], [0]))[1] == [Left(2, 10.0, 1, 10.0)]
    clock.now += 4.0
    assert (await budgets.spend_and_tell([both] * 2, [0])) == ([OK, FIRST], [Left(2, 10.0, 0, 6.0)])
    clock.now += 6.0
    assert (await budgets.spend_and_tell([both], [0]))[1] == [Left(2, 10.0, 0, 4.0)]
    clock.now += 4.0
    assert (await budgets.spend_and_tell([both], [0]))[1] == [Left(4, 100.0, 0, 86.0)]


async def test_what_is_left_of_nothing_spent_is_all_of_it_and_asking_takes_nothing(budgets: Budgets) -> None:
    for _ in range(3):
        assert await budgets.spend_and_tell([only_asked()], [0]) == ([OK], [Left(2, 10.0, 2, 0.0)])
    assert await budgets.spend_and_tell([only_asked(Limit(0, 10.0))], [0]) == ([FIRST], [Left(0, 10.0, 0, 0.0)])


async def test_of_an_ask_without_limits_nothing_is_told(budgets: Budgets) -> None:
    endless = BudgetAsk("a:1", ())
    assert await budgets.spend_and_tell([endless], [0]) == ([OK], [None])
    assert await budgets.spend_and_tell([endless, ask("b:1")], [0, 1]) == ([OK, OK], [None, Left(2, 10.0, 1, 10.0)])


async def test_callers_of_one_moment_hear_what_is_left_of_their_own(budgets: Budgets) -> None:
    callers = [budgets.spend_and_tell([ask(f"a:{n}", Limit(n, 10.0))] * 2, [1] * (n % 2)) for n in range(2, 20)]
    left = [[Left(n, 10.0, n - 2, 10.0)] * (n % 2) for n in range(2, 20)]
    assert [told for _, told in await asyncio.gather(*callers)] == left


@settings(deadline=None, max_examples=30)
@given(count=ALLOWED, steps=STEPS)
async def test_what_is_left_is_allowed_next_and_more_once_it_resets(count: int, steps: Steps) -> None:
    clock = Clock()
    budgets = MemoryBudgets(clock)
    for pause, units in steps:
        clock.now += pause
        asks = [ask("a:1", Limit(count, 10.0))] * units
        _, (left,) = await budgets.spend_and_tell(asks, [0])
        assert left is not None
        more = await budgets.spend([asks[0]] * (left.left + 1))
        assert more.count(OK) == left.left
        clock.now += left.resets_s + 0.001
        assert (await budgets.spend([asks[0]]))[0] is OK


# ---- memory


async def test_who_only_asks_takes_no_memory(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=10)
    await budgets.spend([BudgetAsk(f"a:{number}", (SHORT,), units=0) for number in range(100)])
    assert len(budgets) == 0


async def test_who_only_asks_while_keys_do_not_fit_hears_of_the_shared_budget(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=1)
    await budgets.spend([ask("a:first"), *[ask("a:1")] * 2])
    assert await budgets.spend([BudgetAsk("a:1", (SHORT,), units=0)]) == [FIRST]


async def test_flood_of_members_takes_bounded_memory_and_is_never_open(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=10)
    generous = (Limit(1_000, 100.0),)
    for key in range(10):
        await budgets.spend([member(str(number), *generous, key=f"code:{key}") for number in range(2 * MEMBERS)])
        assert budgets._members <= 10 * MEMBERS_PER_KEY
    assert budgets._members == sum(len(each.members) for each in budgets._accounts[100.0].values())
    later = await budgets.spend([member("0", *generous, key="code:9")] * 1_000)
    assert later.count(OK) == 1_000 - 2 * MEMBERS
    clock.now += 100.0
    await budgets.spend([])
    assert budgets._members == 0


async def test_keys_that_share_a_budget_do_not_share_its_members(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=1)
    await budgets.spend([ask("code:first")])
    asks = [member("a", Limit(2, 10.0), key=f"code:{number}") for number in range(3 * SHARED)]
    assert (await budgets.spend(asks)).count(OK) <= 2 * SHARED


async def test_busy_key_takes_bounded_memory(clock: Clock) -> None:
    budgets = MemoryBudgets(clock)
    generous = ask("a:1", Limit(1_000_000, 600.0), Limit(10_000_000, 86_400.0))
    for _ in range(5_000):
        clock.now += 1.0
        await budgets.spend([generous] * 3)
    (account,) = budgets._accounts[86_400.0].values()
    assert all(len(window.spends) <= 4 * EXACT for window in account.windows)
    assert account.windows[1].total == 15_000


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


async def test_what_is_refused_for_anothers_sake_takes_no_memory(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=10)
    for number in range(100):
        await budgets.spend([ask("a:1"), needing(f"b:{number}", 1)])
    assert len(budgets) == 1 + SHORT.count


async def test_flood_of_one_scheme_takes_no_room_from_another(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=10)
    await budgets.spend([ask(f"code:web:{number}") for number in range(20 * SHARED)])
    for scheme in ("sms", "telegram"):
        numbers = [ask(f"code:{scheme}:{number}") for number in range(10)]
        assert await budgets.spend(numbers * 2) == [OK] * 20


async def test_neighbours_who_do_not_fit_share_one_budget_and_leave_the_others_theirs(clock: Clock) -> None:
    budgets = MemoryBudgets(clock, keys=1)
    await budgets.spend([ask("code:web:first")])
    flood = await budgets.spend([ask(f"code:web:2001:db8:1::/48|{number}") for number in range(1_000)])
    assert flood.count(OK) == SHORT.count
    others = await budgets.spend([ask(f"code:web:198.51.{number}|198.51.{number}.1") for number in range(100)])
    assert others.count(OK) > 90


def test_room_for_nobody_is_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemoryBudgets(clock, keys=0)


# ---- Redis


class Load:
    """Counts what the server was told to do."""

    def __init__(self, server: RedisServer) -> None:
        self._client = redis.Redis(port=server.port)
        self._before = self._calls()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._client.close()

    def calls(self, command: str) -> int:
        return self._calls().get(command, 0) - self._before.get(command, 0)

    def _calls(self) -> dict[str, int]:
        stats: Any = self._client.info("commandstats")
        return {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in stats.items()}


async def test_batch_is_one_round_trip_whose_keys_share_a_slot(server: RedisServer) -> None:
    async with in_redis(server.url) as budgets:
        await budgets.spend([ask("warm:up")])
        with Load(server) as load:
            await budgets.spend([ask(f"a:{number}") for number in range(100)])
            assert load.calls("evalsha") == 1
            assert load.calls("eval") == 0
        with redis.Redis(port=server.port) as client:
            keys: Any = client.keys(f"{budgets._prefix}*")
        assert len(keys) == 101
        assert all(b"{budgets}" in key for key in keys)


async def test_callers_of_one_moment_share_a_round_trip_and_nobody_spends_anothers(server: RedisServer) -> None:
    async with in_redis(server.url) as budgets:
        await budgets.spend([ask("warm:up")])
        with Load(server) as load:
            callers = [
                budgets.spend([ask(f"a:{number % 50}"), ask("one:only", Limit(7, 10.0))]) for number in range(200)
            ]
            answers = await asyncio.gather(*callers)
            assert load.calls("evalsha") <= 3
    assert [own for own, _ in answers].count(OK) == 50 * SHORT.count
    assert [shared for _, shared in answers] == [OK] * 7 + [FIRST] + [NO] * 192


async def test_caller_who_leaves_takes_nothing_from_the_others(server: RedisServer) -> None:
    async with in_redis(server.url) as budgets:
        leaving = asyncio.ensure_future(budgets.spend([ask("a:1")]))
        staying = asyncio.ensure_future(budgets.spend([ask("a:2")]))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == [OK]


async def test_two_gateways_share_one_budget(server: RedisServer) -> None:
    async with in_redis(server.url) as ours, in_redis(server.url) as theirs:
        theirs._prefix = ours._prefix
        answers = await asyncio.gather(*(each.spend([ask()]) for each in [ours, theirs] * 10))
        assert sorted(verdict for (verdict,) in answers) == sorted([OK, OK, FIRST, *[NO] * 17])
        await theirs.refund([ask()])
        assert await ours.spend([ask()]) == [OK]


async def test_servers_clock_counts_and_not_the_process(server: RedisServer) -> None:
    async with in_redis(server.url) as budgets:
        assert await budgets.spend([ask()] * 3) == [OK, OK, FIRST]
        for hour in (1, -1):
            with time_machine.travel(datetime.now(UTC) + timedelta(hours=hour)):
                assert await budgets.spend([ask()]) == [NO]
        with Load(server) as load:
            await budgets.spend([ask()])
            assert load.calls("time") == 1


async def test_script_the_server_forgot_is_sent_again(server: RedisServer) -> None:
    async with in_redis(server.url) as budgets:
        await budgets.spend([ask()])
        with redis.Redis(port=server.port) as client:
            client.script_flush()
        with Load(server) as load:
            assert await budgets.spend([ask()] * 2) == [OK, FIRST]
            await budgets.refund([ask()])
            assert await budgets.spend([ask()]) == [OK]
            assert load.calls("eval") == 2


async def test_keys_leave_redis_with_their_longest_window(server: RedisServer) -> None:
    async with in_redis(server.url) as budgets:
        await budgets.spend([ask("a:1", SHORT, DAY), ask("a:2"), BudgetAsk("a:3", ())])
        await budgets.refund([ask("never:seen")])
        with redis.Redis(port=server.port) as client:
            left: Any = [client.pttl(f"{budgets._prefix}a:{number}") for number in (1, 2, 3)]
            assert not client.exists(f"{budgets._prefix}never:seen")
    assert 99_000 < left[0] <= 100_000
    assert 9_000 < left[1] <= 10_000
    assert left[2] == -2


async def test_busy_key_takes_bounded_room_in_redis(server: RedisServer, clock: Clock) -> None:
    generous = ask("a:1", Limit(1_000_000, 600.0), Limit(10_000_000, 86_400.0))
    async with in_redis(server.url, clock) as budgets:
        for _ in range(1_500):
            clock.now += 1.0
            assert await budgets.spend([generous] * 3) == [OK] * 3
        with redis.Redis(port=server.port) as client:
            size: Any = client.strlen(f"{budgets._prefix}a:1")
    assert size < 2 * 4 * adapters.redis.budgets.EXACT * 12


async def test_members_leave_redis_with_their_longest_window_and_take_bounded_room(
    server: RedisServer, clock: Clock
) -> None:
    generous = (Limit(1_000_000, 600.0),)
    async with in_redis(server.url, clock) as budgets:
        for start in range(0, 2_000, 500):
            await budgets.spend([member(str(start + number), *generous, key="a:1") for number in range(500)])
        with redis.Redis(port=server.port) as client:
            size: Any = client.strlen(f"{budgets._prefix}a:1")
            assert size < adapters.redis.budgets.MEMBERS * 28
            assert 0 < client.pttl(f"{budgets._prefix}a:1") <= 600_000
            await budgets.spend([BudgetAsk("a:2", (SHORT,), units=0)])
            assert not client.exists(f"{budgets._prefix}a:2")


async def test_without_redis_a_member_stays_one_and_who_only_asks_spends_nothing(clock: Clock) -> None:
    nowhere, budgets = budgets_without_redis(clock)
    four = Limit(4, 10.0)
    asks = [member("a", four), member("a", four), member("b", four, units=0), member("b", four), member("c", four)]
    assert await budgets.spend(asks) == [OK, OK, OK, OK, FIRST]
    await nowhere.aclose()


async def test_without_redis_what_is_left_is_what_the_process_allows(clock: Clock) -> None:
    nowhere, budgets = budgets_without_redis(clock)
    assert await budgets.spend_and_tell([ask("a:1", Limit(9, 10.0))], [0]) == ([OK], [Left(4, 10.0, 3, 10.0)])
    await nowhere.aclose()


async def test_what_is_left_costs_no_round_trip(server: RedisServer) -> None:
    async with in_redis(server.url) as budgets:
        await budgets.spend([ask("warm:up")])
        with Load(server) as load:
            _, (left,) = await budgets.spend_and_tell([ask("a:1")], [0])
            assert load.calls("evalsha") == 1
    assert left == Left(2, 10.0, 1, 10.0)


async def test_settings_that_change_keep_what_was_spent(server: RedisServer, clock: Clock) -> None:
    async with in_redis(server.url, clock) as budgets:
        assert await budgets.spend([ask("a:1", SHORT)] * 2) == [OK, OK]
        assert await budgets.spend([ask("a:1", Limit(3, 10.0), DAY)] * 2) == [OK, FIRST]
        assert await budgets.spend([ask("a:1", Limit(4, 20.0))] * 2) == [OK, NO]


def budgets_without_redis(clock: Clock, **options: Any) -> tuple[SharedRedis, RedisBudgets]:
    nowhere = connect(f"redis://127.0.0.1:{free_port()}/0", time_limit=PATIENCE, back_off=0.0)
    return nowhere, RedisBudgets(nowhere, MemoryBudgets(clock), **options)


async def test_without_redis_the_process_is_stricter_and_never_open(clock: Clock) -> None:
    nowhere, budgets = budgets_without_redis(clock, stricter=3)
    with capture_logs() as logs:
        assert await budgets.spend([ask("a:1", Limit(9, 10.0))] * 5) == [OK, OK, OK, FIRST, NO]
        assert await budgets.spend([ask("a:2", Limit(2, 10.0))] * 3) == [OK, FIRST, NO]
        assert await budgets.spend([ask("a:3", Limit(0, 10.0)), BudgetAsk("a:4", ())]) == [FIRST, OK]
    assert [line["event"] for line in logs] == ["redis.away"]
    await nowhere.aclose()


async def test_without_redis_a_refund_goes_to_the_process(clock: Clock) -> None:
    nowhere, budgets = budgets_without_redis(clock)
    generous = ask("a:1", Limit(4, 10.0))
    assert await budgets.spend([generous] * 3) == [OK, OK, FIRST]
    await budgets.refund([generous, BudgetAsk("a:4", ())])
    assert await budgets.spend([generous] * 2) == [OK, NO]
    await nowhere.aclose()


async def test_full_redis_counts_as_away(server: RedisServer, clock: Clock) -> None:
    shared = connect(server.url, time_limit=PATIENCE, back_off=0.0)
    budgets = RedisBudgets(shared, MemoryBudgets(clock), prefix=f"test{next(NUMBERS)}:")
    with redis.Redis(port=server.port) as client, capture_logs() as logs:
        client.config_set("maxmemory", 1)
        assert await budgets.spend([ask("a:1", Limit(4, 10.0))] * 4) == [OK, OK, FIRST, NO]
        client.config_set("maxmemory", 0)
        assert await budgets.spend([ask("a:1", Limit(4, 10.0))] * 4) == [OK] * 4
    assert [(line["event"], line.get("fault")) for line in logs] == [
        ("redis.away", "it is full (maxmemory)"),
        ("redis.back", None),
    ]
    await shared.aclose()


def test_factor_that_would_be_open_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RedisBudgets(connect("redis://127.0.0.1:1/0"), NoBudgets(), stricter=0)
