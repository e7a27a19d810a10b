"""Table of audit events: append-only, each holding the hash of the one before."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime


class AuditEvent(SQLModel, table=True):
    """One write, or one attempt that was refused."""

    __tablename__ = "audit_event"

    id: str = Field(primary_key=True, max_length=64)
    number: int = Field(sa_type=BigInteger, unique=True)
    """1, 2, 3 ... without a gap."""
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    actor: str = Field(max_length=128, index=True)
    action: str = Field(max_length=128, index=True)
    outcome: str = Field(max_length=16)
    """done or denied."""
    resource: str = Field(max_length=512, index=True)
    """Id of the resource, or the path that was refused."""
    resource_name: str = Field(default="", max_length=512)
    project_id: str = Field(default="", max_length=64, index=True)
    request_id: str = Field(default="", max_length=64)
    before: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    after: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
