"""Does a token say who somebody is? Its signature, issuer, audience and times are checked; all else refuses it."""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key

from mizzen_controlplane.sign_in.openid.providers import Provider

LEEWAY_SECONDS: Final = 30
"""Clocks differ."""
LONGEST_TOKEN: Final = 16_384
MOST_GROUPS: Final = 1000


class TokenRefusedError(Exception):
    """The token says nothing here; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself, which nobody vouches for yet: to find the key that it is to be checked with."""

    issuer: str
    algorithm: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the issuer says that it is."""

    issuer: str
    subject: str
    """What the issuer knows them by, for ever."""
    name: str
    email: str
    groups: frozenset[str]
    admin: bool
    """The settings let this one do everything."""


def unverified(token: str) -> Unverified | None:
    """What a token says of itself; None for a text that is no signed JWT."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > LONGEST_TOKEN:
        return None
    header, body = _object(parts[0]), _object(parts[1])
    if header is None or body is None:
        return None
    issuer, algorithm, key_id = body.get("iss"), header.get("alg"), header.get("kid")
    if not isinstance(issuer, str) or not isinstance(algorithm, str) or not isinstance(key_id, str | None):
        return None
    return Unverified(issuer, algorithm, key_id)


def verified(token: str, key: Key, provider: Provider, audiences: Collection[str], now: float) -> dict[str, Any]:
    """The claims of a token that the provider made for one of `audiences`; raises TokenRefusedError."""
    rules = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": provider.issuer},
        sub={"essential": True},
        aud={"essential": True, "values": list(audiences)},
        exp={"essential": True},
    )
    try:
        found = jwt.decode(token, key, algorithms=list(provider.algorithms))
        rules.validate(found.claims)
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRefusedError(f"The token of {provider.name} is not valid: {error}.") from error
    return found.claims


def check_id_token(claims: Mapping[str, Any], client_id: str, nonce: str | None) -> None:
    """Raise TokenRefusedError where this is no ID token for `client_id`, made for the very attempt with `nonce`.

    OpenID Connect Core 1.0, 3.1.3.7. `nonce` is None where there is none to come back, as in the device flow.
    """
    if claims.get("typ", "ID") != "ID":
        raise TokenRefusedError("The token is none that tells who signed in: an ID token is needed.")
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise TokenRefusedError("The token was made for another client (azp).")
    if nonce is not None and claims.get("nonce") != nonce:
        raise TokenRefusedError("The token was not made for this attempt to sign in (nonce).")


def identity_of(claims: Mapping[str, Any], provider: Provider) -> Identity:
    """Who it is, of verified claims; raises TokenRefusedError."""
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
        raise TokenRefusedError("The token's subject must be a text of 1 to 255 characters.")
    groups = _groups(claims.get(provider.groups_claim))
    named = (claims.get(each) for each in ("name", "preferred_username", "client_id", "azp"))
    name = next((each for each in named if isinstance(each, str) and each.strip()), subject)
    email = claims.get("email")
    return Identity(
        provider.issuer,
        subject,
        name[:253],
        email[:320] if isinstance(email, str) else "",
        groups,
        provider.makes_admin(subject, groups),
    )


def _groups(claim: object) -> frozenset[str]:
    given = [claim] if isinstance(claim, str) else claim
    if not isinstance(given, list):
        return frozenset()
    return frozenset(each for each in given[:MOST_GROUPS] if isinstance(each, str) and 1 <= len(each) <= 255)


def _object(part: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None
