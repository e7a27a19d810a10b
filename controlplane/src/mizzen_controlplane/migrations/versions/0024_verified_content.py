"""When the content of versions was verified, and what was found damaged."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None
lives_with = "0001"


def upgrade() -> None:
    """Apply."""
    for name in ("verified_at", "damaged_at"):
        op.add_column("model_version", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("model_version", sa.Column("damage", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
