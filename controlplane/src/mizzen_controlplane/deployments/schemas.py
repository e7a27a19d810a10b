"""Deployments on the wire: the manifest of the custom resource, with the fields that all resources have."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from mizzen_controlplane.kit.wire import Body, Resource, example


class DeploymentView(Resource):
    """A ModelDeployment."""

    project: str
    """Name of the project."""
    manifest: dict[str, Any]
    """The object: apiVersion, kind, metadata, spec, status."""


class ScaleBody(Body):
    """Body of `:scale`."""

    model_config = example({"replicas": 3})

    replicas: Annotated[int, Field(ge=0, le=10_000, strict=True)]
    """Replicas to run."""


class RollbackBody(Body):
    """Body of `:rollback`."""

    model_config = example({"version": 6})

    version: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Version to go back to; absent for the one that served before."""


class OccurrenceView(Body):
    """An event on a deployment; equal ones are counted."""

    time: datetime
    """When it was last seen, UTC."""
    first_seen: datetime
    """When it was first seen, UTC."""
    type: str
    """Normal or Warning."""
    reason: str
    """A constant."""
    message: str
    """For people."""
    count: int
    """How often."""


class Cause(Body):
    """A condition that is not as it should be."""

    condition: str
    """Its type."""
    status: str
    """False, or Unknown where it could not be told."""
    reason: str
    """A constant; docs/reference/conditions.md has them all."""
    message: str
    """What was found."""
    since: datetime | None
    """When it became so, UTC."""
    meaning: str
    """What the reason means."""
    remedy: str
    """What a person does about it; empty where nothing needs doing."""
    needs_spec_change: bool
    """Nothing but a change of the spec helps."""


class WhyHold(Body):
    """A gate at which the rollout waits."""

    gate: str
    """Which."""
    reason: str
    """What it waits for."""


class WhyFailure(Body):
    """The last thing that went wrong."""

    component: str
    """Container or step."""
    reason: str
    """A constant."""
    message: str
    """The component's own last lines."""
    exit_code: int | None
    """Of a container."""
    time: datetime | None
    """When, UTC."""
    remedy: str
    """What to do."""


class Why(Body):
    """Why a deployment does not answer or does not move on."""

    ready: str
    """Of its condition Ready: True, False or Unknown."""
    answer: str
    """The whole in a sentence."""
    observed: bool
    """The status is of the present spec."""
    causes: list[Cause]
    """Conditions that are not true, what blocks callers first; empty where nothing is in the way."""
    waits_at: WhyHold | None
    """Where the rollout waits."""
    last_failure: WhyFailure | None
    """The last thing that went wrong; it may be over."""
    warnings: list[OccurrenceView]
    """The newest warnings among its events."""
