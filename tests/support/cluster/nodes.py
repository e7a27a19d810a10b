"""What are the nodes of a cluster without containers, and how do pods behave on them? Plain data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ACCELERATOR = "nvidia.com/gpu"
_Object = dict[str, Any]


@dataclass(frozen=True)
class Nodes:
    """Some nodes alike; they are named `prefix-0`, `prefix-1`, …"""

    count: int = 1
    accelerators: int = 8
    prefix: str = "node"
    product: str = "NVIDIA-H100-80GB-HBM3"
    """Label `nvidia.com/gpu.product`, as NVIDIA's feature discovery writes it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    cpu: str = "128"
    memory: str = "2Ti"
    pods: str = "250"

    def manifests(self) -> Iterator[_Object]:
        """The Node objects; kwok makes them ready."""
        capacity = {"cpu": self.cpu, "memory": self.memory, "pods": self.pods}
        if self.accelerators:
            capacity[ACCELERATOR] = str(self.accelerators)
        for number in range(self.count):
            name = f"{self.prefix}-{number}"
            labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
            if self.accelerators:
                labels["nvidia.com/gpu.product"] = self.product
            yield {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": {**labels, **self.labels}},
                "status": {"capacity": capacity, "allocatable": capacity},
            }


@dataclass(frozen=True)
class Failure:
    """A container that ends again and again, as the kubelet reports it."""

    exit_code: int = 1
    message: str = "the engine ended"
    """The termination message: what the container left as its last words."""
    reason: str = "Error"
    init: bool = False
    """An init container fails, so that no other starts."""


@dataclass(frozen=True)
class Behaviour:
    """What becomes of pods once they are scheduled; of all, or of those with one label."""

    label: tuple[str, str] | None = None
    """Name and value."""
    ready_after: float | None = 0.1
    """Seconds; None means that they run and never become ready."""
    failure: Failure | None = None
    gone_after: float = 0.1
    """Seconds from the wish to delete a pod to its end."""
