"""When a message is tried again: a notice's waits grow with its age, a reply's do not, and nothing outlives its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.message import Category, SendStatus
from notifications.retry import NOTICE_RESEND_AFTER, Next, OutboxState, after_send

CREATED = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
EXPIRES = CREATED + timedelta(hours=72)


def after(
    status: SendStatus,
    category: Category,
    *,
    age: float = 0.0,
    attempts: int = 1,
    retry_after: float = 0.0,
    left: float | None = None,
    handed_over: float | None = None,
) -> Next:
    """`age` of the message, and at what age it was handed over last (None: at once), in seconds."""
    now = CREATED + timedelta(seconds=age)
    return after_send(
        status,
        category=category,
        attempts=attempts,
        created_at=CREATED,
        expires_at=EXPIRES if left is None else now + timedelta(seconds=left),
        handed_over_at=CREATED + timedelta(seconds=handed_over or 0.0),
        now=now,
        retry_after=retry_after,
    )


def wait(following: Next, age: float) -> float:
    assert following.state is OutboxState.READY
    assert following.available_at is not None
    return (following.available_at - CREATED).total_seconds() - age


@pytest.mark.parametrize("category", [Category.NOTICE, Category.BROADCAST])
@pytest.mark.parametrize(("age", "seconds"), [(0, 1), (0.5, 1), (8, 8), (300, 300), (600, 600), (40_000, 600)])
def test_a_notice_that_did_not_leave_waits_as_long_as_it_is_old(category: Category, age: float, seconds: float) -> None:
    assert wait(after(SendStatus.RETRY, category, age=age), age) == pytest.approx(seconds)


def test_a_reply_that_did_not_leave_waits_only_as_long_as_the_other_side_asks() -> None:
    assert wait(after(SendStatus.RETRY, Category.REPLY, age=300, retry_after=2.0), 300) == pytest.approx(2)


@pytest.mark.parametrize(("age", "seconds"), [(0, 1), (8, 8), (600, 60), (40_000, 60)])
def test_a_notice_of_last_night_does_not_wait_long_for_a_line_that_was_busy(age: float, seconds: float) -> None:
    assert wait(after(SendStatus.RETRY, Category.NOTICE, age=age, retry_after=1.0), age) == pytest.approx(seconds)


@pytest.mark.parametrize(("age", "seconds"), [(0, 1), (1, 1), (8, 8), (60, 60), (3_000, 60)])
def test_a_reply_that_was_refused_for_now_is_tried_ever_more_seldom(age: float, seconds: float) -> None:
    """A handset that is off for an hour costs the line a try a minute, not one a second."""
    assert wait(after(SendStatus.RETRY, Category.REPLY, age=age), age) == pytest.approx(seconds)


def test_what_the_other_side_asks_for_is_never_shortened() -> None:
    assert wait(after(SendStatus.RETRY, Category.NOTICE, age=5, retry_after=900.0), 5) == pytest.approx(900)


def test_a_notice_near_its_end_is_tried_once_more_rather_than_given_up() -> None:
    assert wait(after(SendStatus.RETRY, Category.NOTICE, age=5_000, left=100), 5_000) == pytest.approx(50)


@pytest.mark.parametrize("category", list(Category))
def test_what_could_only_leave_too_late_has_expired(category: Category) -> None:
    assert after(SendStatus.RETRY, category, age=60, retry_after=30, left=30).state is OutboxState.EXPIRED
    assert after(SendStatus.RETRY, category, age=60, left=0).state is OutboxState.EXPIRED


def test_a_dozen_tries_last_for_hours_not_for_seconds() -> None:
    age, tries = 0.0, 0
    while age < 3 * 3_600:
        age += wait(after(SendStatus.RETRY, Category.NOTICE, age=age), age)
        tries += 1
    assert tries < 30


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (SendStatus.ACCEPTED, OutboxState.ACCEPTED),
        (SendStatus.REJECTED, OutboxState.REJECTED),
        (SendStatus.STOPPED, OutboxState.STOPPED),
    ],
)
def test_what_is_final_is_final(status: SendStatus, state: OutboxState) -> None:
    assert after(status, Category.NOTICE) == Next(state)


@pytest.mark.parametrize(
    ("category", "attempts", "age", "following"),
    [
        (Category.REPLY, 1, 60, Next(OutboxState.READY, CREATED + timedelta(seconds=60))),
        (Category.REPLY, 1, 120, Next(OutboxState.UNKNOWN)),
        (Category.REPLY, 2, 1, Next(OutboxState.UNKNOWN)),
        (Category.NOTICE, 1, 60, Next(OutboxState.READY, CREATED + timedelta(seconds=60) + NOTICE_RESEND_AFTER)),
        (Category.NOTICE, 2, 60, Next(OutboxState.UNKNOWN)),
        (Category.BROADCAST, 1, 1, Next(OutboxState.UNKNOWN)),
    ],
)
def test_an_unknown_outcome_is_sent_once_more_or_closed(
    category: Category, attempts: int, age: float, following: Next
) -> None:
    assert after(SendStatus.UNKNOWN, category, attempts=attempts, age=age) == following


@pytest.mark.parametrize(("waited", "state"), [(119, OutboxState.READY), (120, OutboxState.UNKNOWN)])
def test_a_reply_that_stood_in_a_long_queue_is_sent_once_more_as_any_other(waited: float, state: OutboxState) -> None:
    """It was handed over after half an hour, and whoever asked has heard nothing."""
    assert after(SendStatus.UNKNOWN, Category.REPLY, age=1_800 + waited, handed_over=1_800).state is state
