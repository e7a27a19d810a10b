"""Limits on the wire."""

from typing import Annotated

from mizzen_crds.access import Enforcement, LimitMetric, Scope
from pydantic import Field

from mizzen_controlplane.access.counted_over import CallableName
from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName

Amount = Annotated[int, Field(ge=1, le=10**12, strict=True)]
Seconds = Annotated[int, Field(ge=1, le=31 * 86_400, strict=True)]


class LimitCreate(Body):
    """A rate limit to make."""

    name: ResourceName
    """Unique in the project, or in the organization."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    scope: Scope | None = None
    """project (with a project's path) or key; organization without a project."""
    key: str | None = None
    """Id or name of the key, for scope key."""
    model: CallableName | None = None
    """Served name that it is confined to; absent for all together."""
    metric: LimitMetric
    """requests or tokens."""
    amount: Amount
    """How many in a window."""
    window_seconds: Seconds = 60
    """Length of the window in seconds."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow (counts only) or off."""


class LimitPatch(Body):
    """What of a limit may change."""

    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    amount: Amount = 1
    """How many in a window."""
    window_seconds: Seconds = 60
    """Length of the window in seconds."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow or off."""


class LimitView(Resource):
    """A rate limit."""

    project_id: str
    """Project that it belongs to; empty for the organization's."""
    scope: Scope
    """What it is counted over."""
    scope_id: str
    """Id of the organization, project or key."""
    model: str | None
    """Served name that it is confined to."""
    metric: LimitMetric
    """What it counts."""
    amount: int
    """How many in a window."""
    window_seconds: int
    """Length of the window in seconds."""
    enforcement: Enforcement
    """Whether it refuses."""
