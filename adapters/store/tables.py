"""The tables of our own database, as SQLAlchemy Core metadata; the migrations must produce exactly this.

Every moment is a BIGINT of epoch milliseconds UTC: columns ending in `_at`, and `lease_until`. Ids are BIGINT
(domain.ids) and rise with time. Enumerations are short lower-case text, the values of the enums they come from.
"""

from __future__ import annotations

import enum

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    event,
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
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    STOPPED = "stopped"
    HELD = "held"
    MERGED = "merged"
    DROPPED = "dropped"


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
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
    Column("extras", Text, comment="JSON: what a chat says beside the text"),
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
    _partial("ix_inbox_dossier", "dossier_code", "id", where="dossier_code IS NOT NULL"),  # officers look for these
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
    # How many notices somebody gets a day; what an operator looks at; what falls back to another channel.
    _partial("ix_outbox_notices", "recipient", "available_at", where="category = 'notice'"),
    _partial("ix_outbox_on_hold", "source", "id", "account", where="state = 'held'"),
    _partial(
        "ix_outbox_failed",
        "settled_at",
        where="category <> 'reply' AND state IN ('rejected', 'stopped', 'expired', 'unknown')",
    ),
    _partial(
        "ix_outbox_undelivered",
        "id",
        where="category <> 'reply' AND delivery_status IN ('undeliverable', 'expired', 'rejected', 'deleted')",
    ),
    # What of a broadcast has not come to its end, counted by account in the index; how many of them somebody gets a day.
    _partial(
        "ix_outbox_broadcast_open",
        "broadcast_id",
        "state",
        "account",
        "available_at",
        where="broadcast_id IS NOT NULL AND state IN ('ready', 'held', 'claimed', 'handed_over')",
    ),
    _partial("ix_outbox_broadcasts", "recipient", "available_at", where="category = 'broadcast'"),
    # Counted every few seconds by account and reason; what waits for nothing but its turn has no reason.
    _partial("ix_outbox_deferred", "account", "reason", "available_at", where="state = 'ready' AND reason IS NOT NULL"),
    # Officers look for what was told unasked, by dossier and by person; replies are found by what they answer.
    _partial("ix_outbox_dossier", "dossier_code", "id", where="inbound_id IS NULL AND dossier_code IS NOT NULL"),
    _partial("ix_outbox_recipient", "recipient", "id", where="inbound_id IS NULL"),
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
    Column("external_key", Text, comment="external_id as domain.external_ids compares it"),
    _partial("ix_submission_key", "account", "external_key", "outbox_id", where="external_key IS NOT NULL"),
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
    Column("external_key", Text, comment="external_id as domain.external_ids compares it"),
    Column("keys", Text, comment="JSON: what external_key of its submission may be, likeliest first"),
    Column("recipient", Text, comment="URN: of the message it speaks of, as it says"),
    Column("sender", Text, comment="URN: likewise"),
    Column("kept_at", BigInteger, comment="by the store's clock"),
    _partial("ix_report_key", "external_key", "account", where="external_key IS NOT NULL"),
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
    Column("agency", Text, comment="an identifier: whose it is to answer; NULL: nobody looked yet"),
    Column("dossier_code", Text, comment="DossierCode.reference: what it was given to them for"),
    Column("answer", Text),
    Column("answered_at", BigInteger),
    Column("answered_by", Text, comment="a login"),
    Column("answer_id", BigInteger, comment="of the outbox; NULL: there was nobody to send to"),
    Index("uq_feedback_inbound", "inbound_id", unique=True),
    Index("ix_feedback_agency", "agency", "number"),
    _partial("ix_feedback_waiting", "agency", "number", where="answered_at IS NULL"),
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

