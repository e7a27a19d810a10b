"""Who is calling? Asked of the API server by TokenReview: a pod speaks for itself alone, a gateway for gateways."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from mizzen_kube.api import Api
from mizzen_kube.errors import ThrottledError
from mizzen_kube.resources import TOKEN_REVIEWS

REGISTRY_AUDIENCE: Final = "mizzen-registry"
"""Audience of the token that init containers carry; the control plane takes it too."""
OPERATOR_AUDIENCE: Final = "mizzen-operator"
"""Audience of the token that gateways carry."""
POD_NAME: Final = "authentication.kubernetes.io/pod-name"
ACCOUNT_PREFIX: Final = "system:serviceaccount:"
KNOWN_SECONDS: Final = 60.0
MOST_KNOWN: Final = 10_000
REFUSED_SECONDS: Final = 60.0
MOST_REFUSED: Final = 10_000
"""Kept apart from those that are known, so that the one cannot push out the other."""
REVIEWS_AT_ONCE: Final = 16
MOST_QUESTIONS: Final = 256
"""Reviews under way and tokens that wait for one; beyond that callers are told to come again."""
Digest = tuple[str, bytes]
"""Audience, and SHA-256 of the token."""
Answer = TypeVar("Answer")


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


class Answers(Generic[Answer]):
    """Answers by a token's digest, each for a while; beyond a number the oldest are forgotten."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._kept: OrderedDict[Digest, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, digest: Digest, now: float) -> Answer | None:
        """Return an answer that still holds."""
        until, answer = self._kept.get(digest, (0.0, None))
        return answer if until >= now else None

    def put(self, digest: Digest, answer: Answer, now: float) -> None:
        """Keep an answer."""
        self._kept[digest] = (now + self._seconds, answer)
        self._kept.move_to_end(digest)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


class Identities:
    """Callers by token. Whoever sends tokens that are nobody's costs the API server little, and drives nobody out."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: Answers[Caller] = Answers(KNOWN_SECONDS, MOST_KNOWN)
        self._refused: Answers[str] = Answers(REFUSED_SECONDS, MOST_REFUSED)
        self._asked: dict[Digest, asyncio.Task[Caller | None]] = {}
        self._gate = asyncio.Semaphore(REVIEWS_AT_ONCE)

    async def caller(self, token: str, audience: str) -> Caller:
        """Return who a token belongs to.

        Raises UnknownCallerError, and ApiError where the API server cannot be asked, or is asked too much already.
        """
        digest = (audience, hashlib.sha256(token.encode()).digest())
        now = asyncio.get_running_loop().time()
        known = self._known.get(digest, now)
        if known is None and self._refused.get(digest, now) is None:
            known = await asyncio.shield(self._question(digest, token))
        if known is None:
            raise UnknownCallerError(f"the token is not one that the API server issued for the audience {audience}")
        return known

    def _question(self, digest: Digest, token: str) -> asyncio.Task[Caller | None]:
        """Ask once for all who wait for the same answer; who goes away meanwhile takes it from nobody."""
        if (asked := self._asked.get(digest)) is not None:
            return asked
        if len(self._asked) >= MOST_QUESTIONS:
            raise ThrottledError(f"{MOST_QUESTIONS} tokens wait to be reviewed; ask again in a second", retry_after=1.0)
        asked = self._asked[digest] = asyncio.create_task(self._answer(digest, token))
        asked.add_done_callback(lambda _: self._asked.pop(digest))
        # Looked at here too, because nobody may be left who waits for it.
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())
        return asked

    async def _answer(self, digest: Digest, token: str) -> Caller | None:
        async with self._gate:
            caller = await self._review(token, digest[0])
        now = asyncio.get_running_loop().time()
        if caller is None:
            self._refused.put(digest, "nobody's", now)
        else:
            self._known.put(digest, caller, now)
        return caller

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
