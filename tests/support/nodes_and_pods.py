"""Builders of nodes and pods, as the API server has them, for tests of capacity."""

from typing import Any

H100 = {"nvidia.com/gpu.product": "H100"}


def node(name: str, gpus: int | str = 8, *, ready: bool = True, cordoned: bool = False, **more: Any) -> dict[str, Any]:
    """Return a node of H100s; keywords are `labels` and `allocatable` instead of those."""
    return {
        "metadata": {"name": name, "labels": more.get("labels", H100)},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "allocatable": more.get("allocatable", {"nvidia.com/gpu": str(gpus), "cpu": "96"}),
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        },
    }


def container(gpus: int = 0, resource: str = "nvidia.com/gpu", **more: Any) -> dict[str, Any]:
    """Return a container that asks for devices."""
    wanted = {"requests": {resource: str(gpus)}, "limits": {resource: str(gpus)}} if gpus else {}
    return {"name": "engine", "resources": wanted, **more}


def pod(
    gpus: int = 1, on: str = "", *, namespace: str = "team-a", phase: str = "Running", **spec: Any
) -> dict[str, Any]:
    """Return a pod; `on` is its node, empty while it waits."""
    placed = {"nodeName": on} if on else {}
    body = {"containers": [container(gpus, spec.pop("resource", "nvidia.com/gpu"))]} | placed | spec
    return {"metadata": {"name": "p", "namespace": namespace}, "spec": body, "status": {"phase": phase}}
