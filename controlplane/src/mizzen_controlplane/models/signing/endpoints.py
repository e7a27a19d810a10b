"""Routes of trusted keys and of versions' signatures."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.models.scope import ModelRef, VersionNumber
from mizzen_controlplane.models.signing import keys, service
from mizzen_controlplane.models.signing.schemas import (
    SigningKeyCreate,
    SigningKeyRevoke,
    SigningKeyRevoked,
    SigningKeyView,
    VersionSignatureCreate,
    VersionSignatureView,
)

router = api_router("signatures")

KEYS = "/api/v1/projects/{project}/signing-keys"
KEY = KEYS + "/{signing_key}"
SIGNATURES = "/api/v1/projects/{project}/models/{model}/versions/{version}/signatures"
ModelReader = Annotated[Subject, Depends(Allow(Permission.MODELS_READ))]
VersionWriter = Annotated[Subject, Depends(Allow(Permission.VERSIONS_WRITE))]
KeyWriter = Annotated[Subject, Depends(Allow(Permission.SIGNING_KEYS_WRITE))]
KeyRef = Annotated[str, Path(max_length=64, description="Id or name of the signing key.")]


@router.post(KEYS, status_code=201)
async def create_signing_key(
    project: ProjectRef, body: SigningKeyCreate, plane: ThePlane, subject: KeyWriter, response: Response
) -> SigningKeyView:
    """Trust a public key: signatures that it makes of versions count."""
    row, made = await keys.create(plane, subject, project, body)
    with_etag(response, row)
    return made


@router.get(KEYS)
async def list_signing_keys(
    project: ProjectRef, plane: ThePlane, _subject: ModelReader, asked: AskedPage
) -> Page[SigningKeyView]:
    """List the keys that a project trusts, revoked ones included."""
    items, token = await keys.page(plane, project, asked)
    return Page(items=items, next_page_token=token)


@router.get(KEY)
async def get_signing_key(
    project: ProjectRef, signing_key: KeyRef, plane: ThePlane, _subject: ModelReader, response: Response
) -> SigningKeyView:
    """Read a key."""
    row, found = await keys.get(plane, project, signing_key)
    with_etag(response, row)
    return found


@router.post(KEY + ":revoke")
async def revoke_signing_key(
    project: ProjectRef,
    signing_key: KeyRef,
    plane: ThePlane,
    subject: KeyWriter,
    if_match: IfMatch,
    response: Response,
    body: SigningKeyRevoke | None = None,
) -> SigningKeyRevoked:
    """Trust a key no more, for ever; the answer has the versions in use that lean on it. `dry_run` only says so."""
    asked = body or SigningKeyRevoke()
    row, done = await keys.revoke(plane, subject, project, signing_key, if_match, dry_run=asked.dry_run)
    with_etag(response, row)
    return done


@router.post(
    SIGNATURES, status_code=201, responses={200: {"model": VersionSignatureView, "description": "Known already"}}
)
async def create_version_signature(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    body: VersionSignatureCreate,
    plane: ThePlane,
    subject: VersionWriter,
    response: Response,
) -> VersionSignatureView:
    """Keep a signature of a version, where a key that the project trusts made it."""
    row, kept, made = await service.add(plane, subject, project, model, version, body)
    with_etag(response, row)
    response.status_code = 201 if made else 200
    return kept


@router.get(SIGNATURES)
async def list_version_signatures(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    _subject: ModelReader,
    asked: AskedPage,
) -> Page[VersionSignatureView]:
    """List a version's signatures, those of revoked keys included."""
    items, token = await service.page(plane, project, model, version, asked)
    return Page(items=items, next_page_token=token)
