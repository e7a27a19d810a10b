"""What bounds a project's namespaces? A ResourceQuota, or Kueue's LocalQueue."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.project import Project

from mizzen_operator.kinds.accelerator_class.placement import resource_of

Manifest = dict[str, Any]
QUOTA_NAME: Final = "mizzen-project"


def is_queued(project: Project, kueue: str) -> bool:
    """Whether Kueue admits the project's pods; `kueue` is empty in a cluster without it, which has no queues."""
    return project.spec.queue is not None and bool(kueue)


def hard(project: Project, classes: Mapping[str, AcceleratorClass], kueue: str) -> dict[str, str]:
    """Return spec.hard of the ResourceQuota of each namespace; empty where nothing is bound.

    Kubernetes counts a resource, not a class: classes of one resource share the sum of their counts there. What is left
    to tell apart (classes of one resource, the total over several namespaces) the operator holds before it starts pods.
    Where Kueue admits, its ClusterQueue bounds accelerators, and pods that wait in it must not fill a ResourceQuota.
    """
    bounds = {name: str(amount) for name, amount in project.spec.quota.resources.items()}
    if project.spec.quota.accelerators and not is_queued(project, kueue):
        devices = _devices(project, classes)
        bounds |= {f"requests.{resource}": str(count) for resource, count in sorted(devices.items())}
    return bounds


def _devices(project: Project, classes: Mapping[str, AcceleratorClass]) -> dict[str, int]:
    """Return how many of each resource a namespace may hold: 0 where the quota names none of its classes."""
    counts = {entry.accelerator_class: entry.count for entry in project.spec.quota.accelerators}
    devices: dict[str, int] = {}
    for name, klass in classes.items():
        for resource, parts in _parts(klass).items():
            devices[resource] = devices.get(resource, 0) + counts.get(name, 0) * parts
    return devices


def _parts(klass: AcceleratorClass) -> dict[str, int]:
    """Return each resource of a class with its devices per accelerator."""
    parts = {klass.spec.resource_name: 1}
    return parts | {resource_of(klass, offer): offer.parts_per_accelerator for offer in klass.spec.sharing}


def resource_quota(metadata: Manifest, bounds: Mapping[str, str]) -> Manifest:
    """Return the ResourceQuota with the given metadata."""
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": dict(bounds)}}


def local_queue(metadata: Manifest, cluster_queue: str, api_version: str) -> Manifest:
    """Return Kueue's LocalQueue with the given metadata."""
    return {
        "apiVersion": api_version,
        "kind": "LocalQueue",
        "metadata": metadata,
        "spec": {"clusterQueue": cluster_queue},
    }


def unknown_classes(project: Project, classes: Mapping[str, AcceleratorClass]) -> Sequence[str]:
    """Return classes that the quota names and that do not exist."""
    return [one.accelerator_class for one in project.spec.quota.accelerators if one.accelerator_class not in classes]


def left(project: Project, accelerator_class: str, used: Mapping[str, int]) -> int | None:
    """Return how many more accelerators of a class the project may hold, by the operator's own count.

    None without a quota of accelerators. Never below 0. Not to be asked where Kueue decides (see `is_queued`).
    """
    counts = {entry.accelerator_class: entry.count for entry in project.spec.quota.accelerators}
    if not counts:
        return None
    return max(0, counts.get(accelerator_class, 0) - used.get(accelerator_class, 0))
