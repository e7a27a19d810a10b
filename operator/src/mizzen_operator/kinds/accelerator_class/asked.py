"""Can a class give what a deployment asks for? The class, its way of sharing, and room on its nodes."""

from collections.abc import Mapping
from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing

from mizzen_operator.counted import counted, verb
from mizzen_operator.kinds.accelerator_class.capacity import ClassCapacity
from mizzen_operator.kinds.accelerator_class.placement import offered
from mizzen_operator.observation import Refusal

NAMED: Final = 5
"""So many nodes are named in a message, those with most room first."""


def class_refusal(deployment: ModelDeployment, classes: Mapping[str, AcceleratorClass]) -> Refusal | None:
    """Return why no class gives what is asked for; None where one does, or where the deployment names none."""
    wanted = deployment.spec.resources
    if wanted.accelerator_class is None:
        return None
    klass = classes.get(wanted.accelerator_class)
    if klass is None:
        listed = ", ".join(sorted(classes)) or "none"
        text = f"spec.resources.acceleratorClass: there is no {wanted.accelerator_class}; there are {listed}."
        return Refusal(conditions.ACCELERATOR_CLASS_NOT_FOUND, text)
    if wanted.accelerators_per_pod and offered(klass, wanted.sharing) is None:
        modes = ", ".join(offer.mode for offer in klass.spec.sharing) or Sharing.EXCLUSIVE.value
        text = f"spec.resources.sharing: class {klass.metadata.name} offers {modes}, not {wanted.sharing}."
        return Refusal(conditions.SHARING_NOT_OFFERED, text)
    return None


def room_refusal(deployment: ModelDeployment, capacity: ClassCapacity, pods: int) -> Refusal | None:
    """Return why so many more pods find no place, with what is needed and what is free where; None where they do."""
    name, each = deployment.spec.resources.accelerator_class or capacity.resource, _per_pod(deployment)
    if not each or pods <= 0:
        return None
    if not capacity.rooms or not capacity.allocatable:
        text = f"No node that takes pods offers {capacity.resource} of class {name}; "
        text += f"{counted(capacity.nodes, 'node')} {verb(capacity.nodes, 'matches', 'match')}."
        return Refusal(conditions.NO_NODE_OF_CLASS, text)
    places = capacity.places(each)
    if places >= pods:
        return None
    text = (
        f"{counted(pods, 'more pod')} {verb(pods, 'needs', 'need')} {pods * each} {capacity.resource} of class {name}, "
        f"{each} on one node; {capacity.free} {verb(capacity.free, 'is', 'are')} free, room for "
        f"{counted(places, 'pod')}: {free_places(capacity)}."
    )
    if each > (largest := max(room.allocatable for room in capacity.rooms)):
        text += f" No node of the class has more than {largest} in all, so none can ever take such a pod: lower "
        text += "spec.resources.acceleratorsPerPod, spread a replica by spec.multiNode, or add a larger node."
    return Refusal(conditions.INSUFFICIENT_ACCELERATORS, text)


def _per_pod(deployment: ModelDeployment) -> int:
    return deployment.spec.resources.accelerators_per_pod


def free_places(capacity: ClassCapacity) -> str:
    """Return what is free on which nodes, for people; those with most room first."""
    rooms = sorted(capacity.rooms, key=lambda room: (-room.free, room.node))
    more = f" and {len(rooms) - NAMED} more nodes" if len(rooms) > NAMED else ""
    return ", ".join(f"{room.node} {room.free} of {room.allocatable}" for room in rooms[:NAMED]) + more
