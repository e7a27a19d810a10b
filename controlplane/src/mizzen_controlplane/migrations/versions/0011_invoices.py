"""Invoices that are final, credit notes, billing profiles. Triggers keep what has a number as it is.

On SQLite a migration that makes one of these tables anew has to make its triggers anew as well.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
lives_with = "0001"

KEPT = (
    "id", "organization_id", "project_id", "month", "edition", "rated_as_of", "number", "document", "digest",
    "finalized_at",
)  # fmt: skip
"""Columns that a numbered invoice keeps for ever."""
REFUSAL = "a finalized invoice never changes: void it, or write a credit note"
REFUSAL_OF_NOTE = "a credit note never changes"


def upgrade() -> None:
    """Apply."""
    resource = (
        lambda: sa.Column("id", sa.String(length=64), nullable=False),
        lambda: sa.Column("name", sa.String(length=253), nullable=False),
        lambda: sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        lambda: sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        lambda: sa.Column("revision", sa.Integer(), nullable=False),
        lambda: sa.Column("labels", sa.JSON(), nullable=False),
        lambda: sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "invoice",
        *(make() for make in resource),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("rated_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("number", sa.String(length=64), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("finalized_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_reference", sa.String(length=253), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.String(length=1024), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.UniqueConstraint("organization_id", "number"),
        sa.UniqueConstraint("project_id", "month", "edition"),
    )
    op.create_index("ix_invoice_state", "invoice", ["organization_id", "state", "id"])
    op.create_table(
        "credit_note",
        *(make() for make in resource),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("amount_pico", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(length=1024), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.UniqueConstraint("organization_id", "number"),
    )
    op.create_index("ix_credit_note_invoice_id", "credit_note", ["invoice_id"])
    op.create_table(
        "billing_profile",
        *(make() for make in resource),
        sa.Column("parent_id", sa.String(length=64), nullable=False),
        sa.Column("tax_name", sa.String(length=64), nullable=True),
        sa.Column("tax_ppm", sa.Integer(), nullable=True),
        sa.Column("seller", sa.String(length=1024), nullable=True),
        sa.Column("customer", sa.String(length=1024), nullable=True),
        sa.Column("payment_days", sa.Integer(), nullable=True),
        sa.UniqueConstraint("parent_id"),
    )
    _seal_on_postgresql() if op.get_bind().dialect.name == "postgresql" else _seal_on_sqlite()


def _seal_on_sqlite() -> None:
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in KEPT)
    backwards = "NEW.state NOT IN ('finalized', 'paid', 'void') OR (OLD.state = 'void' AND NEW.state <> 'void')"
    for name, moment, condition, table, refusal in (
        ("invoice_sealed", "UPDATE", f"OLD.number IS NOT NULL AND ({changed} OR {backwards})", "invoice", REFUSAL),
        ("invoice_undeletable", "DELETE", "OLD.number IS NOT NULL", "invoice", REFUSAL),
        ("credit_note_sealed", "UPDATE", "1", "credit_note", REFUSAL_OF_NOTE),
        ("credit_note_undeletable", "DELETE", "1", "credit_note", REFUSAL_OF_NOTE),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {moment} ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


def _seal_on_postgresql() -> None:
    changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in KEPT)
    backwards = "NEW.state NOT IN ('finalized', 'paid', 'void') OR (OLD.state = 'void' AND NEW.state <> 'void')"
    for name, refusal in (("invoice_stays", REFUSAL), ("credit_note_stays", REFUSAL_OF_NOTE)):
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
    for name, moment, each, condition, table in (
        ("invoice_sealed", "UPDATE", "ROW", f"OLD.number IS NOT NULL AND ({changed} OR {backwards})", "invoice"),
        ("invoice_undeletable", "DELETE", "ROW", "OLD.number IS NOT NULL", "invoice"),
        ("invoice_untruncatable", "TRUNCATE", "STATEMENT", "true", "invoice"),
        ("credit_note_sealed", "UPDATE OR DELETE", "ROW", "true", "credit_note"),
        ("credit_note_untruncatable", "TRUNCATE", "STATEMENT", "true", "credit_note"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {moment} ON {table} FOR EACH {each} WHEN ({condition}) "
            f"EXECUTE FUNCTION {table}_stays()"
        )


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
