"""What was answered to opinions, and messages found by dossier or by person"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ABOUT_A_DOSSIER = sa.text("dossier_code IS NOT NULL")
TOLD_ABOUT_A_DOSSIER = sa.text("inbound_id IS NULL AND dossier_code IS NOT NULL")
TOLD = sa.text("inbound_id IS NULL")
WAITING = sa.text("answered_at IS NULL")
INDEXES = (
    ("ix_inbox_dossier", "inbox", ["dossier_code", "id"], ABOUT_A_DOSSIER),
    ("ix_outbox_dossier", "outbox", ["dossier_code", "id"], TOLD_ABOUT_A_DOSSIER),
    ("ix_outbox_recipient", "outbox", ["recipient", "id"], TOLD),
    ("ix_feedback_waiting", "feedback", ["agency", "number"], WAITING),
)
COLUMNS = (
    ("agency", sa.Text(), "an identifier: whose it is to answer; NULL: nobody looked yet"),
    ("dossier_code", sa.Text(), "DossierCode.reference: what it was given to them for"),
    ("answer", sa.Text(), None),
    ("answered_at", sa.BigInteger(), None),
    ("answered_by", sa.Text(), "a login"),
    ("answer_id", sa.BigInteger(), "of the outbox; NULL: there was nobody to send to"),
)


def upgrade() -> None:
    for column, kind, comment in COLUMNS:
        op.add_column("feedback", sa.Column(column, kind, nullable=True, comment=comment))
    for name, table, columns, condition in INDEXES:
        op.create_index(name, table, columns, unique=False, sqlite_where=condition, postgresql_where=condition)
    op.create_index("ix_feedback_agency", "feedback", ["agency", "number"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_feedback_agency", table_name="feedback")
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    for column, _, _ in reversed(COLUMNS):
        op.drop_column("feedback", column)
