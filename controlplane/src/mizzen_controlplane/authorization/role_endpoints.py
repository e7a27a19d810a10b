"""Routes of roles: those of every installation are read, the organization's own also made, changed and deleted."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.authorization import own_roles
from mizzen_controlplane.authorization.roles import BuiltIn
from mizzen_controlplane.authorization.schemas import RoleCreate, RolePatch, RoleView
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag

router = api_router("authorization")

RoleReader = Annotated[Subject, Depends(Allow(Permission.SELF))]
RoleWriter = Annotated[Subject, Depends(Allow(Permission.ROLES_WRITE))]
ROLES = "/api/v1/roles"
RoleRef = Annotated[str, Path(max_length=64, description="Name or id of the role.")]


@router.get(ROLES)
async def list_roles(plane: ThePlane, _subject: RoleReader, asked: AskedPage) -> Page[RoleView]:
    """List the roles that can be bound, and what each holds."""
    items, token = await own_roles.page(plane, asked)
    return Page(items=items, next_page_token=token)


@router.post(ROLES, status_code=201)
async def create_role(body: RoleCreate, plane: ThePlane, subject: RoleWriter, response: Response) -> RoleView:
    """Make a role of the organization's own; it holds nothing that its maker does not."""
    made = await own_roles.create(plane, subject, body)
    with_etag(response, made)
    return own_roles.view(made)


@router.get(ROLES + "/{role}")
async def get_role(role: RoleRef, plane: ThePlane, _subject: RoleReader, response: Response) -> RoleView:
    """Read a role."""
    found = await own_roles.get(plane, role)
    if not isinstance(found, BuiltIn):
        with_etag(response, found)
    return own_roles.view(found)


@router.patch(ROLES + "/{role}")
async def change_role(
    role: RoleRef, body: RolePatch, plane: ThePlane, subject: RoleWriter, if_match: IfMatch, response: Response
) -> RoleView:
    """Change what a role holds, at once for all who are bound to it; nobody adds or removes more than they hold."""
    changed = await own_roles.change(plane, subject, role, body, if_match)
    with_etag(response, changed)
    return own_roles.view(changed)


@router.delete(ROLES + "/{role}", status_code=204)
async def delete_role(role: RoleRef, plane: ThePlane, subject: RoleWriter, if_match: IfMatch) -> None:
    """Delete a role that nobody is bound to."""
    await own_roles.delete(plane, subject, role, if_match)
