"""Routes of scans, of quarantine, and of a project's policy."""

from typing import Annotated

from fastapi import Depends, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.models import versions
from mizzen_controlplane.models.scanning import policy, service
from mizzen_controlplane.models.scanning.schemas import (
    PolicyPut,
    PolicyView,
    QuarantineCreate,
    ReleaseCreate,
    ReleaseView,
    ScanView,
)
from mizzen_controlplane.models.schemas import VersionDetail
from mizzen_controlplane.models.scope import ModelRef, VersionNumber

router = api_router("scans")

VERSION = "/api/v1/projects/{project}/models/{model}/versions/{version}"
POLICY = "/api/v1/projects/{project}/model-policy"
ModelReader = Annotated[Subject, Depends(Allow(Permission.MODELS_READ))]
VersionPublisher = Annotated[Subject, Depends(Allow(Permission.VERSIONS_PUBLISH))]
QuarantineOverrider = Annotated[Subject, Depends(Allow(Permission.QUARANTINE_OVERRIDE))]
PolicyWriter = Annotated[Subject, Depends(Allow(Permission.MODEL_POLICIES_WRITE))]


@router.post(VERSION + ":scan")
async def scan_version(
    project: ProjectRef, model: ModelRef, version: VersionNumber, plane: ThePlane, subject: VersionPublisher
) -> ScanView:
    """Scan a version again, by the rules and the policy of now: it is READY then, or QUARANTINED."""
    return await service.scan_again(plane, subject, project, model, version)


@router.get(VERSION + "/scan")
async def get_scan(
    project: ProjectRef, model: ModelRef, version: VersionNumber, plane: ThePlane, _subject: ModelReader
) -> ScanView:
    """Read what the newest scan of a version found."""
    return await service.newest(plane, project, model, version)


@router.get(VERSION + "/scans")
async def list_scans(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    _subject: ModelReader,
    asked: AskedPage,
) -> Page[ScanView]:
    """List a version's scans, newest first."""
    items, token = await service.page(plane, project, model, version, asked)
    return Page(items=items, next_page_token=token)


@router.post(VERSION + ":release", status_code=201)
async def release_version(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    body: ReleaseCreate,
    plane: ThePlane,
    subject: QuarantineOverrider,
    if_match: IfMatch,
) -> ReleaseView:
    """Let a quarantined version be used, with a reason: for its digest and what was found in it alone."""
    return await service.release(plane, subject, project, model, version, body, if_match)


@router.post(VERSION + ":quarantine")
async def quarantine_version(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    body: QuarantineCreate,
    plane: ThePlane,
    subject: QuarantineOverrider,
    if_match: IfMatch,
    response: Response,
) -> VersionDetail:
    """Take a READY version out of use until it is released."""
    await service.quarantine(plane, subject, project, model, version, body.reason, if_match)
    row, found = await versions.get(plane, project, model, version)
    with_etag(response, row)
    return found


@router.get(POLICY)
async def get_model_policy(
    project: ProjectRef, plane: ThePlane, _subject: ModelReader, response: Response
) -> PolicyView:
    """Read what a project takes into its registry and lets be served."""
    row, found = await policy.get(plane, project)
    with_etag(response, row)
    return found


@router.put(POLICY)
async def put_model_policy(
    project: ProjectRef,
    body: PolicyPut,
    plane: ThePlane,
    subject: PolicyWriter,
    if_match: IfMatch,
    response: Response,
) -> PolicyView:
    """Write the policy; fields that are left out have their defaults, but `require_signature` stays as it is."""
    row, written = await policy.put(plane, subject, project, body, if_match)
    with_etag(response, row)
    return written
