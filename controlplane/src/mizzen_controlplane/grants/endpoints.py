"""Routes of grants."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.grants import service
from mizzen_controlplane.grants.models import Grant
from mizzen_controlplane.grants.schemas import GrantCreate, GrantView
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import resource_fields, with_etag

router = api_router("grants")

GrantReader = Annotated[Subject, Depends(Allow(Permission.GRANTS_READ))]
GrantWriter = Annotated[Subject, Depends(Allow(Permission.GRANTS_WRITE))]
GRANTS = "/api/v1/projects/{project}/grants"
ONE = GRANTS + "/{grant:path}"
GrantRef = Annotated[str, Path(max_length=128, description="Id of the grant, or its model (owner-project/name).")]


def _view(project: Project, row: Grant) -> GrantView:
    return GrantView.model_validate(resource_fields(row) | {"project": project.name, "model": row.name})


@router.get(GRANTS)
async def list_grants(_: GrantReader, plane: ThePlane, project: ProjectRef, page: AskedPage) -> Page[GrantView]:
    """Models of other projects that the project may call."""
    owner, rows, token = await service.list_grants(plane, project, page)
    return Page(items=[_view(owner, row) for row in rows], next_page_token=token)


@router.post(GRANTS, status_code=201)
async def create_grant(
    subject: GrantWriter, plane: ThePlane, project: ProjectRef, body: GrantCreate, response: Response
) -> GrantView:
    """Let the project call a model of another project, as long as that one offers it."""
    owner, row = await service.create_grant(plane, subject, project, body)
    with_etag(response, row)
    return _view(owner, row)


@router.get(ONE)
async def get_grant(
    _: GrantReader, plane: ThePlane, project: ProjectRef, grant: GrantRef, response: Response
) -> GrantView:
    """One grant."""
    owner, row = await service.get_grant(plane, project, grant)
    with_etag(response, row)
    return _view(owner, row)


@router.delete(ONE, status_code=204)
async def delete_grant(
    subject: GrantWriter, plane: ThePlane, project: ProjectRef, grant: GrantRef, if_match: IfMatch
) -> None:
    """Take it back."""
    await service.delete_grant(plane, subject, project, grant, if_match)
