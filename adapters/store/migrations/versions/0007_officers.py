"""Officers of the console, their sessions, and what they did"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("ended_at IS NULL")
KEPT = {
    "sqlite": (
        (
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
        (
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
        (
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        ),
        (
            "CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
        ),
    ),
}


def upgrade() -> None:
    op.create_table(
        "officer",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids"),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False, comment="an identifier of the catalogue"),
        sa.Column("roles", sa.Text(), nullable=False, comment="domain.officers.OfficerRole, a space between two"),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="argon2id, with its parameters"),
        sa.Column("must_set_password", sa.Boolean(), nullable=False, comment="somebody else gave the present one"),
        sa.Column("totp_secret", sa.Text(), nullable=True, comment="base32"),
        sa.Column(
            "totp_step",
            sa.BigInteger(),
            nullable=True,
            comment="the last one accepted; NULL: the secret is not confirmed yet",
        ),
        sa.Column(
            "failures", sa.Integer(), nullable=False, comment="tries in a row that were not right, or not judged yet"
        ),
        sa.Column("locked_until_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False, comment="a login; tracuu: from the command line"),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="Who works with the console (console)",
    )
    op.create_index("uq_officer_login", "officer", ["login"], unique=True)
    op.create_table(
        "officer_session",
        sa.Column("digest", sa.Text(), nullable=False, comment="hex SHA-256 of the secret in the cookie"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="written at most once a minute"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True, comment="console.accounts.ports.SessionEnd"),
        sa.Column("address", sa.Text(), nullable=False, comment="where it was begun"),
        sa.Column("agent", sa.Text(), nullable=False, comment="the browser, in short words"),
        sa.PrimaryKeyConstraint("digest"),
        comment="Who is signed in (console)",
    )
    op.create_index(
        "ix_officer_session_open",
        "officer_session",
        ["officer_id"],
        unique=False,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("ix_officer_session_created", "officer_session", ["created_at"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="epoch milliseconds"),
        sa.Column("officer_id", sa.BigInteger(), nullable=True, comment="NULL: from the command line"),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False, comment="the officer's, at that moment"),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False, comment="the object: officer:7"),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="What officers did; rows are added and never touched again (console)",
    )
    for name in ("agency", "login", "action", "about"):
        op.create_index(f"ix_audit_{name}", "audit", [name, "id"], unique=False)
    for statement in KEPT[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_is_kept()")
    op.drop_table("officer_session")
    op.drop_table("officer")
