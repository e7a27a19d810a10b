"""Routes of batches, for gateways: those that callers ask for, and those by which they are run."""

from typing import Annotated

from fastapi import Query, Response
from mizzen_crds.kept_batches import (
    BatchCreate,
    BatchLeaseRequest,
    BatchLines,
    BatchList,
    BatchObject,
    BatchOrder,
    BatchResults,
    BatchWork,
)

from mizzen_controlplane.batches import service, work
from mizzen_controlplane.batches.endpoints import KEEPS, Name, Owned
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("batches")
BATCHES = "/internal/v1/projects/{project}/batches"


@router.post(BATCHES, dependencies=[KEEPS], status_code=201)
async def create_batch(plane: ThePlane, owner: Owned, body: BatchCreate) -> BatchObject:
    """Make a batch of a file."""
    return service.view(await service.create(plane, owner, body))


@router.get(BATCHES, dependencies=[KEEPS])
async def list_batches(
    plane: ThePlane, owner: Owned, after: Annotated[str, Query(max_length=64)] = "", limit: int = 20
) -> BatchList:
    """The project's batches, newest first."""
    return await service.listed(plane, owner, after, limit)


@router.get(BATCHES + "/{batch}", dependencies=[KEEPS])
async def get_batch(plane: ThePlane, owner: Owned, batch: Name) -> BatchObject:
    """One batch."""
    return service.view(await service.get(plane, owner, batch))


@router.post(BATCHES + "/{batch}:cancel", dependencies=[KEEPS])
async def cancel_batch(plane: ThePlane, owner: Owned, batch: Name) -> BatchObject:
    """Send no more of its lines."""
    return service.view(await service.cancel(plane, owner, batch))


@router.post("/internal/v1/batches:lease", dependencies=[KEEPS], response_model=BatchWork, responses={204: {}})
async def lease_batch(plane: ThePlane, body: BatchLeaseRequest) -> BatchWork | Response:
    """A batch to run; 204 where there is none."""
    found = await work.lease(plane, body)
    return found if found is not None else Response(status_code=204)


@router.get("/internal/v1/batches/{batch}/lines", dependencies=[KEEPS])
async def open_lines(plane: ThePlane, batch: Name, after: Annotated[int, Query(ge=0)] = 0) -> BatchLines:
    """Lines of it that have no result yet."""
    return await work.open_lines(plane, batch, after)


@router.post("/internal/v1/batches/{batch}/results", dependencies=[KEEPS])
async def take_results(plane: ThePlane, batch: Name, body: BatchResults) -> BatchOrder:
    """Hand in results, and hear how to go on."""
    return await work.take_results(plane, batch, body)
