"""Projects and API keys on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from mizzen_crds.access import Priority
from pydantic import AwareDatetime, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName

ServedName = Annotated[str, StringConstraints(min_length=1, max_length=253)]
MAX_OVERLAP_SECONDS = 30 * 24 * 3600


class ProjectCreate(Body):
    """A new tenant."""

    name: ResourceName
    """Unique; also its namespace."""
    allow_code: bool = False
    """Artifacts that carry code (a TritonRepository with model.py or a shared object) may be served."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class ProjectPatch(Body):
    """What of a project may change."""

    allow_code: bool | None = None
    """Artifacts that carry code may be served."""
    labels: Labels | None = None
    """The caller's own."""


class ProjectView(Resource):
    """A tenant."""

    namespace: str
    """Namespace whose workloads are its own."""
    allow_code: bool
    """Artifacts that carry code may be served."""


class KeyCreate(Body):
    """A new API key."""

    name: ResourceName
    """Unique in the project, revoked keys included."""
    expires_at: AwareDatetime | None = None
    """Refused from then on; in the future, with a time zone."""
    models: Annotated[list[ServedName], Field(min_length=1, max_length=256)] | None = None
    """Served names that it may call; absent for all of the project's."""
    priority: Priority = Priority.STANDARD
    """The highest that its requests have where there are more than can be answered: interactive, standard or batch, the
    last refused first."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class KeyPatch(Body):
    """What of a key may change."""

    expires_at: AwareDatetime | None = None
    """Refused from then on; null for never."""
    models: Annotated[list[ServedName], Field(min_length=1, max_length=256)] | None = None
    """Served names that it may call; null for all of the project's."""
    priority: Priority | None = None
    """The highest that its requests have: interactive, standard or batch; null for standard."""
    labels: Labels | None = None
    """The caller's own."""


class KeyRotate(Body):
    """How a key gets a new secret."""

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 0
    """How long the old secret works beside the new one; 0 for not at all, at most 30 days."""


class KeyState(StrEnum):
    """Whether a key opens anything."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class KeyView(Resource):
    """An API key, without its secret."""

    project: str
    """Name of the project that it acts for."""
    state: KeyState
    """Whether it opens anything now."""
    expires_at: datetime | None
    """Refused from then on."""
    revoked_at: datetime | None
    """When it was revoked."""
    models: list[str] | None
    """Served names that it may call; null for all of the project's."""
    priority: Priority
    """The highest that its requests have where there are more than can be answered; batch is refused first."""
    previous_secret_expires_at: datetime | None
    """Until when the secret before the last rotation works too."""
    created_by: str
    """Who made it."""


class KeyWithSecret(KeyView):
    """An API key at its making or rotation."""

    secret: str
    """`mzk_...`: what callers send. Shown this once, stored nowhere."""
