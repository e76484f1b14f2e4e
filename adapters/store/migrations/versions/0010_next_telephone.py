"""A second factor that waits for its first code, beside the one that holds until then"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "base32: takes the place of totp_secret with its first code"
    op.add_column("officer", sa.Column("totp_pending", sa.Text(), nullable=True, comment=comment))


def downgrade() -> None:
    op.drop_column("officer", "totp_pending")
