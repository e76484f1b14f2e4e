"""One bot: everything the channel needs to know of it, checked once."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"(?P<bot>[0-9]{1,20}):[A-Za-z0-9_-]{1,200}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # what setWebhook takes as secret_token
HIGHEST_MAX_CONNECTIONS = 100  # of setWebhook


class UpdatesBy(enum.StrEnum):
    """How updates come."""

    POLLING = "polling"  # we ask, and wait for the answer: nothing of ours need be reachable
    WEBHOOK = "webhook"  # Telegram calls our public listener


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramAccount:
    """How a bot is reached and how fast it may talk. Times are seconds.

    Raises:
        ValueError: a field is not what Telegram takes, or a time or size is not positive.
    """

    name: str  # unique within the gateway; rows of the outbox carry it
    token: str = field(repr=False)  # as BotFather gave it: the bot's number, a colon, a secret; never shown
    username: str = ""  # without the @; in links made by a process that has not reached the bot itself
    updates: UpdatesBy = UpdatesBy.POLLING
    webhook_url: str = ""  # whole, as Telegram is to call it
    webhook_secret: str = field(default="", repr=False)  # comes back in a header of every call
    max_connections: int = 40  # calls of the webhook at a time
    base_url: str = "https://api.telegram.org/bot"  # the token is appended
    base_file_url: str = "https://api.telegram.org/file/bot"
    proxy: str = field(
        default="", repr=False
    )  # an HTTP proxy, where the network does not let us reach Telegram; may hold a password
    accents: bool = True

    # How fast, by Telegram's own limits; 0: no limit.
    rate: float = 25.0  # messages a second in all
    per_chat: float = 1.0  # messages a second to one person
    per_group: float = 20.0  # messages a minute to one group

    largest_picture: int = 5_242_880  # bytes
    poll_timeout: float = 50.0  # a question for updates is left open for so long
    connect_timeout: float = 5.0
    response_timeout: float = 15.0  # a request unanswered for so long has an unknown outcome
    fetch_timeout: float = 15.0  # a whole picture
    reconnect_first: float = 1.0  # before the first new try, doubled up to the cap
    reconnect_cap: float = 60.0

    def __post_init__(self) -> None:
        if not TOKEN.fullmatch(self.token):
            raise ValueError("token must be a number, a colon and a secret, as BotFather gives it")
        if self.updates is UpdatesBy.WEBHOOK and not self.webhook_url:
            raise ValueError("webhook_url is needed where updates come by webhook")
        if self.updates is UpdatesBy.WEBHOOK and not SECRET.fullmatch(self.webhook_secret):
            raise ValueError("webhook_secret must be 1 to 256 letters, digits, _ or -")
        if not 1 <= self.max_connections <= HIGHEST_MAX_CONNECTIONS:
            raise ValueError(f"max_connections must be 1 to {HIGHEST_MAX_CONNECTIONS}")
        for name in POSITIVE:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")


POSITIVE = (
    "largest_picture",
    "poll_timeout",
    "connect_timeout",
    "response_timeout",
    "fetch_timeout",
    "reconnect_first",
    "reconnect_cap",
)
