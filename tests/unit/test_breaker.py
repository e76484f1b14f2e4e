"""A one-stop system that does not answer is left alone, and found again."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from domain.errors import SourceMisread, SourceUnavailable
from lookup.breaker import Breaker


class Watch:
    """A monotonic clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, failure: BaseException | None = None) -> None:
    failure = failure or SourceUnavailable("away")
    with pytest.raises(type(failure)), breaker.guard():
        raise failure


def answer(breaker: Breaker) -> None:
    with breaker.guard():
        pass


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def breaker(watch: Watch) -> Breaker:
    return Breaker("h51", failures=3, pause=10.0, monotonic=watch)


def opened(breaker: Breaker) -> Breaker:
    for _ in range(3):
        fail(breaker)
    return breaker


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker)
    fail(breaker)
    assert not breaker.refuses()
    fail(breaker)
    assert breaker.refuses()
    with pytest.raises(SourceUnavailable, match="h51: left alone after 3"), breaker.guard():
        pytest.fail("a read passed")


def test_an_answer_in_between_starts_the_count_again(breaker: Breaker) -> None:
    for _ in range(5):
        fail(breaker)
        fail(breaker)
        answer(breaker)
    assert not breaker.refuses()


@pytest.mark.parametrize("failure", [SourceMisread("no such column"), ZeroDivisionError()])
def test_a_wrong_answer_came_in_time(breaker: Breaker, failure: Exception) -> None:
    fail(breaker)
    fail(breaker)
    fail(breaker, failure)
    fail(breaker)
    fail(breaker)
    assert not breaker.refuses()


def test_after_the_pause_one_read_at_a_time_tries(breaker: Breaker, watch: Watch) -> None:
    opened(breaker)
    watch.now += 9.9
    assert breaker.refuses()
    watch.now += 0.1
    assert not breaker.refuses()
    with breaker.guard():
        watch.now += 3600
        assert breaker.refuses()
    assert not breaker.refuses()


def test_failed_try_opens_it_for_another_pause(breaker: Breaker, watch: Watch) -> None:
    opened(breaker)
    for _ in range(3):
        watch.now += 10
        assert not breaker.refuses()
        fail(breaker)
        assert breaker.refuses()


def test_cancelled_try_says_nothing_and_leaves_room_for_the_next(breaker: Breaker, watch: Watch) -> None:
    opened(breaker)
    watch.now += 10
    fail(breaker, asyncio.CancelledError())
    assert not breaker.refuses()
    fail(breaker)
    assert breaker.refuses()


def test_late_answer_of_a_read_that_left_before_closes_it(breaker: Breaker) -> None:
    with breaker.guard():
        opened(breaker)
        assert breaker.refuses()
    assert not breaker.refuses()


def test_opening_and_closing_are_logged_once(breaker: Breaker, watch: Watch) -> None:
    with capture_logs() as logs:
        opened(breaker)
        watch.now += 10
        fail(breaker)
        watch.now += 10
        answer(breaker)
        answer(breaker)
    assert [(line["event"], line["source"]) for line in logs] == [
        ("source.breaker_opened", "h51"),
        ("source.breaker_closed", "h51"),
    ]
