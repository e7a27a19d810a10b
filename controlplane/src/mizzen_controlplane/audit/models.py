"""Tables of audit events: append-only, each holding the hash of the one before; what of them is personal; anchors."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime


class AuditEvent(SQLModel, table=True):
    """One write, or one attempt that was refused. A row is never changed."""

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
    format: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Which fields the hash is over (audit/chain_format.py)."""
    commitments: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs={"server_default": "[]"})
    """What the hash is over in the place of personal data: one for each person."""


class PersonalContent(SQLModel, table=True):
    """What an event holds of one person: removed when that person is erased, or when the event is pruned."""

    __tablename__ = "audit_personal"

    number: int = Field(sa_type=BigInteger, primary_key=True)
    """Of the event."""
    position: int = Field(primary_key=True)
    """Of its commitment in the event."""
    person: str = Field(max_length=128, index=True)
    """Whose: a principal such as `person:...`, or a person's id."""
    salt: str = Field(max_length=64)
    """32 random bytes, hexadecimal: without it nobody can try names against the commitment."""
    content: dict[str, Any] = Field(sa_type=JSON)


class AuditAnchor(SQLModel, table=True):
    """A signed statement of where the chain stood, or from where on it is kept."""

    __tablename__ = "audit_anchor"

    number: int = Field(sa_type=BigInteger, primary_key=True)
    kind: str = Field(primary_key=True, max_length=16)
    """head: the chain had event `number` with this hash. base: what came up to it was removed, as it was too old."""
    hash: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    key_id: str = Field(max_length=64)
    signature: str = Field(max_length=128)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the sink had it."""
