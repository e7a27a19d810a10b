"""DeploymentStore over HTTP, the embedded stand-in for the Kubernetes API: objects and watch lines."""

from datetime import datetime
from typing import Any, Literal

from mizzen_crds.wire import Message

CLUSTER_SCOPE = "_"
"""Stands for the namespace of a cluster-scoped object in a path."""


class ObjectList(Message):
    """Answer of a list. Objects are plain dicts of the Kubernetes shape: apiVersion, kind, metadata, spec, status."""

    resource_version: str
    """Where a watch goes on from."""
    items: list[dict[str, Any]]
    """Objects, by namespace and name."""


class ObjectEvent(Message):
    """One line of a watch. A reader whose resource version is too old gets status 410 and lists again."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "HEARTBEAT"]
    """What happened; HEARTBEAT each second."""
    resource_version: str
    """Where to go on from after this line."""
    object: dict[str, Any] | None = None
    """The object after the change, or as it was when deleted."""


class Occurrence(Message):
    """An event for people, on one object; equal ones are counted, not repeated."""

    namespace: str
    """Namespace of the object."""
    name: str
    """Name of the object."""
    kind: str = "ModelDeployment"
    """Kind of the object."""
    type: Literal["Normal", "Warning"]
    """Normal or Warning."""
    reason: str
    """A constant."""
    message: str
    """For people."""
    time: datetime
    """When it was last seen, UTC."""
    count: int = 1
    """How often."""
