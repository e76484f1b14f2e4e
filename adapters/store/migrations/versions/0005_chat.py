"""What a chat says beside a text, addresses to be joined, and tokens that work once"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACTIONS = "follow | unfollow | stop_all | resume | {}blocked | erased"


def upgrade() -> None:
    op.add_column(
        "inbox", sa.Column("extras", sa.Text(), nullable=True, comment="JSON: what a chat says beside the text")
    )
    op.create_table(
        "link_pin",
        sa.Column("asker", sa.Text(), nullable=False, comment="URN of who wrote"),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="URN of ours"),
        sa.Column("address", sa.Text(), nullable=False, comment="URN that is said to be theirs, too"),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("pin_seal", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("asker"),
        comment="Addresses to be joined by a code sent back (conversation)",
    )
    op.create_index("ix_link_pin_over", "link_pin", ["expires_at"], unique=False)
    op.create_table(
        "zalo_token",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=False, comment="works once"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="of the access token"),
        sa.Column("refreshed_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="rises with every pair"),
        sa.Column(
            "begun_until",
            sa.BigInteger(),
            nullable=True,
            comment="somebody spends the refresh token; over at that moment",
        ),
        sa.Column("seeds", sa.Text(), nullable=False, comment="hashes of pairs that persons gave, a space between two"),
        sa.PrimaryKeyConstraint("account"),
        comment="What the platform gave us to call it with (channels)",
    )
    _say("link | unlink | ")


def downgrade() -> None:
    _say("")
    op.drop_table("zalo_token")
    op.drop_table("link_pin")
    op.drop_column("inbox", "extras")


def _say(link: str) -> None:
    """What a consent may be; SQLite keeps no comments."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            "consent", "action", comment=ACTIONS.format(link), existing_type=sa.Text(), existing_nullable=False
        )