dossier_seen = Table(
    "dossier_seen",
    metadata,
    Column("source", Text, primary_key=True),
    Column("dossier_code", Text, primary_key=True, comment="DossierCode.reference"),
    Column("version", BigInteger, nullable=False, comment="raised with every change and every reminder"),
    Column("known", Text, nullable=False, comment="domain.notices.Known.text: what a change is judged by"),
    Column("status", SmallInteger, comment="domain.dossier.DossierStatus; NULL: not mapped"),
    Column("due_on", Text, comment="ISO date"),
    Column("agency", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("procedure", Text, nullable=False),
    Column("received_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("returned_at", BigInteger),
    Column("changed_at", BigInteger, comment="as the source says"),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False, comment="when this row was last written"),
    Column("apologised", Boolean, nullable=False, comment="a later day was told with the apology"),
    Column("reminded_for", Text, comment="ISO date of the promised day followers were reminded of"),
    Column("gone", Boolean, nullable=False, comment="the source does not have it any more"),
    _partial("ix_dossier_seen_due", "due_on", where="status IN (2, 4) AND NOT gone"),
    _partial("ix_dossier_seen_waiting", "received_at", where="status = 1 AND NOT gone"),
    Index("ix_dossier_seen_code", "dossier_code"),
    _partial("ix_dossier_seen_audience", "agency", "status", "source", "dossier_code", where="NOT gone"),
    comment="What the watcher last saw of a dossier: no name, no number (notifications)",
)

feed_cursor = Table(
    "feed_cursor",
    metadata,
    Column("source", Text, primary_key=True),
    Column("feed", Text, primary_key=True, comment="poll | sweep | ...; once:<key> for what is written once"),
    Column("position", Text, nullable=False, comment="the feed's own"),
    Column("moved_at", BigInteger, nullable=False),
    comment="Where each feed of change goes on (notifications)",
)

look = Table(
    "look",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("source", Text, nullable=False),
    Column("dossier_code", Text, nullable=False, comment="DossierCode.reference"),
    Column("not_before", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("uq_look_code", "source", "dossier_code", unique=True),
    Index("ix_look_due", "source", "not_before", "id"),
    comment="Dossiers to be looked at: somebody said they changed, or they could not be read (notifications)",
)

hook_nonce = Table(
    "hook_nonce",
    metadata,
    Column("source", Text, primary_key=True),
    Column("nonce", Text, primary_key=True),
    Column("keep_until", BigInteger, nullable=False),
    Index("ix_hook_nonce_over", "keep_until"),
    comment="Signed calls already taken (notifications)",
)

subscription = Table(
    "subscription",
    metadata,
    Column("recipient", Text, primary_key=True, comment="URN"),
    Column("dossier_code", Text, primary_key=True, comment="DossierCode.reference"),
    Column("source", Text, nullable=False, comment="the one-stop system it was found in"),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("sender", Text, nullable=False, comment="URN of ours"),
    Column("origin", Text, nullable=False, comment="text | web | dossier"),
    Column("proved", Boolean, nullable=False),
    Column("known", Text, comment="domain.notices.Known.text: what they were told or shown last"),
    Column("version", BigInteger, comment="of dossier_seen, when `known` was so; NULL: not compared yet"),
    Column("followed_at", BigInteger, nullable=False),
    Column("inbound_id", BigInteger, comment="the message that asked for it"),
    Column("ended_at", BigInteger),
    Column("end_reason", Text, comment="unfollow | blocked | closed | erased"),
    _partial("ix_subscription_code", "dossier_code", where="ended_at IS NULL"),
    _partial("ix_subscription_source", "source", "dossier_code", where="ended_at IS NULL"),
    _partial("ix_subscription_ended", "ended_at", where="ended_at IS NOT NULL"),
    comment="Who follows which dossier (notifications)",
)

consent = Table(
    "consent",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("recipient", Text, nullable=False, comment="URN"),
    Column(
        "action",
        Text,
        nullable=False,
        comment="follow | unfollow | stop_all | resume | link | unlink | blocked | erased",
    ),
    Column("dossier_code", Text, nullable=False, comment="DossierCode.reference; empty: about all"),
    Column("words", Text, nullable=False, comment="as they were typed, or by what right"),
    Column("channel", Text, nullable=False),
    Column("inbound_id", BigInteger),
    Column("given_at", BigInteger, nullable=False),
    Index("ix_consent_recipient", "recipient", "id"),
    Index("ix_consent_given", "given_at"),
    _partial(
        "uq_consent_inbound",
        "inbound_id",
        "action",
        "dossier_code",
        where="inbound_id IS NOT NULL",
        unique=True,
    ),
    comment="Who agreed to what, when, by what words, and who withdrew it (notifications)",
)

follow_pin = Table(
    "follow_pin",
    metadata,
    Column("token", Text, primary_key=True),
    Column("recipient", Text, nullable=False, comment="URN"),
    Column("dossier_code", Text, nullable=False, comment="DossierCode.reference"),
    Column("source", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("sender", Text, nullable=False, comment="URN of ours"),
    Column("known", Text, nullable=False),
    Column("proved", Boolean, nullable=False),
    Column("words", Text, nullable=False),
    Column("pin_seal", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_follow_pin_over", "expires_at"),
    comment="Numbers to be proved by a code sent back (conversation)",
)

link_pin = Table(
    "link_pin",
    metadata,
    Column("asker", Text, primary_key=True, comment="URN of who wrote"),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("sender", Text, nullable=False, comment="URN of ours"),
    Column("address", Text, nullable=False, comment="URN that is said to be theirs, too"),
    Column("words", Text, nullable=False),
    Column("pin_seal", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_link_pin_over", "expires_at"),
    comment="Addresses to be joined by a code sent back (conversation)",
)

next_address = Table(
    "next_address",
    metadata,
    Column("recipient", Text, primary_key=True, comment="URN"),
    Column("place", SmallInteger, primary_key=True, autoincrement=False, comment="1 is tried first"),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("sender", Text, nullable=False, comment="URN of ours"),
    Column("address", Text, nullable=False, comment="URN"),
    Column("agreed_at", BigInteger, nullable=False),
    comment="Where else a person agreed to be told when a channel is closed (notifications)",
)

hold = Table(
    "hold",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("source", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("tracked", Integer, nullable=False),
    Column("closed_at", BigInteger),
    _partial("uq_hold_open", "source", where="closed_at IS NULL", unique=True),
    comment="Mass changes whose notices wait for an operator (notifications)",
)

stoppage = Table(
    "stoppage",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("texts", Text, nullable=False, comment="JSON by language; {}: our own words"),
    Column("tell_followers", Boolean, nullable=False),
    Column("announced_at", BigInteger, nullable=False),
    Column("cancelled_at", BigInteger),
    Index("ix_stoppage_ends", "ends_at"),
    comment="Planned interruptions (notifications)",
)

zalo_token = Table(
    "zalo_token",
    metadata,
    Column("account", Text, primary_key=True),
    Column("access_token", Text, nullable=False),
    Column("refresh_token", Text, nullable=False, comment="works once"),
    Column("expires_at", BigInteger, nullable=False, comment="of the access token"),
    Column("refreshed_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False, comment="rises with every pair"),
    Column("begun_until", BigInteger, comment="somebody spends the refresh token; over at that moment"),
    Column("seeds", Text, nullable=False, comment="hashes of pairs that persons gave, a space between two"),
    comment="What the platform gave us to call it with (channels)",
)

sms_part = Table(
    "sms_part",
    metadata,
    Column(
        "set_id", BigInteger, primary_key=True, autoincrement=False, comment="domain.ids; the message's in the inbox"
    ),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("account", Text, nullable=False),
    Column("sender", Text, nullable=False, comment="URN"),
    Column("recipient", Text, nullable=False, comment="URN"),
    Column("reference", Integer, nullable=False, comment="shared by its parts; used anew after a while"),
    Column("width", Integer, nullable=False, comment="of the reference in bits"),
    Column("total", Integer, nullable=False),
    Column("esm_class", Integer, nullable=False),
    Column("data_coding", Integer, nullable=False),
    Column("header", Text, nullable=False, comment="hex of the user data header"),
    Column("body", Text, nullable=False, comment="hex of the octets behind it"),
    Column("session", Text, nullable=False, comment="the connection it came by"),
    Column("received_at", BigInteger, nullable=False),
    Column("done_at", BigInteger, comment="the message is in the inbox; kept a while, since parts come again"),
    Index("ix_sms_part_account", "account", "set_id"),
    Index("ix_sms_part_sender", "sender"),
    comment="Parts of long messages until they are put together (channels)",
    sqlite_with_rowid=False,
)

site_key = Table(
    "site_key",
    metadata,
    Column("key", Text, primary_key=True, comment="public: domain.sites.KEY"),
    Column("name", Text, nullable=False),
    Column("agency", Text, nullable=False, comment="an identifier, or empty: the province"),
    Column("origins", Text, nullable=False, comment="JSON: a list"),
    Column("secret_digest", Text, nullable=False, comment="hex SHA-256 of the webmaster's secret"),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    comment="Agencies' sites that carry the widget (console)",
)

site_use = Table(
    "site_use",
    metadata,
    Column("site", Text, primary_key=True),
    Column("day", Text, primary_key=True, comment="ISO 8601, of Asia/Ho_Chi_Minh"),
    Column("use", Text, primary_key=True, comment="domain.sites.SiteUse"),
    Column("count", BigInteger, nullable=False),
    comment="How often a site's requests came to what (console)",
)


# ---- officers of the console

officer = Table(
    "officer",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("login", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("agency", Text, nullable=False, comment="an identifier of the catalogue"),
    Column("roles", Text, nullable=False, comment="domain.officers.OfficerRole, a space between two"),
    Column("language", Text, nullable=False),
    Column("password_hash", Text, nullable=False, comment="argon2id, with its parameters"),
    Column("must_set_password", Boolean, nullable=False, comment="somebody else gave the present one"),
    Column("totp_secret", Text, comment="base32"),
    Column("totp_step", BigInteger, comment="the last one accepted; NULL: the secret is not confirmed yet"),
    Column("totp_pending", Text, comment="base32: takes the place of totp_secret with its first code"),
    Column("failures", Integer, nullable=False, comment="tries in a row that were not right, or not judged yet"),
    Column("locked_until_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False, comment="a login; tracuu: from the command line"),
    Column("disabled_at", BigInteger),
    Index("uq_officer_login", "login", unique=True),
    comment="Who works with the console (console)",
)

officer_session = Table(
    "officer_session",
    metadata,
    Column("digest", Text, primary_key=True, comment="hex SHA-256 of the secret in the cookie"),
    Column("officer_id", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False, comment="written at most once a minute"),
    Column("ended_at", BigInteger),
    Column("end_reason", Text, comment="console.accounts.ports.SessionEnd"),
    Column("address", Text, nullable=False, comment="where it was begun"),
    Column("agent", Text, nullable=False, comment="the browser, in short words"),
    _partial("ix_officer_session_open", "officer_id", where="ended_at IS NULL"),
    Index("ix_officer_session_created", "created_at"),
    comment="Who is signed in (console)",
)

audit = Table(
    "audit",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("at", BigInteger, nullable=False, comment="epoch milliseconds"),
    Column("officer_id", BigInteger, comment="NULL: from the command line"),
    Column("login", Text, nullable=False),
    Column("agency", Text, nullable=False, comment="the officer's, at that moment"),
    Column("action", Text, nullable=False),
    Column("about", Text, nullable=False, comment="the object: officer:7"),
    Column("detail", Text, nullable=False, comment="JSON"),
    Column("address", Text, nullable=False),
    Index("ix_audit_agency", "agency", "id"),
    Index("ix_audit_login", "login", "id"),
    Index("ix_audit_action", "action", "id"),
    Index("ix_audit_about", "about", "id"),
    comment="What officers did; rows are added and never touched again (console)",
)

# Whoever writes to this database, these hold. SQLite fires no DELETE trigger for what REPLACE puts out of the way, hence
# the third one there.
AUDIT_IS_KEPT = {
    "sqlite": (
        (
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
        (
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
        (
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        ),
        (
            "CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
        ),
    ),
}
for _dialect, _statements in AUDIT_IS_KEPT.items():
    for _statement in _statements:
        event.listen(audit, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]


# ---- broadcasts

broadcast = Table(
    "broadcast",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("agency", Text, nullable=False, comment="an identifier of the catalogue"),
    Column("title", Text, nullable=False),
    Column("author", BigInteger, nullable=False, comment="officer.id"),
    Column("texts", Text, nullable=False, comment="JSON by language"),
    Column("audience", Text, nullable=False, comment="JSON of domain.broadcasts.Audience"),
    Column("state", Text, nullable=False, comment="domain.broadcasts.BroadcastState"),
    Column("version", BigInteger, nullable=False, comment="raised with every change an officer sees"),
    Column("created_at", BigInteger, nullable=False),
    Column("starts_at", BigInteger),
    Column("canary", Integer, nullable=False),
    Column("people", BigInteger, nullable=False, comment="counted when it was submitted"),
    Column("seal", Text, nullable=False),
    Column("submitted_by", BigInteger, comment="officer.id"),
    Column("approved_by", BigInteger, comment="officer.id"),
    Column("approved_until_at", BigInteger),
    Column("editors", Text, nullable=False, comment="JSON: officers who changed a word of it"),
    Column("upload", BigInteger, comment="broadcast_row.upload: the list it goes to"),
    Column("row_count", Integer, nullable=False, comment="of that list"),
    Column("row_columns", Text, nullable=False, comment="JSON: what that list brings for placeholders"),
    Column("busy", Boolean, nullable=False, comment="the expander has to look at it"),
    Column("position", Text, nullable=False, comment="how far its audience is written"),
    Column("written", Integer, nullable=False, comment="messages that were to leave"),
    Column("left_out", Text, nullable=False, comment="JSON by reason"),
    Column("all_written", Boolean, nullable=False),
    Column("canary_left", Integer, comment="may be written before it pauses by itself; NULL: it does not"),
    Column("held_back", Boolean, nullable=False, comment="it paused by itself and was not resumed yet"),
    Column("results", Text, nullable=False, comment="JSON: (state, delivery, reason, messages)"),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("counted_at", BigInteger),
    Column("resend_of", BigInteger, comment="the broadcast whose failures it sends again"),
    Index("ix_broadcast_agency", "agency", "id"),
    _partial("ix_broadcast_busy", "id", where="busy"),
    _partial("uq_broadcast_resend", "resend_of", where="resend_of IS NOT NULL AND state <> 'stopped'", unique=True),
    comment="Messages to many (notifications)",
)

broadcast_row = Table(
    "broadcast_row",
    metadata,
    Column("upload", BigInteger, primary_key=True, autoincrement=False, comment="domain.ids, one a file"),
    Column("position", Integer, primary_key=True, autoincrement=False, comment="the line of the file"),
    Column("broadcast_id", BigInteger, nullable=False),
    Column("recipient", Text, nullable=False, comment="URN"),
    Column("language", Text),
    Column("cells", Text, nullable=False, comment="JSON by column"),
    Index("uq_broadcast_row_recipient", "upload", "recipient", unique=True),
    Index("ix_broadcast_row_recipient", "recipient"),
    comment="Recipients an agency brought as a list (notifications)",
    sqlite_with_rowid=False,
)

broadcast_chunk = Table(
    "broadcast_chunk",
    metadata,
    Column("broadcast_id", BigInteger, primary_key=True, autoincrement=False),
    Column("first_id", BigInteger, primary_key=True, autoincrement=False, comment="of the outbox"),
    Column("last_id", BigInteger, nullable=False),
    Column("results", Text, nullable=False, comment="JSON: as they were counted last"),
    Column("look_at", BigInteger, comment="counted again from then on; NULL: nothing of it changes any more"),
    _partial("ix_broadcast_chunk_open", "broadcast_id", "look_at", where="look_at IS NOT NULL"),
    comment="Stretches of the outbox one transaction wrote for a broadcast (notifications)",
    sqlite_with_rowid=False,
)


# ---- the intake module

OPEN_DOSSIER = "status NOT IN (3, 8, 9, 10)"  # domain.dossier.CLOSED
CLOSED_DOSSIER = "status IN (3, 8, 9, 10)"

intake_dossier = Table(
    "intake_dossier",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids; chosen by the form"),
    Column("code", Text, nullable=False, comment="DossierCode.reference"),
    Column("agency", Text, nullable=False, comment="who received it"),
    Column("holder", Text, nullable=False, comment="the agency that has it now"),
    Column("unit", Text, nullable=False, comment="of the holder"),
    Column("procedure", Text, nullable=False),
    Column("procedure_name", Text, nullable=False),
    Column("source", Text, nullable=False, comment="domain.intake.IntakeSource"),
    Column("status", SmallInteger, nullable=False, comment="domain.dossier.DossierStatus"),
    Column("version", BigInteger, nullable=False, comment="raised with every change"),
    Column("received_at", BigInteger, nullable=False, comment="truly handed in"),
    Column("entered_at", BigInteger, nullable=False, comment="typed"),
    Column("changed_at", BigInteger, nullable=False, comment="something truly became of it"),
    Column("due_at", BigInteger, comment="NULL: no day is promised"),
    Column("finished_at", BigInteger),
    Column("returned_at", BigInteger),
    Column("late", Boolean, nullable=False, comment="it was on paper first"),
    Column("missing", Text, nullable=False),
    Column("fee", Text, nullable=False),
    Column("notify", Boolean, nullable=False, comment="the applicant agreed to be told"),
    Column(
        "phone", Text, nullable=False, comment="domain.phones.significant_number of the applicant's first, or empty"
    ),
    Column("secret", Text, nullable=False, comment="on the receipt"),
    Column("written", Text, nullable=False, comment="ISO 8601 in UTC by the store's clock: what a poll goes by"),
    Column("content", Text, nullable=False, comment="JSON: all that is neither searched nor told by look-up"),
    Column("masked_at", BigInteger, comment="who handed it in was removed, long after it was closed"),
    Index("uq_intake_dossier_code", "code", unique=True),
    Index("ix_intake_dossier_agency", "agency", "id"),
    Index("ix_intake_dossier_status", "agency", "status", "id"),
    Index("ix_intake_dossier_procedure", "agency", "procedure", "id"),
    Index("ix_intake_dossier_received", "agency", "received_at"),
    _partial("ix_intake_dossier_open", "agency", "id", where=OPEN_DOSSIER),
    _partial("ix_intake_dossier_due", "agency", "due_at", where=f"due_at IS NOT NULL AND {OPEN_DOSSIER}"),
    _partial(
        "ix_intake_dossier_passed_due",
        "holder",
        "due_at",
        where=f"holder <> agency AND due_at IS NOT NULL AND {OPEN_DOSSIER}",
    ),
    _partial("ix_intake_dossier_late", "agency", "id", where="late"),
    _partial("ix_intake_dossier_holder", "holder", "id", where="holder <> agency"),
    _partial("ix_intake_dossier_unit", "unit", "id", where="unit <> ''"),
    _partial("ix_intake_dossier_phone", "phone", "id", where="phone <> ''"),
    Index("ix_intake_dossier_written", "written", "code"),
    _partial("ix_intake_dossier_to_mask", "changed_at", "id", where=f"masked_at IS NULL AND {CLOSED_DOSSIER}"),
    comment="Dossiers received here (intake)",
)

intake_word = Table(
    "intake_word",
    metadata,
    Column("agency", Text, primary_key=True, comment="who received it, or had it once"),
    Column(
        "word", Text, primary_key=True, comment="of a name, in capitals without accents; -7 and -260831-7: of a code"
    ),
    Column("dossier_id", BigInteger, primary_key=True, autoincrement=False),
    comment="What dossiers are found by (intake)",
    sqlite_with_rowid=False,
)

intake_step = Table(
    "intake_step",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("dossier_id", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, comment="epoch milliseconds: when it truly was"),
    Column("entered_at", BigInteger, nullable=False),
    Column("action", Text, nullable=False, comment="domain.intake_moves.IntakeAction, or registered"),
    Column("officer_id", BigInteger, comment="NULL: the citizen, or nobody but the clock"),
    Column("login", Text, nullable=False),
    Column("officer_name", Text, nullable=False, comment="at that moment"),
    Column("officer_agency", Text, nullable=False, comment="at that moment"),
    Column("address", Text, nullable=False),
    Column("status_before", SmallInteger),
    Column("status_after", SmallInteger, nullable=False),
    Column("from_agency", Text, nullable=False),
    Column("from_unit", Text, nullable=False),
    Column("to_agency", Text, nullable=False),
    Column("to_unit", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("due_at", BigInteger, comment="as it was promised from then on"),
    Index("ix_intake_step_dossier", "dossier_id", "id"),
    comment="What was done to dossiers; rows are added and never touched again (intake)",
)

intake_number = Table(
    "intake_number",
    metadata,
    Column("agency", Text, primary_key=True),
    Column("day", Text, primary_key=True, comment="ISO 8601, of Asia/Ho_Chi_Minh"),
    Column("last", BigInteger, nullable=False, comment="the last serial given or set aside"),
    comment="How far each agency's codes of a day are (intake)",
    sqlite_with_rowid=False,
)

intake_tally = Table(
    "intake_tally",
    metadata,
    Column("agency", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("status", SmallInteger, primary_key=True, autoincrement=False),
    Column("dossiers", BigInteger, nullable=False),
    Index("ix_intake_tally_holder", "holder"),
    comment="How many dossiers stand where: every desk's first page shows it (intake)",
    sqlite_with_rowid=False,
)

intake_block = Table(
    "intake_block",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("agency", Text, nullable=False),
    Column("day", Text, nullable=False, comment="ISO 8601: the day in the codes"),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("reserved_at", BigInteger, nullable=False),
    Column("reserved_by", Text, nullable=False, comment="a login"),
    Index("ix_intake_block_agency", "agency", "day"),
    comment="Codes set aside for work on paper (intake)",
)

intake_serial = Table(
    "intake_serial",
    metadata,
    Column("block_id", BigInteger, primary_key=True, autoincrement=False),
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("dossier_id", BigInteger, comment="NULL: void"),
    Column("void", Text, nullable=False, comment="why it was not used"),
    comment="What became of codes set aside (intake)",
    sqlite_with_rowid=False,
)

intake_file = Table(
    "intake_file",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids"),
    Column("owner", BigInteger, nullable=False, comment="of the dossier or of the draft, whose id is the same"),
    Column("of_dossier", Boolean, nullable=False, comment="false: of a draft, or of a form not sent yet"),
    Column("kind", Text, nullable=False, comment="domain.intake.FileKind"),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes"),
    Column("sha256", Text, nullable=False, comment="hex"),
    Column("key", Text, nullable=False, comment="of its bytes in the vault"),
    Column("added_at", BigInteger, nullable=False),
    Column("paper", Integer, comment="line of the check list"),
    Column("by_officer", BigInteger, comment="officer.id"),
    Index("ix_intake_file_owner", "owner", "id"),
    Index("uq_intake_file_key", "key", unique=True),
    _partial("ix_intake_file_loose", "added_at", where="NOT of_dossier"),
    comment="Files handed in, and results; their bytes are elsewhere (intake)",
)

intake_draft = Table(
    "intake_draft",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False, comment="domain.ids; its dossier's, once it is one"),
    Column("token_digest", Text, nullable=False, comment="hex SHA-256 of the secret in its link"),
    Column("agency", Text, nullable=False),
    Column("procedure", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("fields", Text, nullable=False, comment="JSON by field"),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("phone", Text, nullable=False),
    Column("phone_proved_at", BigInteger),
    Index("uq_intake_draft_token", "token_digest", unique=True),
    Index("ix_intake_draft_over", "expires_at"),
    comment="Forms of citizens until they are sent; then what their links open (intake)",
)

INTAKE_STEPS_ARE_KEPT = {
    "sqlite": (
        (
            "CREATE TRIGGER intake_step_no_update BEFORE UPDATE ON intake_step"
            " BEGIN SELECT RAISE(ABORT, 'what was done to a dossier is append-only'); END"
        ),
        (
            "CREATE TRIGGER intake_step_no_delete BEFORE DELETE ON intake_step"
            " BEGIN SELECT RAISE(ABORT, 'what was done to a dossier is append-only'); END"
        ),
        (
            "CREATE TRIGGER intake_step_no_replace BEFORE INSERT ON intake_step"
            " WHEN EXISTS (SELECT 1 FROM intake_step WHERE id = NEW.id)"
            " BEGIN SELECT RAISE(ABORT, 'what was done to a dossier is append-only'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION intake_step_is_kept() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'what was done to a dossier is append-only'; END $$"
        ),
        (
            "CREATE TRIGGER intake_step_is_kept BEFORE UPDATE OR DELETE ON intake_step"
            " FOR EACH STATEMENT EXECUTE FUNCTION intake_step_is_kept()"
        ),
    ),
}

# To look-up it is one more one-stop system (config/onestop/intake.toml): what this view leaves out nobody can be told.
# Its poll goes by `written`, and PostgreSQL says at once what was written, as adapters.onestop.trigger has it.
_MOMENT = {
    "sqlite": "datetime({column} / 1000, 'unixepoch') || '+00:00'",
    "postgresql": "to_timestamp({column} / 1000.0)",
}
_ONESTOP_INTAKE = """CREATE VIEW onestop_intake AS SELECT code, status, holder,
    CASE WHEN agency <> holder THEN agency ELSE '' END AS receiving_agency,
    unit, procedure, procedure_name, missing, fee, {received_at} AS received_at, {due_at} AS due_at,
    {finished_at} AS finished_at, {returned_at} AS returned_at, written AS changed_at,
    CASE WHEN notify THEN 1 ELSE 0 END AS notify,
    CASE WHEN notify AND phone <> '' THEN '0' || phone END AS phone, secret FROM intake_dossier"""
ONESTOP_INTAKE = {
    dialect: _ONESTOP_INTAKE.format(
        **{name: moment.format(column=name) for name in ("received_at", "due_at", "finished_at", "returned_at")}
    )
    for dialect, moment in _MOMENT.items()
}
INTAKE_TELLS = (
    (
        "CREATE FUNCTION intake_changed() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_notify('tracuu_dossier', NEW.code); RETURN NULL; END $$"
    ),
    (
        "CREATE TRIGGER intake_changed AFTER INSERT OR UPDATE OF version ON intake_dossier"
        " FOR EACH ROW EXECUTE FUNCTION intake_changed()"
    ),
)
for _table, _dialect, _statements in (
    *((intake_step, dialect, statements) for dialect, statements in INTAKE_STEPS_ARE_KEPT.items()),
    *((intake_dossier, dialect, (view,)) for dialect, view in ONESTOP_INTAKE.items()),
    (intake_dossier, "postgresql", INTAKE_TELLS),
):
    for _statement in _statements:
        event.listen(_table, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
