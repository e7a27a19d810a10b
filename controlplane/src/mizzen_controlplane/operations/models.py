"""Table of operations: what is to be done, how far it is, who does it now, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index
from sqlmodel import Field

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class Operation(ResourceRow, table=True):
    """One piece of long work. Its name is its id."""

    __tablename__ = "operation"
    __table_args__ = (
        Index("ix_operation_state", "state", "not_before"),
        Index("ix_operation_project", "project_id", "id"),
    )

    project_id: str = Field(foreign_key="project.id", max_length=64)
    kind: str = Field(max_length=64)
    """What is done, such as `versions.import`."""
    state: str = Field(max_length=16)
    """QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED."""
    target: str = Field(default="", max_length=253)
    """What it is done to, for people: `model`, `model@7`."""
    arguments: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What the work needs to begin, or to begin again; never a secret."""
    progress: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    result: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What a SUCCEEDED one made."""
    code: str = Field(default="", max_length=64)
    """Why it FAILED, for programs."""
    reason: str = Field(default="", max_length=4000)
    """Why it FAILED or waits, for people."""
    cancel_asked: bool = False
    holder: str = Field(default="", max_length=64)
    """The replica's worker that does it now."""
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The holder is taken for gone then."""
    attempts: int = 0
    """How often it was begun."""
    not_before: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    """Of a QUEUED one that waits before it is tried again."""
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=128)
