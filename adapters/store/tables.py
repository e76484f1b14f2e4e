"""The tables of our own database, as SQLAlchemy Core metadata; the migrations must produce exactly this.

Every moment is a BIGINT of epoch milliseconds UTC: columns ending in `_at`, and `lease_until`. Ids are BIGINT
(domain.ids) and rise with time. Enumerations are short lower-case text, the values of the enums they come from.
"""

from __future__ import annotations

import enum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData()

# SQLite makes only an INTEGER PRIMARY KEY the row's own address; a BIGINT one would cost a second tree.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")


class InboxState(enum.StrEnum):
    """Where an incoming message stands."""

    OPEN = "open"  # its look-up goes on
    DECIDED = "decided"
    MUTED = "muted"  # decided: a guard kept us silent


class OutboxStates:
    """The states of notifications.retry.OutboxState the store names itself (adapters may not import that module)."""

    READY = "ready"
    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


def _partial(name: str, *columns: str | Column[int], where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


inbox = Table(
    "inbox",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids, made on arrival"),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("external_id", Text, comment="the channel's own id, where it has one (a chat update)"),
    Column("identity", Text, comment="hex SHA-256 for channels without an id of their own"),
    Column("sender", Text, nullable=False, comment="URN"),
    Column("recipient", Text, nullable=False, comment="URN"),
    Column("session", Text, comment="the connection it came by"),
    Column("text", Text, nullable=False),
    Column("raw", Text, comment="hex of the bytes of a text that could not be decoded"),
    Column("received_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False, comment="open | decided | muted"),
    Column("inquiry", Text, comment="what was wanted: look_up, help, ..."),
    Column("outcome", Text, comment="domain.answers.Outcome"),
    Column("dossier_code", Text),
    Column("owner", BigInteger, comment="the process that received it, or took it over"),
    Column("lease_until", BigInteger, comment="while open: until when its owner is believed alive"),
    Column("acknowledged_at", BigInteger, comment="when the answer to the other side was written"),
    Column("acknowledged_ok", Boolean, comment="false: that answer was a refusal"),
    Column("session_ended_at", BigInteger, comment="when that connection ended; kept for what was recent then"),
    Column("decided_at", BigInteger),
    Column("masked_at", BigInteger, comment="when sender and text were masked"),
    _partial(
        "uq_inbox_external",
        "channel",
        "account",
        "external_id",
        where="external_id IS NOT NULL",
        unique=True,
    ),
    _partial("ix_inbox_identity", "identity", "received_at", where="identity IS NOT NULL"),
    Index("ix_inbox_sender", "sender", "id"),
    _partial("ix_inbox_open", "id", where="state = 'open'"),
    _partial("ix_inbox_session", "session", "received_at", where="session IS NOT NULL"),
    comment="Every message received (conversation)",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("inbound_id", BigInteger, comment="the message it replies to; one reply each"),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("category", Text, nullable=False, comment="reply | notice | broadcast"),
    Column("priority", SmallInteger, nullable=False, comment="0 leaves first"),
    Column("recipient", Text, nullable=False, comment="URN"),
    Column("sender", Text, nullable=False, comment="URN"),
    Column("text", Text, nullable=False),
    Column("language", Text),
    Column("params", Text, comment="JSON: what a channel shows beside the text"),
    Column("source", Text, comment="the one-stop system a notice speaks of"),
    Column("dossier_code", Text),
    Column("version", BigInteger, comment="our counter per (source, dossier_code)"),
    Column("broadcast_id", BigInteger),
    Column("state", Text, nullable=False, comment="notifications.retry.OutboxState"),
    Column("created_at", BigInteger, nullable=False),
    Column("available_at", BigInteger, nullable=False, comment="not claimed before"),
    Column("expires_at", BigInteger, nullable=False, comment="not sent after"),
    Column("attempts", Integer, nullable=False, comment="hand-overs"),
    Column("owner", BigInteger, comment="the process that claimed it"),
    Column("lease_until", BigInteger),
    Column("handed_over_at", BigInteger, comment="the latest hand-over"),
    Column("settled_at", BigInteger, comment="when its state became final"),
    Column("reason", Text, comment="why it was refused, retried or closed"),
    Column("delivery_status", Text, comment="domain.message.DeliveryStatus of the whole message"),
    Column("delivered_at", BigInteger),
    _partial("uq_outbox_inbound", "inbound_id", where="inbound_id IS NOT NULL", unique=True),
    _partial(
        "uq_outbox_notice",
        "source",
        "dossier_code",
        "version",
        "recipient",
        where="version IS NOT NULL",
        unique=True,
    ),
    _partial("uq_outbox_broadcast", "broadcast_id", "recipient", where="broadcast_id IS NOT NULL", unique=True),
    # available_at last: a night's deferred rows are passed over inside the index.
    _partial("ix_outbox_ready", "account", "priority", "id", "available_at", where="state = 'ready'"),
    _partial("ix_outbox_held", "owner", "id", where="state IN ('claimed', 'handed_over')"),
    comment="Every message that leaves (notifications)",
)

submission = Table(
    "submission",
    metadata,
    Column("outbox_id", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False, comment="outbox.attempts at that hand-over"),
    Column("segment", Integer, primary_key=True, autoincrement=False, comment="1-based"),
    Column("segments", Integer, nullable=False),
    Column("account", Text, nullable=False),
    Column("external_id", Text, comment="the id the other side gave this segment"),
    Column("command_status", BigInteger, nullable=False, comment="0: taken"),
    Column("submitted_at", BigInteger, nullable=False),
    Column("report_status", Text, comment="domain.message.DeliveryStatus"),
    Column("report_at", BigInteger),
    Column("report_error", Text),
    _partial("ix_submission_external", "account", "external_id", where="external_id IS NOT NULL"),
    comment="Every segment handed over (notifications)",
    sqlite_with_rowid=False,
)

report = Table(
    "report",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("status", Text, nullable=False, comment="domain.message.DeliveryStatus"),
    Column("received_at", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_report_external", "account", "external_id"),
    comment="Delivery reports that fit no submission yet (notifications)",
)

person = Table(
    "person",
    metadata,
    Column("address", Text, primary_key=True, comment="URN"),
    Column("language", Text),
    Column("accents", Boolean),
    Column("stopped_at", BigInteger),
    Column("pending", Text, comment="JSON of the question we asked back"),
    Column("updated_at", BigInteger, nullable=False),
    comment="What people chose (conversation)",
)

feedback = Table(
    "feedback",
    metadata,
    Column("number", ROW_ID, primary_key=True, autoincrement=False, comment="told to the person"),
    Column("inbound_id", BigInteger, nullable=False),
    Column("sender", Text, nullable=False, comment="URN"),
    Column("text", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("masked_at", BigInteger),
    Index("uq_feedback_inbound", "inbound_id", unique=True),
    comment="Opinions and complaints (conversation)",
)

counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False, comment="the highest number reserved"),
    comment="Numbers people are told, reserved in blocks (conversation)",
)

process = Table(
    "process",
    metadata,
    Column("number", ROW_ID, primary_key=True, comment="rises by one with every start; domain.ids takes it"),
    Column("owner", BigInteger, nullable=False, comment="random, one per start"),
    Column("started_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False, comment="last sign of life"),
    Column("ended_at", BigInteger, comment="set by an orderly end only"),
    Index("uq_process_owner", "owner", unique=True),
    comment="Every start of a gateway process (gateway)",
)

process_about = Table(
    "process_about",
    metadata,
    Column("number", ROW_ID, primary_key=True, autoincrement=False, comment="of the process"),
    Column("host", Text, nullable=False, comment="the machine's name"),
    Column("pid", Integer, nullable=False, comment="the process id there"),
    Column("version", Text, nullable=False),
    Column("roles", Text, nullable=False, comment="what it was started for, with commas"),
    comment="What a process says of itself when it starts (gateway)",
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True, comment="what only one process does at a time"),
    Column("owner", BigInteger, nullable=False, comment="process.owner"),
    Column("taken_at", BigInteger, nullable=False, comment="kept when it is renewed"),
    Column("lease_until", BigInteger, nullable=False),
    comment="Who holds what (gateway)",
)
