"""What is kept of nodes, of pods that hold accelerators, and of quotas? The fields that room is counted from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mizzen_operator.kinds.accelerator_class.nodes import Live, whole

REQUESTS = "requests."


def node_view(node: Mapping[str, Any]) -> Live:
    """Return the node with labels, what it offers, and whether it takes pods."""
    metadata, status = node["metadata"], node.get("status") or {}
    kept = {name: metadata[name] for name in ("name", "labels", "deletionTimestamp") if name in metadata}
    ready = [one for one in status.get("conditions") or () if one["type"] == "Ready"]
    return {
        "metadata": kept,
        "spec": {"unschedulable": bool((node.get("spec") or {}).get("unschedulable"))},
        "status": {
            "allocatable": {name: value for name, value in (status.get("allocatable") or {}).items() if "/" in name},
            "conditions": [{"type": "Ready", "status": one["status"]} for one in ready],
        },
    }


def claim_view(pod: Mapping[str, Any]) -> Live | None:
    """Return where a pod is or wants to be and which devices it asks for; None for one that asks for none."""
    spec = pod.get("spec") or {}
    init = [one for container in spec.get("initContainers") or () if (one := _devices(container))]
    containers = [one for container in spec.get("containers") or () if (one := _devices(container))]
    if not init and not containers:
        return None
    metadata = pod["metadata"]
    return {
        "metadata": {"name": metadata["name"], "namespace": metadata.get("namespace", "")},
        "spec": {
            "nodeName": spec.get("nodeName", ""),
            "nodeSelector": spec.get("nodeSelector") or {},
            "initContainers": init,
            "containers": containers,
        },
        "status": {"phase": (pod.get("status") or {}).get("phase", "")},
    }


def _devices(container: Mapping[str, Any]) -> dict[str, Any] | None:
    """Extended resources have a domain in their names."""
    named = container.get("resources") or {}
    asked = {**(named.get("limits") or {}), **(named.get("requests") or {})}
    devices = {name: value for name, value in asked.items() if "/" in name}
    if not devices:
        return None
    return {"resources": {"requests": devices}, "restartPolicy": container.get("restartPolicy", "")}


@dataclass(frozen=True, slots=True)
class QuotaView:
    """One ResourceQuota, as far as it bounds devices."""

    name: str
    left: Mapping[str, int]
    """By the resource whose requests it bounds."""


def quota_view(quota: Mapping[str, Any]) -> QuotaView:
    """Return what a ResourceQuota leaves."""
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    left = {
        name.removeprefix(REQUESTS): max(0, whole(bound) - whole(used.get(name, 0)))
        for name, bound in hard.items()
        if name.startswith(REQUESTS) and "/" in name
    }
    return QuotaView(quota["metadata"]["name"], left)
