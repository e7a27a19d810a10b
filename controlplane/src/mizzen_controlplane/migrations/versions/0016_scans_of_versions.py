"""Scans of versions, releases from quarantine, policies of projects."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
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
    ]


def upgrade() -> None:
    """Apply."""
    op.add_column("model_version", sa.Column("release_expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "version_scan",
        *_resource_columns(),
        sa.Column("version_id", sa.String(length=64), nullable=False),
        sa.Column("rules", sa.String(length=32), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_version_scan_version_id", "version_scan", ["version_id"])
    op.create_table(
        "quarantine_release",
        *_resource_columns(),
        sa.Column("version_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("covered", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_quarantine_release_version_id", "quarantine_release", ["version_id"])
    op.create_table(
        "model_policy",
        *_resource_columns(),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("formats", sa.JSON(), nullable=True),
        sa.Column("quarantine_from", sa.String(length=16), nullable=False),
        sa.Column("require_signature", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id"),
    )


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
