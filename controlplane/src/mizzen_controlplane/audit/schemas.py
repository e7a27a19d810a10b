"""Audit events on the wire."""

from datetime import datetime
from typing import Any, Literal

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


class ChainFinding(BaseModel):
    """Something in the chain that is not as it was written."""

    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)

    number: int
    """Of the event."""
    kind: Literal[
        "changed_event",
        "missing_event",
        "rewritten",
        "cut_tail",
        "changed_personal_data",
        "forged_anchor",
        "unknown_format",
    ]
    """What is wrong with it."""
    detail: str
    """What was found, and what of it tells."""


class ChainReport(BaseModel):
    """Whether the chain of hashes is whole, as far as its anchors reach."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    whole: bool
    """Nothing was found: every event follows the one before, has its own content, and fits every anchor."""
    events: int
    """Events that were checked."""
    broken_at: int | None = None
    """Number of the first event that does not fit."""
    first: int = 1
    """Number of the first event that is kept."""
    findings: list[ChainFinding] = []
    """What was found, the first 20."""
    tail: Literal["anchored", "undetectable"] = "undetectable"
    """anchored: a tail that is cut off up to `anchored_up_to` would be found. undetectable: `notes` say why."""
    anchored_up_to: int | None = None
    """Newest event that an anchor vouches for."""
    anchored_at: datetime | None = None
    """When that one was signed."""
    erased: int = 0
    """Commitments to personal data that was erased."""
    notes: list[str] = []
    """What could not be checked, and what to do about it."""


class AnchorView(BaseModel):
    """A signed statement of where the chain stood."""

    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)

    number: int
    """Newest event."""
    kind: Literal["head", "base"]
    """head: the chain had this event. base: events up to it were removed."""
    hash: str
    """Of that event, and so of all before it."""
    at: datetime
    """When it was signed."""
    key_id: str
    """Which key signed it."""
    signature: str
    """ed25519, hexadecimal."""


class PublicKeys(BaseModel):
    """What anchors are verified with."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    keys: dict[str, str]
    """Id of a key -> its public half, 32 bytes in hexadecimal; the one that signs now is first."""
