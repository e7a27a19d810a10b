"""The facts about a deployment that routing works from; discovery makes them out of the store's objects."""

from dataclasses import dataclass
from typing import Final, Literal

Key = tuple[str, str]
"""(namespace, name) of a ModelDeployment."""
EVERYBODY: Final = "*"
"""In place of a project, which nobody's is called: deployments and routes are every project's own."""


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """What a ModelDeployment says to the gateway."""

    key: Key
    created_at: str = ""
    """RFC 3339; of two deployments with one served name the older wins."""
    names: tuple[str, ...] = ()
    """Served name, then aliases, then adapters."""
    shared_with: frozenset[str] = frozenset()
    """Projects that may be granted access."""
    running: bool = True
    """False where it is stopped on purpose."""
    replicas_wanted: int = 1
    """Replicas that the operator wants now, or that the spec asks for."""
    wakes: bool = False
    """A parked request brings it back from zero."""
    stalled: bool = False
    """Nothing but a change of its spec helps."""
    park_limit: int = 1000
    """Requests parked at most."""
    park_seconds: float = 300.0
    """A request is parked for so long at most."""
    start_seconds: float | None = None
    """How long a start takes, from the start-up ledger."""
    idle_seconds: float = 60.0
    """A response that sends no byte for so long is ended."""
    request_seconds: float = 0.0
    """A request that takes longer is ended; 0 for no limit."""
    max_model_len: int | None = None
    """Longest context in tokens, where the spec says it."""
    adapters: frozenset[str] = frozenset()
    """Names that the engine itself knows beside its model's."""
    policy: str = "LeastLoad"
    """spec.routing.policy."""
    picker: str = ""
    """spec.routing.endpointPickerRef, with policy External."""
    accelerators: int = 0
    """Accelerators of one replica, over all its nodes; slices of shared ones."""
    project: str = ""
    """Project that it belongs to; empty for the one of its namespace's name."""

    @property
    def tenant(self) -> str:
        """Name of its project."""
        return self.project or self.key[0]

    @property
    def of_a_file(self) -> bool:
        """Made of gateway.yaml, whose fields have other names than a ModelDeployment's."""
        return self.project == EVERYBODY


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """One pod."""

    pod: str
    revision: str
    address: str
    port: int
    ready: bool
    terminating: bool = False
    grpc_port: int | None = None
    """None where it speaks no gRPC."""


@dataclass(frozen=True, slots=True)
class EndpointSetFacts:
    """Every pod of a deployment, and the traffic of its revisions."""

    key: Key
    protocol: Literal["OpenAI", "OpenInference"]
    engine: str
    """Engine's type."""
    model_name: str
    """Name that the engine knows the model by."""
    endpoints: tuple[EndpointFacts, ...] = ()
    traffic: tuple[tuple[str, int], ...] = ()
    """Percent of requests by revision."""
