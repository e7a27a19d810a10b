"""Quotas count accelerators by class, and have an owner."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
lives_with = "0001"


def upgrade() -> None:
    """Apply."""
    op.add_column("project_quota", sa.Column("accelerators", sa.JSON(), nullable=True))
    op.add_column("project_quota", sa.Column("owner", sa.String(length=16), nullable=False, server_default=""))


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
