"""Tables of service accounts and their tokens."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class ServiceAccount(ResourceRow, table=True):
    """A program that acts in one project; its bindings say what it may do there."""

    __tablename__ = "service_account"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: str = Field(foreign_key="project.id", max_length=64)
    description: str = Field(default="", max_length=1024)
    disabled: bool = False
    """None of its tokens opens anything."""
    created_by: str = Field(default="", max_length=128)


class ServiceAccountToken(ResourceRow, table=True):
    """What a service account calls with. Its secret is nowhere: `digest` is its SHA-256."""

    __tablename__ = "service_account_token"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    account_id: str = Field(foreign_key="service_account.id", max_length=64)
    digest: str = Field(unique=True, max_length=64)
    """Hex."""
    previous_digest: str | None = Field(default=None, unique=True, max_length=64)
    """Of the secret before the last rotation, valid until `previous_expires_at`."""
    previous_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Last use, give or take a minute; no change of the token."""
    created_by: str = Field(default="", max_length=128)
