"""The rate holds whatever the SMSC says: lowered once a window, won back slowly, never above what was agreed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.account import SmppAccount
from channels.sms.pacing import BURST_SECONDS, TokenBucket
from channels.sms.statuses import Verdict
from channels.sms.throttle import LEAST_RATE, Meter, Throttle

ROUNDING = 1e-6


def account(**changes: Any) -> SmppAccount:
    defaults: dict[str, Any] = {"name": "a", "host": "h", "system_id": "s", "password": "p", "short_code": "8088"}
    return SmppAccount(**{**defaults, **changes})


def at_once(rate: float) -> float:
    """What a bucket of this rate may hold."""
    return max(1.0, rate * BURST_SECONDS)


def most_in(left: Sequence[tuple[float, int]], seconds: float) -> int:
    """The most that left within any span of so many seconds."""
    return max((sum(n for at, n in left if since <= at < since + seconds) for since, _ in left), default=0)


def drain(throttle: Throttle, now: float) -> int:
    """Everything that may leave now, gone."""
    count = int(throttle.allowed(now))
    throttle.spend(count, now)
    return count


# The bucket.


@given(rate=st.floats(0.5, 5_000), steps=st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 500)), max_size=60))
def test_bucket_never_gives_more_than_the_rate_and_one_small_burst(rate: float, steps: list[tuple[float, int]]) -> None:
    bucket = TokenBucket(rate, 0.0)
    now, taken = 0.0, 0
    for pause, wanted in steps:
        now += pause
        count = min(wanted, int(bucket.tokens(now)))
        bucket.spend(count)
        taken += count
        assert taken <= rate * now + at_once(rate) + ROUNDING


def test_bucket_says_when_the_next_one_may_leave() -> None:
    bucket = TokenBucket(10.0, 0.0)
    assert bucket.tokens(0.0) == 1.0
    bucket.spend(1)
    assert bucket.tokens(0.0) < 1.0
    assert bucket.wait() == pytest.approx(0.1)
    assert bucket.tokens(bucket.wait()) == pytest.approx(1.0)


def test_what_costs_several_is_waited_for_afterwards() -> None:
    bucket = TokenBucket(10.0, 0.0)
    bucket.spend(5)
    assert bucket.tokens(0.45) < 1.0
    assert bucket.wait() == pytest.approx(0.05)
    assert bucket.tokens(0.5) == pytest.approx(1.0)


def test_without_a_rate_there_is_no_limit() -> None:
    bucket = TokenBucket(0.0, 0.0)
    bucket.spend(500)
    assert bucket.tokens(0.0) == math.inf
    assert bucket.wait() == 0.0


def test_what_came_in_before_a_change_came_at_the_old_rate() -> None:
    bucket = TokenBucket(1.0, 0.0)
    bucket.spend(1)
    bucket.change(1_000.0, 0.5)
    assert bucket.tokens(0.5) == pytest.approx(0.5)


# The throttle.


def test_complaint_silences_the_account_and_takes_its_share_of_the_rate() -> None:
    throttle = Throttle(account(rate=100.0, throttle_pause=2.0, throttle_slowdown=0.5), 0.0)
    assert throttle.rate(0.0) == 100.0
    assert throttle.refused(throttle.era, 10.0)
    assert throttle.rate(10.0) == 50.0
    assert throttle.paused(11.9)
    assert throttle.allowed(11.9) == 0.0
    assert throttle.wait(11.5) == pytest.approx(0.5)
    assert not throttle.paused(12.0)
    assert throttle.allowed(12.0) == 1.0


def test_rate_is_won_back_in_equal_steps_up_to_the_agreed_one() -> None:
    throttle = Throttle(account(rate=100.0, throttle_pause=1.0, throttle_recovery=0.05), 0.0)
    throttle.refused(throttle.era, 0.0)
    assert [throttle.rate(now) for now in (0.5, 1.0, 2.0, 6.0, 11.0, 3_600.0)] == [50.0, 50.0, 55.0, 75.0, 100.0, 100.0]


def test_complaints_of_one_window_slow_down_once_and_each_renews_the_pause() -> None:
    throttle = Throttle(account(rate=100.0, throttle_pause=1.0), 0.0)
    era = throttle.era
    assert throttle.refused(era, 0.0)
    assert not throttle.refused(era, 0.3)
    assert not throttle.refused(era, 0.6)
    assert throttle.rate(0.6) == 50.0
    assert throttle.paused(1.5)
    assert throttle.refused(throttle.era, 1.6)
    assert throttle.rate(1.6) == 25.0


def test_late_complaint_of_an_old_window_takes_back_nothing_that_was_won() -> None:
    throttle = Throttle(account(rate=100.0, throttle_pause=1.0), 0.0)
    old = throttle.era
    throttle.refused(old, 0.0)
    assert throttle.rate(5.0) == 70.0
    throttle.refused(old, 5.0)
    assert throttle.rate(5.0) == throttle.rate(6.0) == 70.0
    assert throttle.rate(7.0) == pytest.approx(75.0)


@pytest.mark.parametrize(("rate", "least"), [(50.0, 1.0), (0.5, 0.5), (6_400.0, 100.0), (64.0, 1.0)])
def test_however_often_it_is_told_an_account_goes_on_trying(rate: float, least: float) -> None:
    throttle = Throttle(account(rate=rate), 0.0)
    for _ in range(50):
        throttle.refused(throttle.era, 0.0)
    assert throttle.rate(0.0) == least


def test_account_without_a_rate_is_slowed_down_from_what_it_wrote_in_the_last_second() -> None:
    throttle = Throttle(account(rate=0.0, throttle_pause=1.0), 0.0)
    assert throttle.rate(0.0) == 0.0
    for tenth in range(50):
        assert throttle.allowed(tenth / 10) == math.inf
        throttle.spend(20, tenth / 10)
    throttle.refused(throttle.era, 5.0)
    assert throttle.rate(5.0) == pytest.approx(100.0, rel=0.05)
    assert throttle.allowed(5.5) == 0.0
    assert throttle.allowed(6.0) <= at_once(110.0)


def test_account_without_a_rate_has_none_again_once_it_is_back_where_it_was() -> None:
    throttle = Throttle(account(rate=0.0, throttle_pause=1.0, throttle_recovery=0.05), 0.0)
    throttle.spend(200, 0.0)
    throttle.refused(throttle.era, 0.5)
    assert throttle.allowed(11.0) < math.inf
    assert throttle.allowed(11.6) == math.inf
    assert throttle.rate(11.6) == 0.0


def test_account_without_a_rate_that_wrote_nothing_still_tries_once_a_second() -> None:
    throttle = Throttle(account(rate=0.0), 0.0)
    throttle.refused(throttle.era, 100.0)
    assert throttle.rate(100.0) == LEAST_RATE


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 100)), max_size=50))
def test_meter_counts_no_more_than_the_last_two_seconds_hold(steps: list[tuple[float, int]]) -> None:
    meter, now, left = Meter(0.0), 0.0, list[tuple[float, int]]()
    for pause, count in steps:
        now += pause
        meter.add(count, now)
        left.append((now, count))
        recent = sum(n for at, n in left if at > now - 2.0 - ROUNDING)
        this_turn = sum(n for at, n in left if at >= math.floor(now) + ROUNDING)
        assert this_turn - ROUNDING <= meter.rate(now) <= recent + ROUNDING


@given(
    rate=st.floats(0.5, 2_000),
    pause=st.floats(0.05, 2.0),
    recovery=st.floats(0.01, 1.0),
    steps=st.lists(
        st.tuples(st.floats(0, 0.4), st.sampled_from(["write", "write", "write", "told", "told late"])), max_size=80
    ),
)
def test_no_second_sees_more_than_the_agreed_rate_and_no_pause_anything(
    rate: float, pause: float, recovery: float, steps: list[tuple[float, str]]
) -> None:
    throttle = Throttle(account(rate=rate, throttle_pause=pause, throttle_recovery=recovery), 0.0)
    now, silent_until, left = 0.0, 0.0, list[tuple[float, int]]()
    for passed, step in steps:
        now += passed
        if step == "write":
            count = drain(throttle, now)
            assert not count or now >= silent_until
            left.append((now, count))
        else:
            throttle.refused(throttle.era - (step == "told late"), now)
            silent_until = now + pause
        assert 0 < throttle.rate(now) <= rate
    assert most_in(left, 1.0) <= rate + at_once(rate) + ROUNDING


@given(rate=st.floats(2.0, 1_000), slowdown=st.floats(0.1, 0.9), seconds=st.floats(0.1, 20.0))
def test_after_a_complaint_no_more_leaves_than_the_rate_that_is_left_and_what_is_won_back(
    rate: float, slowdown: float, seconds: float
) -> None:
    throttle = Throttle(account(rate=rate, throttle_slowdown=slowdown, throttle_pause=1.0), 0.0)
    drain(throttle, 0.0)
    throttle.refused(throttle.era, 0.0)
    slow, left, steps = throttle.rate(0.0), 0, 200
    for step in range(steps + 1):
        left += drain(throttle, 1.0 + seconds * step / steps)
    won = 0.05 * rate * seconds**2 / 2
    assert left <= slow * seconds + won + at_once(rate) + ROUNDING


# The statuses.


def test_every_status_of_the_standard_has_one_verdict() -> None:
    listed = [name for names in statuses.TABLE.values() for name in names]
    assert sorted(listed) == sorted(statuses.NAMES.values())
    assert set(statuses.TABLE) == set(Verdict) - {Verdict.BLOCKED}  # which is always an operator's own


@pytest.mark.parametrize(
    ("verdict", "values"),
    [
        (Verdict.TAKEN, {c.ROK}),
        (Verdict.TOO_MUCH, {c.RTHROTTLED}),
        (Verdict.BUSY, {c.RMSGQFUL, c.RSYSERR, c.RX_T_APPN}),
        (Verdict.LATER, {c.RINVBNDSTS}),
    ],
)
def test_whatever_is_not_temporary_by_name_is_final(verdict: Verdict, values: set[int]) -> None:
    table = statuses.verdicts(account())
    assert {status for status, given in table.items() if given is verdict} == values
    assert {status for status in range(0x500) if table.get(status, statuses.UNLISTED) is verdict} == values


def test_operators_word_goes_before_the_standards() -> None:
    table = statuses.verdicts(
        account(
            temporary_statuses=frozenset({0x400, c.RMSGQFUL}),
            throttling_statuses=frozenset({0x401, c.RSUBMITFAIL}),
            stopped_statuses=frozenset({0x402, c.ROK}),
        )
    )
    assert (table[0x400], table[c.RMSGQFUL]) == (Verdict.LATER, Verdict.LATER)
    assert (table[0x401], table[c.RSUBMITFAIL]) == (Verdict.TOO_MUCH, Verdict.TOO_MUCH)
    assert (table[0x402], table[c.ROK]) == (Verdict.BLOCKED, Verdict.TAKEN)
