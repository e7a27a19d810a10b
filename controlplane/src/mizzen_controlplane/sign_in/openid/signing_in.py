"""The rules of signing in at a provider: where a browser is sent, what it brings back, and the command line's way."""

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Forbidden, NotFound
from mizzen_controlplane.sign_in import sessions
from mizzen_controlplane.sign_in.openid.arrivals import arrive
from mizzen_controlplane.sign_in.openid.attempts import Attempt
from mizzen_controlplane.sign_in.openid.bearer import refusal, unavailable
from mizzen_controlplane.sign_in.openid.claims import Identity, TokenRefusedError, check_id_token, identity_of
from mizzen_controlplane.sign_in.openid.confirmation import sealed_refresh
from mizzen_controlplane.sign_in.openid.provider import OpenIdProvider, provider_named
from mizzen_controlplane.sign_in.openid.provider_http import ProviderError, RefusedByProviderError
from mizzen_controlplane.sign_in.openid.used_tokens import use_once
from mizzen_controlplane.sign_in.sessions import Begun, Caller


@dataclass(frozen=True, slots=True)
class Returned:
    """What a browser brings back from the provider."""

    code: str
    issuer: str
    error: str


def callback_url(plane: Plane, name: str) -> str:
    """Where the provider sends browsers back to; registered there."""
    return f"{plane.settings.base_url}/auth/providers/{name}/callback"


async def begin(plane: Plane, name: str, return_to: str) -> tuple[str, Attempt]:
    """Where to send a browser that wants to sign in; raises NotFound, Unavailable."""
    provider = provider_named(plane, name)
    settings = provider.settings
    if not settings.client_id:
        raise NotFound(f"Nobody signs in at {name} by a browser.", code="provider_not_found")
    attempt = Attempt.begun(name, return_to, time.time())
    challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": settings.client_id, "redirect_uri": callback_url(plane, name),
        "scope": " ".join(settings.scopes), "state": attempt.state, "nonce": attempt.nonce,
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    try:
        url = await provider.endpoint("authorization_endpoint")
    except ProviderError as error:
        raise unavailable(error) from error
    return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}", attempt


async def complete(plane: Plane, attempt: Attempt, returned: Returned, caller: Caller) -> Begun:
    """Begin the session of whom the provider sent back; raises Forbidden, Unauthorized, Unavailable."""
    provider = provider_named(plane, attempt.provider)
    client_id = provider.settings.client_id
    try:
        await _refuse_another_issuer(provider, returned.issuer)
        if returned.error or not returned.code:
            raise Forbidden(
                f"{provider.settings.name} let nobody in ({returned.error[:100] or 'no code'}). Sign in again.",
                code="sign_in_refused",
            )
        form = {
            "grant_type": "authorization_code", "code": returned.code, "code_verifier": attempt.verifier,
            "redirect_uri": callback_url(plane, attempt.provider),
        }  # fmt: skip
        answer = await provider.ask_for_tokens(form, client_id)
        identity = await id_of(provider, answer, client_id, attempt.nonce)
    except (TokenRefusedError, RefusedByProviderError) as refused:
        raise refusal(str(refused)) from refused
    except ProviderError as error:
        raise unavailable(error) from error
    async with unit_of_work(plane.database) as session:
        return await _begun(session, plane, provider, identity, caller, answer.get("refresh_token"))


async def exchange(plane: Plane, name: str, id_token: str, refresh_token: str | None, caller: Caller) -> Begun:
    """Begin a session of the command line, for an ID token that its device flow got; each token does so once."""
    provider = provider_named(plane, name)
    client_id = provider.settings.device_client_id
    if not client_id:
        raise NotFound(f"Nobody signs in at {name} by the command line.", code="provider_not_found")
    try:
        identity = await id_of(provider, {"id_token": id_token}, client_id, None)
    except TokenRefusedError as refused:
        raise refusal(str(refused)) from refused
    except ProviderError as error:
        raise unavailable(error) from error
    async with unit_of_work(plane.database) as session:
        if not await use_once(session, id_token, utc_now()):
            raise refusal("This ID token has begun a session already. Sign in again.")
        return await _begun(session, plane, provider, identity, caller, refresh_token)


async def id_of(provider: OpenIdProvider, answer: Mapping[str, Any], client_id: str, nonce: str | None) -> Identity:
    """Who the ID token of a token answer is of; raises TokenRefusedError, ProviderError."""
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise TokenRefusedError(f"{provider.settings.name} gave no ID token.")
    claims = await provider.claims(token, [client_id])
    check_id_token(claims, client_id, nonce)
    return identity_of(claims, provider.settings)


async def _refuse_another_issuer(provider: OpenIdProvider, issuer: str) -> None:
    """RFC 9207: a code that another provider gave must not be taken to this one."""
    announced = (await provider.document()).get("authorization_response_iss_parameter_supported") is True
    if issuer != provider.settings.issuer and (issuer or announced):
        raise TokenRefusedError("The answer comes from another provider (iss).")


async def _begun(
    session: AsyncSession, plane: Plane, provider: OpenIdProvider, identity: Identity, caller: Caller, refresh: object
) -> Begun:
    person = await arrive(session, identity)
    begun = await sessions.begin(session, plane.settings, person, caller, provider.settings.name)
    now = utc_now()
    begun.session.checked_at = begun.session.confirmed_at = now
    if isinstance(refresh, str) and refresh:
        begun.session.refresh = sealed_refresh(begun.secret, refresh)
    return begun
