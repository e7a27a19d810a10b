"""What must a browser bring back from the provider? A cookie of this very attempt, sealed, that nobody else can have.

It holds what ties the three steps together (state, nonce, PKCE verifier), so that any replica can take the last.
"""

import base64
import binascii
import hmac
import secrets
from dataclasses import asdict, dataclass
from typing import Final, Self

import orjson

from mizzen_controlplane.kit.sealing import seal, unseal

LASTS_SECONDS: Final = 600
_HERE: Final = "/api/v1/me"
"""Where a browser is sent that did not say."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in by a browser."""

    provider: str
    state: str
    nonce: str
    verifier: str
    """RFC 7636."""
    return_to: str
    until: float

    @classmethod
    def begun(cls, provider: str, return_to: str, now: float) -> Self:
        """A new one."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(provider, state, nonce, verifier, path_here(return_to), now + LASTS_SECONDS)

    def sealed(self, page_key: bytes) -> str:
        """For the cookie."""
        return base64.urlsafe_b64encode(seal(_key(page_key), orjson.dumps(asdict(self)))).decode()


def opened(page_key: bytes, text: str, provider: str, state: str, now: float) -> Attempt | None:
    """The attempt of a cookie; None unless it is of this provider and state, and not too old."""
    try:
        attempt = Attempt(**orjson.loads(unseal(_key(page_key), base64.urlsafe_b64decode(text))))
    except (ValueError, binascii.Error, TypeError):
        return None
    same = hmac.compare_digest(attempt.state.encode(), state.encode()) and attempt.provider == provider
    return attempt if same and attempt.until > now else None


def cookie_of(state: str) -> str:
    """Name of the cookie: each window has an attempt of its own."""
    return f"sign-in-{''.join(each for each in state[:12] if each.isascii() and each.isalnum())}"


def path_here(asked: str) -> str:
    """A path of this host; where something else was asked for, the one that says who is signed in."""
    harmless = asked.startswith("/") and not asked.startswith(("//", "/\\")) and asked.isprintable()
    return asked if harmless and asked.isascii() and "\\" not in asked else _HERE


def _key(page_key: bytes) -> bytes:
    return hmac.digest(page_key, b"attempt to sign in", "sha256")
