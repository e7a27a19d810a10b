"""Which nodes belong to a class, and which of them take pods?"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass

Live = Mapping[str, Any]
"""A node or a pod, as the API server has it."""


def matches(klass: AcceleratorClass, node: Live) -> bool:
    """Whether the node has all labels of the class and, where the class names none, one of its resources."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(name) != value for name, value in klass.spec.node_labels.items()):
        return False
    return bool(klass.spec.node_labels) or any(allocatable(node, name) for name in resources(klass))


def schedulable(node: Live) -> bool:
    """Whether the node is ready, not cordoned and not on its way out."""
    if node.get("spec", {}).get("unschedulable") or node["metadata"].get("deletionTimestamp"):
        return False
    said = node.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in said)


def resources(klass: AcceleratorClass) -> tuple[str, ...]:
    """Return the resource of whole accelerators, then those of parts."""
    parts = (offer.resource_name for offer in klass.spec.sharing if offer.resource_name)
    return tuple(dict.fromkeys((klass.spec.resource_name, *parts)))


def allocatable(node: Live, resource: str) -> int:
    """Return how many of a resource the node offers."""
    return whole((node.get("status", {}).get("allocatable") or {}).get(resource, 0))


def whole(quantity: object) -> int:
    """Return a count of devices as a number; 0 for what is none, so that a strange node offers nothing."""
    text = str(quantity)
    factor = 1000 if text.endswith("k") else 1
    try:
        return int(Decimal(text.removesuffix("k")) * factor)
    except InvalidOperation:
        return 0
