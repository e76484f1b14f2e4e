"""Leases, and what a process says of itself: several gateways share the work"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "process_about",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="of the process",
        ),
        sa.Column("host", sa.Text(), nullable=False, comment="the machine's name"),
        sa.Column("pid", sa.Integer(), nullable=False, comment="the process id there"),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False, comment="what it was started for, with commas"),
        sa.PrimaryKeyConstraint("number"),
        comment="What a process says of itself when it starts (gateway)",
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False, comment="what only one process does at a time"),
        sa.Column("owner", sa.BigInteger(), nullable=False, comment="process.owner"),
        sa.Column("taken_at", sa.BigInteger(), nullable=False, comment="kept when it is renewed"),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="Who holds what (gateway)",
    )


def downgrade() -> None:
    op.drop_table("lease")
    op.drop_table("process_about")
