"""The definition of Kueue's LocalQueue, as far as it counts here; it stands in for Kueue, and nothing admits."""

from typing import Any, Final

from support.cluster.cluster import condition
from support.cluster.objects import Objects

NAME: Final = "localqueues.kueue.x-k8s.io"
_QUEUE: Final = {"type": "object", "properties": {"clusterQueue": {"type": "string"}}}
_STATUS: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def install_queues(objects: Objects) -> None:
    """Make the kind known to an API server."""
    objects.create(_definition())
    objects.wait("CustomResourceDefinition", NAME, lambda one: condition(one, "Established").get("status") == "True")


def remove_queues(objects: Objects) -> None:
    """Take the kind and every LocalQueue away again."""
    objects.delete("CustomResourceDefinition", NAME)


def _definition() -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": _QUEUE, "status": _STATUS}}}
    version = {"name": "v1beta1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    names = {"kind": "LocalQueue", "plural": "localqueues", "singular": "localqueue", "listKind": "LocalQueueList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "annotations": {"api-approved.kubernetes.io": "unapproved, test-only"}},
        "spec": {"group": "kueue.x-k8s.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }
