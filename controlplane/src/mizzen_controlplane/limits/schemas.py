"""Limits on the wire."""

from typing import Annotated

from mizzen_crds.access import Enforcement, LimitMetric, OnStoreLoss, Scope
from pydantic import Field, StringConstraints

from mizzen_controlplane.access.counted_over import CallableName
from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

Amount = Annotated[int, Field(ge=1, le=10**12, strict=True)]
CostText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A decimal such as "5.00"."""
Seconds = Annotated[int, Field(ge=1, le=31 * 86_400, strict=True)]


class LimitCreate(Body):
    """A rate limit to make."""

    model_config = example(
        {
            "name": "fair-use",
            "metric": "requests",
            "amount": 600,
            "window_seconds": 60,
        }
    )

    name: ResourceName
    """Unique in the project, or in the organization."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    scope: Scope | None = None
    """project (with a project's path), owner, key, user (each end user on its own) or model; without a project
    organization or user."""
    key: str | None = None
    """Id or name of the key, for scope key; for scope user: whose end users, where not the whole project's."""
    owner: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """person:<id> or service-account:<name or id>, for scope owner: all keys that this one has made in the project
    count together."""
    model: CallableName | None = None
    """Served name that it is confined to; absent for all together. For scope model: one of the project's own."""
    metric: LimitMetric
    """requests, tokens, input_tokens, output_tokens, concurrency (requests under way) or cost."""
    amount: Amount | None = None
    """How many in a window, or at once; absent for metric cost."""
    cost: CostText | None = None
    """Money in a window, such as "5.00": for metric cost, in place of amount."""
    window_seconds: Seconds | None = None
    """Length of the window in seconds, by default 60; absent for metric concurrency."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow (counts only) or off."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """What happens while the store that it is counted in cannot be reached: refuse or allow."""


class LimitPatch(Body):
    """What of a limit may change."""

    model_config = example({"amount": 1200})

    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    amount: Amount = 1
    """How many in a window, or at once."""
    cost: CostText = "0"
    """Money in a window, for metric cost."""
    window_seconds: Seconds = 60
    """Length of the window in seconds."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow or off."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """refuse or allow."""


class LimitView(Resource):
    """A rate limit."""

    project_id: str
    """Project that it belongs to; empty for the organization's."""
    scope: Scope
    """What it is counted over."""
    scope_id: str
    """Id of the organization, project or key; of scope owner: project/owner; of scope user: whose end users; of scope
    model: of the project that has it."""
    model: str | None
    """Served name that it is confined to."""
    metric: LimitMetric
    """What it counts."""
    amount: int | None
    """How many in a window, or at once; null for metric cost."""
    cost: str | None
    """Money in a window, for metric cost."""
    window_seconds: int
    """Length of the window in seconds; 0 for metric concurrency."""
    enforcement: Enforcement
    """Whether it refuses."""
    on_store_loss: OnStoreLoss
    """What happens while the store cannot be reached."""
