"""Who is behind a service account's token? The API server is asked, and its answer holds for a minute.

Gateway and operator are known by their accounts. Any pod with a token for the registry may read what the project of its
own namespace has, and nothing else.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from mizzen_crds import audiences
from mizzen_kube.errors import ApiError

from mizzen_controlplane.kit.problem import Unavailable
from mizzen_controlplane.kit.secret_folder import token_digest
from mizzen_controlplane.kit.subject import GRANTED, Subject

HOLDS_SECONDS: Final = 60.0
"""For so long a token still passes after its pod was deleted."""
REMEMBERED: Final = 10_000
LONGEST_TOKEN: Final = 16_384
ACCOUNT: Final = "system:serviceaccount:"
POD_UID: Final = "authentication.kubernetes.io/pod-uid"


class Reviews(Protocol):
    """The API server, as far as it is needed here."""

    async def review(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Answer a TokenReview. Raises ApiError."""
        ...


class TokenReviewer:
    """A `Reviewer` of the kit."""

    def __init__(self, api: Reviews, programs: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        """`programs`: an account's full name (system:serviceaccount:namespace:name) -> what its token opens."""
        self._api = api
        self._programs = programs
        self._clock = clock
        self._known: dict[bytes, tuple[float, Subject]] = {}

    async def subject_of(self, token: str) -> Subject | None:
        """The subject; None for a token that the API server does not vouch for. Raises Unavailable."""
        if token.count(".") != 2 or len(token) > LONGEST_TOKEN:
            return None  # no service account's token: not worth a question
        digest = token_digest(token)
        until, known = self._known.get(digest, (0.0, None))
        if known is not None and self._clock() < until:
            return known
        subject = self._vouched(await self._reviewed(token))
        self._remember(digest, subject)
        return subject

    async def _reviewed(self, token: str) -> Mapping[str, Any]:
        spec = {"token": token, "audiences": [audiences.CONTROLPLANE, audiences.REGISTRY]}
        question = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}, "spec": spec}
        try:
            answer = await self._api.review(question)
        except ApiError as error:
            raise Unavailable(
                "The Kubernetes API server, which knows the token, does not answer. Try again.",
                code="token_not_reviewed",
                headers={"Retry-After": "2"},
            ) from error
        status: Mapping[str, Any] = answer.get("status") or {}
        return status

    def _vouched(self, status: Mapping[str, Any]) -> Subject | None:
        user = status.get("user") or {}
        name = str(user.get("username", ""))
        if not status.get("authenticated") or not name.startswith(ACCOUNT):
            return None
        meant_for = status.get("audiences") or ()
        program = self._programs.get(name)
        if program is not None and audiences.CONTROLPLANE in meant_for:
            return Subject(program, GRANTED[program])
        # Bound to a pod, so that it ends with the pod.
        if audiences.REGISTRY in meant_for and (user.get("extra") or {}).get(POD_UID):
            return Subject("registry", GRANTED["registry"], name.removeprefix(ACCOUNT).partition(":")[0])
        return None

    def _remember(self, digest: bytes, subject: Subject | None) -> None:
        if subject is None:
            self._known.pop(digest, None)
            return
        now = self._clock()
        if len(self._known) >= REMEMBERED:
            self._known = {digest: kept for digest, kept in self._known.items() if kept[0] > now}
        if len(self._known) < REMEMBERED:
            self._known[digest] = (now + HOLDS_SECONDS, subject)
