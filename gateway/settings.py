"""Every setting, with its default, its bounds and what it means; docs/settings.md is printed from here.

The sections are frozen values. How files and environment variables become one of them is gateway.configuration's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

SQLITE_FILE = re.compile(r"sqlite(?:\+[a-z]+)?:///(?P<path>[^?]+)(?P<options>\?.*)?", re.DOTALL)
POSTGRES_DRIVER = "postgresql+asyncpg"
POSTGRES_URL = re.compile(
    r"postgresql\+asyncpg://(?:[^:/@]*(?::[^@/]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^:/@\[\]]*)(?::[0-9]+)?/[^/?]+(?:\?.*)?"
)
SOURCE_DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg", "mysql+aiomysql")
REDIS_SCHEMES = ("redis", "rediss", "unix")
# No figure means more than these, and what is longer (or infinite) is no span of time Python can reckon with.
A_YEAR = 366 * 86_400.0
A_BILLION = 1_000_000_000


def _expected(what: str) -> PydanticCustomError:
    # The text is data, never a template: what an operator wrote may hold braces.
    return PydanticCustomError("expected", "{what}", {"what": what})


# ---- kinds of value


@dataclass(frozen=True, slots=True)
class FileUrl:
    """Marks a URL that may name an SQLite file, whose relative path belongs to the TOML file that names it."""


def _store_url(url: SecretStr) -> SecretStr:
    address = url.get_secret_value()
    scheme = address.partition(":")[0]
    if scheme.startswith("postgres"):
        if scheme != POSTGRES_DRIVER:
            raise _expected(f"name the driver: {POSTGRES_DRIVER}://user:password@host:5432/database")
        if not POSTGRES_URL.fullmatch(address):
            raise _expected(f"expected {POSTGRES_DRIVER}://user:password@host:5432/database (what is special, as %2F)")
    elif scheme != "sqlite" or not SQLITE_FILE.fullmatch(address):
        raise _expected(f"expected sqlite:///path (four slashes for an absolute path), or {POSTGRES_DRIVER}://")
    return url


def _source_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value().partition("://")[0] not in SOURCE_DRIVERS:
        raise _expected(f"expected a URL that names its driver: {', '.join(f'{d}://' for d in SOURCE_DRIVERS)}")
    return url


def _redis_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value().partition("://")[0] not in REDIS_SCHEMES:
        raise _expected(f"expected a URL: {', '.join(f'{s}://' for s in REDIS_SCHEMES)}")
    return url


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise _expected("expected a time zone's name, such as Asia/Ho_Chi_Minh") from error
    return name


def _file(path: Path) -> Path:
    if not path.is_file():
        raise _expected(f"there is no file {path}")
    try:
        path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _expected(f"{path} cannot be read as text (UTF-8)") from error
    return path


def _directory(path: Path) -> Path:
    if not path.is_dir():
        raise _expected(f"there is no directory {path}")
    return path


StoreUrl = Annotated[SecretStr, AfterValidator(_store_url), FileUrl()]
SourceUrl = Annotated[SecretStr, AfterValidator(_source_url), FileUrl()]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
ExistingFile = Annotated[Path, AfterValidator(_file)]
ExistingDirectory = Annotated[Path, AfterValidator(_directory)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Host = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=A_YEAR)]
Count = Annotated[int, Field(gt=0, le=A_BILLION)]
Octet = Annotated[int, Field(ge=0, le=255)]
Printable = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]
AgencyPrefix = Annotated[str, Field(pattern=r"^[A-Z][0-9]{2}(\.[0-9]{1,3})*$")]
PhoneNumber = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 .]{1,14}$")]


class Section(BaseModel):
    """A table of the TOML file. A secret `x` may be kept in a file of its own, which `x_file` names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


# ---- sections


class AnswerBudgets(Section):
    """How long a message may wait for its answer before it is written down and acknowledged without one."""

    sms_ms: Count = Field(default=300, description="Milliseconds for an SMS.")
    chat_ms: Count = Field(default=500, description="Milliseconds for a chat message.")


