"""Who is calling? Asked of the API server by TokenReview: a pod speaks for itself alone, a gateway for gateways."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mizzen_kube.api import Api
from mizzen_kube.resources import TOKEN_REVIEWS

REGISTRY_AUDIENCE: Final = "mizzen-registry"
"""Audience of the token that init containers carry; the control plane takes it too."""
OPERATOR_AUDIENCE: Final = "mizzen-operator"
"""Audience of the token that gateways carry."""
POD_NAME: Final = "authentication.kubernetes.io/pod-name"
ACCOUNT_PREFIX: Final = "system:serviceaccount:"
KNOWN_SECONDS: Final = 60.0
MOST_KNOWN: Final = 10_000


class UnknownCallerError(Exception):
    """The token is nobody's, or not for this audience."""


@dataclass(frozen=True)
class Caller:
    """A service account, and the pod that its token is bound to."""

    namespace: str
    account: str
    pod: str
    """Empty for a token that is bound to no pod."""

    @property
    def subject(self) -> str:
        """As RBAC names the account."""
        return f"{ACCOUNT_PREFIX}{self.namespace}:{self.account}"


class Identities:
    """Callers by token; the answer is remembered for a minute, by the token's digest."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, bytes], tuple[float, Caller | None]] = {}

    async def caller(self, token: str, audience: str) -> Caller:
        """Return who a token belongs to.

        Raises UnknownCallerError, and ApiError where the API server cannot be asked.
        """
        key = (audience, hashlib.sha256(token.encode()).digest())
        now = asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is None or known[0] < now:
            known = (now + KNOWN_SECONDS, await self._review(token, audience))
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = known
        if known[1] is None:
            raise UnknownCallerError(f"the token is not one that the API server issued for the audience {audience}")
        return known[1]

    async def _review(self, token: str, audience: str) -> Caller | None:
        review = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token, "audiences": [audience]},
        }
        return caller_of((await self._api.review(review)).get("status") or {}, audience)


def caller_of(status: Mapping[str, Any], audience: str) -> Caller | None:
    """Return whom a TokenReview's status names; None for nobody."""
    if not status.get("authenticated") or audience not in (status.get("audiences") or ()):
        return None
    user = status.get("user") or {}
    name = str(user.get("username", ""))
    if not name.startswith(ACCOUNT_PREFIX):
        return None
    namespace, _, account = name.removeprefix(ACCOUNT_PREFIX).partition(":")
    pods: Sequence[str] = (user.get("extra") or {}).get(POD_NAME) or ("",)
    return Caller(namespace, account, pods[0])
