"""What became of a ModelDeployment: written by the operator (or the local runner) alone."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.wire import Observed, keyed_by


def _whole(value: object) -> object:
    return round(value) if isinstance(value, float) else value


WholeSeconds = Annotated[int, BeforeValidator(_whole)]
"""Seconds, rounded: a custom resource holds no floats, and one that counts fractions would be written all the time."""


class ResolvedModel(Observed):
    """The artifact that the spec's source means."""

    source: str = ""
    """For people: `model@version` for a versionRef, else the uri."""
    digest: str = ""
    """sha256:... of the artifact's manifest."""
    uri: str = ""
    """Where the fetch container gets it: mizzen://<version id>, or the spec's uri."""
    version: int | None = None
    """Number of the version, for a versionRef."""
    alias: str | None = None
    """The versionRef's alias that meant this version; absent where an older release wrote it."""
    format: str = ""
    """Format of the weights."""
    size_bytes: int = 0
    """Bytes of all files."""
    architecture: str = ""
    """Architecture, as the artifact names it."""
    parameters: int | None = None
    """Number of parameters."""
    estimated_memory_bytes: int | None = None
    """Weights, cache and overhead on the accelerators of one replica."""


class RevisionState(StrEnum):
    """Where a revision stands."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    SERVING = "Serving"
    RETIRING = "Retiring"
    RETIRED = "Retired"
    FAILED = "Failed"


class RevisionStatus(Observed):
    """One revision."""

    name: str
    """<deployment>-<hash>."""
    hash: str
    """Hash of the user's pod-affecting fields and the resolved digest."""
    replicas: int = 0
    """Replicas wanted."""
    ready: int = 0
    """Replicas ready."""
    traffic_percent: int = 0
    """Share of requests."""
    state: RevisionState = RevisionState.PENDING
    """Where it stands."""
    created_at: datetime
    """When it was first asked for, UTC."""
    model_version: int | None = None
    """Number of the version that it serves."""
    adapters: list[str] = []
    """Names of its adapters."""


class Hold(Observed):
    """Why a rollout waits."""

    gate: str
    """What it waits at."""
    reason: str
    """For people: what blocks and what to do about it."""
    since: datetime
    """Since when, UTC."""
    needed: int | None = None
    """Accelerators needed."""
    free: int | None = None
    """Accelerators free."""


class RolloutStatus(Observed):
    """The rollout under way or the last one."""

    strategy_in_use: str = ""
    """The strategy chosen."""
    strategy_reason: str = ""
    """Why Auto chose it."""
    step: int | None = None
    """Canary step, from 0."""
    step_started_at: datetime | None = None
    """When that step began, UTC."""
    started_at: datetime | None = None
    """When the rollout began, UTC."""
    last_progress_at: datetime | None = None
    """When it last came nearer to its end, UTC; the progress deadline counts from here."""
    failed_hash: str = ""
    """Hash of the revision that was given up until the spec changes."""
    hold: Hold | None = None
    """Why it waits."""


class StartupPhase(Observed):
    """One phase of a start."""

    name: str
    """fetch, layout, load or warmup."""
    seconds: WholeSeconds = 0
    """Time it took, or has taken so far."""
    bytes_done: int | None = None
    """Bytes so far."""
    bytes_total: int | None = None
    """Bytes in all."""


class StartupStatus(Observed):
    """The ledger of starts."""

    last_seconds: WholeSeconds | None = None
    """The last start, from pod to ready."""
    p50_seconds: WholeSeconds | None = None
    """Median of recent starts."""
    phases: Annotated[list[StartupPhase], Field(json_schema_extra=keyed_by("name", 16))] = []
    """Phases of the start under way or the last one."""


class LastFailure(Observed):
    """The last thing that went wrong, and what to do."""

    component: str
    """Container or step."""
    reason: str
    """A constant of the table of reasons."""
    message: str
    """The component's own last lines."""
    exit_code: int | None = None
    """Exit code, for a container."""
    time: datetime
    """When, UTC."""
    remedy: str = ""
    """What to do."""


class ScalingDecision(Observed):
    """One decision of the autoscaler."""

    time: datetime
    """When, UTC."""
    replicas: int
    """Replicas decided."""
    reason: str
    """Why."""


class AutoscalingStatus(Observed):
    """What the autoscaler last did."""

    last_decision_time: datetime | None = None
    """When it last decided, UTC."""
    limited_by: str = ""
    """What kept it from more or fewer replicas."""
    history: Annotated[list[ScalingDecision], Field(json_schema_extra={"maxItems": 5})] = []
    """The last decisions, newest first, at most 5."""


class ResolvedAdapter(Observed):
    """The artifact that an adapter's source means."""

    name: str
    """As in the spec."""
    source: str = ""
    """As in resolvedModel."""
    digest: str = ""
    """As in resolvedModel."""
    uri: str = ""
    """As in resolvedModel."""
    version: int | None = None
    """As in resolvedModel."""
    alias: str = ""
    """As in resolvedModel."""


class ModelDeploymentStatus(Observed):
    """What became of the deployment."""

    observed_generation: int = -1
    """Generation of the spec that this status is of; -1 until the first pass."""
    conditions: Annotated[list[Condition], Field(json_schema_extra=keyed_by("type", 32))] = []
    """Observations; Ready sums them up. Reconciling and Stalled are present only while true."""
    replicas: int = 0
    """Replicas that exist."""
    ready_replicas: int = 0
    """Replicas that take requests."""
    updated_replicas: int = 0
    """Replicas of the newest revision."""
    unschedulable_replicas: int = 0
    """Replicas without a place to run."""
    desired_replicas: int = 0
    """Replicas wanted now."""
    selector: str = ""
    """Label selector of the pods, for the scale subresource."""
    url: str = ""
    """Where the model is called."""
    project: str = ""
    """Project that the namespace belongs to."""
    resolved_model: ResolvedModel | None = None
    """The artifact that the spec's source means."""
    adapters: Annotated[list[ResolvedAdapter], Field(json_schema_extra=keyed_by("name", 64))] = []
    """Adapters, as resolved."""
    revisions: Annotated[list[RevisionStatus], Field(json_schema_extra=keyed_by("name", 5))] = []
    """Revisions, newest first, at most 5."""
    rollout: RolloutStatus | None = None
    """The rollout under way or the last one."""
    startup: StartupStatus | None = None
    """The ledger of starts."""
    last_failure: LastFailure | None = None
    """The last thing that went wrong."""
    autoscaling: AutoscalingStatus | None = None
    """What the autoscaler last did."""
