"""When a message is tried again and when it is not (pure; design: Unknown outcomes)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.message import Category, SendStatus


class OutboxState(enum.StrEnum):
    """Where an outgoing message stands."""

    READY = "ready"
    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    STOPPED = "stopped"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    HELD = "held"  # waits for an operator: a mass change
    MERGED = "merged"  # a newer notice took its place
    DROPPED = "dropped"  # by an operator


# Of its last hand-over. A second copy of a status is harmless; one that follows the first after an hour is noise.
REPLY_RESEND_WITHIN = timedelta(minutes=2)
NOTICE_RESEND_AFTER = timedelta(minutes=10)  # long enough for a delivery report to settle the doubt
SHORTEST_WAIT = timedelta(seconds=1)  # of what did not leave
LONGEST_WAIT = timedelta(minutes=10)
LONGEST_WAIT_OF_A_LINE = timedelta(minutes=1)  # it was the line that was busy: nothing is wrong with this message
LONGEST_WAIT_OF_A_REPLY = timedelta(minutes=1)  # somebody waits for it, with a handset that may be off
HIGHEST_ATTEMPTS = {Category.REPLY: 2, Category.NOTICE: 2, Category.BROADCAST: 1}  # after an unknown outcome

FINAL = {
    SendStatus.ACCEPTED: OutboxState.ACCEPTED,
    SendStatus.REJECTED: OutboxState.REJECTED,
    SendStatus.STOPPED: OutboxState.STOPPED,
}


@dataclass(frozen=True, slots=True)
class Next:
    """What a row becomes; `available_at` is set when it waits to be claimed again."""

    state: OutboxState
    available_at: datetime | None = None


def after_send(
    status: SendStatus,
    *,
    category: Category,
    attempts: int,
    created_at: datetime,
    expires_at: datetime,
    handed_over_at: datetime | None,
    now: datetime,
    retry_after: float = 0.0,
) -> Next:
    """What follows a result. `attempts` counts hand-overs including this one, but for those that did not leave;
    `handed_over_at` is when the last was written down; `retry_after`, in seconds, is what the channel asks of its whole line (0: it was this message that was refused for
    now). What did not leave is tried again after waits that grow with its age: to ten minutes, as for a handset that is
    off, to one of a reply, or where only the line was busy. A reply waits for a line only as long as the channel asks.
    """
    if status in FINAL:
        return Next(FINAL[status])
    if status is SendStatus.UNKNOWN:
        return _after_unknown(category, attempts, handed_over_at or created_at, now)
    wait = max(SHORTEST_WAIT, timedelta(seconds=retry_after))
    if longest := _longest_wait(category, of_the_line=retry_after > 0):
        wait = max(wait, min(_growing_wait(created_at, expires_at, now), longest))
    again = now + wait
    return Next(OutboxState.EXPIRED) if again >= expires_at else Next(OutboxState.READY, again)


def _longest_wait(category: Category, *, of_the_line: bool) -> timedelta:
    """How far its waits grow; zero: they do not."""
    if category is Category.REPLY:
        return timedelta() if of_the_line else LONGEST_WAIT_OF_A_REPLY
    return LONGEST_WAIT_OF_A_LINE if of_the_line else LONGEST_WAIT


def _growing_wait(created_at: datetime, expires_at: datetime, now: datetime) -> timedelta:
    """As long as the message is old, so that the waits double without anything being counted; but no longer than half
    of the time it has left, so that one more try always fits.
    """
    longest = min(LONGEST_WAIT, (expires_at - now) / 2)
    return max(SHORTEST_WAIT, min(now - created_at, longest))


def _after_unknown(category: Category, attempts: int, in_doubt_since: datetime, now: datetime) -> Next:
    """A reply that stood in a long queue is as much waited for as any other: what counts is how long ago it may have
    left, not how old it is.
    """
    if attempts >= HIGHEST_ATTEMPTS[category]:
        return Next(OutboxState.UNKNOWN)
    if category is Category.REPLY:
        again = now - in_doubt_since < REPLY_RESEND_WITHIN
        return Next(OutboxState.READY, now) if again else Next(OutboxState.UNKNOWN)
    return Next(OutboxState.READY, now + NOTICE_RESEND_AFTER)
