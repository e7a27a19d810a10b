"""Where is what a deployment's containers printed? In the files of this machine's pods, or with the API server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict


@dataclass(frozen=True, slots=True)
class Container:
    """One that has a log."""

    pod: str
    name: str


class LogSource(Protocol):
    """Who has the logs."""

    async def containers(self, namespace: str, deployment: str) -> list[Container]:
        """Containers of the deployment's pods, in the order in which they start."""
        ...

    def lines(self, namespace: str, container: Container, tail: int, *, follow: bool) -> AsyncIterator[bytes]:
        """The last `tail` lines (all, where negative), and with `follow` those that come, each without its end.

        Ends where there is nothing to read, yet or any more.
        """
        ...


def log_source(plane: Plane) -> LogSource:
    """The installation's; raises Conflict where it has none."""
    if plane.cluster is not None:
        from mizzen_controlplane.cluster.kubernetes_logs import KubernetesLogs  # one machine needs no client

        return KubernetesLogs(plane.cluster)
    if plane.settings.pods_dir is None:
        raise Conflict(
            "This control plane does not know where the pods' logs are: set MIZZEN_PODS_DIR to the folder `pods` of "
            "the machine's data folder, or read them where the pods run.",
            code="no_logs_here",
        )
    from mizzen_controlplane.cluster.pod_files import PodFiles

    return PodFiles(plane.settings.pods_dir)
