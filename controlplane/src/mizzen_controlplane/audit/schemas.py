"""Audit events on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class PersonalView(BaseModel):
    """What an event holds of one person; the chain holds only a commitment to it."""

    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)

    position: int
    """Of its commitment."""
    person: str
    """Whose."""
    salt: str
    """Before the content in what the commitment is the SHA-256 of."""
    content: dict[str, Any]
    """Texts by where in the event they stood; `address` is where the actor's request came from."""


class AuditEventView(BaseModel):
    """One write, or one attempt that was refused."""

    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)

    id: str
    """aud_..."""
    number: int
    """1, 2, 3 ... without a gap."""
    at: datetime
    """When, UTC."""
    actor: str
    """Who; `anonymous` for a refused caller without a token."""
    action: str
    """What, such as keys.revoke."""
    outcome: str
    """done or denied."""
    resource: str
    """Id of the resource, or the path that was refused."""
    resource_name: str
    """Its name."""
    project_id: str
    """Project that it belongs to, empty for none."""
    request_id: str
    """Request that did it."""
    before: dict[str, Any] | None
    """State before, secrets taken out."""
    after: dict[str, Any] | None
    """State after, secrets taken out."""
    previous_hash: str
    """Hash of the event before."""
    hash: str
    """SHA-256 over this event, its hash and `personal` excepted."""
    format: int
    """Which fields the hash is over."""
    commitments: list[str]
    """What stands in the chain for personal data: a SHA-256 for each of `personal`, kept where that was erased."""
    personal: list[PersonalView] = []
    """What is personal, so far as it was not erased."""


class ChainReport(BaseModel):
    """Whether the chain of hashes is whole."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    whole: bool
    """Every event holds the hash of the one before, and its own content's."""
    events: int
    """Events that were checked."""
    broken_at: int | None = None
    """Number of the first event that does not fit."""
