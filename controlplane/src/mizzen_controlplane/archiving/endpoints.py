"""Routes that archive a project and bring it back."""

from typing import Annotated

from fastapi import Depends, Response

from mizzen_controlplane.archiving import service
from mizzen_controlplane.identity.projects import view
from mizzen_controlplane.identity.schemas import ProjectView
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag

router = api_router("identity")
PROJECT = "/api/v1/projects/{project}"
Archiver = Annotated[Subject, Depends(Allow(Permission.PROJECTS_ARCHIVE))]


@router.delete(PROJECT, status_code=204)
async def archive_project(project: ProjectRef, plane: ThePlane, subject: Archiver, if_match: IfMatch) -> None:
    """Archive a project without deployments: its keys are refused and nothing in it changes; invoices stay."""
    await service.archive(plane, subject, project, if_match)


@router.post(PROJECT + ":restore")
async def restore_project(
    project: ProjectRef, plane: ThePlane, subject: Archiver, if_match: IfMatch, response: Response
) -> ProjectView:
    """Bring an archived project back as it was: keys that were not revoked open again."""
    restored = await service.restore(plane, subject, project, if_match)
    with_etag(response, restored)
    return view(restored)
