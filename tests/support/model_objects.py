"""ModelDeployments as people write them to an API server, and what tests ask of them and of their children."""

from collections.abc import Callable
from typing import Any

from support.cluster.cluster import condition
from support.cluster.objects import Object, Objects

CHILD_KINDS = ("ControllerRevision", "Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget")


def model(name: str, engine: str = "Simulated", uri: str = "hf://org/repo@main", **spec: Any) -> Object:
    """A ModelDeployment; keywords are fields of the spec, camelCase."""
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"uri": uri}, "engine": {"type": engine}, **spec},
    }


def looked_at(deployment: Object) -> bool:
    """The operator has written a status for this very spec."""
    status = deployment.get("status", {})
    return bool(status.get("observedGeneration") == deployment["metadata"]["generation"])


def says(kind: str, status: str = "True", reason: str = "") -> Callable[[Object], bool]:
    """A condition has that status (and reason), for the present spec."""

    def holds(deployment: Object) -> bool:
        found = condition(deployment, kind)
        return looked_at(deployment) and found.get("status") == status and reason in ("", found.get("reason"))

    return holds


is_ready = says("Ready")


def is_settled(deployment: Object) -> bool:
    """Ready, and nothing is on its way."""
    return is_ready(deployment) and not condition(deployment, "Reconciling")


def wait_ready(objects: Objects, name: str, seconds: float = 60.0) -> Object:
    """The deployment once it is Ready and settled."""
    return objects.wait("ModelDeployment", name, is_settled, seconds)


def children(objects: Objects, name: str) -> list[Object]:
    """Every child of a deployment."""
    selector = f"app.kubernetes.io/managed-by=mizzen,mizzen.dev/deployment={name}"
    return [one for kind in CHILD_KINDS for one in objects.list(kind, labels=selector)]


def workload(objects: Objects, name: str) -> Object:
    """The one Deployment that has replicas."""
    every = [one for one in children(objects, name) if one["kind"] == "Deployment" and one["spec"]["replicas"]]
    assert len(every) == 1, [one["metadata"]["name"] for one in every]
    return every[0]


def pods(objects: Objects, name: str) -> list[Object]:
    """Pods of a deployment, those that go included."""
    return objects.list("Pod", labels=f"mizzen.dev/deployment={name}")
