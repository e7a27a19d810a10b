"""How much room is left for one deployment's replicas? Its class's free devices, and what quotas leave. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing

from mizzen_operator.kinds.accelerator_class.capacity import class_capacity
from mizzen_operator.kinds.accelerator_class.nodes import Live
from mizzen_operator.kinds.accelerator_class.placement import offered, resource_of
from mizzen_operator.rollout.fleet import Capacity

DEFAULT_RESOURCE = "nvidia.com/gpu"


def room_for(
    deployment: ModelDeployment,
    classes: Mapping[str, AcceleratorClass],
    nodes: Iterable[Live],
    claims: Sequence[Live],
    quotas: Iterable[Mapping[str, int]],
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
    left = [one[resource] for one in quotas if resource in one]
    quota = min(left) if left else None
    if klass is None:
        return Capacity(None, quota)
    room = class_capacity(klass, nodes, claims, mode)
    left_over = room.places(per_pod) * per_pod - room.waiting
    return Capacity(max(0, left_over), quota, max(0, -left_over))


def _resource(klass: AcceleratorClass | None, mode: Sharing) -> str:
    if klass is None:
        return DEFAULT_RESOURCE
    offer = offered(klass, mode)
    return resource_of(klass, offer) if offer else klass.spec.resource_name
