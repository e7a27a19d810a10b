"""Limits and budgets that Project objects declare: who owns an entry, and what became of a declaration."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
lives_with = "0001"


def upgrade() -> None:
    """Apply."""
    for table in ("limit_rule", "budget"):
        op.add_column(table, sa.Column("owner", sa.String(length=16), server_default="", nullable=False))
    op.create_table(
        "project_declaration",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("project_id"),
    )


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
