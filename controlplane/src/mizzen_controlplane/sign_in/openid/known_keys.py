"""Which keys does an issuer sign with? Its JWKS, kept for an hour, asked anew for a key that nobody knows yet.

An unknown key id is anybody's to send, so that only once in a while is asked for one. Keys that cannot be renewed, as
the issuer is away, go on to be believed for a day.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from mizzen_controlplane.sign_in.openid.claims import TokenRefusedError
from mizzen_controlplane.sign_in.openid.provider_http import ProviderError

FRESH_SECONDS: Final = 3600.0
BELIEVED_SECONDS: Final = 24 * 3600.0
ASKED_AT_MOST_EVERY: Final = 30.0
MOST_KEYS: Final = 100
_KIND: Final[Mapping[str, type[Key]]] = {"R": RSAKey, "P": RSAKey, "E": ECKey}


class KnownKeys:
    """Keys of one issuer."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Mapping[str, Any]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`fetch` answers the JWKS, or raises ProviderError."""
        self._fetch = fetch
        self._clock = clock
        self._keys: list[Key] = []
        self._fetched_at = -BELIEVED_SECONDS
        self._asked_at = -BELIEVED_SECONDS
        self._lock = asyncio.Lock()

    async def key(self, key_id: str | None, algorithm: str) -> Key:
        """The key that a token names; raises TokenRefusedError for none, ProviderError where nobody can tell."""
        if self._age() > FRESH_SECONDS:
            await self._renew()
        found = self._find(key_id, algorithm)
        if found is None and await self._renew():
            found = self._find(key_id, algorithm)
        if found is None:
            raise TokenRefusedError("The token is signed with a key that its issuer does not publish.")
        return found

    def _find(self, key_id: str | None, algorithm: str) -> Key | None:
        kind = OKPKey if algorithm.startswith("Ed") else _KIND.get(algorithm[:1])
        fitting = [key for key in self._keys if kind is not None and isinstance(key, kind) and _may(key, algorithm)]
        if key_id is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.kid == key_id), None)

    async def _renew(self) -> bool:
        """Ask the issuer, unless that was done a moment ago; whether there may be other keys now."""
        before = self._fetched_at
        async with self._lock:
            if self._fetched_at != before:
                return True  # another request did, meanwhile
            if self._clock() - self._asked_at < ASKED_AT_MOST_EVERY:
                self._refuse_old()
                return False
            self._asked_at = self._clock()
            try:
                self._keys = _keys_in(await self._fetch())
            except ProviderError:
                self._refuse_old()
                return False
            self._fetched_at = self._clock()
            return True

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _refuse_old(self) -> None:
        if self._age() >= BELIEVED_SECONDS:
            self._keys = []
            raise ProviderError("The provider's keys cannot be had.")


def _may(key: Key, algorithm: str) -> bool:
    """Whether the key is published for signatures of this kind."""
    return key.get("use") in (None, "sig") and key.get("alg") in (None, algorithm)


def _keys_in(document: Mapping[str, Any]) -> list[Key]:
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ProviderError("The provider's JWKS has no list of keys.")
    found: list[Key] = []
    for each in listed[:MOST_KEYS]:
        try:
            found += KeySet.import_key_set({"keys": [each]}).keys
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue  # of a kind that is not known here: no reason to lose the others
    return found
