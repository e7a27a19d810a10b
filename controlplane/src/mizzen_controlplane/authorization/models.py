"""Tables of roles and their bindings."""

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.tables import ResourceRow


class Role(ResourceRow, table=True):
    """A role of the organization's own; those that every installation has are in the code."""

    __tablename__ = "role"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    organization_id: str = Field(foreign_key="organization.id", max_length=64)
    description: str = Field(default="", max_length=1024)
    permissions: list[str] = Field(default_factory=list, sa_type=JSON)


class RoleBinding(ResourceRow, table=True):
    """Somebody holds a role somewhere, or is denied what it holds. Its name is its id."""

    __tablename__ = "role_binding"
    __table_args__ = (
        UniqueConstraint("organization_id", "principal", "role", "effect", "project_id", "resource"),
        Index("ix_role_binding_project_id", "project_id"),
        Index("ix_role_binding_role", "role"),
    )

    organization_id: str = Field(foreign_key="organization.id", max_length=64)
    principal: str = Field(max_length=128)
    """`person:<id>`, `group:<id>` or `service-account:<id>`."""
    role: str = Field(max_length=64)
    """Name of a role of every installation, or id of one of the organization's own."""
    effect: str = Field(max_length=8)
    project_id: str = Field(default="", max_length=64)
    """Empty for the whole organization: part of what is unique, as NULL could not be."""
    resource: str = Field(default="", max_length=253)
    """`model/<name>` or `deployment/<name>` of the project; empty for all of it."""
    created_by: str = Field(default="", max_length=128)
