"""A Telegram bot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from gateway.settings.kinds import A_BILLION, Name, Seconds, Section, expected

TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,200}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
PROXY = re.compile(r"https?://[^\s/]+/?")
MOST_CONNECTIONS = 100
LONGEST_POLL = 50.0  # seconds: Telegram's most
LARGEST_FILE = 20_971_520  # bytes: what Telegram lets a bot fetch

BotUrl = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
Rate = Annotated[float, Field(ge=0, le=A_BILLION)]


class TelegramSettings(Section):
    """A bot on Telegram."""

    name: Name = Field(description="Ours to choose and then to keep: rows of the store carry it.")
    token: SecretStr = Field(description="As BotFather gave it.")
    token_file: Path | None = Field(default=None, description="A file that holds `token`.")
    username: Annotated[str, Field(pattern=r"^([A-Za-z0-9_]{5,32})?$")] = Field(
        default="",
        description="The bot's name without the @, for links on the web where another process holds the bot.",
    )
    updates: Literal["polling", "webhook"] = Field(
        default="polling",
        description="`polling`: we ask Telegram, nothing of ours need be reachable; `webhook`: Telegram calls the public listener.",
    )
    webhook_url: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = Field(
        default="",
        description="How Telegram reaches `/hooks/telegram/<name>`, whole; empty: `web.base_url` with that path. Ports 443, 80, 88, 8443.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="1 to 256 letters, digits, `_`, `-`; comes back with every call. Needed for `webhook`.",
    )
    webhook_secret_file: Path | None = Field(default=None, description="A file that holds `webhook_secret`.")
    max_connections: Annotated[int, Field(ge=1, le=MOST_CONNECTIONS)] = Field(
        default=40, description="Calls of the webhook at a time, as we ask Telegram."
    )
    base_url: BotUrl = Field(
        default="https://api.telegram.org/bot",
        description="The Bot API; the token is appended. Another for a server of one's own.",
    )
    base_file_url: BotUrl = Field(
        default="https://api.telegram.org/file/bot", description="Where it keeps pictures; the token is appended."
    )
    proxy: SecretStr | None = Field(
        default=None,
        description="`http://user:password@host:port`, where the network does not let us reach Telegram.",
    )
    proxy_file: Path | None = Field(default=None, description="A file that holds `proxy`.")
    accents: bool = Field(default=True, description="Vietnamese with accents for whoever chose none.")

    rate: Rate = Field(default=25.0, description="Messages a second in all, Telegram's limit being 30; 0: no limit.")
    per_chat: Rate = Field(
        default=1.0, description="Messages a second to one person, three of them at once; 0: no limit."
    )
    per_group: Rate = Field(default=20.0, description="Messages a minute to one group; 0: no limit.")

    largest_picture: Annotated[int, Field(ge=1, le=LARGEST_FILE)] = Field(
        default=5_242_880, description="Bytes of a picture that is read."
    )
    poll_timeout: Annotated[float, Field(ge=1, le=LONGEST_POLL)] = Field(
        default=50.0, description="Seconds a question for updates is left open."
    )
    connect_timeout: Seconds = Field(default=5.0, description="Seconds to connect.")
    response_timeout: Seconds = Field(default=15.0, description="Seconds after which a message's outcome is unknown.")
    fetch_timeout: Seconds = Field(default=15.0, description="Seconds for a whole picture.")
    reconnect_first: Seconds = Field(default=1.0, description="Seconds before the first new try; doubled each time.")
    reconnect_cap: Seconds = Field(default=60.0, description="Seconds between tries at most.")

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, token: SecretStr) -> SecretStr:
        if not TOKEN.fullmatch(token.get_secret_value()):
            raise expected("expected a number, a colon and a secret, as BotFather gives it")
        return token

    @field_validator("webhook_secret")
    @classmethod
    def _can_be_sent(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not SECRET.fullmatch(secret.get_secret_value()):
            raise expected("expected 1 to 256 letters, digits, _ or -")
        return secret

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is not None and not PROXY.fullmatch(proxy.get_secret_value()):
            raise expected("expected http://user:password@host:port")
        return proxy

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.updates == "webhook" and self.webhook_secret is None:
            raise expected("updates by webhook need a webhook_secret")
        return self
