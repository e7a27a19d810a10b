"""Each filter and order of a list of versions has its index: a page of 100,000 reads a page."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
lives_with = "0001"

INDEXES = (
    ("id",),
    ("created_at", "id"),
    ("state", "id"),
    ("state", "number"),
    ("format", "id"),
    ("format", "number"),
)


def upgrade() -> None:
    """Apply."""
    for columns in INDEXES:
        op.create_index("ix_model_version_" + "_".join(columns), "model_version", ["model_id", *columns])


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
