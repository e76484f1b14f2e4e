"""What is seen of dossiers, who follows them, and what an operator does about notices"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = (
    "consent",
    "dossier_seen",
    "feed_cursor",
    "follow_pin",
    "hold",
    "hook_nonce",
    "look",
    "next_address",
    "stoppage",
    "subscription",
)
OUTBOX_INDEXES = (
    "ix_outbox_deferred",
    "ix_outbox_failed",
    "ix_outbox_notices",
    "ix_outbox_on_hold",
    "ix_outbox_undelivered",
)


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column(
            "action", sa.Text(), nullable=False, comment="follow | unfollow | stop_all | resume | blocked | erased"
        ),
        sa.Column("dossier_code", sa.Text(), nullable=False, comment="DossierCode.reference; empty: about all"),
        sa.Column("words", sa.Text(), nullable=False, comment="as they were typed, or by what right"),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("inbound_id", sa.BigInteger(), nullable=True),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Who agreed to what, when, by what words, and who withdrew it (notifications)",
    )
    op.create_index("ix_consent_given", "consent", ["given_at"], unique=False)
    op.create_index("ix_consent_recipient", "consent", ["recipient", "id"], unique=False)
    op.create_index(
        "uq_consent_inbound",
        "consent",
        ["inbound_id", "action", "dossier_code"],
        unique=True,
        sqlite_where=sa.text("inbound_id IS NOT NULL"),
        postgresql_where=sa.text("inbound_id IS NOT NULL"),
    )
    op.create_table(
        "dossier_seen",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("dossier_code", sa.Text(), nullable=False, comment="DossierCode.reference"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="raised with every change and every reminder"),
        sa.Column("known", sa.Text(), nullable=False, comment="domain.notices.Known.text: what a change is judged by"),
        sa.Column("status", sa.SmallInteger(), nullable=True, comment="domain.dossier.DossierStatus; NULL: not mapped"),
        sa.Column("due_on", sa.Text(), nullable=True, comment="ISO date"),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True, comment="as the source says"),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="when this row was last written"),
        sa.Column("apologised", sa.Boolean(), nullable=False, comment="a later day was told with the apology"),
        sa.Column(
            "reminded_for", sa.Text(), nullable=True, comment="ISO date of the promised day followers were reminded of"
        ),
        sa.Column("gone", sa.Boolean(), nullable=False, comment="the source does not have it any more"),
        sa.PrimaryKeyConstraint("source", "dossier_code"),
        comment="What the watcher last saw of a dossier: no name, no number (notifications)",
    )
    op.create_index("ix_dossier_seen_code", "dossier_seen", ["dossier_code"], unique=False)
    op.create_index(
        "ix_dossier_seen_due",
        "dossier_seen",
        ["due_on"],
        unique=False,
        sqlite_where=sa.text("status IN (2, 4) AND NOT gone"),
        postgresql_where=sa.text("status IN (2, 4) AND NOT gone"),
    )
    op.create_index(
        "ix_dossier_seen_waiting",
        "dossier_seen",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("status = 1 AND NOT gone"),
        postgresql_where=sa.text("status = 1 AND NOT gone"),
    )
    op.create_table(
        "feed_cursor",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False, comment="poll | sweep | ...; once:<key> for what is written once"),
        sa.Column("position", sa.Text(), nullable=False, comment="the feed's own"),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "feed"),
        comment="Where each feed of change goes on (notifications)",
    )
    op.create_table(
        "follow_pin",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column("dossier_code", sa.Text(), nullable=False, comment="DossierCode.reference"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN of ours"),
        sa.Column("known", sa.Text(), nullable=False),
        sa.Column("proved", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("pin_seal", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
        comment="Numbers to be proved by a code sent back (conversation)",
    )
    op.create_index("ix_follow_pin_over", "follow_pin", ["expires_at"], unique=False)
    op.create_table(
        "hold",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="domain.ids",
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("tracked", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="Mass changes whose notices wait for an operator (notifications)",
    )
    op.create_index(
        "uq_hold_open",
        "hold",
        ["source"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "hook_nonce",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "nonce"),
        comment="Signed calls already taken (notifications)",
    )
    op.create_index("ix_hook_nonce_over", "hook_nonce", ["keep_until"], unique=False)
    op.create_table(
        "look",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("dossier_code", sa.Text(), nullable=False, comment="DossierCode.reference"),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Dossiers to be looked at: somebody said they changed, or they could not be read (notifications)",
    )
    op.create_index("ix_look_due", "look", ["source", "not_before", "id"], unique=False)
    op.create_index("uq_look_code", "look", ["source", "dossier_code"], unique=True)
    op.create_table(
        "next_address",
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column("place", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1 is tried first"),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN of ours"),
        sa.Column("address", sa.Text(), nullable=False, comment="URN"),
        sa.Column("agreed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "place"),
        comment="Where else a person agreed to be told when a channel is closed (notifications)",
    )
    op.create_table(
        "stoppage",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="domain.ids",
        ),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("texts", sa.Text(), nullable=False, comment="JSON by language; {}: our own words"),
        sa.Column("tell_followers", sa.Boolean(), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="Planned interruptions (notifications)",
    )
    op.create_index("ix_stoppage_ends", "stoppage", ["ends_at"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column("dossier_code", sa.Text(), nullable=False, comment="DossierCode.reference"),
        sa.Column("source", sa.Text(), nullable=False, comment="the one-stop system it was found in"),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN of ours"),
        sa.Column("origin", sa.Text(), nullable=False, comment="text | web | dossier"),
        sa.Column("proved", sa.Boolean(), nullable=False),
        sa.Column(
            "known", sa.Text(), nullable=True, comment="domain.notices.Known.text: what they were told or shown last"
        ),
        sa.Column(
            "version",
            sa.BigInteger(),
            nullable=True,
            comment="of dossier_seen, when `known` was so; NULL: not compared yet",
        ),
        sa.Column("followed_at", sa.BigInteger(), nullable=False),
        sa.Column("inbound_id", sa.BigInteger(), nullable=True, comment="the message that asked for it"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True, comment="unfollow | blocked | closed | erased"),
        sa.PrimaryKeyConstraint("recipient", "dossier_code"),
        comment="Who follows which dossier (notifications)",
    )
    op.create_index(
        "ix_subscription_code",
        "subscription",
        ["dossier_code"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_subscription_ended",
        "subscription",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index(
        "ix_subscription_source",
        "subscription",
        ["source", "dossier_code"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_outbox_deferred",
        "outbox",
        ["account", "reason", "available_at"],
        unique=False,
        sqlite_where=sa.text("state = 'ready' AND reason IS NOT NULL"),
        postgresql_where=sa.text("state = 'ready' AND reason IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_failed",
        "outbox",
        ["settled_at"],
        unique=False,
        sqlite_where=sa.text("category <> 'reply' AND state IN ('rejected', 'stopped', 'expired', 'unknown')"),
        postgresql_where=sa.text("category <> 'reply' AND state IN ('rejected', 'stopped', 'expired', 'unknown')"),
    )
    op.create_index(
        "ix_outbox_notices",
        "outbox",
        ["recipient", "available_at"],
        unique=False,
        sqlite_where=sa.text("category = 'notice'"),
        postgresql_where=sa.text("category = 'notice'"),
    )
    op.create_index(
        "ix_outbox_on_hold",
        "outbox",
        ["source", "id", "account"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text(
            "category <> 'reply' AND delivery_status IN ('undeliverable', 'expired', 'rejected', 'deleted')"
        ),
        postgresql_where=sa.text(
            "category <> 'reply' AND delivery_status IN ('undeliverable', 'expired', 'rejected', 'deleted')"
        ),
    )


def downgrade() -> None:
    for index in OUTBOX_INDEXES:
        op.drop_index(index, table_name="outbox")
    for table in reversed(TABLES):
        op.drop_table(table)  # its indexes go with it
