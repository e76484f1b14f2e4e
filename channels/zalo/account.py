"""One Zalo Official Account: everything the channel needs to know of it, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

API_URL = "https://openapi.zalo.me"
OAUTH_URL = "https://oauth.zaloapp.com"
MEDIA_HOSTS = ("zdn.vn", "zadn.vn", "zalo.me")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZaloAccount:
    """How to reach the platform and what may be sent there. Times are seconds; rates are messages a second.

    Raises:
        ValueError: an id is missing or not made of digits, or a time, rate or size is not positive.
    """

    name: str  # unique within the gateway; rows of the outbox carry it
    app_id: str
    oa_id: str
    oa_secret: str = field(repr=False)  # the account's own key: signs what the platform calls us with
    app_secret: str = field(repr=False)  # the application's key: renews tokens; another one than the account's
    refresh_token: str = field(default="", repr=False)  # as a person got it; later ones are in the store
    api_url: str = API_URL
    oauth_url: str = OAUTH_URL

    # What a message says and holds.
    accents: bool = True
    buttons: bool = True
    template_type: str = ""  # of a message with buttons; whether the platform wants one is not settled

    # How much at once.
    rate: float = 20.0
    per_user: float = 1.0
    connections: int = 16  # requests at a time
    throttle_pause: float = 5.0  # nothing is sent for so long after the platform said it is too much

    # How long.
    timeout: float = 10.0  # a request without an answer for so long has an unknown outcome
    connect_timeout: float = 5.0
    settle_within: float = 1.5  # the platform wants its answer within 2 s
    webhook_age: timedelta = timedelta(hours=24)  # it repeats a call for an hour, older sources say for twelve
    refresh_life: timedelta = timedelta(days=90)  # of a refresh token
    alarm_before: timedelta = timedelta(days=10)  # its end

    # Pictures: only from these hosts (and what is below them) by https, or from an origin named in full.
    media_hosts: tuple[str, ...] = MEDIA_HOSTS
    media_max_bytes: int = 5_000_000
    media_timeout: float = 10.0

    def __post_init__(self) -> None:
        for name in IDS:
            if not (getattr(self, name).isascii() and getattr(self, name).isdigit()):
                raise ValueError(f"{name} must be the digits the platform shows")
        for name in POSITIVE:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")


IDS = ("app_id", "oa_id")
POSITIVE = (
    "rate",
    "per_user",
    "connections",
    "throttle_pause",
    "timeout",
    "connect_timeout",
    "settle_within",
    "media_max_bytes",
    "media_timeout",
)
