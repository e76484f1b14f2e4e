"""A telephone number proved by a code sent to it, so that it may follow a dossier: what is asked and what came of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from domain.message import require_aware
from domain.questions import QuestionAnswer


class PinOutcome(enum.StrEnum):
    """How a wish for a code, or a code that was typed, can end."""

    SENT = "sent"  # or not, where the number's own day is spent or it wants no messages: the same from outside
    NOT_TOLD = "not_told"  # there is no such dossier for this asker, or its system is down
    NO_NUMBER = "no_number"  # that is no mobile number of this country
    OVER = "over"  # nothing of this dossier will change any more
    REFUSED = "refused"  # the asker's budget is spent
    FOLLOWING = "following"
    WRONG = "wrong"
    SPENT = "spent"  # expired, used, tried too often, or never there: to be asked for anew


@dataclass(frozen=True, slots=True, kw_only=True)
class PinAnswer:
    """SENT: with `token`, which names the request, good until `expires_at`. `answer`: what the look-up of the dossier
    said, where it was looked up.
    """

    outcome: PinOutcome
    token: str = ""
    expires_at: datetime | None = None
    answer: QuestionAnswer | None = None

    def __post_init__(self) -> None:
        require_aware(self.expires_at, "expires_at")
