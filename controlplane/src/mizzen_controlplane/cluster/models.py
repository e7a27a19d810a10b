"""Tables of the objects that run: their present state, the log of their changes, and what happened to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime


class StoredObject(SQLModel, table=True):
    """An object as it is now."""

    __tablename__ = "cluster_object"

    kind: str = Field(primary_key=True, max_length=63)
    namespace: str = Field(primary_key=True, max_length=63)
    name: str = Field(primary_key=True, max_length=63)
    uid: str = Field(max_length=36, unique=True)
    document: dict[str, Any] = Field(sa_type=JSON)


class ObjectChange(SQLModel, table=True):
    """One change of one object: what a watch reads. Old ones are trimmed."""

    __tablename__ = "cluster_object_change"

    resource_version: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    type: str = Field(max_length=16)
    """ADDED, MODIFIED or DELETED."""
    kind: str = Field(max_length=63)
    document: dict[str, Any] = Field(sa_type=JSON)


class ObjectOccurrence(SQLModel, table=True):
    """An event for people; equal ones are counted."""

    __tablename__ = "cluster_occurrence"
    __table_args__ = (Index("ix_cluster_occurrence_object", "kind", "namespace", "name", "last_seen"),)

    id: str = Field(primary_key=True, max_length=64)
    fingerprint: str = Field(max_length=64, unique=True)
    """SHA-256 over all that makes two occurrences equal."""
    kind: str = Field(max_length=63)
    namespace: str = Field(max_length=63)
    name: str = Field(max_length=63)
    type: str = Field(max_length=16)
    reason: str = Field(max_length=128)
    message: str
    first_seen: datetime = Field(sa_type=UtcDateTime)
    last_seen: datetime = Field(sa_type=UtcDateTime)
    count: int = 1
