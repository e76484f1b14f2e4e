"""Agencies' sites that carry the widget, and how much they are used"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_key",
        sa.Column("key", sa.Text(), nullable=False, comment="public: domain.sites.KEY"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False, comment="an identifier, or empty: the province"),
        sa.Column("origins", sa.Text(), nullable=False, comment="JSON: a list"),
        sa.Column("secret_digest", sa.Text(), nullable=False, comment="hex SHA-256 of the webmaster's secret"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
        comment="Agencies' sites that carry the widget (console)",
    )
    op.create_table(
        "site_use",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False, comment="ISO 8601, of Asia/Ho_Chi_Minh"),
        sa.Column("use", sa.Text(), nullable=False, comment="domain.sites.SiteUse"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "day", "use"),
        comment="How often a site's requests came to what (console)",
    )


def downgrade() -> None:
    op.drop_table("site_use")
    op.drop_table("site_key")
