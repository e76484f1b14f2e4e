"""What an account has done since the start; /metrics and the health line read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ZaloCounters:
    """Rising numbers of one account."""

    arrived: int = 0  # messages and events handed in
    receipts: int = 0
    acknowledged: int = 0  # of these, answered 200
    refused: int = 0  # of these, answered 503: they come again
    forged: int = 0  # calls whose signature is missing, wrong or too old
    malformed: int = 0  # calls that are too large or break off
    skipped: int = 0  # genuine calls acknowledged and passed over
    unknown: int = 0  # of these, events we do not know or could not read
    sent: int = 0  # messages written, parts of long ones counted each
    accepted: int = 0
    throttled: int = 0
    rejected: int = 0
    stopped: int = 0  # persons who have blocked us
    unanswered: int = 0
    without_buttons: int = 0  # messages the platform took only without theirs
    renewals: int = 0  # pairs of tokens we were given
    renewals_failed: int = 0
    pictures: int = 0
    pictures_refused: int = 0
