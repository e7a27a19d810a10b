"""Routes that tell what became of a deployment: its events, and why it does not answer."""

from typing import Annotated

from fastapi import Depends

from mizzen_controlplane.deployments import service
from mizzen_controlplane.deployments.schemas import OccurrenceView, Why
from mizzen_controlplane.deployments.why import occurrence, why
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.pages import Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("deployments")

DeploymentReader = Annotated[Subject, Depends(Allow(Permission.DEPLOYMENTS_READ))]
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
