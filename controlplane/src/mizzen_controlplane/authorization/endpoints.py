"""Routes of bindings, and of why somebody may or may not."""

from typing import Annotated

from fastapi import Depends, Path, Query, Response

from mizzen_controlplane.authorization import (
    bindings,
    erasing,  # noqa: F401 - registers what is forgotten of an erased person
    explaining,
)
from mizzen_controlplane.authorization.schemas import (
    AccessExplanation,
    BindingCreate,
    BindingView,
    PrincipalName,
    ProjectBindingCreate,
    ResourceRef,
)
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.place import Place
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag

router = api_router("authorization")

Anybody = Annotated[Subject, Depends(Allow(Permission.SELF))]
BindingReader = Annotated[Subject, Depends(Allow(Permission.BINDINGS_READ))]
BindingWriter = Annotated[Subject, Depends(Allow(Permission.BINDINGS_WRITE))]
BINDINGS = "/api/v1/bindings"
OF_PROJECT = "/api/v1/projects/{project}/bindings"
Asked = Annotated[Permission, Query(description="What it would be about, as `models:write`.")]
OfWhom = Annotated[PrincipalName, Query(description="Who, as person:<id> or service-account:<id>.")]
OfProject = Annotated[str, Query(max_length=64, description="Id or name of the project; none: the organization.")]
At = Annotated[ResourceRef | None, Query(description="`model/<name>` or `deployment/<name>` of the project.")]
BindingRef = Annotated[str, Path(max_length=64, description="Id of the binding.")]


@router.get(BINDINGS)
async def list_bindings(plane: ThePlane, _subject: BindingReader, asked: AskedPage) -> Page[BindingView]:
    """List all bindings of the organization, those in projects included."""
    items, token = await bindings.page(plane, None, asked)
    return Page(items=items, next_page_token=token)


@router.post(BINDINGS, status_code=201)
async def create_binding(
    body: BindingCreate, plane: ThePlane, subject: BindingWriter, response: Response
) -> BindingView:
    """Give a role in the whole organization, or deny it; nobody gives more than they hold."""
    made = await bindings.create(plane, subject, None, body)
    with_etag(response, made)
    return (await bindings.get(plane, None, made.id))[1]


@router.get(BINDINGS + "/{binding}")
async def get_binding(binding: BindingRef, plane: ThePlane, _subject: BindingReader, response: Response) -> BindingView:
    """Read any binding of the organization."""
    row, shown = await bindings.get(plane, None, binding)
    with_etag(response, row)
    return shown


@router.delete(BINDINGS + "/{binding}", status_code=204)
async def delete_binding(binding: BindingRef, plane: ThePlane, subject: BindingWriter, if_match: IfMatch) -> None:
    """Take a binding away, also one in a project; it holds no more from the next request on."""
    await bindings.delete(plane, subject, None, binding, if_match)


@router.get(OF_PROJECT)
async def list_project_bindings(
    project: ProjectRef, plane: ThePlane, _subject: BindingReader, asked: AskedPage
) -> Page[BindingView]:
    """List the bindings in a project."""
    items, token = await bindings.page(plane, project, asked)
    return Page(items=items, next_page_token=token)


@router.post(OF_PROJECT, status_code=201)
async def create_project_binding(
    project: ProjectRef, body: ProjectBindingCreate, plane: ThePlane, subject: BindingWriter, response: Response
) -> BindingView:
    """Give a role in a project or at one resource of it, or deny it; nobody gives more than they hold."""
    made = await bindings.create(plane, subject, project, body)
    with_etag(response, made)
    return (await bindings.get(plane, project, made.id))[1]


@router.get(OF_PROJECT + "/{binding}")
async def get_project_binding(
    project: ProjectRef, binding: BindingRef, plane: ThePlane, _subject: BindingReader, response: Response
) -> BindingView:
    """Read a binding in a project."""
    row, shown = await bindings.get(plane, project, binding)
    with_etag(response, row)
    return shown


@router.delete(OF_PROJECT + "/{binding}", status_code=204)
async def delete_project_binding(
    project: ProjectRef, binding: BindingRef, plane: ThePlane, subject: BindingWriter, if_match: IfMatch
) -> None:
    """Take a binding in a project away; it holds no more from the next request on."""
    await bindings.delete(plane, subject, project, binding, if_match)


@router.get("/api/v1/me:explain")
async def explain_my_access(
    plane: ThePlane, subject: Anybody, permission: Asked, project: OfProject = "", resource: At = None
) -> AccessExplanation:
    """Say whether one may do something, and why."""
    return await explaining.explain_mine(plane, subject, permission, Place(project, resource or "" if project else ""))


@router.get("/api/v1/access:explain")
async def explain_access(
    plane: ThePlane, _subject: BindingReader, principal: OfWhom, permission: Asked
) -> AccessExplanation:
    """Say whether somebody may do something in the whole organization, and which bindings decide so."""
    return await explaining.explain(plane, principal, permission, Place())


@router.get("/api/v1/projects/{project}/access:explain")
async def explain_project_access(
    project: ProjectRef,
    plane: ThePlane,
    _subject: BindingReader,
    principal: OfWhom,
    permission: Asked,
    resource: At = None,
) -> AccessExplanation:
    """Say whether somebody may do something in a project or at one resource, and which bindings decide so."""
    return await explaining.explain(plane, principal, permission, Place(project, resource or ""))
