"""How much room is left for one deployment's replicas? Its class's free devices, and what quotas leave. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing
from mizzen_crds.v1alpha1.project import Project

from mizzen_operator.kinds.accelerator_class.capacity import class_capacity
from mizzen_operator.kinds.accelerator_class.nodes import Live
from mizzen_operator.kinds.accelerator_class.placement import offered, resource_of
from mizzen_operator.kinds.project.quota import left
from mizzen_operator.observing.node_view import QuotaView
from mizzen_operator.rollout.fleet import Capacity

DEFAULT_RESOURCE = "nvidia.com/gpu"


@dataclass(frozen=True)
class Share:
    """The project that a deployment belongs to, and what its pods hold of each class."""

    project: Project
    used: Mapping[str, int]


def room_for(
    deployment: ModelDeployment,
    classes: Mapping[str, AcceleratorClass],
    nodes: Iterable[Live],
    claims: Sequence[Live],
    quotas: Iterable[QuotaView],
    share: Share | None = None,
) -> Capacity:
    """Return what is left. `claims` are the cluster's pods that ask for devices, `quotas` those of the namespace.

    Devices scattered over nodes count only where a whole pod finds them on one. Those that waiting pods will take are
    not free. Without a class nothing is known of nodes; a quota binds all the same.
    """
    per_pod = deployment.spec.resources.accelerators_per_pod
    if per_pod == 0:
        return Capacity()
    klass = classes.get(deployment.spec.resources.accelerator_class or "")
    mode = deployment.spec.resources.sharing
    resource = _resource(klass, mode)
    bounds = [(one.left[resource], f"ResourceQuota {one.name}") for one in quotas if resource in one.left]
    shared = _share(klass, mode, share)
    if shared is not None and klass is not None and share is not None:
        bounds.append((shared, f"spec.quota of project {share.project.metadata.name} for {klass.metadata.name}"))
    quota, name = min(bounds, default=(None, ""))
    if klass is None:
        return Capacity(None, quota, quota=name)
    room = class_capacity(klass, _selected(deployment, nodes), claims, mode)
    left_over = room.places(per_pod) * per_pod - room.waiting
    return Capacity(max(0, left_over), quota, max(0, -left_over), name, shared, room)


def _selected(deployment: ModelDeployment, nodes: Iterable[Live]) -> Iterable[Live]:
    """Nodes that spec.placement.nodeSelector leaves. The scheduler alone judges affinity, taints, CPUs and memory."""
    wanted = deployment.spec.placement.node_selector.items()
    return [one for one in nodes if wanted <= (one["metadata"].get("labels") or {}).items()]


def _share(klass: AcceleratorClass | None, mode: Sharing, share: Share | None) -> int | None:
    """Devices of the class that the project's own quota leaves, counted as its pods ask for them."""
    if klass is None or share is None:
        return None
    accelerators = left(share.project, klass.metadata.name, share.used)
    offer = offered(klass, mode)
    return None if accelerators is None else accelerators * (offer.parts_per_accelerator if offer else 1)


def _resource(klass: AcceleratorClass | None, mode: Sharing) -> str:
    if klass is None:
        return DEFAULT_RESOURCE
    offer = offered(klass, mode)
    return resource_of(klass, offer) if offer else klass.spec.resource_name
