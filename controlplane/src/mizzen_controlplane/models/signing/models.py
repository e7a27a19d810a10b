"""Tables of the keys that a project trusts, and of the signatures that they made."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class SigningKey(ResourceRow, table=True):
    """A public ed25519 key whose signatures count in a project until it is revoked."""

    __tablename__ = "signing_key"
    # The same key under two names would be trusted on after one of them was revoked.
    __table_args__ = (UniqueConstraint("project_id", "name"), UniqueConstraint("project_id", "fingerprint"))

    project_id: str = Field(foreign_key="project.id", max_length=64)
    public_key: str = Field(max_length=64)
    """Its 32 bytes, hexadecimal."""
    fingerprint: str = Field(max_length=71)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=128)


class VersionSignature(ResourceRow, table=True):
    """A signature of a version, which was right when it was posted; its name is the key's."""

    __tablename__ = "version_signature"
    __table_args__ = (UniqueConstraint("version_id", "key_id"),)

    version_id: str = Field(foreign_key="model_version.id", max_length=64)
    key_id: str = Field(foreign_key="signing_key.id", max_length=64, index=True)
    signature: str = Field(max_length=128)
    """Its 64 bytes, hexadecimal."""
    created_by: str = Field(default="", max_length=128)
