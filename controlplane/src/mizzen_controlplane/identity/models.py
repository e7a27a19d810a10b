"""Tables of who there is: organizations, their projects, and the projects' API keys."""

from datetime import datetime

from mizzen_crds.access import Priority
from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class Organization(ResourceRow, table=True):
    """Who pays. An installation has one."""

    __tablename__ = "organization"

    currency: str = Field(max_length=3)
    """ISO 4217 code of all its amounts."""
    time_zone: str = Field(default="UTC", max_length=64)
    """IANA name; months of budgets and invoices are its."""


class Project(ResourceRow, table=True):
    """A tenant."""

    __tablename__ = "project"
    __table_args__ = (UniqueConstraint("organization_id", "name"), UniqueConstraint("namespace"))

    organization_id: str = Field(foreign_key="organization.id", max_length=64)
    namespace: str = Field(max_length=63)
    """Namespace whose workloads are its own."""
    allow_code: bool = False
    """Artifacts that carry code may be served."""
    archived_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Since when nothing of it opens or changes; None while it is in use."""


def scope_of_owner(project_id: str, created_by: str) -> str:
    """What limits and budgets of who made a key are counted over; empty for a key that a program made."""
    kind, _, ident = created_by.partition(":")
    return f"{project_id}/{ident}" if kind in ("person", "service-account") and ident else ""


class KeyUse(SQLModel, table=True):
    """When a key was last used, to the minute: beside the key, since use is no change of it."""

    __tablename__ = "key_use"

    key_id: str = Field(primary_key=True, max_length=64)
    last_used_at: datetime = Field(sa_type=UtcDateTime)
    """The minute in which the last request began that is in the ledger."""


class ApiKey(ResourceRow, table=True):
    """An API key. Its secret is nowhere: `digest` is HMAC-SHA256(pepper, secret)."""

    __tablename__ = "api_key"
    __table_args__ = (UniqueConstraint("project_id", "name"), Index("ix_api_key_live", "revoked_at", "expires_at"))

    project_id: str = Field(foreign_key="project.id", max_length=64)
    digest: str = Field(max_length=64)
    """Hex."""
    previous_digest: str | None = Field(default=None, max_length=64)
    """Of the secret before the last rotation, valid until `previous_expires_at`."""
    previous_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    models: list[str] | None = Field(default=None, sa_type=JSON)
    """Served names that it may call; None for all of the project's."""
    routes: list[str] | None = Field(default=None, sa_type=JSON)
    """Routes that it may call beside `models`; None for no such list."""
    operations: list[str] | None = Field(default=None, sa_type=JSON)
    """What it may ask for; None for everything."""
    ip_ranges: list[str] | None = Field(default=None, sa_type=JSON)
    """Networks that it may be used from; None for anywhere."""
    priority: str = Field(default=Priority.STANDARD, max_length=16, sa_column_kwargs={"server_default": "standard"})
    """The highest that its requests have. The server's default is for the release before, which knows none."""
    created_by: str = Field(default="", max_length=128)
