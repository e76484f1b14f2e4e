"""What Telegram's answers mean for a message of ours (a table; pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)

from channels.telegram.request import NotSent, Throttled
from domain.message import SendStatus

LATER = 5.0  # seconds, of the whole line: the server is away or refuses everything
MUCH_LATER = 60.0  # somebody has to mend something


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is ours: Telegram's words never go further than here. `retry_after`: seconds."""

    status: SendStatus
    reason: str
    retry_after: float = 0.0


# The first row that fits. BadRequest comes before NetworkError, whose child it is: it is refused for good.
VERDICTS: Sequence[tuple[type[TelegramError], Verdict]] = (
    (Forbidden, Verdict(SendStatus.STOPPED, "forbidden")),
    (BadRequest, Verdict(SendStatus.REJECTED, "bad_request")),
    (InvalidToken, Verdict(SendStatus.RETRY, "token_refused", MUCH_LATER)),
    (Conflict, Verdict(SendStatus.RETRY, "conflict", LATER)),
    (NotSent, Verdict(SendStatus.RETRY, "not_sent", LATER)),
    (TimedOut, Verdict(SendStatus.UNKNOWN, "response_timeout")),
    (NetworkError, Verdict(SendStatus.UNKNOWN, "answer_lost")),
    (TelegramError, Verdict(SendStatus.UNKNOWN, "answer_unreadable")),
)

# Words of a description that say more than its status (core.telegram.org/bots/api has no list of them; these are met).
KNOWN: Sequence[tuple[type[TelegramError], str, str]] = (
    (Forbidden, "blocked", "blocked"),
    (Forbidden, "deactivated", "deactivated"),
    (Forbidden, "kicked", "kicked"),
    (Forbidden, "initiate", "never_started"),
    (BadRequest, "chat not found", "chat_not_found"),
    (BadRequest, "peer_id_invalid", "chat_not_found"),
    (BadRequest, "too long", "too_long"),
    (BadRequest, "text is empty", "empty"),
    (BadRequest, "rights", "not_allowed_in_group"),
)
OF_BUTTONS = ("button", "reply_markup", "reply markup", "keyboard")


def verdict_of(error: TelegramError) -> Verdict:
    """What becomes of the message whose sending ended so."""
    if isinstance(error, Throttled):
        return Verdict(SendStatus.RETRY, "throttled", error.seconds)
    verdict = next(verdict for kind, verdict in VERDICTS if isinstance(error, kind))
    said = error.message.lower()
    reason = next((name for kind, words, name in KNOWN if isinstance(error, kind) and words in said), verdict.reason)
    return Verdict(verdict.status, reason, verdict.retry_after)


def blames_buttons(error: BadRequest) -> bool:
    """It is the keyboard that was refused; the text alone may pass."""
    said = error.message.lower()
    return any(words in said for words in OF_BUTTONS)
