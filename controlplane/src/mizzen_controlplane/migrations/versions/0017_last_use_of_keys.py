"""It is known when a key was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
lives_with = "0001"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "key_use",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
    )


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
