"""Routes that tell what became of a deployment: its events, its logs, and why it does not answer."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse

from mizzen_controlplane.cluster.log_source import log_source
from mizzen_controlplane.deployments import service
from mizzen_controlplane.deployments.logs import Asked, printed, require_readable
from mizzen_controlplane.deployments.schemas import OccurrenceView, Why
from mizzen_controlplane.deployments.why import occurrence, why
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.pages import Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("deployments")

DeploymentReader = Annotated[Subject, Depends(Allow(Permission.DEPLOYMENTS_READ))]
PodName = Annotated[str, Query(max_length=253, description="Only of this pod.")]
ContainerName = Annotated[str, Query(max_length=63, description="Only of this container.")]
Tail = Annotated[int, Query(ge=-1, le=100_000, description="Lines of each container to begin with; -1: all.")]
Follow = Annotated[bool, Query(description="Go on with what is printed, of pods made meanwhile too.")]
ONE = "/api/v1/projects/{project}/deployments/{name}"


@router.get(ONE + "/events")
async def list_events(_: DeploymentReader, plane: ThePlane, project: ProjectRef, name: str) -> Page[OccurrenceView]:
    """What happened to a deployment, newest first, equal events counted."""
    _document, rows = await service.observed(plane, project, name)
    return Page(items=[occurrence(row) for row in rows])


@router.get(ONE + "/why")
async def explain_deployment(_: DeploymentReader, plane: ThePlane, project: ProjectRef, name: str) -> Why:
    """Why it does not answer or does not move on: each cause with its remedy."""
    document, rows = await service.observed(plane, project, name)
    return why(document, rows)


@router.get(ONE + "/logs", response_class=StreamingResponse, responses={200: {"content": {"text/plain": {}}}})
async def read_logs(
    _: DeploymentReader,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    pod: PodName = "",
    container: ContainerName = "",
    tail: Tail = 100,
    follow: Follow = False,
) -> StreamingResponse:
    """What its containers print, as text: each line with `pod/container | ` before it."""
    _project, document = await service.get_deployment(plane, project, name)
    asked = Asked(document["metadata"]["namespace"], name, pod, container, tail, follow)
    source = log_source(plane)
    await require_readable(source, asked)
    return StreamingResponse(printed(source, asked), media_type="text/plain", headers={"Cache-Control": "no-store"})
