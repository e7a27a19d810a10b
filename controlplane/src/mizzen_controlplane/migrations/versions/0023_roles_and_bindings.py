"""Roles and their bindings; who was a platform administrator by a flag is bound to that role."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
lives_with = "0001"

RESOURCE = (
    ("id", sa.String(length=64)),
    ("name", sa.String(length=253)),
    ("created_at", sa.DateTime(timezone=True)),
    ("updated_at", sa.DateTime(timezone=True)),
    ("revision", sa.Integer()),
    ("labels", sa.JSON()),
)


def _columns(*more: tuple[str, Any]) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name, kind in (*RESOURCE, *more)]


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "role",
        *_columns(
            ("organization_id", sa.String(length=64)), ("description", sa.String(length=1024)),
            ("permissions", sa.JSON()),
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization_id", "name"),
    )  # fmt: skip
    op.create_table(
        "role_binding",
        *_columns(
            ("organization_id", sa.String(length=64)), ("principal", sa.String(length=128)),
            ("role", sa.String(length=64)), ("effect", sa.String(length=8)), ("project_id", sa.String(length=64)),
            ("resource", sa.String(length=253)), ("created_by", sa.String(length=128)),
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization_id", "principal", "role", "effect", "project_id", "resource"),
    )  # fmt: skip
    op.create_index("ix_role_binding_project_id", "role_binding", ["project_id"])
    op.create_index("ix_role_binding_role", "role_binding", ["role"])
    # An id of a binding is that of its person with another prefix: unique, and the same whenever it is made.
    op.execute(
        "INSERT INTO role_binding (id, name, created_at, updated_at, revision, labels, organization_id, principal,"
        " role, effect, project_id, resource, created_by)"
        " SELECT 'rbd_' || substr(person.id, 5), 'rbd_' || substr(person.id, 5), person.created_at, person.updated_at,"
        " 1, '{}', organization.id, 'person:' || person.id, 'platform-admin', 'allow', '', '', 'first-start'"
        " FROM person CROSS JOIN (SELECT id FROM organization ORDER BY id LIMIT 1) AS organization"
        " WHERE person.platform_admin"
    )


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
