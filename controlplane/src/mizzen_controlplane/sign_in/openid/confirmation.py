"""May who signed in at a provider still? It is asked every few minutes, with the refresh token that it gave.

Nobody here can read that token alone: it is sealed under the session's secret, which comes with requests. What the
provider says of groups holds from then on; a provider that is away is waited for during an hour.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Unauthorized
from mizzen_controlplane.kit.sealing import seal, unseal
from mizzen_controlplane.sign_in.models import LOCAL, Person, SignInSession
from mizzen_controlplane.sign_in.openid.arrivals import arrive
from mizzen_controlplane.sign_in.openid.bearer import unavailable
from mizzen_controlplane.sign_in.openid.claims import Identity, TokenRefusedError, check_id_token, identity_of
from mizzen_controlplane.sign_in.openid.provider import OpenIdProvider, known_providers
from mizzen_controlplane.sign_in.openid.provider_http import ProviderError, RefusedByProviderError
from mizzen_controlplane.sign_in.repository import claim_check, end_session, find_session
from mizzen_controlplane.sign_in.sessions import Kind

WAITS_FOR: Final = timedelta(hours=1)
"""A provider that is away."""
_ASKING: Final = timedelta(seconds=30)


def sealed_refresh(secret: str, refresh: str) -> bytes:
    """What is kept of a refresh token."""
    return seal(_key(secret), refresh.encode())


def ended() -> Unauthorized:
    """The answer to a session that is over."""
    return Unauthorized(
        "The session has ended. Sign in again.",
        code="session_ended",
        headers={"WWW-Authenticate": 'Bearer realm="mizzen"'},
    )


async def confirmed(plane: Plane, found: SignInSession, person: Person, secret: str) -> Person:
    """The person as the provider says; raises Unauthorized for one who may not, Unavailable where nobody can tell."""
    if found.provider == LOCAL:
        return person
    provider = _provider_of(plane, found, person)
    if provider is None:
        raise ended()  # taken out of the settings
    if found.refresh is None or found.checked_at is None or found.confirmed_at is None:
        return person
    now = utc_now()
    if now - found.checked_at < timedelta(seconds=provider.settings.confirm_seconds):
        if now - found.confirmed_at > WAITS_FOR and now - found.checked_at > _ASKING:
            raise unavailable(ProviderError(f"{found.provider} did not answer for an hour."))
        return person
    async with unit_of_work(plane.database) as session:
        if not await claim_check(session, found.id, found.checked_at, now):
            return person
    return await _asked(plane, provider, found, person, secret)


async def _asked(plane: Plane, provider: OpenIdProvider, found: SignInSession, person: Person, secret: str) -> Person:
    client_id = provider.settings.device_client_id if found.kind == Kind.COMMAND_LINE else provider.settings.client_id
    assert found.refresh is not None
    refresh = unseal(_key(secret), found.refresh).decode()
    try:
        answer = await provider.ask_for_tokens({"grant_type": "refresh_token", "refresh_token": refresh}, client_id)
        identity = await _identity(provider, answer.get("id_token"), client_id, person)
    except (ProviderError, TokenRefusedError) as error:
        if isinstance(error, RefusedByProviderError) and error.error == "invalid_grant":
            async with unit_of_work(plane.database) as session:
                await end_session(session, found.id)
            raise ended() from error
        _refuse_unconfirmed(found, utc_now(), error)
        return person
    newer = answer.get("refresh_token")
    async with unit_of_work(plane.database) as session:
        row = await find_session(session, person.id, found.id)
        if row is None:
            raise ended()
        row.confirmed_at = utc_now()
        if isinstance(newer, str) and newer:
            row.refresh = sealed_refresh(secret, newer)
        return await arrive(session, identity) if identity is not None else person


async def _identity(provider: OpenIdProvider, token: object, client_id: str, person: Person) -> Identity | None:
    """None where the provider says no more than that it goes on; raises TokenRefusedError."""
    if not isinstance(token, str):
        return None
    claims = await provider.claims(token, [client_id])
    check_id_token(claims, client_id, None)
    identity = identity_of(claims, provider.settings)
    if identity.subject != person.subject:
        raise TokenRefusedError("The provider speaks of somebody else.")
    return identity


def _refuse_unconfirmed(found: SignInSession, now: datetime, error: Exception) -> None:
    if found.confirmed_at is None or now - found.confirmed_at > WAITS_FOR:
        raise unavailable(ProviderError(str(error))) from error


def _provider_of(plane: Plane, found: SignInSession, person: Person) -> OpenIdProvider | None:
    for provider in known_providers(plane):
        if provider.settings.name == found.provider and provider.settings.issuer == person.issuer:
            return provider
    return None


def _key(secret: str) -> bytes:
    return hashlib.sha256(b"refresh\0" + secret.encode()).digest()
