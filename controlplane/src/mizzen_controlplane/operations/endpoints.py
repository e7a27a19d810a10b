"""Routes of operations."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.operations import service
from mizzen_controlplane.operations.schemas import OperationView

router = api_router("operations")
OPERATIONS = "/api/v1/projects/{project}/operations"
ONE = OPERATIONS + "/{operation}"
Reader = Annotated[Subject, Depends(Allow(Permission.MODELS_READ))]
Writer = Annotated[Subject, Depends(Allow(Permission.VERSIONS_WRITE))]
"""All long work is about versions of models; work of another kind needs routes, or permissions, of its own."""
OperationRef = Annotated[str, Path(max_length=64, description="Id of the operation.")]


@router.get(OPERATIONS)
async def list_operations(
    project: ProjectRef, plane: ThePlane, _subject: Reader, asked: AskedPage
) -> Page[OperationView]:
    """List a project's long work, newest first."""
    owner, rows, token = await service.page(plane, project, asked)
    return Page(items=[service.view(owner, row) for row in rows], next_page_token=token)


@router.get(ONE)
async def get_operation(
    project: ProjectRef, operation: OperationRef, plane: ThePlane, _subject: Reader, response: Response
) -> OperationView:
    """Read an operation: how far it is, or what became of it."""
    owner, row = await service.get(plane, project, operation)
    with_etag(response, row)
    return service.view(owner, row)


@router.post(ONE + ":cancel")
async def cancel_operation(
    project: ProjectRef,
    operation: OperationRef,
    plane: ThePlane,
    subject: Writer,
    if_match: IfMatch,
    response: Response,
) -> OperationView:
    """Ask for its end: it is CANCELLED within seconds, and nothing of it stays."""
    owner, row = await service.cancel(plane, subject, project, operation, if_match)
    with_etag(response, row)
    return service.view(owner, row)
