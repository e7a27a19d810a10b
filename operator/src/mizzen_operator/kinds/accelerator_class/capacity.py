"""What is free? Allocatable minus requested, for each class and each of its nodes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing

from mizzen_operator.kinds.accelerator_class.nodes import Live, allocatable, matches, resources, schedulable
from mizzen_operator.kinds.accelerator_class.placement import offered, resource_of
from mizzen_operator.kinds.accelerator_class.requests import holds, requested


@dataclass(frozen=True)
class NodeRoom:
    """One node's devices."""

    node: str
    allocatable: int
    requested: int

    @property
    def free(self) -> int:
        """Never below 0, although a device that failed can leave more requested than there are."""
        return max(0, self.allocatable - self.requested)


@dataclass(frozen=True)
class ClassCapacity:
    """One resource of a class over its schedulable nodes."""

    resource: str
    nodes: int
    """Nodes that match, schedulable or not."""
    rooms: tuple[NodeRoom, ...]
    """Schedulable nodes."""
    waiting: int
    """Devices that pods without a node ask for; they will take them before anything newer."""

    @property
    def allocatable(self) -> int:
        """Devices on schedulable nodes."""
        return sum(room.allocatable for room in self.rooms)

    @property
    def requested(self) -> int:
        """Devices of those that pods on these nodes hold."""
        return sum(room.requested for room in self.rooms)

    @property
    def free(self) -> int:
        """Devices that no pod holds, wherever they are."""
        return sum(room.free for room in self.rooms)

    @property
    def largest_free(self) -> int:
        """Most free devices on one node."""
        return max((room.free for room in self.rooms), default=0)

    def places(self, per_pod: int) -> int:
        """Return how many pods of `per_pod` >= 1 devices find a node, each on one; free devices may be scattered."""
        return sum(room.free // per_pod for room in self.rooms)


def class_capacity(
    klass: AcceleratorClass, nodes: Iterable[Live], pods: Sequence[Live], mode: Sharing = Sharing.EXCLUSIVE
) -> ClassCapacity:
    """Return what the class has in a mode of sharing; `pods` are those of the whole cluster."""
    offer = offered(klass, mode)
    resource = resource_of(klass, offer) if offer else klass.spec.resource_name
    mine = [node for node in nodes if matches(klass, node)]
    held = _held_by_node(pods, resource)
    rooms = tuple(
        NodeRoom(name, allocatable(node, resource), held.get(name, 0))
        for node in mine
        if schedulable(node) and (name := str(node["metadata"]["name"]))
    )
    waiting = sum(requested(pod, resource) for pod in pods if holds(pod) and _waits_for(klass, pod))
    return ClassCapacity(resource, len(mine), rooms, waiting)


def used_by(
    classes: Sequence[AcceleratorClass], nodes: Iterable[Live], pods: Iterable[Live], namespaces: Collection[str]
) -> Mapping[str, int]:
    """Return accelerators of each class that pods of these namespaces hold, parts rounded up to accelerators."""
    every = used_in_namespaces(classes, nodes, pods)
    return {one.metadata.name: sum(every.get((name, one.metadata.name), 0) for name in namespaces) for one in classes}


def used_in_namespaces(
    classes: Sequence[AcceleratorClass], nodes: Iterable[Live], pods: Iterable[Live]
) -> Mapping[tuple[str, str], int]:
    """Return accelerators by namespace and class that pods hold, parts rounded up to accelerators.

    A pod counts for the class of its node; before it has one, for the class whose labels its nodeSelector names.
    """
    by_node = {str(node["metadata"]["name"]): [one for one in classes if matches(one, node)] for node in nodes}
    used: dict[tuple[str, str], int] = {}
    for pod in pods:
        if not holds(pod):
            continue
        node = pod["spec"].get("nodeName")
        candidates = by_node.get(node, []) if node else [one for one in classes if _waits_for(one, pod)]
        for klass in candidates[:1]:
            place = (str(pod["metadata"]["namespace"]), klass.metadata.name)
            used[place] = used.get(place, 0) + _accelerators(klass, pod)
    return used


def _accelerators(klass: AcceleratorClass, pod: Live) -> int:
    parts = {resource_of(klass, offer): offer.parts_per_accelerator for offer in klass.spec.sharing}
    return sum(-(-requested(pod, name) // parts.get(name, 1)) for name in resources(klass))


def _waits_for(klass: AcceleratorClass, pod: Live) -> bool:
    """Whether a pod without a node asks for this class."""
    if pod["spec"].get("nodeName") or not any(requested(pod, name) for name in resources(klass)):
        return False
    selector = pod["spec"].get("nodeSelector") or {}
    return all(selector.get(name) == value for name, value in klass.spec.node_labels.items())


def _held_by_node(pods: Iterable[Live], resource: str) -> dict[str, int]:
    held: dict[str, int] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and holds(pod):
            held[node] = held.get(node, 0) + requested(pod, resource)
    return held
