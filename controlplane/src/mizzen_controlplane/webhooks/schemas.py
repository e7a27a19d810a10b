"""Webhooks and deliveries on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

Url = Annotated[str, StringConstraints(min_length=8, max_length=2048, pattern=r"^[!-~]+$")]
"""Printable ASCII, without spaces."""
Pattern = Annotated[str, StringConstraints(max_length=63, pattern=r"^(\*|[a-z_]+(\.[a-z_]+)*(\.\*)?)$")]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=50)]


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
    """Given up; `:redeliver` sends it again."""


class WebhookCreate(Body):
    """A webhook to make."""

    model_config = example(
        {
            "name": "pager",
            "url": "https://hooks.example.com/mizzen",
            "event_types": ["budget.*"],
        }
    )

    name: ResourceName
    """Unique in the project, or in the organization."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    url: Url
    """Where events go: https://host/path, or mailto:somebody@example.com where e-mail is set up."""
    event_types: Patterns = Field(default_factory=lambda: ["*"])
    """Which events: names such as budget.threshold, patterns such as budget.*, or * for all."""
    enabled: bool = True
    """Whether anything is sent."""


class WebhookPatch(Body):
    """What of a webhook may change."""

    model_config = example({"enabled": False})

    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    url: Url = "https://"
    """Where events go."""
    event_types: Patterns = Field(default_factory=lambda: ["*"])
    """Which events."""
    enabled: bool = True
    """Whether anything is sent; what happens meanwhile is not kept for later."""


class WebhookView(Resource):
    """A webhook."""

    project_id: str
    """Project whose events it gets; empty for the organization's."""
    url: str
    """Where events go."""
    event_types: list[str]
    """Which events."""
    enabled: bool
    """Whether anything is sent."""


class WebhookSecretView(WebhookView):
    """A webhook with its secret, which is shown this once."""

    secret: str
    """`whsec_` and base64: what signatures are verified with. Empty for e-mail, which has none."""


class DeliveryView(BaseModel):
    """One event for one webhook."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Prefixed, sortable by time."""
    event_id: str
    """The event's id, and the header webhook-id: the same for every attempt."""
    event_type: str
    """Which event."""
    subject: str
    """What it is about."""
    state: DeliveryState
    """PENDING, DELIVERED or DEAD."""
    attempts: int
    """How often it was tried."""
    next_attempt_at: datetime | None
    """Of a PENDING one."""
    last_status: int
    """HTTP status of the last answer; 0 for none."""
    last_error: str
    """Why the last attempt failed."""
    created_at: datetime
    """When it happened."""
    ended_at: datetime | None
    """When it was DELIVERED or DEAD."""
