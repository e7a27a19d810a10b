"""Routes of credentials for imports."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.imports.credentials import service
from mizzen_controlplane.imports.credentials.models import ImportCredential
from mizzen_controlplane.imports.credentials.schemas import (
    ImportCredentialCreate,
    ImportCredentialPatch,
    ImportCredentialView,
)
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import resource_fields, with_etag

router = api_router("import-credentials")
Reader = Annotated[Subject, Depends(Allow(Permission.IMPORT_CREDENTIALS_READ))]
Writer = Annotated[Subject, Depends(Allow(Permission.IMPORT_CREDENTIALS_WRITE))]
CredentialRef = Annotated[str, Path(max_length=64, description="Id or name of the import credential.")]
ALL = "/api/v1/projects/{project}/import-credentials"
ONE = ALL + "/{credential}"


def _view(row: ImportCredential) -> ImportCredentialView:
    return ImportCredentialView.model_validate({**resource_fields(row), "host": row.host, "kind": row.kind})


def _answer(response: Response, row: ImportCredential) -> ImportCredentialView:
    with_etag(response, row)
    return _view(row)


@router.get(ALL)
async def list_import_credentials(
    _: Reader, plane: ThePlane, project: ProjectRef, page: AskedPage
) -> Page[ImportCredentialView]:
    """The project's credentials for imports, without what is secret."""
    rows, token = await service.page(plane, project, page)
    return Page(items=[_view(row) for row in rows], next_page_token=token)


@router.get(ONE)
async def get_import_credential(
    _: Reader, plane: ThePlane, project: ProjectRef, credential: CredentialRef, response: Response
) -> ImportCredentialView:
    """One credential, without what is secret."""
    return _answer(response, await service.get(plane, project, credential))


@router.post(ALL, status_code=201)
async def create_import_credential(
    subject: Writer, plane: ThePlane, project: ProjectRef, body: ImportCredentialCreate, response: Response
) -> ImportCredentialView:
    """Store what imports show to one host. It is sealed, sent to that host alone, and never shown again."""
    return _answer(response, await service.create(plane, subject, project, body))


@router.patch(ONE)
async def patch_import_credential(
    subject: Writer,
    plane: ThePlane,
    project: ProjectRef,
    credential: CredentialRef,
    body: ImportCredentialPatch,
    response: Response,
    if_match: IfMatch,
) -> ImportCredentialView:
    """Replace the secret, or label it. Its host stays, as whoever changed it would be sent the secret."""
    return _answer(response, await service.change(plane, subject, project, credential, body, if_match))


@router.delete(ONE, status_code=204)
async def delete_import_credential(
    subject: Writer, plane: ThePlane, project: ProjectRef, credential: CredentialRef, if_match: IfMatch
) -> None:
    """Remove a credential; an import that has yet to show it fails."""
    await service.delete(plane, subject, project, credential, if_match)
