"""Routes of the access snapshot, for gateways."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from mizzen_crds.access import AccessSnapshot

from mizzen_controlplane.access.feed import access_feed, snapshot_now
from mizzen_controlplane.kit.auth import Allow, Permission
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.stream import ndjson

router = api_router("access")
HIGHEST = 2**53
READS = Depends(Allow(Permission.ACCESS_READ))


@router.get("/internal/v1/access/snapshot", dependencies=[READS])
async def get_snapshot(plane: ThePlane) -> AccessSnapshot:
    """All that a gateway needs to decide about a request on its own."""
    return await snapshot_now(plane)


@router.get("/internal/v1/access/watch", dependencies=[READS], response_class=StreamingResponse)
async def watch_access(
    plane: ThePlane, after: Annotated[int | None, Query(ge=0, le=HIGHEST)] = None, deltas: bool = False
) -> StreamingResponse:
    """Follow access, as JSON lines of AccessFeedLine: news after each change, a heartbeat each second.

    With `deltas` a change of keys alone is told as such, and versions go on beyond `after`, should that be higher.
    """
    return ndjson(access_feed(plane, after, deltas=deltas))
