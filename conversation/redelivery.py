"""When an identical message is the same one again, and when it is a new question (pure; design: Redelivery)."""

from __future__ import annotations

from datetime import datetime, timedelta

from conversation.ports import PriorArrival

WINDOW = timedelta(seconds=300)  # older than this, it is a new question whatever became of the first
SESSION_DOUBT = timedelta(seconds=60)  # an acknowledgement written this shortly before the end may be unread
LATE_ACKNOWLEDGEMENT = timedelta(seconds=5)  # the other side may have given up waiting and sent again


def is_redelivery(prior: PriorArrival, now: datetime) -> bool:
    """Whether what arrived at `now` repeats `prior`: acknowledge it, do not answer it again.

    A person who asks twice and was acknowledged both times gets two answers; only where the other side may not have
    read our acknowledgement of the first is the second taken for a repetition.
    """
    return now - prior.received_at <= WINDOW and _acknowledgement_in_doubt(prior)


def _acknowledgement_in_doubt(prior: PriorArrival) -> bool:
    written = prior.acknowledged_at
    if written is None or not prior.acknowledged_ok:
        return True
    if prior.session_ended_at is not None and prior.session_ended_at - written <= SESSION_DOUBT:
        return True
    return written - prior.received_at > LATE_ACKNOWLEDGEMENT
