"""Audit events commit to personal data, which stands beside them and can be erased; anchors of the chain."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
lives_with = "0001"


def upgrade() -> None:
    """Apply. What was written before, or is by the release before, has format 1."""
    op.add_column("audit_event", sa.Column("format", sa.Integer(), server_default="1", nullable=False))
    op.add_column("audit_event", sa.Column("commitments", sa.JSON(), server_default="[]", nullable=False))
    op.create_table(
        "audit_personal",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", "position"),
    )
    op.create_index("ix_audit_personal_person", "audit_personal", ["person"])
    op.create_table(
        "audit_anchor",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", "kind"),
    )


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
