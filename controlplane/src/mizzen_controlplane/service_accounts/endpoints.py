"""Routes of service accounts and their tokens."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.identity.schemas import KeyRotate
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.service_accounts import accounts, tokens
from mizzen_controlplane.service_accounts.schemas import (
    ServiceAccountCreate,
    ServiceAccountPatch,
    ServiceAccountTokenCreate,
    ServiceAccountTokenView,
    ServiceAccountTokenWithSecret,
    ServiceAccountView,
)

router = api_router("service-accounts")

Reader = Annotated[Subject, Depends(Allow(Permission.SERVICE_ACCOUNTS_READ))]
Writer = Annotated[Subject, Depends(Allow(Permission.SERVICE_ACCOUNTS_WRITE))]
ACCOUNTS = "/api/v1/projects/{project}/service-accounts"
ACCOUNT = ACCOUNTS + "/{service_account}"
TOKENS = ACCOUNT + "/tokens"
AccountRef = Annotated[str, Path(max_length=64, description="Id or name of the service account.")]
TokenRef = Annotated[str, Path(max_length=64, description="Id or name of the token.")]


@router.post(ACCOUNTS, status_code=201)
async def create_service_account(
    project: ProjectRef, body: ServiceAccountCreate, plane: ThePlane, subject: Writer, response: Response
) -> ServiceAccountView:
    """Make a service account; it may do nothing until a role is bound to it."""
    row, shown = await accounts.create(plane, subject, project, body)
    with_etag(response, row)
    return shown


@router.get(ACCOUNTS)
async def list_service_accounts(
    project: ProjectRef, plane: ThePlane, _subject: Reader, asked: AskedPage
) -> Page[ServiceAccountView]:
    """List a project's service accounts."""
    items, token = await accounts.page(plane, project, asked)
    return Page(items=items, next_page_token=token)


@router.get(ACCOUNT)
async def get_service_account(
    project: ProjectRef, service_account: AccountRef, plane: ThePlane, _subject: Reader, response: Response
) -> ServiceAccountView:
    """Read a service account."""
    row, shown = await accounts.get(plane, project, service_account)
    with_etag(response, row)
    return shown


@router.patch(ACCOUNT)
async def change_service_account(
    project: ProjectRef,
    service_account: AccountRef,
    body: ServiceAccountPatch,
    plane: ThePlane,
    subject: Writer,
    if_match: IfMatch,
    response: Response,
) -> ServiceAccountView:
    """Describe, label, disable or enable a service account; to enable it, hold all that it holds."""
    row, shown = await accounts.change(plane, subject, project, service_account, body, if_match)
    with_etag(response, row)
    return shown


@router.delete(ACCOUNT, status_code=204)
async def delete_service_account(
    project: ProjectRef, service_account: AccountRef, plane: ThePlane, subject: Writer, if_match: IfMatch
) -> None:
    """Delete a service account with its tokens and bindings; its id is never used again."""
    await accounts.delete(plane, subject, project, service_account, if_match)


@router.post(TOKENS, status_code=201)
async def create_service_account_token(
    project: ProjectRef,
    service_account: AccountRef,
    body: ServiceAccountTokenCreate,
    plane: ThePlane,
    subject: Writer,
    response: Response,
) -> ServiceAccountTokenWithSecret:
    """Make a token; its secret is in this answer alone. Nobody gets one that opens more than they hold."""
    row, made = await tokens.create(plane, subject, project, service_account, body)
    with_etag(response, row)
    return made


@router.get(TOKENS)
async def list_service_account_tokens(
    project: ProjectRef, service_account: AccountRef, plane: ThePlane, _subject: Reader, asked: AskedPage
) -> Page[ServiceAccountTokenView]:
    """List an account's tokens, revoked ones included."""
    items, token = await tokens.page(plane, project, service_account, asked)
    return Page(items=items, next_page_token=token)


@router.post(TOKENS + "/{token}:rotate")
async def rotate_service_account_token(
    project: ProjectRef,
    service_account: AccountRef,
    token: TokenRef,
    plane: ThePlane,
    subject: Writer,
    if_match: IfMatch,
    response: Response,
    body: KeyRotate | None = None,
) -> ServiceAccountTokenWithSecret:
    """Give the token a new secret; the old one works for `overlap_seconds` more."""
    row, made = await tokens.rotate(plane, subject, project, service_account, token, body or KeyRotate(), if_match)
    with_etag(response, row)
    return made


@router.post(TOKENS + "/{token}:revoke")
async def revoke_service_account_token(
    project: ProjectRef,
    service_account: AccountRef,
    token: TokenRef,
    plane: ThePlane,
    subject: Writer,
    if_match: IfMatch,
    response: Response,
) -> ServiceAccountTokenView:
    """Refuse the token for ever, from the next request on."""
    row, shown = await tokens.revoke(plane, subject, project, service_account, token, if_match)
    with_etag(response, row)
    return shown