class GatewaySettings(Section):
    """The process itself."""

    name: str = Field(
        default="Tra cứu", min_length=1, description="What the gateway calls itself; reserved, no page says it yet."
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="Asia/Ho_Chi_Minh", description="Reserved: every time is told in +07:00 today."
    )
    answer_budgets: AnswerBudgets = Field(default_factory=AnswerBudgets, description="See the table of its own.")
    source_down_after_s: Seconds = Field(
        default=20.0, description="Seconds after which an unanswered question gets an honest “try later”."
    )
    drain_timeout_s: Seconds = Field(
        default=10.0, description="Seconds to finish what is under way after SIGTERM; then the process ends anyway."
    )
    lease_s: Annotated[float, Field(ge=1, le=3_600)] = Field(
        default=30.0,
        description=(
            "Seconds after which a process that gave no sign of life counts as gone, and others take over its accounts, "
            "roles and messages. It gives one every third of that."
        ),
    )
    max_in_flight: Count = Field(
        default=10_000, description="Messages taken in and not yet answered; beyond, the other side is told to wait."
    )


class Listener(Section):
    """An address to listen on."""

    host: Host = Field(default="127.0.0.1", description="The address or host name to listen on.")
    port: Port = Field(description="The TCP port; 0 takes any free one.")


class PublicListener(Listener):
    """The web channel, webhooks and /healthz."""

    host: Host = Field(default="0.0.0.0", description="The address to listen on.")  # noqa: S104  # citizens are anywhere
    port: Port = Field(default=8080, description="The TCP port; 0 takes any free one.")


class StaffListener(Listener):
    """The staff console; reserved, it comes with a later release."""

    port: Port = Field(default=8081, description="The TCP port; 0 takes any free one.")


class OperationsListener(Listener):
    """/metrics and /readyz; keep it off the internet."""

    port: Port = Field(default=8082, description="The TCP port; 0 takes any free one.")


class ListenSettings(Section):
    """Where the process listens."""

    public: PublicListener = Field(default_factory=PublicListener, description="See the table of its own.")
    staff: StaffListener = Field(default_factory=StaffListener, description="See the table of its own.")
    operations: OperationsListener = Field(default_factory=OperationsListener, description="See the table of its own.")


class DatabaseSettings(Section):
    """Our own store: what was asked, what was answered, what waits to be sent."""

    url: StoreUrl = Field(
        default=SecretStr("sqlite:///var/tracuu.sqlite3"),
        description=(
            "`sqlite:///path` (four slashes for an absolute path) for one process, or "
            "`postgresql+asyncpg://user:password@host:5432/database` for several that share the work."
        ),
    )
    url_file: Path | None = Field(default=None, description="A file that holds `url`, if it carries a password.")
    busy_timeout_s: Seconds = Field(default=5.0, description="SQLite: seconds to wait for a locked file.")
    connections: Count = Field(default=4, description="PostgreSQL: connections for commits and reads.")
    bulk_connections: Count = Field(
        default=2, description="PostgreSQL: connections for claims, leases and housekeeping. One more listens."
    )
    connect_timeout_s: Seconds = Field(default=3.0, description="PostgreSQL: seconds to connect.")
    turn_timeout_s: Seconds = Field(default=2.0, description="PostgreSQL: seconds to wait for a free connection.")
    lock_timeout_s: Seconds = Field(default=2.0, description="PostgreSQL: seconds to wait for somebody else's row.")
    statement_timeout_s: Seconds = Field(default=5.0, description="PostgreSQL: seconds after which a statement failed.")

    @property
    def shared(self) -> bool:
        """Several processes may use it at once."""
        return self.url.get_secret_value().startswith(POSTGRES_DRIVER)

    @property
    def path(self) -> Path:
        """The SQLite file.

        Raises:
            ValueError: it is not SQLite.
        """
        match = SQLITE_FILE.fullmatch(self.url.get_secret_value())
        if match is None:
            raise ValueError("the store is not an SQLite file")
        return Path(match["path"])


class RetentionSettings(Section):
    """How long people's messages are kept; the role `delivery` sees to it."""

    mask_after_days: Count = Field(
        default=30, le=36_600, description="Days after which who wrote, and what, is removed from a message."
    )
    purge_after_days: Count = Field(
        default=365, le=36_600, description="Days after which messages, replies and reports are removed."
    )


