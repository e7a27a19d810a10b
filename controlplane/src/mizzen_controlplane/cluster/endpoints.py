"""Routes of objects, for programs: the embedded stand-in for the Kubernetes API."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Response
from fastapi.responses import StreamingResponse
from mizzen_crds.store import CLUSTER_SCOPE, ObjectList, Occurrence
from pydantic import BaseModel

from mizzen_controlplane.cluster import occurrences
from mizzen_controlplane.cluster.objects import CLUSTER_SCOPED, KINDS, ObjectKey, wanted_of
from mizzen_controlplane.cluster.stores import reading_store, watch_of, writing_store
from mizzen_controlplane.cluster.validation import validated
from mizzen_controlplane.kit.auth import Allow, Permission
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.problem import NotFound, invalid_field
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.stream import ndjson

router = api_router("cluster")
READS = Depends(Allow(Permission.OBJECTS_READ))
WRITES = Depends(Allow(Permission.OBJECTS_WRITE))
_Name = Annotated[str, Path(max_length=63, pattern=r"^[a-z0-9_]([-a-z0-9]*[a-z0-9])?$")]


class StatusWrite(BaseModel):
    """Body of a status write."""

    uid: str
    """Object that it is about."""
    status: dict[str, Any]
    """The whole status."""


def _kind(kind: str, pointer: str = "path:kind") -> str:
    if kind not in KINDS:
        raise invalid_field(pointer, f"{kind[:63]!r} is not one of {', '.join(KINDS)}", code="unknown_kind")
    return kind


def _key(kind: str, namespace: _Name, name: _Name) -> ObjectKey:
    if (_kind(kind) in CLUSTER_SCOPED) != (namespace == CLUSTER_SCOPE):
        wanted = f"the namespace `{CLUSTER_SCOPE}`" if kind in CLUSTER_SCOPED else "the namespace of a project"
        raise invalid_field("path:namespace", f"A {kind} has {wanted}, not {namespace!r}")
    return ObjectKey(kind, namespace, name)


TheKey = Annotated[ObjectKey, Depends(_key)]


@router.get("/internal/v1/objects:watch", dependencies=[READS], response_class=StreamingResponse)
async def watch_objects(plane: ThePlane, kinds: str, after: Annotated[int, Query(ge=0)]) -> StreamingResponse:
    """Follow changes of some kinds (comma-separated) after a resource version, as JSON lines of ObjectEvent."""
    wanted = [_kind(kind.strip(), "query:kinds") for kind in kinds.split(",")]
    watch = watch_of(plane)
    await watch.check(wanted, after)
    return ndjson(watch.watch(wanted, after))


@router.get("/internal/v1/objects/{kind}", dependencies=[READS])
async def list_objects(plane: ThePlane, kind: str, namespace: str | None = None) -> ObjectList:
    """Objects of a kind, in one namespace or in all."""
    async with reading_store(plane) as store:
        return await store.list_objects(_kind(kind), namespace)


@router.get("/internal/v1/objects/{kind}/{namespace}/{name}", dependencies=[READS])
async def get_object(plane: ThePlane, key: TheKey) -> dict[str, Any]:
    """One object."""
    async with reading_store(plane) as store:
        document = await store.get(key)
    if document is None:
        raise NotFound(f"There is no {key}.", code="object_not_found")
    return document


@router.put("/internal/v1/objects/{kind}/{namespace}/{name}", dependencies=[WRITES])
async def put_object(
    plane: ThePlane,
    key: TheKey,
    body: dict[str, Any],
    field_manager: Annotated[str, Query(min_length=1, max_length=128)],
) -> dict[str, Any]:
    """Create or replace labels, annotations and spec."""
    wanted = wanted_of(validated(key, body), field_manager)
    async with writing_store(plane) as store:
        return await store.apply(key, wanted)


@router.put("/internal/v1/objects/{kind}/{namespace}/{name}/status", dependencies=[WRITES])
async def put_status(plane: ThePlane, key: TheKey, body: StatusWrite) -> dict[str, Any]:
    """Replace the status of the object with that uid."""
    async with writing_store(plane) as store:
        return await store.write_status(key, body.uid, body.status)


@router.delete("/internal/v1/objects/{kind}/{namespace}/{name}", dependencies=[WRITES], status_code=204)
async def delete_object(plane: ThePlane, key: TheKey, uid: str = "") -> Response:
    """Remove the object, if it is there."""
    async with writing_store(plane) as store:
        await store.delete(key, uid)
    return Response(status_code=204)


@router.post("/internal/v1/occurrences", dependencies=[Depends(Allow(Permission.OCCURRENCES_WRITE))], status_code=204)
async def post_occurrence(plane: ThePlane, body: Occurrence) -> Response:
    """Keep an event for people."""
    async with unit_of_work(plane.database) as session:
        await occurrences.keep(session, body)
    return Response(status_code=204)
