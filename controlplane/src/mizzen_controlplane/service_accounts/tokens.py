"""The rules of service accounts' tokens: a secret is shown once, to somebody who holds all that it opens."""

from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.authorization.bindings import require_all_that_it_holds
from mizzen_controlplane.identity.keys import refuse_past
from mizzen_controlplane.identity.schemas import KeyRotate, KeyState
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.service_accounts import repository
from mizzen_controlplane.service_accounts.accounts import account_or_404
from mizzen_controlplane.service_accounts.models import ServiceAccount, ServiceAccountToken
from mizzen_controlplane.service_accounts.schemas import (
    ServiceAccountTokenCreate,
    ServiceAccountTokenView,
    ServiceAccountTokenWithSecret,
)
from mizzen_controlplane.service_accounts.subjects import subject_of
from mizzen_controlplane.service_accounts.token_secret import digest_of, new_secret

FIELDS = {name: getattr(ServiceAccountToken, name) for name in ("id", "name", "created_at", "updated_at", "created_by")}
Given = tuple[ServiceAccountToken, ServiceAccountTokenWithSecret]


def state_of(token: ServiceAccountToken, now: datetime) -> KeyState:
    """Whether it opens anything."""
    if token.revoked_at is not None:
        return KeyState.REVOKED
    expired = token.expires_at is not None and token.expires_at <= now
    return KeyState.EXPIRED if expired else KeyState.ACTIVE


async def create(
    plane: Plane, subject: Subject, project_ref: str, account_ref: str, body: ServiceAccountTokenCreate
) -> Given:
    """Make a token and its secret; raises Forbidden for who does not hold what the account does."""
    refuse_past(body.expires_at)
    secret = new_secret()
    async with unit_of_work(plane.database) as session:
        account = await _account(session, plane, project_ref, account_ref)
        await require_all_that_it_holds(session, plane, subject, subject_of(account))
        token = ServiceAccountToken(
            id=new_id("sat"), name=body.name, account_id=account.id, digest=digest_of(secret),
            expires_at=body.expires_at, labels=body.labels, created_by=subject.name,
        )  # fmt: skip
        session.add(token)
        taken = f"The account has a token named {body.name!r} already, perhaps a revoked one. Choose another name."
        await flush_or(session, Conflict(taken, code="name_taken"))
        _recorded(session, subject, "service-account-tokens.create", account, token, None)
    return token, _with_secret(token, account, secret)


async def page(
    plane: Plane, project_ref: str, account_ref: str, asked: PageQuery
) -> tuple[list[ServiceAccountTokenView], str]:
    """One page of an account's tokens, oldest first, revoked ones included."""
    async with reading(plane.database) as session:
        account = await _account(session, plane, project_ref, account_ref)
        rows, next_page = await page_of(
            session, repository.tokens_of(account.id), asked, FIELDS, plane.secrets.page_key,
            default_order="created_at asc", scope=f"service-account-tokens {account.id}",
        )  # fmt: skip
    return [_view(row, account) for row in rows], next_page


async def rotate(
    plane: Plane,
    subject: Subject,
    project_ref: str,
    account_ref: str,
    token_ref: str,
    body: KeyRotate,
    if_match: str | None,
) -> Given:
    """Give the token a new secret; the old one works for the overlap, and one before that no more."""
    secret = new_secret()
    async with unit_of_work(plane.database) as session:
        account = await _account(session, plane, project_ref, account_ref)
        token = await _token_or_404(session, account, token_ref)
        require_match(if_match, token)
        if token.revoked_at is not None:
            raise Conflict(
                f"The token {token.name!r} is revoked, which is for ever. Make a new one.", code="account_token_revoked"
            )
        await require_all_that_it_holds(session, plane, subject, subject_of(account))
        before, overlaps = _audited(token), body.overlap_seconds > 0
        token.previous_digest = token.digest if overlaps else None
        token.previous_expires_at = utc_now() + timedelta(seconds=body.overlap_seconds) if overlaps else None
        token.digest = digest_of(secret)
        token.touch()
        _recorded(session, subject, "service-account-tokens.rotate", account, token, before)
    return token, _with_secret(token, account, secret)


async def revoke(
    plane: Plane, subject: Subject, project_ref: str, account_ref: str, token_ref: str, if_match: str | None
) -> tuple[ServiceAccountToken, ServiceAccountTokenView]:
    """Refuse the token for ever, both of its secrets; once more changes nothing."""
    async with unit_of_work(plane.database) as session:
        account = await _account(session, plane, project_ref, account_ref)
        token = await _token_or_404(session, account, token_ref)
        require_match(if_match, token)
        if token.revoked_at is None:
            before = _audited(token)
            token.revoked_at, token.previous_digest, token.previous_expires_at = utc_now(), None, None
            token.touch()
            _recorded(session, subject, "service-account-tokens.revoke", account, token, before)
        return token, _view(token, account)


async def _account(session: AsyncSession, plane: Plane, project_ref: str, account_ref: str) -> ServiceAccount:
    return await account_or_404(session, await project_or_404(session, plane, project_ref), account_ref)


async def _token_or_404(session: AsyncSession, account: ServiceAccount, ref: str) -> ServiceAccountToken:
    token = await repository.find_token(session, account.id, ref, lock=True)
    if token is None:
        raise NotFound(f"The service account {account.name!r} has no token {ref!r}.", code="account_token_not_found")
    return token


def _view(token: ServiceAccountToken, account: ServiceAccount) -> ServiceAccountTokenView:
    return ServiceAccountTokenView.model_validate(_fields(token, account))


def _with_secret(token: ServiceAccountToken, account: ServiceAccount, secret: str) -> ServiceAccountTokenWithSecret:
    return ServiceAccountTokenWithSecret.model_validate({**_fields(token, account), "secret": secret})


def _fields(token: ServiceAccountToken, account: ServiceAccount) -> dict[str, object]:
    return {
        **resource_fields(token),
        **token.model_dump(include={"expires_at", "revoked_at", "created_by"}),
        "service_account": account.name,
        "state": state_of(token, utc_now()),
        "previous_secret_expires_at": token.previous_expires_at,
        "last_used_at": token.used_at,
    }


def _recorded(
    session: AsyncSession,
    subject: Subject,
    action: str,
    account: ServiceAccount,
    token: ServiceAccountToken,
    before: dict[str, object] | None,
) -> None:
    record(
        session, subject, action, token.id, name=token.name, project_id=account.project_id, before=before,
        after=_audited(token),
    )  # fmt: skip


def _audited(token: ServiceAccountToken) -> dict[str, object]:
    return token.model_dump(exclude={"digest", "previous_digest", "used_at"})
