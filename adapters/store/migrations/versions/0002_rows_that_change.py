"""PostgreSQL: room beside rows that change at once, and vacuuming in small steps

A message is acknowledged a moment after it was written: with room left in its page that touches no index. The outbox
changes every row it gets two or three times, and its claim loop reads the front of an index: what is dead there is to
be cleared away while it is little, not when a fifth of the table is dead.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OPTIONS = {
    "inbox": {
        "fillfactor": "45",  # an acknowledgement writes the row once more, and fits beside it
        "autovacuum_vacuum_scale_factor": "0.02",
        "autovacuum_vacuum_insert_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.02",
    },
    "outbox": {
        "autovacuum_vacuum_scale_factor": "0.01",
        "autovacuum_vacuum_insert_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.02",
        "autovacuum_vacuum_cost_delay": "0",
    },
    "submission": {
        "autovacuum_vacuum_scale_factor": "0.02",
        "autovacuum_vacuum_insert_scale_factor": "0.05",
    },
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, options in OPTIONS.items():
        settings = ", ".join(f"{name} = {value}" for name, value in options.items())
        op.execute(f"ALTER TABLE {table} SET ({settings})")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, options in OPTIONS.items():
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(options)})")
