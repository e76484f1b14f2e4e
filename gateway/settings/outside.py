"""What is outside: the one-stop systems and the web."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from gateway.settings.kinds import (
    A_BILLION,
    SOURCE_DRIVERS,
    AgencyPrefix,
    Count,
    ExistingFile,
    Name,
    Pattern,
    Printable,
    Seconds,
    Section,
    SourceUrl,
    expected,
)
from gateway.settings.notices import WatchSettings

LEAST_WORK_KEY = 16  # bytes


class SourceSettings(Section):
    """A one-stop system, read-only."""

    name: Name = Field(description="Ours to choose; in logs and metrics.")
    url: SourceUrl = Field(description=f"How to reach it: {', '.join(f'`{driver}://`' for driver in SOURCE_DRIVERS)}….")
    url_file: Path | None = Field(default=None, description="A file that holds `url`, so that no password stands here.")
    mapping: ExistingFile = Field(description="The file that says which table and columns hold what.")
    prefixes: tuple[AgencyPrefix, ...] | None = Field(
        default=None, description="Agencies it answers for, such as `H51` or `H51.18`, instead of those in its mapping."
    )
    default: bool | None = Field(
        default=None, description="Whether it is asked for codes no source declares, instead of what its mapping says."
    )
    families: frozenset[Literal["old", "new", "legacy"]] = Field(
        default=frozenset(), description="Kinds of code it is asked for; empty: all."
    )
    patterns: tuple[Pattern, ...] = Field(
        default=(), description="Regular expressions over the whole code; they win over `prefixes`."
    )
    passes_to: tuple[Name, ...] = Field(
        default=(),
        description="Systems its dossiers may pass to: these are asked as well, and the dossier that moved last is told.",
    )
    watch: WatchSettings = Field(default_factory=WatchSettings, description="See the table of its own.")
    timeout_s: Seconds = Field(default=5.0, description="Seconds after which a read has failed.")
    connections: Count = Field(default=2, description="Connections at most, so that the agency's own users come first.")
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        default=3, description="Tries of a read that got no answer, the first included."
    )
    breaker_failures: Count = Field(
        default=3, description="Reads in a row without an answer after which it is left alone for a while."
    )
    breaker_pause_s: Seconds = Field(default=10.0, description="Seconds it is left alone; then one read tries again.")
    username: Printable = Field(default="", max_length=256, description="HTTP: the account, where its mapping says so.")
    password: SecretStr | None = Field(default=None, description="HTTP: the account's password.")
    password_file: Path | None = Field(default=None, description="A file that holds `password`.")
    token: SecretStr | None = Field(default=None, description="HTTP: the token or key, where its mapping says so.")
    token_file: Path | None = Field(default=None, description="A file that holds `token`.")
    login_url: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = Field(
        default="", description="HTTP: where to log in, if that is another host; its path is in the mapping."
    )
    max_body_bytes: Count = Field(default=262_144, description="HTTP: the largest answer.")
    networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description="HTTP: networks it may be in although they are this machine's own, such as `127.0.0.0/8`.",
    )


class WebSettings(Section):
    """Pages and the API."""

    base_url: Annotated[str, Field(pattern=r"^(https?://[^\s/]+)?$")] = Field(
        default="",
        description="How citizens reach the public listener, without a closing slash; in links, QR codes and snippets. Empty: what the browser called.",
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed; nobody else's is."
    )
    max_body_bytes: Count = Field(default=65_536, description="The largest request body.")
    hsts_s: Annotated[int, Field(ge=0, le=A_BILLION)] = Field(
        default=0,
        description="Seconds for which browsers keep to https (Strict-Transport-Security); 0: not said. Only where every name below works over https.",
    )
    work_key: SecretStr | None = Field(
        default=None,
        description="Signs the proofs of work asked of who misses a lot; the same for all processes. Without one, each start makes its own.",
    )
    work_key_file: Path | None = Field(default=None, description="A file that holds `work_key`.")
    work_cost: Annotated[int, Field(ge=100, le=10_000)] = Field(
        default=2_000, description="PBKDF2 rounds of one step of a proof of work; a telephone takes some 100 steps."
    )
    work_minutes: Count = Field(default=10, description="Minutes a proof of work may be handed in.")

    @field_validator("work_key")
    @classmethod
    def long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        """Refuse a key that could be guessed."""
        if key is not None and len(key.get_secret_value().encode()) < LEAST_WORK_KEY:
            raise expected(f"expected at least {LEAST_WORK_KEY} characters")
        return key
