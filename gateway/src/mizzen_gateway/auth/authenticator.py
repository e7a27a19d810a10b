"""Whose key is it? The snapshot in memory tells, with the same work for every key that is not good.

Implements `Authenticator` and `AccessView` of `stages.py`.
"""

import hmac
import time
from collections.abc import Callable

from mizzen_gateway.auth.api_key import SECRET_LENGTH, presented_key, split_key
from mizzen_gateway.auth.key_digest import keyed_digest
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.stages import Caller, Headers, Refusal

INVALID_KEY = Refusal(
    status=401,
    code="invalid_api_key",
    message="The API key is missing or not valid. Send a key of this installation as `Authorization: Bearer mzk_...`, "
    "or alone in `api-key` or `x-api-key`; `mizzen keys create` makes one (`mizzen gateway key` for a gateway that "
    "runs alone).",
    headers=(("www-authenticate", "Bearer"),),
)

_NO_SECRET = b"0" * SECRET_LENGTH
_NO_DIGEST = bytes(32)


def access_unavailable(state: AccessState) -> Refusal:
    """503: no snapshot, or one that is too old to go by."""
    detail = "has not had the keys and limits from the control plane yet"
    if state.index is not None:
        hours = state.max_age_seconds / 3600
        detail = f"has not heard from the control plane for more than {hours:g} h (MIZZEN_SNAPSHOT_MAX_AGE_SECONDS)"
    return Refusal(
        status=503,
        code="quota_unavailable",
        message=f"This gateway {detail}. Try again; if it stays, see that the control plane runs and can be reached.",
        headers=(("retry-after", "1"),),
    )


class KeyAuthenticator:
    """Checks keys against the index in force."""

    def __init__(self, state: AccessState, pepper: bytes, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._digest_of = keyed_digest(pepper)
        self._clock = clock

    def authenticate(self, headers: Headers) -> Caller | Refusal:
        """The caller, or 401 invalid_api_key; 503 where nothing can be known."""
        now = self._clock()
        index = self._state.current(now)
        if index is None:
            return access_unavailable(self._state)
        key_id, secret = split_key(presented_key(headers)) or ("", _NO_SECRET)
        key = index.keys.get(key_id)
        # One digest and two comparisons whatever is wrong: the time tells nothing about which keys exist.
        expected = _NO_DIGEST if key is None else key.digest
        previous = _NO_DIGEST if key is None or key.previous_digest is None else key.previous_digest
        digest = self._digest_of(secret)
        matches, matches_previous = hmac.compare_digest(digest, expected), hmac.compare_digest(digest, previous)
        if key is None or now >= key.expires_at:
            return INVALID_KEY
        if not matches and not (matches_previous and now < key.previous_expires_at):
            return INVALID_KEY
        return key.caller

    def caller_with(self, key_id: str) -> Caller | None:
        """Whom a key speaks for, where its secret was checked before; None once it opens nothing any more."""
        now = self._clock()
        index = self._state.current(now)
        key = None if index is None else index.keys.get(key_id)
        return None if key is None or now >= key.expires_at else key.caller

    @property
    def ready(self) -> bool:
        """A snapshot is there and not older than its lifetime."""
        return self._state.current(self._clock()) is not None

    def namespace_of(self, project: str) -> str | None:
        """Namespace of the project of this name; None when there is no such project."""
        index = self._state.index
        return None if index is None else index.namespaces.get(project)
