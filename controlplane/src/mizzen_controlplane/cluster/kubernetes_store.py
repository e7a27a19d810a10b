"""The DeploymentStore over the Kubernetes API: the custom resources are the objects, and nothing is kept beside them.

One instance serves one request. What it wrote is in the name of the caller's field manager, so that `kubectl apply`, a
GitOps tool and an autoscaler are told when they and the REST API want different things.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final

from mizzen_crds.store import CLUSTER_SCOPE, ObjectList
from mizzen_crds.v1alpha1 import labels
from mizzen_kube.api import Api, Selection
from mizzen_kube.errors import ApiError, ConflictError, NotFoundError
from mizzen_kube.resources import EVENTS, MODEL_DEPLOYMENTS, NAMESPACES, SERVING_RUNTIMES, Resource

from mizzen_controlplane.cluster.api_refusals import problem_of, translated
from mizzen_controlplane.cluster.expectations import other_object, require_expected
from mizzen_controlplane.cluster.field_owners import told_by_owner
from mizzen_controlplane.cluster.kubernetes_events import happened
from mizzen_controlplane.cluster.objects import API_VERSION, Document, ObjectKey, Wanted
from mizzen_controlplane.cluster.store import Happened
from mizzen_controlplane.kit.problem import Conflict, NotFound

RESOURCES: Final[Mapping[str, Resource]] = {
    "ModelDeployment": MODEL_DEPLOYMENTS,
    "ServingRuntime": SERVING_RUNTIMES,
}
"""Kinds that the API server has. It has no EndpointSet: gateways read EndpointSlices."""
TRIES: Final = 20
"""A write may meet a status that is written at the same moment, which takes nothing from what the caller decided."""
PAUSE_SECONDS: Final = 0.02
SYSTEM: Final = "kube-"
"""Namespaces of Kubernetes itself begin so."""
STATUS_MANAGER: Final = "mizzen-controlplane"


class KubernetesDeploymentStore:
    """A DeploymentStore for one request."""

    def __init__(self, api: Api, project: str = "", reserved: str = "", *, dry_run: bool = False) -> None:
        """`project` is the only one whose namespaces are written to; empty for any. `reserved` is no project's.

        With `dry_run` the server checks and answers every write as ever, and keeps nothing of it.
        """
        self._api = api
        self._project = project
        self._reserved = reserved
        self._dry_run = dry_run
        self._read: dict[ObjectKey, Document | None] = {}

    async def get(self, key: ObjectKey) -> Document | None:
        """The object."""
        found = await self._get(key)
        self._read[key] = found
        return told_by_owner(found) if found else None

    async def list_objects(self, kind: str, namespace: str | None) -> ObjectList:
        """Objects of a kind, in one namespace or in all."""
        if kind not in RESOURCES:
            return ObjectList(resource_version="0", items=[])
        with translated(kind):
            items, version = await self._api.list(RESOURCES[kind], Selection(namespace or ""))
        ordered = sorted(items, key=lambda one: (one["metadata"].get("namespace", ""), one["metadata"]["name"]))
        return ObjectList(resource_version=version, items=[told_by_owner(one) for one in ordered])

    async def apply(self, key: ObjectKey, wanted: Wanted) -> Document:
        """Create or replace; with `wanted.partial` what it does not name stays with whom it belongs to."""
        await self._require_own_namespace(key)
        for _ in range(TRIES):
            present = await self._get(key)
            require_expected(key, present, wanted)
            self._require_as_read(key, present)
            try:
                return told_by_owner(await self._write(key, present, wanted))
            except ConflictError as error:
                if wanted.resource_version:
                    raise problem_of(error, key) from error
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311 - out of step with the other writer
        raise Conflict(f"{key} changed at each of {TRIES} tries; repeat the change.", code="changed_meanwhile")

    async def write_status(self, key: ObjectKey, uid: str, status: dict[str, Any]) -> Document:
        """Replace the status. In a cluster the operator alone may do so."""
        present = await self._get(key)
        if present is None:
            raise NotFound(f"There is no {key}: it was deleted, so there is nothing to report on.")
        if present["metadata"]["uid"] != uid:
            raise other_object(key, present["metadata"]["uid"], uid)
        if present.get("status") == status:
            return told_by_owner(present)
        with translated(key):
            written = await self._api.put_status(present | {"status": status}, field_manager=STATUS_MANAGER)
        return told_by_owner(written)

    async def delete(self, key: ObjectKey, uid: str) -> Document | None:
        """Remove the object; its children go with it."""
        await self._require_own_namespace(key)
        present = await self._get(key)
        if present is None:
            return None
        found = present["metadata"]["uid"]
        if uid and found != uid:
            raise other_object(key, found, uid)
        try:
            with translated(key):
                await self._api.delete(RESOURCES[key.kind], key.name, _namespace(key), uid=found, dry_run=self._dry_run)
        except Conflict as error:
            raise other_object(key, "", found) from error
        return told_by_owner(present)

    async def happened(self, key: ObjectKey, limit: int) -> list[Happened]:
        """What happened to an object, newest first: its Events, for as long as the cluster keeps them."""
        selector = f"regarding.kind={key.kind},regarding.name={key.name}"
        with translated(key):
            events, _ = await self._api.list(EVENTS, Selection(_namespace(key), field_selector=selector))
        return happened(events)[:limit]

    async def _get(self, key: ObjectKey) -> Document | None:
        if key.kind not in RESOURCES:
            return None
        try:
            return await self._api.get(RESOURCES[key.kind], key.name, _namespace(key))
        except NotFoundError:
            return None
        except ApiError as error:
            raise problem_of(error, key) from error

    async def _write(self, key: ObjectKey, present: Document | None, wanted: Wanted) -> Document:
        """Raises ConflictError where the object changed since it was read."""
        try:
            if present is None:
                manifest = _manifest(key, wanted, {})
                return await self._api.make(manifest, field_manager=wanted.manager, dry_run=self._dry_run)
            if wanted.partial:
                identity = {name: present["metadata"][name] for name in ("uid", "resourceVersion")}
                manifest = _manifest(key, wanted, identity)
                return await self._api.apply(manifest, field_manager=wanted.manager, dry_run=self._dry_run)
            if _same(present, wanted):
                return present
            return await self._replace(key, present, wanted)
        except ConflictError:
            raise
        except ApiError as error:
            raise problem_of(error, key) from error

    async def _replace(self, key: ObjectKey, present: Document, wanted: Wanted) -> Document:
        """Of what is there, only what differs becomes the field manager's."""
        operations = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": present["metadata"]["resourceVersion"]},
            {"op": "add", "path": "/metadata/labels", "value": wanted.labels},
            {"op": "add", "path": "/metadata/annotations", "value": wanted.annotations},
            {"op": "add", "path": "/spec", "value": wanted.spec},
        ]
        return await self._api.json_patch(
            RESOURCES[key.kind],
            key.name,
            _namespace(key),
            operations,
            field_manager=wanted.manager,
            dry_run=self._dry_run,
        )

    def _require_as_read(self, key: ObjectKey, present: Document | None) -> None:
        """What the caller decided upon must still hold; a status that changed meanwhile takes nothing from it."""
        if key in self._read and _content(self._read[key]) != _content(present):
            raise Conflict(
                f"{key} was changed by someone else at this moment. Read it again, then repeat the change.",
                code="changed_meanwhile",
            )

    async def _require_own_namespace(self, key: ObjectKey) -> None:
        """A namespace of another project is not written to, whatever the database says of its name."""
        if not self._project or key.namespace == CLUSTER_SCOPE:
            return
        if key.namespace == self._reserved or key.namespace.startswith(SYSTEM):
            raise Conflict(
                f"The namespace {key.namespace!r} is the platform's own: name another in the Project {self._project}.",
                code="reserved_namespace",
            )
        with translated(key):
            found = await self._api.get(NAMESPACES, key.namespace, metadata_only=True)
        owner = (found["metadata"].get("labels") or {}).get(labels.PROJECT) or key.namespace
        if owner != self._project:
            raise Conflict(
                f"The namespace {key.namespace!r} belongs to project {owner!r} (label {labels.PROJECT}), not to "
                f"{self._project!r}. Name another namespace in the Project {self._project}.",
                code="namespace_of_another_project",
            )


def _manifest(key: ObjectKey, wanted: Wanted, identity: Document) -> Document:
    metadata: Document = {"name": key.name} | identity
    if key.namespace != CLUSTER_SCOPE:
        metadata["namespace"] = key.namespace
    marks = {"labels": wanted.labels, "annotations": wanted.annotations}
    metadata |= {name: value for name, value in marks.items() if value}
    return {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "spec": wanted.spec}


def _namespace(key: ObjectKey) -> str:
    return "" if key.namespace == CLUSTER_SCOPE else key.namespace


def _content(document: Document | None) -> tuple[Any, ...]:
    if document is None:
        return ()
    metadata = document["metadata"]
    return (metadata["uid"], document.get("spec"), metadata.get("labels") or {}, metadata.get("annotations") or {})


def _same(present: Document, wanted: Wanted) -> bool:
    return _content(present)[1:] == (wanted.spec, wanted.labels, wanted.annotations)
