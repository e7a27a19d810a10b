"""Tables of files: what is known of each, and its content in sealed pieces."""

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary
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


class FilePiece(SQLModel, table=True):
    """A piece of a file's content; each ends where a line does."""

    __tablename__ = "file_piece"

    file_id: str = Field(primary_key=True, foreign_key="stored_file.id", ondelete="CASCADE", max_length=64)
    number: int = Field(primary_key=True)
    """From 0."""
    size: int
    lines: int
    sealed: bytes = Field(sa_type=LargeBinary)
