"""A Zalo Official Account: who we are there, what may leave, whom pictures may be fetched from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from gateway.settings.kinds import Count, ExistingDirectory, Name, Printable, Seconds, Section

Digits = Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]
# Secrets travel there: without encryption only to this machine, for a simulator.
HttpOrigin = Annotated[
    str, Field(pattern=r"^(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?)$")
]
MediaHost = Annotated[str, Field(pattern=r"^(https?://)?[A-Za-z0-9.-]+(:[0-9]{1,5})?$")]
PerSecond = Annotated[float, Field(gt=0, le=1_000)]
Days = Annotated[int, Field(ge=1, le=365)]


class ZaloSettings(Section):
    """A Zalo Official Account (Open API, version 3)."""

    name: Name = Field(
        description="Ours to choose and then to keep: rows of the store and the webhook's path carry it."
    )
    app_id: Digits = Field(description="The application's number at Zalo for Developers.")
    oa_id: Digits = Field(description="The Official Account's number.")
    oa_secret: SecretStr = Field(
        min_length=1, description="The account's own key, which signs the calls of `POST /hooks/zalo/<name>`."
    )
    oa_secret_file: Path | None = Field(default=None, description="A file that holds `oa_secret`.")
    app_secret: SecretStr = Field(min_length=1, description="The application's key, which renews tokens.")
    app_secret_file: Path | None = Field(default=None, description="A file that holds `app_secret`.")
    refresh_token: SecretStr | None = Field(
        default=None,
        description="The one a person got by authorising the application; it works once, and later ones are kept in the "
        "store. A new one here takes the place of what is kept; one that was here before does nothing.",
    )
    refresh_token_file: Path | None = Field(default=None, description="A file that holds `refresh_token`.")
    spool: ExistingDirectory | None = Field(
        default=None,
        description="A directory only the gateway may read, in which a new pair of tokens is kept until it is saved: "
        "with it, killing the process in the middle of a renewal loses none. Unset: beside the SQLite file; with "
        "PostgreSQL nowhere, so name one.",
    )
    api_url: HttpOrigin = Field(default="https://openapi.zalo.me", description="Where messages are sent.")
    oauth_url: HttpOrigin = Field(default="https://oauth.zaloapp.com", description="Where tokens are renewed.")
    accents: bool = Field(default=True, description="Vietnamese with accents for whoever chose none.")
    buttons: bool = Field(default=True, description="Whether messages have buttons.")
    template_type: Printable = Field(
        default="", max_length=40, description="`template_type` of a message with buttons; empty: none is sent."
    )
    rate: PerSecond = Field(default=20.0, description="Messages a second.")
    per_user: PerSecond = Field(default=1.0, description="Messages a second to one person.")
    connections: Annotated[int, Field(ge=1, le=200)] = Field(default=16, description="Requests at a time.")
    throttle_pause: Seconds = Field(default=5.0, description="Seconds of silence after Zalo said it is too much.")
    timeout_s: Seconds = Field(default=10.0, description="Seconds after which the outcome of a request is unknown.")
    connect_timeout_s: Seconds = Field(default=5.0, description="Seconds to connect.")
    webhook_age_h: Count = Field(
        default=24, le=168, description="Hours a signed call may be old; Zalo repeats one for an hour at least."
    )
    refresh_life_days: Days = Field(default=90, description="Days a refresh token lives.")
    alarm_days: Days = Field(default=10, description="Days before its end an alarm is raised.")
    media_hosts: tuple[MediaHost, ...] = Field(
        default=("zdn.vn", "zadn.vn", "zalo.me"),
        description="Hosts pictures are fetched from by https, with those below them; or whole origins.",
    )
    media_max_bytes: Count = Field(default=5_000_000, description="The largest picture.")
    media_timeout_s: Seconds = Field(default=10.0, description="Seconds for a picture to come.")
