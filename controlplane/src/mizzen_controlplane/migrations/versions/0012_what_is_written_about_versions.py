"""What is written about models and versions: tags, cards, lineage, results of evaluations."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
lives_with = "0001"


def _resource_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
    ]


def upgrade() -> None:
    """Apply."""
    op.add_column("model", sa.Column("tags", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("model_version", sa.Column("tags", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("model_version", sa.Column("lineage", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("model_version", sa.Column("parent_id", sa.String(length=64), nullable=True))
    op.create_index("ix_model_version_parent_id", "model_version", ["parent_id"])
    op.create_table(
        "model_card",
        *_resource_columns(),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject_id"),
    )
    op.create_table(
        "evaluation",
        *_resource_columns(),
        sa.Column("version_id", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("dataset", sa.String(length=253), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_evaluation_version_id", "evaluation", ["version_id"])


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
