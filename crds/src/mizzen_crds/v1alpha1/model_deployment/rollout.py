"""How a new revision replaces the old one."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from mizzen_crds.wire import AS_SET, Resource, WholeNumber


def _int_or_percent(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_REPLICAS:
        return value
    if isinstance(value, str) and re.fullmatch(PERCENT_PATTERN, value):
        return value
    message = "must be a whole number from 0 to {most} or a percentage from 0% to 100%, such as 25%"
    raise PydanticCustomError("int_or_percent", message, {"most": MOST_REPLICAS})


MOST_REPLICAS = 10_000
PERCENT_PATTERN = r"(100|[0-9]{1,2})%"
IntOrPercent = Annotated[
    int | str,
    BeforeValidator(_int_or_percent),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "minimum": 0,
            "maximum": MOST_REPLICAS,
            "pattern": f"^{PERCENT_PATTERN}$",
            "maxLength": 4,
        }
    ),
]
"""A number of replicas, or a share of the wanted ones, rounded up, as a disruption budget's is."""


class Strategy(StrEnum):
    """How a new revision replaces the old one. Auto measures and chooses between Surge and Replace."""

    AUTO = "Auto"
    SURGE = "Surge"
    REPLACE = "Replace"
    BLUE_GREEN = "BlueGreen"
    CANARY = "Canary"


class RolloutMode(StrEnum):
    """Whether a rollout may take further steps."""

    ACTIVE = "Active"
    PAUSED = "Paused"


class CanaryPause(StrEnum):
    """A step that waits for a person."""

    MANUAL = "Manual"


class OnFailure(StrEnum):
    """What a failed analysis does."""

    ROLLBACK = "Rollback"
    PAUSE = "Pause"


class CanaryStep(Resource):
    """One step: a share of traffic, then a pause (at most one of pauseSeconds and pause)."""

    traffic_percent: Annotated[WholeNumber, Field(ge=0, le=100)]
    """Share of requests that the new revision gets."""
    pause_seconds: Annotated[WholeNumber, Field(ge=0, le=604_800)] | None = None
    """Wait so long before the next step."""
    pause: CanaryPause | None = None
    """Manual: wait until a person promotes."""


class CanaryAnalysis(Resource):
    """What the new revision is held to while it gets traffic."""

    min_requests: Annotated[WholeNumber, Field(ge=0, le=1_000_000)] = 50
    """Requests that a step must have seen before it is judged."""
    max_error_percent: Annotated[WholeNumber, Field(ge=0, le=100)] = 5
    """Share of failed requests that is tolerated."""
    max_ttft_regression_percent: Annotated[WholeNumber, Field(ge=0, le=10_000)] | None = Field(
        default=None, alias="maxTTFTRegressionPercent"
    )
    """How much longer the time to first token may be than the old revision's."""
    evaluation_ref: Annotated[str, StringConstraints(max_length=63)] | None = None
    """Evaluation that must pass; none are run yet, so steps wait for a person."""
    on_failure: OnFailure = OnFailure.ROLLBACK
    """What a failure does."""


class Canary(Resource):
    """Steps of rising traffic, judged as they go."""

    steps: Annotated[list[CanaryStep], Field(max_length=20)] = []
    """Steps, by rising trafficPercent; after the last one the revision gets all."""
    analysis: CanaryAnalysis = CanaryAnalysis()
    """What the new revision is held to."""


class Rollout(Resource):
    """How a new revision replaces the old one."""

    strategy: Strategy = Strategy.AUTO
    """Auto: Surge where a spare replica fits, else Replace."""
    min_available: IntOrPercent | None = None
    """Replicas that stay ready throughout; by default one less than wanted, so that no spare accelerator is needed.
    Node drains keep it too, but may always take one."""
    max_surge: IntOrPercent = 1
    """Replicas above the wanted number while surging."""
    progress_deadline_seconds: Annotated[WholeNumber, Field(ge=10, le=604_800)] = 1800
    """A revision without progress for so long is given up; the old one goes on serving."""
    revision_history_limit: Annotated[WholeNumber, Field(ge=1, le=5)] = 5
    """Revisions kept for rollback."""
    mode: RolloutMode = RolloutMode.ACTIVE
    """Paused: take no further step."""
    canary: Canary = Canary()
    """Steps and analysis, for strategy Canary."""


class LifecycleState(StrEnum):
    """Whether the deployment runs at all."""

    RUNNING = "Running"
    STOPPED = "Stopped"


class Warmup(Resource):
    """Requests that a replica answers before it counts as ready."""

    requests: Annotated[WholeNumber, Field(ge=0, le=1000)] = 0
    """How many."""


class Lifecycle(Resource):
    """Start and end of replicas."""

    state: LifecycleState = LifecycleState.RUNNING
    """Stopped: no replica runs, on purpose."""
    startup_budget_seconds: Annotated[WholeNumber, Field(ge=10, le=86_400)] | None = None
    """Ceiling for a start; by default from the model's bytes and the measured bandwidth."""
    drain_seconds: Annotated[WholeNumber, Field(ge=0, le=86_400)] = 60
    """How long a replica that goes may take to finish its requests."""
    warmup: Warmup = Warmup()
    """Requests before a replica counts as ready."""


class RoutingPolicy(StrEnum):
    """How an endpoint is chosen."""

    LEAST_LOAD = "LeastLoad"
    PREFIX_AFFINITY = "PrefixAffinity"
    SESSION_AFFINITY = "SessionAffinity"
    EXTERNAL = "External"


class Routing(Resource):
    """How requests reach replicas."""

    policy: RoutingPolicy = RoutingPolicy.LEAST_LOAD
    """How an endpoint is chosen."""
    endpoint_picker_ref: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Endpoint picker of the Gateway API Inference Extension, for External."""
    idle_timeout_seconds: Annotated[WholeNumber, Field(ge=1, le=86_400)] = 60
    """A response that sends no byte for so long is ended."""
    request_timeout_seconds: Annotated[WholeNumber, Field(ge=0, le=86_400)] = 0
    """A request that takes longer is ended; 0 for no limit."""


class Visibility(StrEnum):
    """Who may be granted access."""

    PROJECT = "Project"
    SHARED = "Shared"


class Access(Resource):
    """An offer to other projects; access needs this offer and a grant in the control plane."""

    visibility: Visibility = Visibility.PROJECT
    """Project: only this project. Shared: allowedProjects may be granted access."""
    allowed_projects: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=63)]],
        Field(max_length=256, json_schema_extra=AS_SET),
    ] = []
    """Names of projects."""
