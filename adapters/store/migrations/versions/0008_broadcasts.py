"""Broadcasts, and whom they go to"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def where(condition: str) -> dict[str, Any]:
    """Of a partial index."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "broadcast",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids"),
        sa.Column("agency", sa.Text(), nullable=False, comment="an identifier of the catalogue"),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("author", sa.BigInteger(), nullable=False, comment="officer.id"),
        sa.Column("texts", sa.Text(), nullable=False, comment="JSON by language"),
        sa.Column("audience", sa.Text(), nullable=False, comment="JSON of domain.broadcasts.Audience"),
        sa.Column("state", sa.Text(), nullable=False, comment="domain.broadcasts.BroadcastState"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="raised with every change an officer sees"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("canary", sa.Integer(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False, comment="counted when it was submitted"),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.Column("submitted_by", sa.BigInteger(), nullable=True, comment="officer.id"),
        sa.Column("approved_by", sa.BigInteger(), nullable=True, comment="officer.id"),
        sa.Column("approved_until_at", sa.BigInteger(), nullable=True),
        sa.Column("editors", sa.Text(), nullable=False, comment="JSON: officers who changed a word of it"),
        sa.Column("upload", sa.BigInteger(), nullable=True, comment="broadcast_row.upload: the list it goes to"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="of that list"),
        sa.Column("row_columns", sa.Text(), nullable=False, comment="JSON: what that list brings for placeholders"),
        sa.Column("busy", sa.Boolean(), nullable=False, comment="the expander has to look at it"),
        sa.Column("position", sa.Text(), nullable=False, comment="how far its audience is written"),
        sa.Column("written", sa.Integer(), nullable=False, comment="messages that were to leave"),
        sa.Column("left_out", sa.Text(), nullable=False, comment="JSON by reason"),
        sa.Column("all_written", sa.Boolean(), nullable=False),
        sa.Column(
            "canary_left",
            sa.Integer(),
            nullable=True,
            comment="may be written before it pauses by itself; NULL: it does not",
        ),
        sa.Column("held_back", sa.Boolean(), nullable=False, comment="it paused by itself and was not resumed yet"),
        sa.Column("results", sa.Text(), nullable=False, comment="JSON: (state, delivery, reason, messages)"),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("counted_at", sa.BigInteger(), nullable=True),
        sa.Column("resend_of", sa.BigInteger(), nullable=True, comment="the broadcast whose failures it sends again"),
        sa.PrimaryKeyConstraint("id"),
        comment="Messages to many (notifications)",
    )
    op.create_index("ix_broadcast_agency", "broadcast", ["agency", "id"], unique=False)
    op.create_index("ix_broadcast_busy", "broadcast", ["id"], unique=False, **where("busy"))
    op.create_index(
        "uq_broadcast_resend",
        "broadcast",
        ["resend_of"],
        unique=True,
        **where("resend_of IS NOT NULL AND state <> 'stopped'"),
    )
    op.create_table(
        "broadcast_chunk",
        sa.Column("broadcast_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the outbox"),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("results", sa.Text(), nullable=False, comment="JSON: as they were counted last"),
        sa.Column(
            "look_at",
            sa.BigInteger(),
            nullable=True,
            comment="counted again from then on; NULL: nothing of it changes any more",
        ),
        sa.PrimaryKeyConstraint("broadcast_id", "first_id"),
        comment="Stretches of the outbox one transaction wrote for a broadcast (notifications)",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_broadcast_chunk_open",
        "broadcast_chunk",
        ["broadcast_id", "look_at"],
        unique=False,
        **where("look_at IS NOT NULL"),
    )
    op.create_table(
        "broadcast_row",
        sa.Column("upload", sa.BigInteger(), autoincrement=False, nullable=False, comment="domain.ids, one a file"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="the line of the file"),
        sa.Column("broadcast_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("cells", sa.Text(), nullable=False, comment="JSON by column"),
        sa.PrimaryKeyConstraint("upload", "position"),
        comment="Recipients an agency brought as a list (notifications)",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_broadcast_row_recipient", "broadcast_row", ["recipient"], unique=False)
    op.create_index("uq_broadcast_row_recipient", "broadcast_row", ["upload", "recipient"], unique=True)
    op.create_index(
        "ix_dossier_seen_audience",
        "dossier_seen",
        ["agency", "status", "source", "dossier_code"],
        unique=False,
        **where("NOT gone"),
    )
    op.create_index(
        "ix_outbox_broadcast_open",
        "outbox",
        ["broadcast_id", "state", "available_at"],
        unique=False,
        **where("broadcast_id IS NOT NULL AND state IN ('ready', 'held', 'claimed', 'handed_over')"),
    )
    op.create_index(
        "ix_outbox_broadcasts", "outbox", ["recipient", "available_at"], unique=False, **where("category = 'broadcast'")
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_broadcasts", table_name="outbox")
    op.drop_index("ix_outbox_broadcast_open", table_name="outbox")
    op.drop_index("ix_dossier_seen_audience", table_name="dossier_seen")
    op.drop_index("uq_broadcast_row_recipient", table_name="broadcast_row")
    op.drop_index("ix_broadcast_row_recipient", table_name="broadcast_row")
    op.drop_table("broadcast_row")
    op.drop_index("ix_broadcast_chunk_open", table_name="broadcast_chunk")
    op.drop_table("broadcast_chunk")
    op.drop_index("uq_broadcast_resend", table_name="broadcast")
    op.drop_index("ix_broadcast_busy", table_name="broadcast")
    op.drop_index("ix_broadcast_agency", table_name="broadcast")
    op.drop_table("broadcast")
