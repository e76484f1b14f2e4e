"""Delivery reports find their message whichever way their id is written, and wait for it if they come first"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A report comes within days; ids hold milliseconds above these bits (domain.ids). What is older is read by nobody.
WEEK = 7 * 86_400_000 << 21
BARE = "upper(trim(external_id))"
BACKFILL = f"""UPDATE submission SET external_key = substr(coalesce(
    nullif(ltrim(CASE WHEN substr({BARE}, 1, 2) = '0X' THEN substr({BARE}, 3) ELSE {BARE} END, '0'), ''),
    substr({BARE}, 1, 1)), 1, 256)
WHERE trim(external_id) <> '' AND outbox_id >= (SELECT max(outbox_id) FROM submission) - {WEEK}"""  # noqa: S608 - our own words


def upgrade() -> None:
    comment = "external_id as domain.external_ids compares it"
    op.add_column("submission", sa.Column("external_key", sa.Text(), nullable=True, comment=comment))
    op.execute(BACKFILL)
    op.drop_index("ix_submission_external", "submission")
    op.create_index(
        "ix_submission_key",
        "submission",
        ["account", "external_key", "outbox_id"],
        unique=False,
        sqlite_where=sa.text("external_key IS NOT NULL"),
        postgresql_where=sa.text("external_key IS NOT NULL"),
    )
    op.drop_index("ix_report_external", "report")
    for column in (
        sa.Column("external_key", sa.Text(), nullable=True, comment=comment),
        sa.Column(
            "keys",
            sa.Text(),
            nullable=True,
            comment="JSON: what external_key of its submission may be, likeliest first",
        ),
        sa.Column("recipient", sa.Text(), nullable=True, comment="URN: of the message it speaks of, as it says"),
        sa.Column("sender", sa.Text(), nullable=True, comment="URN: likewise"),
        sa.Column("kept_at", sa.BigInteger(), nullable=True, comment="by the store's clock"),
    ):
        op.add_column("report", column)
    op.create_index(
        "ix_report_key",
        "report",
        ["external_key", "account"],
        unique=False,
        sqlite_where=sa.text("external_key IS NOT NULL"),
        postgresql_where=sa.text("external_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_report_key", "report")
    for name in ("kept_at", "sender", "recipient", "keys", "external_key"):
        op.drop_column("report", name)
    op.create_index("ix_report_external", "report", ["account", "external_id"], unique=False)
    op.drop_index("ix_submission_key", "submission")
    op.drop_column("submission", "external_key")
    op.create_index(
        "ix_submission_external",
        "submission",
        ["account", "external_id"],
        unique=False,
        sqlite_where=sa.text("external_id IS NOT NULL"),
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
