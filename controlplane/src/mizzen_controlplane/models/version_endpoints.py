"""Routes of versions and of the uploads of their files."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.models import finalization, uploads, verification, versions
from mizzen_controlplane.models.schemas import (
    MAX_FILE_BYTES,
    UploadView,
    VersionCreate,
    VersionDetail,
    VersionPatch,
    VersionView,
)
from mizzen_controlplane.models.scope import ModelRef, VersionNumber
from mizzen_controlplane.operations import service as operations
from mizzen_controlplane.operations.schemas import OperationView

router = api_router("versions")

ModelReader = Annotated[Subject, Depends(Allow(Permission.MODELS_READ))]
VersionPublisher = Annotated[Subject, Depends(Allow(Permission.VERSIONS_PUBLISH))]
VersionWriter = Annotated[Subject, Depends(Allow(Permission.VERSIONS_WRITE))]

VERSIONS = "/api/v1/projects/{project}/models/{model}/versions"
VERSION = VERSIONS + "/{version}"
FILE = VERSION + "/files/{path:path}"
PARTS = VERSION + "/parts/{path:path}"
FileRef = Annotated[str, Path(max_length=512, description="Path of the file in the version.")]


@router.post(VERSIONS, status_code=201)
async def create_version(
    project: ProjectRef,
    model: ModelRef,
    body: VersionCreate,
    plane: ThePlane,
    subject: VersionWriter,
    response: Response,
) -> VersionDetail:
    """Announce a version and all its files; upload those that are not `received`, then finalize."""
    row, made = await versions.create(plane, subject, project, model, body)
    with_etag(response, row)
    return made


@router.get(VERSIONS)
async def list_versions(
    project: ProjectRef, model: ModelRef, plane: ThePlane, _subject: ModelReader, asked: AskedPage
) -> Page[VersionView]:
    """List a model's versions, newest first."""
    items, token = await versions.page(plane, project, model, asked)
    return Page(items=items, next_page_token=token)


@router.get(VERSION)
async def get_version(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    _subject: ModelReader,
    response: Response,
) -> VersionDetail:
    """Read a version with its files."""
    row, found = await versions.get(plane, project, model, version)
    with_etag(response, row)
    return found


@router.patch(VERSION)
async def change_version(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    body: VersionPatch,
    plane: ThePlane,
    subject: VersionWriter,
    if_match: IfMatch,
    response: Response,
) -> VersionDetail:
    """Change metadata or labels; the artifact never changes."""
    row, changed = await versions.change(plane, subject, project, model, version, body, if_match)
    with_etag(response, row)
    return changed


@router.post(VERSION + ":finalize")
async def finalize_version(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    subject: VersionPublisher,
    if_match: IfMatch,
    response: Response,
) -> VersionDetail:
    """Check every file and the format: the version is READY then, or FAILED with a reason."""
    row, done = await finalization.finalize(plane, subject, project, model, version, if_match)
    with_etag(response, row)
    return done


@router.post(VERSION + ":archive")
async def archive_version(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    subject: VersionPublisher,
    if_match: IfMatch,
    response: Response,
) -> VersionDetail:
    """Take a version out of use; its files stay."""
    row, done = await versions.archive(plane, subject, project, model, version, if_match)
    with_etag(response, row)
    return done


@router.post(VERSION + ":verify", status_code=202)
async def verify_version(
    project: ProjectRef, model: ModelRef, version: VersionNumber, plane: ThePlane, subject: VersionPublisher
) -> OperationView:
    """Read all of its content again: a file that is not what was pushed fails every version that has it."""
    owner, row = await verification.begin(plane, subject, project, model, version)
    return operations.view(owner, row)


@router.head(FILE, status_code=204)
async def ask_offset(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    path: FileRef,
    plane: ThePlane,
    _subject: VersionWriter,
) -> Response:
    """How many bytes of the file are here: header Upload-Offset."""
    row, file = await uploads.find_upload(plane, project, model, version, path)
    offset = uploads.offset_of(plane, row, file)
    return Response(status_code=204, headers={"Upload-Offset": str(offset), "Upload-Length": str(file.size)})


@router.patch(FILE, status_code=204)
async def upload_bytes(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    path: FileRef,
    request: Request,
    plane: ThePlane,
    _subject: VersionWriter,
    upload_offset: Annotated[int, Header(ge=0)],
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> Response:
    """Append the body at Upload-Offset, which must be where the file ends now; answers the new Upload-Offset."""
    row, file = await uploads.find_upload(plane, project, model, version, path)
    if content_length is not None and upload_offset + content_length > file.size:
        raise uploads.too_long(file)
    offset = await uploads.append(plane, row, file, upload_offset, request.stream())
    return Response(status_code=204, headers={"Upload-Offset": str(offset)})


@router.get(PARTS)
async def get_upload(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    path: FileRef,
    plane: ThePlane,
    _subject: VersionWriter,
) -> UploadView:
    """Which bytes of a file are here, and how long its parts are: what a client asks to go on after a crash."""
    row, file = await uploads.find_upload(plane, project, model, version, path)
    return uploads.view(plane, row, file)


@router.put(PARTS, status_code=204)
async def upload_part(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    path: FileRef,
    request: Request,
    plane: ThePlane,
    _subject: VersionWriter,
    offset: Annotated[int, Query(ge=0, le=MAX_FILE_BYTES, description="Where the part begins in the file.")],
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> None:
    """Keep one part, whole; parts may come in any order, several at once, and again."""
    row, file = await uploads.find_upload(plane, project, model, version, path)
    await uploads.put_part(plane, row, file, offset, content_length, request.stream())
