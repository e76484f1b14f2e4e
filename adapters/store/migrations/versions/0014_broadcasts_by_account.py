"""What of a broadcast waits is counted by account, in the index alone"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OPEN = sa.text("broadcast_id IS NOT NULL AND state IN ('ready', 'held', 'claimed', 'handed_over')")


def upgrade() -> None:
    _replace(["broadcast_id", "state", "account", "available_at"])


def downgrade() -> None:
    _replace(["broadcast_id", "state", "available_at"])


def _replace(columns: Sequence[str]) -> None:
    op.drop_index("ix_outbox_broadcast_open", "outbox")
    op.create_index(
        "ix_outbox_broadcast_open", "outbox", list(columns), unique=False, sqlite_where=OPEN, postgresql_where=OPEN
    )
