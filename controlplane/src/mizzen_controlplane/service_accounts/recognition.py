"""Which service account's token is this? Asked with every request that carries one: what is shut is shut at once."""

from datetime import datetime, timedelta
from typing import Final

from fastapi import Request

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.cookie_session import bearer_token
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Unauthorized
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.service_accounts.models import ServiceAccountToken
from mizzen_controlplane.service_accounts.repository import mark_used, token_by_digest
from mizzen_controlplane.service_accounts.subjects import subject_of
from mizzen_controlplane.service_accounts.token_secret import PREFIX, digest_of, is_mistyped

USE_IS_WRITTEN_EVERY: Final = timedelta(seconds=60)
"""Else each read would be a write."""


async def recognize(plane: Plane, request: Request) -> Subject | None:
    """The service account; None for a token that is none of one. Raises Unauthorized for one that opens nothing."""
    secret = bearer_token(request)
    if not secret.startswith(PREFIX):
        return None
    if is_mistyped(secret):
        raise _refusal("The token is damaged: its checksum does not fit. Copy it whole.")
    digest, now = digest_of(secret), utc_now()
    async with reading(plane.database) as session:
        known = await token_by_digest(session, digest)
    if known is None or known[1].disabled or not opens(known[0], digest, now):
        raise _refusal(
            "The token is not one of a service account here, or it has expired, was revoked, or its account is "
            "disabled. Ask an administrator of the project for a new one."
        )
    token, account = known
    if token.used_at is None or now - token.used_at >= USE_IS_WRITTEN_EVERY:
        async with unit_of_work(plane.database) as session:
            await mark_used(session, token.id, now)
    return subject_of(account)


def opens(token: ServiceAccountToken, digest: str, now: datetime) -> bool:
    """Whether the secret with this digest is one that the token has now."""
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        return False
    if token.digest == digest:
        return True
    return token.previous_expires_at is not None and now < token.previous_expires_at


def _refusal(detail: str) -> Unauthorized:
    return Unauthorized(
        detail,
        code="account_token_refused",
        headers={"WWW-Authenticate": 'Bearer realm="mizzen", error="invalid_token"'},
    )
