"""What a bot has done since the start; /metrics and the health line read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TelegramCounters:
    """Rising numbers of one account."""

    updates: int = 0  # handed to us, each time it was
    acknowledged: int = 0
    refused: int = 0  # handed back, to be sent again
    dropped: int = 0  # acknowledged and of no concern to us: an edit, a group's own talk
    given_up: int = 0  # acknowledged though we could not read it
    forged: int = 0  # calls of the webhook without the secret, or with a wrong one
    malformed: int = 0  # calls of the webhook whose body is no update
    polls: int = 0
    polls_failed: int = 0
    sent: int = 0  # requests to send a message or a part of one
    accepted: int = 0
    throttled: int = 0  # of these, answered 429
    rejected: int = 0
    stopped: int = 0
    unanswered: int = 0
    callbacks_unanswered: int = 0  # presses we could not tell Telegram we had seen
    pictures: int = 0  # fetched
    pictures_refused: int = 0  # too large, gone, or not given to us
    migrated: int = 0  # groups that became supergroups under a message of ours
