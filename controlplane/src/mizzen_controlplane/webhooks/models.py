"""Tables of webhooks and of what is to be delivered to them: the outbox, the retries and the dead letters."""

from datetime import datetime

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class Webhook(ResourceRow, table=True):
    """Where events are sent. Its secret is nowhere: it is derived from the pepper and `secret_salt`."""

    __tablename__ = "webhook"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: str = Field(default="", max_length=64)
    """Whose events; empty for those of the whole organization."""
    url: str = Field(max_length=2048)
    """https://..., or mailto: and an address."""
    event_types: list[str] = Field(sa_type=JSON)
    """Patterns such as `budget.*`."""
    enabled: bool = True
    secret_salt: str = Field(max_length=64)
    previous_salt: str = Field(default="", max_length=64)
    previous_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """So long the secret of before the last rotation signs too."""


class Delivery(SQLModel, table=True):
    """One event for one webhook: written with the fact, sent until it is taken or given up."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (Index("ix_webhook_delivery_due", "state", "not_before"),)

    id: str = Field(primary_key=True, max_length=64)
    webhook_id: str = Field(max_length=64, foreign_key="webhook.id", ondelete="CASCADE", index=True)
    event_id: str = Field(max_length=64)
    event_type: str = Field(max_length=63)
    subject: str = Field(max_length=253)
    """What the event is about."""
    body: str
    """The CloudEvents text, exactly as it is signed."""
    state: str = Field(max_length=16)
    """PENDING, DELIVERED or DEAD."""
    attempts: int = 0
    not_before: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    """When it is tried (again)."""
    holder: str = Field(default="", max_length=64)
    """Who sends it now."""
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The holder is taken for gone then."""
    last_status: int = 0
    """What the last attempt was answered; 0 for nothing."""
    last_error: str = Field(default="", max_length=1024)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
