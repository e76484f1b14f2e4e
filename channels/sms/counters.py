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
    malformed: int = 0  # PDUs that could not be read
    submitted: int = 0  # segments written
    accepted: int = 0  # segments taken by the SMSC
    throttled: int = 0  # segments the SMSC put off, pausing the account
    rejected: int = 0  # segments refused for good
    unanswered: int = 0  # segments written and never answered
    unmatched: int = 0  # answers nobody waited for
