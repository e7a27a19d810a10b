"""Whether this process lives, is ready, and what it counted: the three routes that need no subject."""

from fastapi import Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from mizzen_controlplane.kit.auth import Public
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("health")
PUBLIC = Depends(Public())


@router.get("/healthz", dependencies=[PUBLIC])
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", dependencies=[PUBLIC])
async def readyz(plane: ThePlane) -> dict[str, str]:
    """The database answers; 503 with a problem otherwise."""
    async with reading(plane.database) as session:
        await (await session.connection()).execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/metrics", dependencies=[PUBLIC], response_class=Response)
async def metrics() -> Response:
    """Metrics in the Prometheus text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
