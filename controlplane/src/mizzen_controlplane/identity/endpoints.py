"""Routes of projects and API keys."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.identity import keys, projects
from mizzen_controlplane.identity.schemas import (
    BulkRevoke,
    BulkRevoked,
    KeyCreate,
    KeyPatch,
    KeyRotate,
    KeyView,
    KeyWithSecret,
    ProjectCreate,
    ProjectPatch,
    ProjectView,
)
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag

router = api_router("identity")

KeyReader = Annotated[Subject, Depends(Allow(Permission.KEYS_READ))]
KeyWriter = Annotated[Subject, Depends(Allow(Permission.KEYS_WRITE))]
ProjectMaker = Annotated[Subject, Depends(Allow(Permission.PROJECTS_CREATE))]
ProjectLister = Annotated[Subject, Depends(Allow(Permission.PROJECTS_READ, anywhere=True))]
ProjectReader = Annotated[Subject, Depends(Allow(Permission.PROJECTS_READ))]
ProjectWriter = Annotated[Subject, Depends(Allow(Permission.PROJECTS_WRITE))]

PROJECTS = "/api/v1/projects"
KEYS = PROJECTS + "/{project}/keys"
KeyRef = Annotated[str, Path(max_length=64, description="Id or name of the key.")]


@router.post(PROJECTS, status_code=201)
async def create_project(
    body: ProjectCreate, plane: ThePlane, subject: ProjectMaker, response: Response
) -> ProjectView:
    """Make a project."""
    made = await projects.create(plane, subject, body)
    with_etag(response, made)
    return projects.view(made)


@router.get(PROJECTS)
async def list_projects(
    plane: ThePlane, subject: ProjectLister, asked: AskedPage, archived: bool = False
) -> Page[ProjectView]:
    """List the projects that one may see; with `archived` those that are archived instead."""
    rows, token = await projects.page(plane, subject, asked, archived=archived)
    return Page(items=[projects.view(row) for row in rows], next_page_token=token)


@router.get(PROJECTS + "/{project}")
async def get_project(project: ProjectRef, plane: ThePlane, _subject: ProjectReader, response: Response) -> ProjectView:
    """Read a project."""
    found = await projects.get(plane, project)
    with_etag(response, found)
    return projects.view(found)


@router.patch(PROJECTS + "/{project}")
async def change_project(
    project: ProjectRef,
    body: ProjectPatch,
    plane: ThePlane,
    subject: ProjectWriter,
    if_match: IfMatch,
    response: Response,
) -> ProjectView:
    """Change a project's settings or labels."""
    changed = await projects.change(plane, subject, project, body, if_match)
    with_etag(response, changed)
    return projects.view(changed)


@router.post(KEYS, status_code=201)
async def create_key(
    project: ProjectRef, body: KeyCreate, plane: ThePlane, subject: KeyWriter, response: Response
) -> KeyWithSecret:
    """Make an API key; its secret is in this answer alone."""
    key, made = await keys.create(plane, subject, project, body)
    with_etag(response, key)
    return made


@router.post(KEYS + ":bulkRevoke")
async def bulk_revoke_keys(
    project: ProjectRef, body: BulkRevoke, plane: ThePlane, subject: KeyWriter, dry_run: bool = False
) -> BulkRevoked:
    """Refuse all keys that the criteria hold for, for ever; with `dry_run` only say which they are."""
    return await keys.bulk_revoke(plane, subject, project, body, dry_run=dry_run)


@router.get(KEYS)
async def list_keys(project: ProjectRef, plane: ThePlane, _subject: KeyReader, asked: AskedPage) -> Page[KeyView]:
    """List a project's API keys, revoked ones included."""
    items, token = await keys.page(plane, project, asked)
    return Page(items=items, next_page_token=token)


@router.get(KEYS + "/{key}")
async def get_key(
    project: ProjectRef, key: KeyRef, plane: ThePlane, _subject: KeyReader, response: Response
) -> KeyView:
    """Read an API key."""
    row, shown = await keys.get(plane, project, key)
    with_etag(response, row)
    return shown


@router.patch(KEYS + "/{key}")
async def change_key(
    project: ProjectRef,
    key: KeyRef,
    body: KeyPatch,
    plane: ThePlane,
    subject: KeyWriter,
    if_match: IfMatch,
    response: Response,
) -> KeyView:
    """Change expiry, scopes (models, routes, operations, networks), priority or labels."""
    row, shown = await keys.change(plane, subject, project, key, body, if_match)
    with_etag(response, row)
    return shown


@router.post(KEYS + "/{key}:rotate")
async def rotate_key(
    project: ProjectRef,
    key: KeyRef,
    plane: ThePlane,
    subject: KeyWriter,
    if_match: IfMatch,
    response: Response,
    body: KeyRotate | None = None,
) -> KeyWithSecret:
    """Give the key a new secret; the old one works for `overlap_seconds` more."""
    row, made = await keys.rotate(plane, subject, project, key, body or KeyRotate(), if_match)
    with_etag(response, row)
    return made


@router.post(KEYS + "/{key}:revoke")
async def revoke_key(
    project: ProjectRef, key: KeyRef, plane: ThePlane, subject: KeyWriter, if_match: IfMatch, response: Response
) -> KeyView:
    """Refuse the key for ever; gateways know within a second."""
    row, shown = await keys.revoke(plane, subject, project, key, if_match)
    with_etag(response, row)
    return shown
