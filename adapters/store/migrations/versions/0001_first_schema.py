"""The inbox, the outbox and their neighbours"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False, comment="the highest number reserved"),
        sa.PrimaryKeyConstraint("name"),
        comment="Numbers people are told, reserved in blocks (conversation)",
    )
    op.create_table(
        "feedback",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="told to the person",
        ),
        sa.Column("inbound_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("masked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        comment="Opinions and complaints (conversation)",
    )
    op.create_index("uq_feedback_inbound", "feedback", ["inbound_id"], unique=True)
    op.create_table(
        "inbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="domain.ids, made on arrival",
        ),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column(
            "external_id", sa.Text(), nullable=True, comment="the channel's own id, where it has one (a chat update)"
        ),
        sa.Column("identity", sa.Text(), nullable=True, comment="hex SHA-256 for channels without an id of their own"),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN"),
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column("session", sa.Text(), nullable=True, comment="the connection it came by"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True, comment="hex of the bytes of a text that could not be decoded"),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="open | decided | muted"),
        sa.Column("inquiry", sa.Text(), nullable=True, comment="what was wanted: look_up, help, ..."),
        sa.Column("outcome", sa.Text(), nullable=True, comment="domain.answers.Outcome"),
        sa.Column("dossier_code", sa.Text(), nullable=True),
        sa.Column("owner", sa.BigInteger(), nullable=True, comment="the process that received it, or took it over"),
        sa.Column(
            "lease_until", sa.BigInteger(), nullable=True, comment="while open: until when its owner is believed alive"
        ),
        sa.Column(
            "acknowledged_at", sa.BigInteger(), nullable=True, comment="when the answer to the other side was written"
        ),
        sa.Column("acknowledged_ok", sa.Boolean(), nullable=True, comment="false: that answer was a refusal"),
        sa.Column(
            "session_ended_at",
            sa.BigInteger(),
            nullable=True,
            comment="when that connection ended; kept for what was recent then",
        ),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("masked_at", sa.BigInteger(), nullable=True, comment="when sender and text were masked"),
        sa.PrimaryKeyConstraint("id"),
        comment="Every message received (conversation)",
    )
    op.create_index(
        "ix_inbox_identity",
        "inbox",
        ["identity", "received_at"],
        unique=False,
        sqlite_where=sa.text("identity IS NOT NULL"),
        postgresql_where=sa.text("identity IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_open",
        "inbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_inbox_sender", "inbox", ["sender", "id"], unique=False)
    op.create_index(
        "ix_inbox_session",
        "inbox",
        ["session", "received_at"],
        unique=False,
        sqlite_where=sa.text("session IS NOT NULL"),
        postgresql_where=sa.text("session IS NOT NULL"),
    )
    op.create_index(
        "uq_inbox_external",
        "inbox",
        ["channel", "account", "external_id"],
        unique=True,
        sqlite_where=sa.text("external_id IS NOT NULL"),
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="domain.ids",
        ),
        sa.Column("inbound_id", sa.BigInteger(), nullable=True, comment="the message it replies to; one reply each"),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False, comment="reply | notice | broadcast"),
        sa.Column("priority", sa.SmallInteger(), nullable=False, comment="0 leaves first"),
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("params", sa.Text(), nullable=True, comment="JSON: what a channel shows beside the text"),
        sa.Column("source", sa.Text(), nullable=True, comment="the one-stop system a notice speaks of"),
        sa.Column("dossier_code", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True, comment="our counter per (source, dossier_code)"),
        sa.Column("broadcast_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False, comment="notifications.retry.OutboxState"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False, comment="not claimed before"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="not sent after"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="hand-overs"),
        sa.Column("owner", sa.BigInteger(), nullable=True, comment="the process that claimed it"),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("handed_over_at", sa.BigInteger(), nullable=True, comment="the latest hand-over"),
        sa.Column("settled_at", sa.BigInteger(), nullable=True, comment="when its state became final"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it was refused, retried or closed"),
        sa.Column(
            "delivery_status", sa.Text(), nullable=True, comment="domain.message.DeliveryStatus of the whole message"
        ),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="Every message that leaves (notifications)",
    )
    op.create_index(
        "ix_outbox_held",
        "outbox",
        ["owner", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('claimed', 'handed_over')"),
        postgresql_where=sa.text("state IN ('claimed', 'handed_over')"),
    )
    op.create_index(
        "ix_outbox_ready",
        "outbox",
        ["account", "priority", "id", "available_at"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "uq_outbox_broadcast",
        "outbox",
        ["broadcast_id", "recipient"],
        unique=True,
        sqlite_where=sa.text("broadcast_id IS NOT NULL"),
        postgresql_where=sa.text("broadcast_id IS NOT NULL"),
    )
    op.create_index(
        "uq_outbox_inbound",
        "outbox",
        ["inbound_id"],
        unique=True,
        sqlite_where=sa.text("inbound_id IS NOT NULL"),
        postgresql_where=sa.text("inbound_id IS NOT NULL"),
    )
    op.create_index(
        "uq_outbox_notice",
        "outbox",
        ["source", "dossier_code", "version", "recipient"],
        unique=True,
        sqlite_where=sa.text("version IS NOT NULL"),
        postgresql_where=sa.text("version IS NOT NULL"),
    )
    op.create_table(
        "person",
        sa.Column("address", sa.Text(), nullable=False, comment="URN"),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("accents", sa.Boolean(), nullable=True),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.Column("pending", sa.Text(), nullable=True, comment="JSON of the question we asked back"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
        comment="What people chose (conversation)",
    )
    op.create_table(
        "process",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="rises by one with every start; domain.ids takes it",
        ),
        sa.Column("owner", sa.BigInteger(), nullable=False, comment="random, one per start"),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=False, comment="last sign of life"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="set by an orderly end only"),
        sa.PrimaryKeyConstraint("number"),
        comment="Every start of a gateway process (gateway)",
    )
    op.create_index("uq_process_owner", "process", ["owner"], unique=True)
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, comment="domain.message.DeliveryStatus"),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Delivery reports that fit no submission yet (notifications)",
    )
    op.create_index("ix_report_external", "report", ["account", "external_id"], unique=False)
    op.create_table(
        "submission",
        sa.Column("outbox_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "attempt", sa.Integer(), autoincrement=False, nullable=False, comment="outbox.attempts at that hand-over"
        ),
        sa.Column("segment", sa.Integer(), autoincrement=False, nullable=False, comment="1-based"),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True, comment="the id the other side gave this segment"),
        sa.Column("command_status", sa.BigInteger(), nullable=False, comment="0: taken"),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("report_status", sa.Text(), nullable=True, comment="domain.message.DeliveryStatus"),
        sa.Column("report_at", sa.BigInteger(), nullable=True),
        sa.Column("report_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id", "attempt", "segment"),
        comment="Every segment handed over (notifications)",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_submission_external",
        "submission",
        ["account", "external_id"],
        unique=False,
        sqlite_where=sa.text("external_id IS NOT NULL"),
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("submission", "report", "process", "person", "outbox", "inbox", "feedback", "counter"):
        op.drop_table(table)  # its indexes go with it
