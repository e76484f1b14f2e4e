"""Parts of long messages that come in, until they are put together"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sms_part",
        sa.Column(
            "set_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="domain.ids; the message's in the inbox",
        ),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN"),
        sa.Column("recipient", sa.Text(), nullable=False, comment="URN"),
        sa.Column("reference", sa.Integer(), nullable=False, comment="shared by its parts; used anew after a while"),
        sa.Column("width", sa.Integer(), nullable=False, comment="of the reference in bits"),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("esm_class", sa.Integer(), nullable=False),
        sa.Column("data_coding", sa.Integer(), nullable=False),
        sa.Column("header", sa.Text(), nullable=False, comment="hex of the user data header"),
        sa.Column("body", sa.Text(), nullable=False, comment="hex of the octets behind it"),
        sa.Column("session", sa.Text(), nullable=False, comment="the connection it came by"),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "done_at",
            sa.BigInteger(),
            nullable=True,
            comment="the message is in the inbox; kept a while, since parts come again",
        ),
        sa.PrimaryKeyConstraint("set_id", "number"),
        comment="Parts of long messages until they are put together (channels)",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sms_part_account", "sms_part", ["account", "set_id"], unique=False)
    op.create_index("ix_sms_part_sender", "sms_part", ["sender"], unique=False)


def downgrade() -> None:
    op.drop_table("sms_part")
