"""What an account has done since the start; /metrics and the health line read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SmsCounters:
    """Rising numbers of one account, over all its connections."""

    binds: int = 0
    links_lost: int = 0
    delivered: int = 0  # messages and receipts the SMSC handed us
    acknowledged: int = 0  # of these, answered with ROK
    refused: int = 0  # of these, answered with anything else
    device_acknowledgements: int = 0  # of these, what telephones say of our messages by themselves: not looked at
    malformed: int = 0  # PDUs that could not be read
    parts: int = 0  # parts of long messages, kept
    parts_repeated: int = 0  # parts that came again
    parts_too_many: int = 0  # parts refused for good: their message has more than are taken
    long_messages: int = 0  # put together, all parts there
    long_messages_incomplete: int = 0  # worked with although parts were missing
    submitted: int = 0  # segments written
    accepted: int = 0  # segments taken by the SMSC
    throttled: int = 0  # segments the SMSC put off, pausing the account
    slowdowns: int = 0  # times the account sent more slowly for it
    requeued: int = 0  # of the segments put off, kept for another try; the others' messages went back to the outbox
    deferred: int = 0  # segments refused for now, without a pause: their messages went back to the outbox
    rejected: int = 0  # segments refused for good
    unanswered: int = 0  # segments written and never answered
    unmatched: int = 0  # answers nobody waited for
