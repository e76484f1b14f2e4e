"""What is outside: the one-stop systems, the operators' SMSCs, the web."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from gateway.settings.kinds import (
    A_BILLION,
    A_YEAR,
    SOURCE_DRIVERS,
    AgencyPrefix,
    Count,
    ExistingFile,
    Host,
    Name,
    Octet,
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


class SmsSettings(Section):
    """An account at an operator's SMSC (SMPP 3.4)."""

    name: Name = Field(description="Ours to choose and then to keep: rows of the store carry it.")
    host: Host = Field(description="The SMSC's address.")
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=2775, description="Its port.")
    system_id: Printable = Field(min_length=1, max_length=15, description="Our name there.")
    password: SecretStr = Field(max_length=8, description="Our password there; SMPP allows 8 characters.")
    password_file: Path | None = Field(default=None, description="A file that holds `password`.")
    system_type: Printable = Field(default="", max_length=12, description="Most operators want it empty.")
    short_code: Printable = Field(min_length=1, max_length=20, description="The number citizens write to.")
    accents: bool = Field(
        default=False,
        description="Vietnamese with accents (UCS-2: shorter segments, more of them) for whoever chose none.",
    )

    source_ton: Octet = Field(
        default=0, description="Type of our number: 0 unknown, 3 network specific, 5 alphanumeric."
    )
    source_npi: Octet = Field(default=0, description="Numbering plan of our number.")
    destination_ton: Octet = Field(default=1, description="Type of a citizen's number: 1 international.")
    destination_npi: Octet = Field(default=1, description="Numbering plan of a citizen's number: 1 E.164.")
    address_range: Printable = Field(default="", max_length=40, description="Numbers routed to this bind.")
    service_type: Printable = Field(default="", max_length=5, description="As the operator wants it.")

    window: Count = Field(default=10, description="Submits written and not yet answered.")
    rate: Annotated[float, Field(ge=0, le=A_BILLION)] = Field(
        default=50.0, description="Segments a second, as agreed with the operator; 0: as fast as the window allows."
    )
    max_unsettled: Count = Field(
        default=1_000, description="Messages handed in and not yet acknowledged; beyond, the SMSC is told to wait."
    )
    throttle_pause: Seconds = Field(default=1.0, description="Seconds of silence after the SMSC said it is too much.")

    connect_timeout: Seconds = Field(default=10.0, description="Seconds to connect.")
    bind_timeout: Seconds = Field(default=10.0, description="Seconds from the bind to its answer.")
    response_timeout: Seconds = Field(default=30.0, description="Seconds after which a submit's outcome is unknown.")
    enquire_link_idle: Seconds = Field(
        default=25.0, description="Seconds of silence after which we ask if the link lives."
    )
    unfinished_timeout: Seconds = Field(default=10.0, description="Seconds within which a PDU begun must end.")
    unbind_grace: Seconds = Field(default=2.0, description="Seconds for what is under way when the SMSC says goodbye.")
    reconnect_first: Seconds = Field(default=1.0, description="Seconds before the first new try; doubled each time.")
    reconnect_cap: Seconds = Field(default=60.0, description="Seconds between tries at most.")
    reconnect_forget: Seconds = Field(default=30.0, description="A bind that lasted so many seconds starts afresh.")

    default_alphabet: Literal["gsm", "latin-1", "ascii"] = Field(
        default="gsm", description="What data_coding 0 means to this SMSC."
    )
    packed: bool = Field(default=False, description="This SMSC delivers data_coding 0 as packed septets.")
    registered_delivery: Octet = Field(
        default=1, description="1 asks for a delivery report of every segment, 0 for none."
    )
    validity: Annotated[float, Field(ge=0, le=A_YEAR)] = Field(
        default=21_600.0, description="Seconds after which the SMSC gives up; 0 leaves it to the SMSC."
    )
    temporary_statuses: frozenset[int] = Field(
        default=frozenset(), description="The operator's own command_status values that mean “later”."
    )
    stopped_statuses: frozenset[int] = Field(
        default=frozenset(), description="The operator's own command_status values that mean “this person blocked us”."
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
