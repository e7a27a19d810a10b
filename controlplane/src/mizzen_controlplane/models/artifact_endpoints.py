"""Routes for those who run models: resolve a reference, list an artifact's files, fetch their bytes."""

from typing import Annotated

from fastapi import Depends, Header, Query, Response
from fastapi.responses import FileResponse, RedirectResponse
from mizzen_crds.registry import ArtifactManifest, ResolvedVersion

from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.models import resolution
from mizzen_controlplane.models.content.passing import passed_through

router = api_router("artifacts")

Resolver = Annotated[Subject, Depends(Allow(Permission.MODELS_RESOLVE))]
Describer = Annotated[Subject, Depends(Allow(Permission.ARTIFACTS_DESCRIBE))]
SIGNED_SECONDS = 3600
"""How long an engine may take to open a file; what it has begun it may read to the end."""
Fetcher = Annotated[Subject, Depends(Allow(Permission.ARTIFACTS_READ))]


@router.get("/internal/v1/models:resolve")
async def resolve_model(
    plane: ThePlane,
    _subject: Resolver,
    namespace: Annotated[str, Query(min_length=1, max_length=63)],
    model: Annotated[str, Query(min_length=1, max_length=64)],
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    alias: Annotated[str | None, Query(min_length=1, max_length=63)] = None,
) -> ResolvedVersion:
    """The READY version that a versionRef means."""
    return await resolution.resolve(plane, namespace, model, version, alias)


@router.get("/internal/v1/artifacts/{version_id}")
async def get_manifest(version_id: str, plane: ThePlane, subject: Describer) -> ArtifactManifest:
    """Every file of a version."""
    return await resolution.manifest(plane, version_id, subject.namespace)


@router.get("/internal/v1/artifacts/{version_id}/files/{path:path}", response_class=FileResponse)
async def get_file(
    version_id: str,
    path: str,
    plane: ThePlane,
    subject: Fetcher,
    asked: Annotated[str, Header(alias="Range", include_in_schema=False)] = "",
    only_if: Annotated[str, Header(alias="If-Range", include_in_schema=False)] = "",
    direct: Annotated[
        bool, Query(description="A redirect to the store itself will do (307), where it is offered.")
    ] = False,
) -> Response:
    """A file's bytes; Range and If-Range are honoured, and the ETag is the content's SHA-256."""
    file = await resolution.content(plane, version_id, path, subject.namespace)
    headers = {"ETag": f'"{file.sha256}"'}
    lying = plane.content.path_of(file.sha256)
    if lying is not None:
        return FileResponse(lying, media_type="application/octet-stream", headers=headers)
    url = await plane.content.signed_url(file.sha256, SIGNED_SECONDS) if direct else None
    if url is not None:
        return RedirectResponse(url)
    return passed_through(plane.content, file, asked if only_if in ("", headers["ETag"]) else "", headers)
