"""Tables of scans, of what was released from quarantine, and of a project's policy."""

from datetime import datetime

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class VersionScan(ResourceRow, table=True):
    """One scan of a version; its name is its verdict."""

    __tablename__ = "version_scan"

    version_id: str = Field(foreign_key="model_version.id", max_length=64, index=True)
    rules: str = Field(max_length=32)
    """Version of the rules."""
    findings: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)
    left_out: int = 0
    """Findings over the limit."""
    created_by: str = Field(default="", max_length=128)


class QuarantineRelease(ResourceRow, table=True):
    """Who released a version from quarantine and why: for its digest and the findings of then alone."""

    __tablename__ = "quarantine_release"

    version_id: str = Field(foreign_key="model_version.id", max_length=64, index=True)
    digest: str = Field(max_length=71)
    reason: str = Field(max_length=2000)
    covered: list[str] = Field(default_factory=list, sa_type=JSON)
    """Marks of the findings that it answers for."""
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Taken back, or another took its place."""
    created_by: str = Field(default="", max_length=128)


class ModelPolicy(ResourceRow, table=True):
    """What a project takes into its registry and lets be served."""

    __tablename__ = "model_policy"
    __table_args__ = (UniqueConstraint("project_id"),)

    project_id: str = Field(foreign_key="project.id", max_length=64)
    formats: list[str] | None = Field(default=None, sa_type=JSON)
    quarantine_from: str = Field(default="high", max_length=16)
    require_signature: bool = False
