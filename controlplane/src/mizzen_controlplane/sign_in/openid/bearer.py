"""Which program is it that comes with a provider's own token? Asked with every request that carries a signed JWT."""

from fastapi import Request

from mizzen_controlplane.kit.cookie_session import bearer_token
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Unauthorized, Unavailable
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.sign_in import sessions
from mizzen_controlplane.sign_in.models import Person
from mizzen_controlplane.sign_in.openid.arrivals import arrive
from mizzen_controlplane.sign_in.openid.claims import Identity, TokenRefusedError, identity_of, unverified
from mizzen_controlplane.sign_in.openid.provider import OpenIdProvider, known_providers
from mizzen_controlplane.sign_in.openid.provider_http import ProviderError
from mizzen_controlplane.sign_in.repository import person_of


async def recognize(plane: Plane, request: Request) -> Subject | None:
    """Whom a provider vouches for; None for a token of nobody known here. Raises Unauthorized, Unavailable."""
    token = bearer_token(request)
    said = unverified(token) if known_providers(plane) else None
    if said is None:
        return None
    for provider in known_providers(plane):
        if provider.settings.issuer == said.issuer and provider.settings.audiences:
            return await _vouched(plane, provider, token)
    return None


async def _vouched(plane: Plane, provider: OpenIdProvider, token: str) -> Subject:
    try:
        claims = await provider.claims(token, provider.settings.audiences)
        identity = identity_of(claims, provider.settings)
    except TokenRefusedError as refused:
        raise refusal(str(refused)) from refused
    except ProviderError as error:
        raise unavailable(error) from error
    person = await _person(plane, identity)
    if person.disabled:
        raise refusal("Whom this token is of is disabled here. Ask an administrator.")
    # What the token says counts, and is not kept: another of the same holder may say less.
    said = {"groups": sorted(identity.groups), "platform_admin": identity.admin}
    return sessions.subject_of(Person(**{**person.model_dump(), **said}))


async def _person(plane: Plane, identity: Identity) -> Person:
    async with reading(plane.database) as session:
        person = await person_of(session, identity.issuer, identity.subject)
    if person is not None:
        return person
    async with unit_of_work(plane.database) as session:
        return await arrive(session, identity)


def refusal(detail: str) -> Unauthorized:
    """The answer to a token that is none."""
    return Unauthorized(
        detail, code="token_refused", headers={"WWW-Authenticate": 'Bearer realm="mizzen", error="invalid_token"'}
    )


def unavailable(error: ProviderError) -> Unavailable:
    """The answer while the provider cannot be asked."""
    return Unavailable(f"{error} Try again.", code="provider_unavailable", headers={"Retry-After": "5"})
