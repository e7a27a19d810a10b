"""How many devices does a pod hold? The scheduler's own arithmetic, over a pod as the API server has it."""

from mizzen_operator.kinds.accelerator_class.nodes import Live, whole

ENDED = frozenset({"Succeeded", "Failed"})


def holds(pod: Live) -> bool:
    """Whether the pod has not ended: also one that waits, and one that is being deleted and still runs."""
    return pod.get("status", {}).get("phase") not in ENDED


def requested(pod: Live, resource: str) -> int:
    """Return what the scheduler sets aside: containers and side-cars together, or the largest init container's need.

    Side-cars are init containers with restartPolicy Always: they run beside those after them and beside the containers.
    """
    spec = pod["spec"]
    beside = largest = 0
    for container in spec.get("initContainers") or []:
        wanted = _of(container, resource)
        if container.get("restartPolicy") == "Always":
            beside += wanted
            largest = max(largest, beside)
        else:
            largest = max(largest, beside + wanted)
    running = beside + sum(_of(container, resource) for container in spec["containers"])
    return max(running, largest)


def _of(container: Live, resource: str) -> int:
    """Extended resources have one figure: a request without a limit is refused, a limit alone is the request too."""
    named = container.get("resources") or {}
    return whole((named.get("requests") or {}).get(resource, (named.get("limits") or {}).get(resource, 0)))
