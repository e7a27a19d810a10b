"""Tables of who signs in: persons, their local accounts and sessions, and failed attempts."""

from datetime import datetime

from sqlalchemy import JSON, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow

LOCAL = "local"
"""The issuer of those who sign in with a password kept here."""


class Person(ResourceRow, table=True):
    """A human being, known by the issuer and its subject, never by e-mail. `name` is for display."""

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    issuer: str = Field(max_length=512)
    """URL of the OpenID provider; `local` for an account of this installation."""
    subject: str = Field(max_length=255)
    """What the issuer knows the person by, for ever."""
    email: str = Field(default="", max_length=320)
    groups: list[str] = Field(default_factory=list, sa_type=JSON)
    """As the issuer said last."""
    disabled: bool = False
    """Nobody signs in as this person."""
    platform_admin: bool = False
    """Read by the release before alone: the role platform-admin is a binding."""


class LocalAccount(SQLModel, table=True):
    """The password of a person of this installation."""

    __tablename__ = "local_account"

    person_id: str = Field(foreign_key="person.id", primary_key=True, max_length=64)
    username: str = Field(unique=True, max_length=63)
    password_hash: str = Field(max_length=255)
    """Argon2id, with its parameters and salt."""
    one_time: bool = False
    """The password opens nothing until it is changed."""
    changed_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class SignInSession(SQLModel, table=True):
    """A person who is signed in somewhere. Its secret is nowhere: `digest` is its SHA-256."""

    __tablename__ = "sign_in_session"

    id: str = Field(primary_key=True, max_length=64)
    digest: str = Field(unique=True, max_length=64)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=64)
    kind: str = Field(max_length=16)
    """BROWSER or COMMAND_LINE."""
    provider: str = Field(max_length=63)
    """Name of the way of signing in; `local` for a password."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime = Field(sa_type=UtcDateTime)
    """Last use, give or take a minute."""
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
    """Whatever use is made of it."""
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the provider was last asked about the person."""
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it last answered."""
    refresh: bytes | None = Field(default=None, sa_type=LargeBinary)
    """What the provider is asked with, sealed under the session's secret."""
    address: str = Field(default="", max_length=64)
    agent: str = Field(default="", max_length=255)


class UsedIdToken(SQLModel, table=True):
    """An ID token that began a session of the command line; no other begins with it."""

    __tablename__ = "used_id_token"

    digest: str = Field(primary_key=True, max_length=64)
    """SHA-256 of what is signed: a signature can be written in more than one way."""
    until: datetime = Field(sa_type=UtcDateTime, index=True)
    """When it is over by itself."""


class SignInAttempts(SQLModel, table=True):
    """Failed passwords of one account, one address, or both."""

    __tablename__ = "sign_in_attempts"

    bucket: str = Field(primary_key=True, max_length=64)
    """HMAC of what is counted."""
    failures: int
    refused_until: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime, index=True)
