"""What does a write make of an object? The rules of the Kubernetes API, as pure functions over plain dicts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from mizzen_crds.store import CLUSTER_SCOPE

KINDS: Final = ("ModelDeployment", "ServingRuntime", "EndpointSet")
"""Kinds that the store keeps."""

CLUSTER_SCOPED: Final = ("ServingRuntime",)
"""Those of them without a namespace."""

API_VERSION: Final = "mizzen.dev/v1alpha1"

_FIRST_STATUS: Final[dict[str, dict[str, Any]]] = {"ModelDeployment": {"observedGeneration": -1}}
"""Status of a fresh object, as the CRD's schema defaults it."""

Document = dict[str, Any]
"""An object of the Kubernetes shape: apiVersion, kind, metadata, spec, status."""


@dataclass(frozen=True)
class ObjectKey:
    """Where an object is kept. The namespace of a cluster-scoped object is `_`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Kind and path, for people."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Wanted:
    """What a writer asks for: everything of an object that is not status or bookkeeping."""

    labels: dict[str, str]
    annotations: dict[str, str]
    spec: dict[str, Any]
    manager: str
    """Field owner."""
    uid: str = ""
    """Write only to the object of this uid, where given."""
    resource_version: str = ""
    """Write only to this version, where given."""
    partial: bool = False
    """What is not named stays with the field managers that own it (an autoscaler's replicas), where there are several.
    A change of what was read names everything, so that what it lacks goes."""


def wanted_of(document: Document, manager: str) -> Wanted:
    """The wish in a body of the Kubernetes shape."""
    metadata = document.get("metadata") or {}
    return Wanted(
        labels=dict(metadata.get("labels") or {}),
        annotations=dict(metadata.get("annotations") or {}),
        spec=dict(document.get("spec") or {}),
        manager=manager,
        uid=metadata.get("uid") or "",
        resource_version=metadata.get("resourceVersion") or "",
    )


def created(key: ObjectKey, wanted: Wanted, uid: str, now: datetime) -> Document:
    """A fresh object, without its resource version."""
    metadata: Document = {"name": key.name}
    if key.namespace != CLUSTER_SCOPE:
        metadata["namespace"] = key.namespace
    metadata |= {"uid": uid, "generation": 1, "creationTimestamp": timestamp(now)}
    metadata |= _owned_metadata(wanted, now)
    return {
        "apiVersion": API_VERSION,
        "kind": key.kind,
        "metadata": metadata,
        "spec": wanted.spec,
        "status": dict(_FIRST_STATUS.get(key.kind, {})),
    }


def replaced(existing: Document, wanted: Wanted, now: datetime) -> Document | None:
    """The object with the wish carried out, or None where nothing changes. Only a new spec raises the generation."""
    before = existing["metadata"]
    same_spec = existing["spec"] == wanted.spec
    same_labels = before.get("labels", {}) == wanted.labels
    if same_spec and same_labels and before.get("annotations", {}) == wanted.annotations:
        return None
    metadata = before | _owned_metadata(wanted, now)
    metadata["generation"] = before["generation"] + (0 if same_spec else 1)
    return existing | {"metadata": metadata, "spec": wanted.spec}


def with_status(existing: Document, status: dict[str, Any]) -> Document | None:
    """The object with another status, or None where it is the same. The generation stays."""
    return None if existing.get("status", {}) == status else existing | {"status": status}


def with_version(document: Document, resource_version: int) -> Document:
    """The object as of a resource version."""
    return document | {"metadata": document["metadata"] | {"resourceVersion": str(resource_version)}}


def managers_of(document: Document) -> tuple[str, ...]:
    """Who owns the object's labels, annotations and spec, or parts of them."""
    return tuple(str(entry.get("manager", "")) for entry in document["metadata"].get("managedFields", []))


def timestamp(moment: datetime) -> str:
    """A moment as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _owned_metadata(wanted: Wanted, now: datetime) -> Document:
    entry = {"manager": wanted.manager, "operation": "Apply", "apiVersion": API_VERSION, "time": timestamp(now)}
    return {"labels": wanted.labels, "annotations": wanted.annotations, "managedFields": [entry]}
