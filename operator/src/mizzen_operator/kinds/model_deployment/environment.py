"""What does the plan need to know of the place where pods run? It reads no environment variable: callers tell it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mizzen_crds.v1alpha1.model_deployment.workload import Resources, Sharing

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class AcceleratorKind:
    """What an accelerator class means to the scheduler."""

    resource_name: str = "nvidia.com/gpu"
    """Extended resource that counts it."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the nodes that carry it."""
    tolerations: tuple[Mapping[str, str], ...] = ()
    """Taints of those nodes, as a pod's spec tolerates them."""
    shared: Mapping[Sharing, str] = field(default_factory=dict)
    """Resource that counts the parts, for each way of sharing that has one."""

    memory_bytes: int | None = None
    """Memory of one accelerator; None where no class says it."""
    part_bytes: Mapping[Sharing, int] = field(default_factory=dict)
    """Memory of a part, for each way of sharing that bounds it."""

    def memory_for(self, sharing: Sharing) -> int | None:
        """Return the memory that a pod finds on one accelerator, or on its part of one."""
        return self.part_bytes.get(sharing, self.memory_bytes)

    def resource_for(self, sharing: Sharing) -> str:
        """Return the resource that a pod asks for."""
        suffix = ".shared" if sharing is Sharing.TIME_SLICED else ""
        return self.shared.get(sharing, self.resource_name + suffix)


@dataclass(frozen=True)
class Peer:
    """Pods that may reach engine pods."""

    namespace: str
    """Their namespace."""
    labels: Mapping[str, str]
    """Their labels."""


@dataclass(frozen=True)
class PrivateStore:
    """A store whose addresses are not public, from which weights may come all the same."""

    cidr: str
    """Its network, or empty."""
    namespace: str
    """Namespace of its pods where it runs in this cluster, or empty."""
    ports: tuple[int, ...]
    """Its TCP ports."""


@dataclass(frozen=True)
class PlanEnvironment:
    """Facts of the installation that rendered pods depend on, frozen into each revision's template."""

    platform_image: str
    """Image with Mizzen's own programs; also the stand-in `mizzen` of a runtime's image."""
    registry_url: str
    """Where init containers fetch versions."""
    operator_url: str
    """Where init containers report progress."""
    gateway: Peer = Peer("mizzen-system", {"app.kubernetes.io/name": "mizzen-gateway"})
    """Who may call the serving ports."""
    monitoring: Peer = Peer("monitoring", {"app.kubernetes.io/name": "prometheus"})
    """Who may read metrics."""
    operator: Peer = Peer("mizzen-system", {"app.kubernetes.io/name": "mizzen-operator"})
    """Whom init containers report to."""
    registry: Peer = Peer("mizzen-system", {"app.kubernetes.io/name": "mizzen-controlplane"})
    """Whom init containers fetch versions from."""
    private_stores: tuple[PrivateStore, ...] = ()
    """Where else weights may come from; any other private address is closed to a fetch."""
    fetch_bytes_per_second: int = 50 * MEBIBYTE
    """Measured, or a cautious guess: how fast weights arrive."""
    load_bytes_per_second: int = 200 * MEBIBYTE
    """How fast an engine loads weights that are on disk."""
    accelerators: Mapping[str, AcceleratorKind] = field(default_factory=dict)
    """Accelerator classes by name; an unknown class is taken for an `nvidia.com/gpu`."""
    queue: str = ""
    """Kueue's LocalQueue of the deployment's project, for pods whose spec names none; empty where it has none."""
    url: str = ""
    """Where people reach the gateway."""
    registry_ca: str = ""
    """PEM of the authority of the registry's certificate; empty: init containers trust what their image trusts."""
    operator_ca: str = ""
    """The same of the operator's certificate."""

    def accelerator_bytes(self, resources: Resources) -> int | None:
        """Return the memory of one accelerator that a pod gets; None where no class of the name says it."""
        kind = self.accelerators.get(resources.accelerator_class or "")
        return kind.memory_for(resources.sharing) if kind is not None else None
