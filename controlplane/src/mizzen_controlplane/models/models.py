"""Tables of the registry: models, their versions, the versions' files, and aliases."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class Model(ResourceRow, table=True):
    """A model: a name under which versions are numbered."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: str = Field(foreign_key="project.id", max_length=64)
    description: str = Field(default="", max_length=2000)
    tags: dict[str, str] = Field(default_factory=dict, sa_type=JSON, sa_column_kwargs={"server_default": "{}"})
    promotion: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    """What aliases may be moved to; None for any READY version."""
    last_number: int = 0
    """Number of its newest version."""


class ModelVersion(ResourceRow, table=True):
    """A version; its files are immutable once it is READY. Its name is its number."""

    __tablename__ = "model_version"
    __table_args__ = (
        UniqueConstraint("model_id", "number"),
        Index("ix_model_version_id", "model_id", "id"),
        Index("ix_model_version_created_at_id", "model_id", "created_at", "id"),
        # Lists are ordered by these too (then by id), and filtered by them in the order of numbers.
        Index("ix_model_version_state_id", "model_id", "state", "id"),
        Index("ix_model_version_state_number", "model_id", "state", "number"),
        Index("ix_model_version_format_id", "model_id", "format", "id"),
        Index("ix_model_version_format_number", "model_id", "format", "number"),
    )

    project_id: str = Field(foreign_key="project.id", max_length=64)
    model_id: str = Field(foreign_key="model.id", max_length=64)
    number: int
    format: str = Field(max_length=32)
    state: str = Field(max_length=16)
    reason: str = Field(default="", max_length=4000)
    """Why it FAILED."""
    digest: str = Field(max_length=71)
    """sha256:... over the list of files."""
    size_bytes: int = Field(sa_type=BigInteger)
    signature: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column("metadata", JSON, nullable=False))
    """The caller's own, such as accuracy; `metadata` on the wire."""
    tags: dict[str, str] = Field(default_factory=dict, sa_type=JSON, sa_column_kwargs={"server_default": "{}"})
    lineage: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, sa_column_kwargs={"server_default": "{}"})
    """Dataset, code and training run, as its makers say."""
    parent_id: str | None = Field(default=None, max_length=64, index=True)
    """The version that it was made from."""
    release_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When its release from quarantine ends, and with it being READY."""
    verified_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When all of its content was last read and found right."""
    damaged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Since when it FAILED because content was found changed, and not for good: its content is kept."""
    damage: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    """What it was before, state and reason: it is that again once its content is found right."""
    ready_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=128)


class VersionFile(SQLModel, table=True):
    """One file of a version."""

    __tablename__ = "version_file"

    version_id: str = Field(primary_key=True, foreign_key="model_version.id", max_length=64)
    path: str = Field(primary_key=True, max_length=512)
    size: int = Field(sa_type=BigInteger)
    sha256: str = Field(max_length=64, index=True)
    received: bool = False
    """All bytes are here and their digest is right."""


class ModelAlias(ResourceRow, table=True):
    """A name that points at a version."""

    __tablename__ = "model_alias"
    __table_args__ = (UniqueConstraint("model_id", "name"),)

    model_id: str = Field(foreign_key="model.id", max_length=64)
    number: int
    """Number of the version."""
