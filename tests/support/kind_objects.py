"""Projects, ModelRoutes and AcceleratorClasses as people write them to an API server, and what tests ask of them."""

from typing import Any

from support.cluster.objects import Object, Objects

API_VERSION = "mizzen.dev/v1alpha1"
GPU = "nvidia.com/gpu"


def written(kind: str, name: str, namespace: str = "", **spec: Any) -> Object:
    """An object; keywords are fields of the spec, camelCase."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def project(name: str, **spec: Any) -> Object:
    """A Project."""
    return written("Project", name, **spec)


def declare(objects: Objects, name: str, *namespaces: tuple[str, str], **spec: Any) -> None:
    """A Project object, and what the operator makes of it: namespaces with their states."""
    listed = [namespace for namespace, _ in namespaces]
    objects.apply(
        {
            "apiVersion": "mizzen.dev/v1alpha1",
            "kind": "Project",
            "metadata": {"name": name},
            "spec": {"namespaces": listed, **spec},
        }
    )
    for namespace, state in namespaces:
        if state == "Bound":
            marks = {"name": namespace, "labels": {"mizzen.dev/project": name}}
            objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": marks}, force=True)
    states = [{"name": namespace, "state": state, "project": name} for namespace, state in namespaces]
    objects.merge("Project", name, {"status": {"namespaces": states}}, subresource="status")


def route(name: str, namespace: str, *deployments: str, **spec: Any) -> Object:
    """A ModelRoute with one rule, whose backends are deployments."""
    backends = [{"deployment": one} for one in deployments]
    return written("ModelRoute", name, namespace, **{"rules": [{"name": "all", "backends": backends}], **spec})


def accelerator_class(name: str, **spec: Any) -> Object:
    """An AcceleratorClass; by default of every node with GPUs."""
    return written("AcceleratorClass", name, **{"resourceName": GPU, "memory": "80Gi", **spec})


def quota(klass: str, count: int) -> Object:
    """spec.quota of a Project: so many accelerators of one class."""
    return {"accelerators": [{"acceleratorClass": klass, "count": count}]}


def pod(name: str, namespace: str, gpus: int, **spec: Any) -> Object:
    """A pod that Pod Security "restricted" takes and that holds accelerators."""
    devices = {GPU: str(gpus)}
    locked = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    secure = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    resources = {"requests": devices, "limits": devices}
    container = {"name": "engine", "image": "engine", "resources": resources, "securityContext": locked}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container], "securityContext": secure, **spec},
    }


def events_about(objects: Objects, kind: str, name: str) -> list[Object]:
    """Events of the operator about an object, wherever they lie."""
    every = objects.list("Event", "*")
    return [
        one
        for one in every
        if (subject := one.get("involvedObject") or one.get("regarding") or {}).get("kind") == kind
        and subject.get("name") == name
    ]
