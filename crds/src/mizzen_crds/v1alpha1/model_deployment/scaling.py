"""How many replicas run: the autoscaler's settings."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from mizzen_crds.wire import Resource, WholeNumber, keyed_by

Replicas = Annotated[WholeNumber, Field(ge=0, le=10_000)]


class MetricType(StrEnum):
    """What a replica count is computed from."""

    IN_FLIGHT = "InFlight"
    QUEUE_DEPTH = "QueueDepth"
    KV_CACHE_UTILIZATION = "KVCacheUtilization"
    TTFT_P95 = "TTFTp95"
    ITL_P95 = "ITLp95"
    EXTERNAL = "External"


class ScalingMetric(Resource):
    """One metric and its target; of several, the highest replica count wins."""

    type: MetricType
    """Which metric."""
    target: Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m)?$")]
    """Target per replica: requests, percent (cache), milliseconds (latencies), or the external metric's unit."""
    query: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Prometheus query, for External."""


class ScalingBehavior(Resource):
    """How fast the replica count may move in one direction."""

    stabilization_seconds: Annotated[WholeNumber, Field(ge=0, le=86400)] | None = None
    """A move waits until it was wanted for so long."""
    max_replicas_per_step: Annotated[WholeNumber, Field(ge=1, le=10_000)] | None = None
    """Replicas that one step may add or remove."""


class ColdStart(Resource):
    """What happens to requests that arrive at zero replicas."""

    queue_limit: Annotated[WholeNumber, Field(ge=0, le=100_000)] = 1000
    """Requests parked at most; further ones are refused with Retry-After."""
    hold_seconds: Annotated[WholeNumber, Field(ge=0, le=3600)] = 300
    """A request is parked for so long at most."""


class Schedule(Resource):
    """Bounds that hold in a recurring window."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    """Name, unique in the list."""
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"
    """IANA time zone of `start`."""
    start: Annotated[str, StringConstraints(min_length=9, max_length=100)]
    """Cron expression of five fields."""
    duration_seconds: Annotated[WholeNumber, Field(ge=60, le=604_800)]
    """Length of the window."""
    min_replicas: Replicas | None = None
    """Lower bound in the window."""
    max_replicas: Replicas | None = None
    """Upper bound in the window."""


class Autoscaling(Resource):
    """The autoscaler's settings. This release holds the bounds alone."""

    min_replicas: Replicas = 1
    """Lower bound; 0 lets the deployment go to zero."""
    max_replicas: Annotated[WholeNumber, Field(ge=1, le=10_000)]
    """Upper bound."""
    metrics: Annotated[list[ScalingMetric], Field(max_length=8)] = []
    """What the count is computed from; by default InFlight."""
    scale_up: ScalingBehavior = ScalingBehavior()
    """How fast replicas are added."""
    scale_down: ScalingBehavior = ScalingBehavior()
    """How fast replicas are removed."""
    idle_seconds_to_zero: Annotated[WholeNumber, Field(ge=10, le=604_800)] | None = None
    """Without a request for so long, it goes to zero; needs minReplicas 0."""
    cold_start: ColdStart = ColdStart()
    """What happens to requests that arrive at zero replicas."""
    schedules: Annotated[list[Schedule], Field(max_length=16, json_schema_extra=keyed_by("name"))] = []
    """Bounds that hold in recurring windows."""
