"""Tables of files and batches: what is known of each; content is in sealed pieces, results in sealed lines."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime

UPLOADING, READY = "UPLOADING", "READY"


class StoredFile(SQLModel, table=True):
    """A file of a project."""

    __tablename__ = "stored_file"

    id: str = Field(primary_key=True, max_length=64)
    project_id: str = Field(foreign_key="project.id", max_length=64, index=True)
    key_id: str = Field(max_length=64)
    """Who sent it."""
    purpose: str = Field(max_length=32)
    filename: str = Field(max_length=255)
    state: str = Field(max_length=16)
    """UPLOADING or READY."""
    size: int = Field(default=0, sa_type=BigInteger)
    """Bytes of its content, unsealed."""
    lines: int = Field(default=0)
    """Those that are not empty."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
    """It is removed then, with its content."""
    source: str = Field(default="", max_length=80, sa_column_kwargs={"server_default": ""})
    """Of a file of results: `batch id/True` or `/False`, good or not; its content is in their lines."""


class FilePiece(SQLModel, table=True):
    """A piece of a file's content; each ends where a line does."""

    __tablename__ = "file_piece"

    file_id: str = Field(primary_key=True, foreign_key="stored_file.id", ondelete="CASCADE", max_length=64)
    number: int = Field(primary_key=True)
    """From 0."""
    size: int
    lines: int
    sealed: bytes = Field(sa_type=LargeBinary)


class Batch(SQLModel, table=True):
    """Lines of requests that gateways run in the gaps."""

    __tablename__ = "batch"
    __table_args__ = (Index("ix_batch_status", "status", "id"), Index("ix_batch_project", "project_id", "id"))

    id: str = Field(primary_key=True, max_length=64)
    project_id: str = Field(foreign_key="project.id", max_length=64)
    key_id: str = Field(max_length=64)
    """Who made it: its lines have this key's rights, and end with it."""
    input_file_id: str = Field(max_length=64, index=True)
    endpoint: str = Field(max_length=64)
    status: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    moments: dict[str, int] = Field(default_factory=dict, sa_type=JSON)
    """Status -> when it came to that, in seconds since the epoch."""
    total: int = Field(default=0)
    completed: int = Field(default=0)
    failed: int = Field(default=0)
    stopped_by: str = Field(default="", max_length=32)
    """Why it ends before all lines were sent: cancelled, expired, key_revoked; empty for not."""
    faults: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    details: dict[str, str] | None = Field(default=None, sa_type=JSON)
    """The caller's own `metadata`."""
    output_seconds: int | None = None
    output_file_id: str | None = Field(default=None, max_length=64)
    error_file_id: str | None = Field(default=None, max_length=64)
    holder: str = Field(default="", max_length=253)
    """Who runs it."""
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class BatchLineResult(SQLModel, table=True):
    """What became of one line."""

    __tablename__ = "batch_line_result"

    batch_id: str = Field(primary_key=True, foreign_key="batch.id", max_length=64)
    number: int = Field(primary_key=True)
    """From 1."""
    good: bool
    size: int
    """Bytes of its text."""
    sealed: bytes = Field(sa_type=LargeBinary)
