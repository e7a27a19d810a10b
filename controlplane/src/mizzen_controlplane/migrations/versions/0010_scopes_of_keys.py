"""Keys are confined to routes, operations and networks."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
lives_with = "0001"


def upgrade() -> None:
    """Apply."""
    for name in ("routes", "operations", "ip_ranges"):
        op.add_column("api_key", sa.Column(name, sa.JSON(), nullable=True))


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
