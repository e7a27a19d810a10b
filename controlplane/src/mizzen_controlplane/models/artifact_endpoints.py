"""Routes for those who run models: resolve a reference, list an artifact's files, fetch their bytes."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import FileResponse
from mizzen_crds.registry import ArtifactManifest, ResolvedVersion

from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.models import resolution

router = api_router("artifacts")

Resolver = Annotated[Subject, Depends(Allow(Permission.MODELS_RESOLVE))]
Describer = Annotated[Subject, Depends(Allow(Permission.ARTIFACTS_DESCRIBE))]
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
async def get_file(version_id: str, path: str, plane: ThePlane, subject: Fetcher) -> FileResponse:
    """A file's bytes; Range and If-Range are honoured, and the ETag is the content's SHA-256."""
    content, sha256 = await resolution.content(plane, version_id, path, subject.namespace)
    return FileResponse(content, media_type="application/octet-stream", headers={"ETag": f'"{sha256}"'})
