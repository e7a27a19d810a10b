"""The route that imports a version."""

from typing import Annotated

from fastapi import Depends, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.imports import service
from mizzen_controlplane.imports.schemas import VersionImport
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.models.scope import ModelRef
from mizzen_controlplane.operations.schemas import OperationView
from mizzen_controlplane.operations.service import view

router = api_router("imports")
Publisher = Annotated[Subject, Depends(Allow(Permission.VERSIONS_PUBLISH))]


@router.post("/api/v1/projects/{project}/models/{model}/versions:import", status_code=202)
async def import_version(
    project: ProjectRef, model: ModelRef, body: VersionImport, plane: ThePlane, subject: Publisher, response: Response
) -> OperationView:
    """Fetch a version from elsewhere: long work, which ends with a version that is finalized as an upload is."""
    owner, row = await service.begin_import(plane, subject, project, model, body)
    with_etag(response, row)
    return view(owner, row)
