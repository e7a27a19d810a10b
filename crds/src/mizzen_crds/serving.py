"""What gateways and whoever runs the pods tell each other: endpoints one way, load the other; progress of starts."""

from datetime import datetime
from typing import Literal

from mizzen_crds.wire import Message, Observed


class Endpoint(Observed):
    """One pod that answers."""

    pod: str
    """Name of the pod."""
    revision: str
    """Hash of its revision."""
    address: str
    """IP address."""
    port: int
    """Port that speaks the runtime's protocol."""
    grpc_port: int | None = None
    """Port that speaks the same over gRPC; none where the runtime has no port of that name."""
    metrics_port: int | None = None
    """Port of the engine's metrics."""
    ready: bool
    """Takes requests."""
    terminating: bool = False
    """Goes: finishes what it has, takes nothing new."""


class EndpointSetSpec(Observed):
    """Every endpoint of one ModelDeployment (same namespace and name)."""

    protocol: Literal["OpenAI", "OpenInference"]
    """What the ports speak."""
    engine: str
    """Engine's type."""
    model_name: str
    """Name that the engine knows the model by."""
    endpoints: list[Endpoint]
    """Pods."""
    traffic: dict[str, int]
    """Percent of requests by revision hash; sums to 100 where any endpoint may serve."""


class PodLoad(Message):
    """What one gateway knows of one pod: how much would be lost with it."""

    pod: str
    """Name of the pod."""
    in_flight: int
    """Requests being answered now."""
    prefix_blocks: int = 0
    """Blocks of 256 bytes of prompts that it is taken to have read; 0 where the deployment's policy does not ask."""


class RevisionLoad(Message):
    """What one gateway saw of one revision. Counters only rise while the gateway runs."""

    namespace: str
    """Namespace of the deployment."""
    deployment: str
    """Name of the deployment."""
    revision: str
    """Hash; empty for requests parked before a revision was chosen."""
    requests: int
    """Requests ended, counter."""
    errors: int
    """Of those, 5xx and broken streams, counter."""
    ttft_ms_sum: float
    """Times to first byte added up, counter; of callers who left before it, how long they had waited."""
    first_bytes: int | None = None
    """Requests that this adds up, counter; a gateway of an earlier release does not tell, and adds up nothing for
    those without one."""
    left: int = 0
    """Of the requests, those whose callers left before a first byte, counter."""
    in_flight: int
    """Requests being answered now."""
    parked: int
    """Requests waiting for a replica now."""
    pods: list[PodLoad] = []
    """Its pods."""


class GatewayLoad(Message):
    """Body of `POST /v1/load` on the operator's endpoint, once a second and at once when a request parks."""

    gateway: str
    """Stable name of the gateway."""
    boot_id: str
    """New at each start: counters began at zero."""
    sent_at: datetime
    """When, UTC."""
    revisions: list[RevisionLoad]
    """Load by revision."""


class StartupProgress(Message):
    """Body of `POST /v1/startup-progress` on the operator's endpoint, by the containers of a starting pod."""

    pod: str
    """Name of the pod."""
    phase: Literal["fetch", "layout", "load", "warmup"]
    """What it does."""
    bytes_done: int | None = None
    """Bytes so far."""
    bytes_total: int | None = None
    """Bytes in all."""
    seconds: float
    """Since the phase began."""
    done: bool = False
    """The phase has ended well."""
