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


REPLY_RESEND_WITHIN = timedelta(minutes=2)  # a second copy of a status is harmless, a late one is noise
NOTICE_RESEND_AFTER = timedelta(minutes=10)  # long enough for a delivery report to settle the doubt
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
    now: datetime,
    retry_after: float = 0.0,
) -> Next:
    """What follows a result. `attempts` counts hand-overs including this one; `retry_after` is in seconds."""
    if status in FINAL:
        return Next(FINAL[status])
    if status is SendStatus.UNKNOWN:
        return _after_unknown(category, attempts, created_at, now)
    again = now + timedelta(seconds=retry_after)
    return Next(OutboxState.EXPIRED) if again >= expires_at else Next(OutboxState.READY, again)


def _after_unknown(category: Category, attempts: int, created_at: datetime, now: datetime) -> Next:
    if attempts >= HIGHEST_ATTEMPTS[category]:
        return Next(OutboxState.UNKNOWN)
    if category is Category.REPLY:
        return Next(OutboxState.READY, now) if now - created_at < REPLY_RESEND_WITHIN else Next(OutboxState.UNKNOWN)
    return Next(OutboxState.READY, now + NOTICE_RESEND_AFTER)