class RedisSettings(Section):
    """A Redis or Valkey shared by several gateways; without it the process's own memory is used."""

    url: RedisUrl | None = Field(
        default=None, description="`redis://host:6379/0`; rediss:// with TLS, unix:// locally."
    )
    url_file: Path | None = Field(default=None, description="A file that holds `url`, if it carries a password.")
    ca_file: ExistingFile | None = Field(
        default=None, description="The authority that signed its certificate (PEM), beside those of the system."
    )
    timeout_s: Seconds = Field(default=0.25, description="Seconds after which Redis counts as away: a cache miss.")
    prefix: Printable = Field(default="tracuu:", description="What every key begins with.")


class LookupSettings(Section):
    """How long an answer may be told again, and how long a one-stop system may think."""

    fresh_s: Seconds = Field(default=60.0, description="Seconds a found dossier is told without asking again.")
    not_found_s: Seconds = Field(default=15.0, description="Seconds “not found” is told without asking again.")
    stale_s: Seconds = Field(
        default=86_400.0, description="Seconds the last known state is told, with its time, while its source is down."
    )
    cache_entries: Count = Field(default=100_000, description="Answers kept in the process's own memory.")
    batch_size: Count = Field(default=200, description="Codes read from a source at once.")


class RateLimit(Section):
    """At most so many in any so many seconds."""

    count: Count = Field(description="How many.")
    seconds: Seconds = Field(description="In how many seconds.")


class GuardSettings(Section):
    """Who gets an answer, how often. Raise the figures for a load test; the guards stay on."""

    replies_per_sender: tuple[RateLimit, ...] = Field(
        default=(RateLimit(count=10, seconds=600.0), RateLimit(count=30, seconds=86_400.0)),
        min_length=1,
        description="Replies to one person over all channels; the first refusal is answered, later ones are silent.",
    )
    questions_per_address: tuple[RateLimit, ...] = Field(
        default=(RateLimit(count=30, seconds=60.0),), min_length=1, description="Questions from one address on the web."
    )
    own_numbers: tuple[PhoneNumber, ...] = Field(
        default=(), description="Numbers of our own besides the short codes; they never get a reply."
    )


class ReplySettings(Section):
    """What replies say."""

    help_phone: PhoneNumber = Field(
        max_length=12, description="The number a citizen may call, at most 12 characters; in every help reply."
    )
    default_language: Literal["vi", "en"] = Field(default="vi", description="For whoever chose none.")
    stale_after_minutes: Count = Field(
        default=30, description="An SMS tells the time of its data when that is older than so many minutes."
    )
    max_codes: Count = Field(
        default=2, le=2, description="Dossiers answered in one reply; the rest: “send separately”."
    )
    question_minutes: Count = Field(default=10, description="Minutes a question we asked back (“1 or 2?”) stays open.")


class TextSettings(Section):
    """The wording: what people write and what they read."""

    path: ExistingDirectory = Field(description="The directory with a file of texts for each language.")
    grammar: ExistingFile = Field(description="The file with the words people send, by what they mean.")


class AgencySettings(Section):
    """Who is who."""

    path: ExistingFile = Field(description="The file with the agencies: code, names, telephone.")


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
    timeout_s: Seconds = Field(default=5.0, description="Seconds after which a read has failed.")
    connections: Count = Field(default=2, description="Connections at most, so that the agency's own users come first.")


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
        description="How citizens reach the public listener, without a closing slash; reserved: no links are told yet.",
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed; nobody else's is."
    )
    max_body_bytes: Count = Field(default=65_536, description="The largest request body.")


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is written."
    )
    format: Literal["json", "console"] = Field(default="json", description="One JSON object a line, or for people.")


class Settings(BaseSettings):
    """All of it. Made by gateway.configuration, which layers the files and the environment first."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix="TRACUU_",
        env_nested_delimiter="__",
    )

    gateway: GatewaySettings
    listen: ListenSettings
    database: DatabaseSettings
    retention: RetentionSettings
    redis: RedisSettings
    lookup: LookupSettings
    guards: GuardSettings
    replies: ReplySettings
    texts: TextSettings
    agencies: AgencySettings
    sources: tuple[SourceSettings, ...] = Field(min_length=1)
    sms: tuple[SmsSettings, ...]
    web: WebSettings
    logs: LogSettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library names them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: a value built in a test does not depend on the machine it runs on."""
        return (init_settings,)
