"""The engine that serves a model, the resources it gets and where its pods may run."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from mizzen_crds.v1alpha1.metadata import DnsLabel, Named, Quantity
from mizzen_crds.wire import Resource, WholeNumber, keyed_by

Count = Annotated[WholeNumber, Field(ge=1, le=1024)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class EngineType(StrEnum):
    """The engine that answers requests. Custom names a ServingRuntime of one's own."""

    VLLM = "vLLM"
    TRITON = "Triton"
    SIMULATED = "Simulated"
    CUSTOM = "Custom"


class Parallelism(Resource):
    """How one replica is split over accelerators; their product is the accelerators of a replica."""

    tensor: Count = 1
    """Ways that each layer is split."""
    pipeline: Count = 1
    """Stages that the layers are split into."""
    data: Count = 1
    """Copies of the engine inside one replica."""
    expert: Count = 1
    """Ways that experts are spread; overlaps with the others, is no factor of the product."""


class Engine(Resource):
    """The engine and its settings."""

    type: EngineType
    """Which engine; cannot be changed once set."""
    runtime_ref: DnsLabel | None = None
    """ServingRuntime; by default the built-in one of this type. Required for Custom."""
    version: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Version of the engine, of those that the runtime lists."""
    image: Annotated[str, StringConstraints(max_length=512)] | None = None
    """Image, only from the runtime's allow-list."""
    args: Annotated[list[LongText], Field(max_length=64)] = []
    """Flags for the engine, by full name, from the runtime's allow-list."""
    env: Annotated[list[Named], Field(max_length=64, json_schema_extra=keyed_by("name"))] = []
    """Environment of the engine; names that change its code or weights are refused."""
    parallelism: Parallelism = Parallelism()
    """How one replica is split over accelerators."""
    max_model_len: Annotated[WholeNumber, Field(ge=1, le=16_777_216)] | None = None
    """Longest context in tokens; the engine's own default if absent."""


class Sharing(StrEnum):
    """How accelerators are shared with other pods."""

    EXCLUSIVE = "Exclusive"
    TIME_SLICED = "TimeSliced"
    MIG = "MIG"


class FitCheck(StrEnum):
    """What happens when the model is estimated not to fit."""

    ENFORCE = "Enforce"
    WARN = "Warn"
    DISABLED = "Disabled"


class Resources(Resource):
    """What one pod gets."""

    accelerator_class: DnsLabel | None = None
    """AcceleratorClass to run on; none for CPU."""
    accelerators_per_pod: Annotated[WholeNumber, Field(ge=0, le=64)] = 0
    """Accelerators of that class for each pod; at least 1 where a class is named."""
    sharing: Sharing = Sharing.EXCLUSIVE
    """How the accelerators are shared; anything but Exclusive needs parallelism.tensor = 1."""
    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """CPU, memory and other requests of the engine's container."""
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """CPU, memory and other limits of the engine's container."""
    fit_check: FitCheck = FitCheck.ENFORCE
    """What happens when weights and cache are estimated not to fit the accelerators."""


class Placement(Resource):
    """Where pods may run. The three free-form fields are passed to Kubernetes, whose refusal becomes a condition."""

    node_selector: Annotated[dict[str, str], Field(max_length=32)] = {}
    """Labels that a node must have."""
    tolerations: Annotated[list[dict[str, Any]], Field(max_length=32)] = []
    """Taints that pods tolerate, as in a pod's spec."""
    affinity: dict[str, Any] = {}
    """Affinity, as in a pod's spec."""
    priority_class_name: Annotated[str, StringConstraints(max_length=253)] | None = None
    """PriorityClass of the pods."""
    queue_name: DnsLabel | None = None
    """Kueue LocalQueue that admits the pods."""
    topology_spread: Annotated[list[dict[str, Any]], Field(max_length=8)] = []
    """Topology spread constraints, as in a pod's spec."""


class PodOverrides(Resource):
    """The few things of a pod that may be set directly. Labels and annotations that the platform obeys are refused."""

    labels: Annotated[dict[str, str], Field(max_length=32)] = {}
    """More labels."""
    annotations: Annotated[dict[str, str], Field(max_length=32)] = {}
    """More annotations."""
    service_account_name: DnsLabel | None = None
    """ServiceAccount of the pods; no token of it reaches the engine's container."""


class MultiNode(Resource):
    """A replica that spans several pods, as a LeaderWorkerSet."""

    size: Annotated[WholeNumber, Field(ge=2, le=64)]
    """Pods of one replica; cannot be changed once set."""
