"""The intake module: dossiers, what was done to them, their numbers, files and drafts; and what look-up sees of them"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = "status NOT IN (3, 8, 9, 10)"
KEPT = {
    "sqlite": (
        (
            "CREATE TRIGGER intake_step_no_update BEFORE UPDATE ON intake_step"
            " BEGIN SELECT RAISE(ABORT, 'what was done to a dossier is append-only'); END"
        ),
        (
            "CREATE TRIGGER intake_step_no_delete BEFORE DELETE ON intake_step"
            " BEGIN SELECT RAISE(ABORT, 'what was done to a dossier is append-only'); END"
        ),
        (
            "CREATE TRIGGER intake_step_no_replace BEFORE INSERT ON intake_step"
            " WHEN EXISTS (SELECT 1 FROM intake_step WHERE id = NEW.id)"
            " BEGIN SELECT RAISE(ABORT, 'what was done to a dossier is append-only'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION intake_step_is_kept() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'what was done to a dossier is append-only'; END $$"
        ),
        (
            "CREATE TRIGGER intake_step_is_kept BEFORE UPDATE OR DELETE ON intake_step"
            " FOR EACH STATEMENT EXECUTE FUNCTION intake_step_is_kept()"
        ),
    ),
}
MOMENT = {
    "sqlite": "datetime({column} / 1000, 'unixepoch') || '+00:00'",
    "postgresql": "to_timestamp({column} / 1000.0)",
}
VIEW = """CREATE VIEW onestop_intake AS SELECT code, status, holder,
    CASE WHEN agency <> holder THEN agency ELSE '' END AS receiving_agency,
    unit, procedure, procedure_name, missing, fee, {received_at} AS received_at, {due_at} AS due_at,
    {finished_at} AS finished_at, {returned_at} AS returned_at, written AS changed_at,
    CASE WHEN notify THEN 1 ELSE 0 END AS notify,
    CASE WHEN notify AND phone <> '' THEN '0' || phone END AS phone, secret FROM intake_dossier"""
VIEWS = {
    dialect: VIEW.format(
        **{name: moment.format(column=name) for name in ("received_at", "due_at", "finished_at", "returned_at")}
    )
    for dialect, moment in MOMENT.items()
}
TELLS = (
    (
        "CREATE FUNCTION intake_changed() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_notify('tracuu_dossier', NEW.code); RETURN NULL; END $$"
    ),
    (
        "CREATE TRIGGER intake_changed AFTER INSERT OR UPDATE OF version ON intake_dossier"
        " FOR EACH ROW EXECUTE FUNCTION intake_changed()"
    ),
)


def where(condition: str) -> dict[str, Any]:
    """Of a partial index."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "intake_dossier",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids; chosen by the form"),
        sa.Column("code", sa.Text(), nullable=False, comment="DossierCode.reference"),
        sa.Column("agency", sa.Text(), nullable=False, comment="who received it"),
        sa.Column("holder", sa.Text(), nullable=False, comment="the agency that has it now"),
        sa.Column("unit", sa.Text(), nullable=False, comment="of the holder"),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("procedure_name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="domain.intake.IntakeSource"),
        sa.Column("status", sa.SmallInteger(), nullable=False, comment="domain.dossier.DossierStatus"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="raised with every change"),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="truly handed in"),
        sa.Column("entered_at", sa.BigInteger(), nullable=False, comment="typed"),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="something truly became of it"),
        sa.Column("due_at", sa.BigInteger(), nullable=True, comment="NULL: no day is promised"),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False, comment="it was on paper first"),
        sa.Column("missing", sa.Text(), nullable=False),
        sa.Column("fee", sa.Text(), nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False, comment="the applicant agreed to be told"),
        sa.Column(
            "phone",
            sa.Text(),
            nullable=False,
            comment="domain.phones.significant_number of the applicant's first, or empty",
        ),
        sa.Column("secret", sa.Text(), nullable=False, comment="on the receipt"),
        sa.Column(
            "written", sa.Text(), nullable=False, comment="ISO 8601 in UTC by the store's clock: what a poll goes by"
        ),
        sa.Column(
            "content", sa.Text(), nullable=False, comment="JSON: all that is neither searched nor told by look-up"
        ),
        sa.Column(
            "masked_at",
            sa.BigInteger(),
            nullable=True,
            comment="who handed it in was removed, long after it was closed",
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Dossiers received here (intake)",
    )
    op.create_index("uq_intake_dossier_code", "intake_dossier", ["code"], unique=True)
    op.create_index("ix_intake_dossier_agency", "intake_dossier", ["agency", "id"], unique=False)
    op.create_index("ix_intake_dossier_status", "intake_dossier", ["agency", "status", "id"], unique=False)
    op.create_index("ix_intake_dossier_procedure", "intake_dossier", ["agency", "procedure", "id"], unique=False)
    op.create_index("ix_intake_dossier_received", "intake_dossier", ["agency", "received_at"], unique=False)
    op.create_index("ix_intake_dossier_open", "intake_dossier", ["agency", "id"], unique=False, **where(OPEN))
    op.create_index(
        "ix_intake_dossier_due",
        "intake_dossier",
        ["agency", "due_at"],
        unique=False,
        **where(f"due_at IS NOT NULL AND {OPEN}"),
    )
    op.create_index(
        "ix_intake_dossier_passed_due",
        "intake_dossier",
        ["holder", "due_at"],
        unique=False,
        **where(f"holder <> agency AND due_at IS NOT NULL AND {OPEN}"),
    )
    op.create_index("ix_intake_dossier_late", "intake_dossier", ["agency", "id"], unique=False, **where("late"))
    op.create_index(
        "ix_intake_dossier_holder", "intake_dossier", ["holder", "id"], unique=False, **where("holder <> agency")
    )
    op.create_index("ix_intake_dossier_unit", "intake_dossier", ["unit", "id"], unique=False, **where("unit <> ''"))
    op.create_index("ix_intake_dossier_phone", "intake_dossier", ["phone", "id"], unique=False, **where("phone <> ''"))
    op.create_index("ix_intake_dossier_written", "intake_dossier", ["written", "code"], unique=False)
    op.create_index(
        "ix_intake_dossier_to_mask",
        "intake_dossier",
        ["changed_at", "id"],
        unique=False,
        **where("masked_at IS NULL AND status IN (3, 8, 9, 10)"),
    )
    op.create_table(
        "intake_word",
        sa.Column("agency", sa.Text(), nullable=False, comment="who received it, or had it once"),
        sa.Column(
            "word",
            sa.Text(),
            nullable=False,
            comment="of a name, in capitals without accents; -7 and -260831-7: of a code",
        ),
        sa.Column("dossier_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agency", "word", "dossier_id"),
        comment="What dossiers are found by (intake)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intake_step",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids"),
        sa.Column("dossier_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="epoch milliseconds: when it truly was"),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="domain.intake_moves.IntakeAction, or registered"),
        sa.Column("officer_id", sa.BigInteger(), nullable=True, comment="NULL: the citizen, or nobody but the clock"),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("officer_name", sa.Text(), nullable=False, comment="at that moment"),
        sa.Column("officer_agency", sa.Text(), nullable=False, comment="at that moment"),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("status_before", sa.SmallInteger(), nullable=True),
        sa.Column("status_after", sa.SmallInteger(), nullable=False),
        sa.Column("from_agency", sa.Text(), nullable=False),
        sa.Column("from_unit", sa.Text(), nullable=False),
        sa.Column("to_agency", sa.Text(), nullable=False),
        sa.Column("to_unit", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True, comment="as it was promised from then on"),
        sa.PrimaryKeyConstraint("id"),
        comment="What was done to dossiers; rows are added and never touched again (intake)",
    )
    op.create_index("ix_intake_step_dossier", "intake_step", ["dossier_id", "id"], unique=False)
    op.create_table(
        "intake_number",
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False, comment="ISO 8601, of Asia/Ho_Chi_Minh"),
        sa.Column("last", sa.BigInteger(), nullable=False, comment="the last serial given or set aside"),
        sa.PrimaryKeyConstraint("agency", "day"),
        comment="How far each agency's codes of a day are (intake)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intake_tally",
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("dossiers", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "holder", "status"),
        comment="How many dossiers stand where: every desk's first page shows it (intake)",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_intake_tally_holder", "intake_tally", ["holder"], unique=False)
    op.create_table(
        "intake_block",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids"),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False, comment="ISO 8601: the day in the codes"),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("reserved_at", sa.BigInteger(), nullable=False),
        sa.Column("reserved_by", sa.Text(), nullable=False, comment="a login"),
        sa.PrimaryKeyConstraint("id"),
        comment="Codes set aside for work on paper (intake)",
    )
    op.create_index("ix_intake_block_agency", "intake_block", ["agency", "day"], unique=False)
    op.create_table(
        "intake_serial",
        sa.Column("block_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("serial", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dossier_id", sa.BigInteger(), nullable=True, comment="NULL: void"),
        sa.Column("void", sa.Text(), nullable=False, comment="why it was not used"),
        sa.PrimaryKeyConstraint("block_id", "serial"),
        comment="What became of codes set aside (intake)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intake_file",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids"),
        sa.Column(
            "owner", sa.BigInteger(), nullable=False, comment="of the dossier or of the draft, whose id is the same"
        ),
        sa.Column("of_dossier", sa.Boolean(), nullable=False, comment="false: of a draft, or of a form not sent yet"),
        sa.Column("kind", sa.Text(), nullable=False, comment="domain.intake.FileKind"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="hex"),
        sa.Column("key", sa.Text(), nullable=False, comment="of its bytes in the vault"),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("paper", sa.Integer(), nullable=True, comment="line of the check list"),
        sa.Column("by_officer", sa.BigInteger(), nullable=True, comment="officer.id"),
        sa.PrimaryKeyConstraint("id"),
        comment="Files handed in, and results; their bytes are elsewhere (intake)",
    )
    op.create_index("ix_intake_file_owner", "intake_file", ["owner", "id"], unique=False)
    op.create_index("uq_intake_file_key", "intake_file", ["key"], unique=True)
    op.create_index("ix_intake_file_loose", "intake_file", ["added_at"], unique=False, **where("NOT of_dossier"))
    op.create_table(
        "intake_draft",
        sa.Column(
            "id", ROW_ID, autoincrement=False, nullable=False, comment="domain.ids; its dossier's, once it is one"
        ),
        sa.Column("token_digest", sa.Text(), nullable=False, comment="hex SHA-256 of the secret in its link"),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False, comment="JSON by field"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("phone_proved_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="Forms of citizens until they are sent; then what their links open (intake)",
    )
    op.create_index("uq_intake_draft_token", "intake_draft", ["token_digest"], unique=True)
    op.create_index("ix_intake_draft_over", "intake_draft", ["expires_at"], unique=False)
    dialect = op.get_bind().dialect.name
    for statement in (*KEPT[dialect], VIEWS[dialect], *(TELLS if dialect == "postgresql" else ())):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW onestop_intake")
    for table in (
        "intake_draft",
        "intake_file",
        "intake_serial",
        "intake_block",
        "intake_tally",
        "intake_number",
        "intake_step",
        "intake_word",
        "intake_dossier",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION intake_changed()")
        op.execute("DROP FUNCTION intake_step_is_kept()")
