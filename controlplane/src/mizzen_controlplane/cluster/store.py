"""What can a keeper of custom resources do? SQL on one machine, the Kubernetes API in a cluster, one interface."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mizzen_crds.store import ObjectEvent, ObjectList

from mizzen_controlplane.cluster.objects import Document, ObjectKey, Wanted


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to an object, for people; equal ones are counted."""

    type: str
    """Normal or Warning."""
    reason: str
    message: str
    first_seen: datetime
    last_seen: datetime
    count: int


class DeploymentStore(Protocol):
    """Reads and writes objects. Writes raise Conflict, with the code in quotes, where the object is not as expected."""

    async def get(self, key: ObjectKey) -> Document | None:
        """The object."""
        ...

    async def list_objects(self, kind: str, namespace: str | None) -> ObjectList:
        """Objects of a kind, in one namespace or in all."""
        ...

    async def apply(self, key: ObjectKey, wanted: Wanted) -> Document:
        """Create or replace; writes nothing where nothing changes. "uid_mismatch", "stale_resource_version"."""
        ...

    async def happened(self, key: ObjectKey, limit: int) -> list[Happened]:
        """What happened to an object, newest first."""
        ...

    async def write_status(self, key: ObjectKey, uid: str, status: dict[str, Any]) -> Document:
        """Replace the status; NotFound without the object, "uid_mismatch" for another one of its name."""
        ...

    async def delete(self, key: ObjectKey, uid: str) -> Document | None:
        """Remove the object, if it is there; with a uid, only that one."""
        ...


class ObjectWatch(Protocol):
    """Follows changes."""

    async def check(self, kinds: Sequence[str], after: int) -> None:
        """Raise Gone where `after` is too old to go on from, for any of the kinds."""
        ...

    def watch(self, kinds: Sequence[str], after: int) -> AsyncIterator[ObjectEvent]:
        """Every change after the resource version, in order, and a heartbeat each second; for ever."""
        ...
