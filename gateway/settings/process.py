"""The process: what it is, where it listens, what it keeps and where, what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from gateway.settings.kinds import (
    POSTGRES_DRIVER,
    SQLITE_FILE,
    Count,
    ExistingFile,
    Host,
    Port,
    Printable,
    RedisUrl,
    Seconds,
    Section,
    StoreUrl,
    TimeZone,
)


class AnswerBudgets(Section):
    """How long a message may wait for its answer before it is written down and acknowledged without one."""

    sms_ms: Count = Field(default=300, description="Milliseconds for an SMS.")
    chat_ms: Count = Field(default=500, description="Milliseconds for a chat message.")


class GatewaySettings(Section):
    """The process itself."""

    name: str = Field(
        default="Tra cứu", min_length=1, description="What the gateway calls itself; reserved, no page says it yet."
    )
    time_zone: TimeZone = Field(default="Asia/Ho_Chi_Minh", description="Reserved: every time is told in +07:00 today.")
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
    """The staff console; behind a proxy that ends TLS and lets only the agencies' networks in."""

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
    mask_dossiers_after_days: Count = Field(
        default=1_827,
        le=36_600,
        description=(
            "Intake module: days after nothing more was done to a closed dossier, after which who handed it in is removed "
            "from it. No rule was found that says how long; five years until your rules on records say otherwise."
        ),
    )
    drop_files_after_days: Count = Field(
        default=731,
        le=36_600,
        description=(
            "Intake module: the same for the files of such a dossier, result included; they go when it is masked at the "
            "latest. No rule was found: two years until yours say otherwise."
        ),
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


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is written."
    )
    format: Literal["json", "console"] = Field(default="json", description="One JSON object a line, or for people.")
