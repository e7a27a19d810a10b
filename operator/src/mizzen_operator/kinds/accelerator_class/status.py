"""What is said of a class? Its figures, and whether nodes offer it and no other class counts the same devices."""

from collections.abc import Sequence
from datetime import datetime

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass, AcceleratorClassStatus
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing

from mizzen_operator.conditions.dated import dated
from mizzen_operator.conditions.verdict import Said, no, unknown, yes
from mizzen_operator.kinds.accelerator_class.capacity import class_capacity
from mizzen_operator.kinds.accelerator_class.nodes import Live, allocatable, matches, resources, schedulable
from mizzen_operator.kinds.accelerator_class.placement import resource_of

NAMED = 5
"""So many nodes are named in a message."""


def class_status(
    klass: AcceleratorClass,
    nodes: Sequence[Live] | None,
    pods: Sequence[Live],
    others: Sequence[AcceleratorClass],
    now: datetime,
) -> AcceleratorClassStatus:
    """Return the status to write; `nodes` is None where they could not be read, and the figures stay as they were."""
    if nodes is None:
        lost = unknown("The nodes could not be read in this pass.")
        said = dict.fromkeys((conditions.READY, conditions.NODES_AVAILABLE, conditions.DISJOINT), lost)
        return klass.status.model_copy(update=_dated(klass, said, now))
    mine = [node for node in nodes if matches(klass, node)]
    said = {
        conditions.READY: yes(conditions.COUNTED),
        conditions.NODES_AVAILABLE: nodes_available(klass, mine),
        conditions.DISJOINT: disjoint(klass, mine, others),
    }
    taking = sum(schedulable(node) for node in mine)
    figures = _figures(klass, nodes, pods) | {"nodes": len(mine), "schedulable_nodes": taking}
    return AcceleratorClassStatus().model_copy(update=figures | _dated(klass, said, now))


def nodes_available(klass: AcceleratorClass, mine: Sequence[Live]) -> Said:
    """Whether a schedulable node offers a resource of the class."""
    if not mine:
        labels = ", ".join(f"{name}={value}" for name, value in klass.spec.node_labels.items())
        return no(conditions.NO_NODE_MATCHES, f"No node has {labels or klass.spec.resource_name}.")
    taking = [node for node in mine if schedulable(node)]
    if not taking:
        return no(conditions.NODES_UNSCHEDULABLE, f"None of {len(mine)} nodes takes pods: {_names(mine)}.")
    if not any(allocatable(node, name) for node in taking for name in resources(klass)):
        text = f"{len(taking)} nodes match, and none offers {' or '.join(resources(klass))}: {_names(taking)}."
        return no(conditions.RESOURCE_NOT_OFFERED, text)
    return yes(conditions.NODES_FOUND, f"{len(taking)} of {len(mine)} nodes take pods.")


def disjoint(klass: AcceleratorClass, mine: Sequence[Live], others: Sequence[AcceleratorClass]) -> Said:
    """Whether no other class counts a resource of this one on the same node."""
    for other in sorted(others, key=lambda one: one.metadata.name):
        if other.metadata.name == klass.metadata.name:
            continue
        both = set(resources(klass)) & set(resources(other))
        twice = [node for node in mine if matches(other, node) and any(allocatable(node, name) for name in both)]
        if twice:
            text = f"Class {other.metadata.name} counts {', '.join(sorted(both))} of the same nodes: {_names(twice)}."
            return no(conditions.CLASSES_OVERLAP, text)
    return yes(conditions.CLASSES_DISJOINT)


def _figures(klass: AcceleratorClass, nodes: Sequence[Live], pods: Sequence[Live]) -> dict[str, int]:
    """Return whole accelerators and those divided into parts, the latter in accelerators: free ones are all free."""
    counted = [(class_capacity(klass, nodes, pods, mode), parts) for mode, parts in _ways(klass)]
    return {
        "allocatable": sum(room.allocatable // parts for one, parts in counted for room in one.rooms),
        "requested": sum(-(-room.requested // parts) for one, parts in counted for room in one.rooms),
        "free": sum(room.free // parts for one, parts in counted for room in one.rooms),
        "largest_free": max(one.largest_free // parts for one, parts in counted),
    }


def _ways(klass: AcceleratorClass) -> list[tuple[Sharing, int]]:
    """Return a mode and its parts per accelerator for each resource of the class: no device is counted twice."""
    by_resource = {klass.spec.resource_name: (Sharing.EXCLUSIVE, 1)}
    for offer in klass.spec.sharing:
        by_resource[resource_of(klass, offer)] = (offer.mode, offer.parts_per_accelerator)
    return list(by_resource.values())


def _names(nodes: Sequence[Live]) -> str:
    listed = sorted(str(node["metadata"]["name"]) for node in nodes)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more


def _dated(klass: AcceleratorClass, said: dict[str, Said], now: datetime) -> dict[str, object]:
    generation = klass.metadata.generation
    return {
        "observed_generation": generation,
        "conditions": dated(said, klass.status.conditions, generation, now),
    }
