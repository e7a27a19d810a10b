"""Which artifact does a deployment mean now? Asked of the control plane; a pinned version never changes, so once.

While the control plane is away, what it last said stands: in memory, else in the status, so that a Ready deployment
stays Ready.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp
import orjson
import structlog
from mizzen_crds.registry import ResolvedVersion
from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.source import VersionRef
from pydantic import ValidationError

from mizzen_operator.kinds.model_deployment.artifact import Artifact, artifact_of_uri, artifact_of_version
from mizzen_operator.observation import Refusal

RESOLUTION_REASONS: Final = {
    "model_not_found": conditions.MODEL_NOT_FOUND,
    "version_not_found": conditions.VERSION_NOT_FOUND,
    "alias_not_found": conditions.ALIAS_NOT_FOUND,
    "version_not_ready": conditions.VERSION_NOT_READY,
    "version_failed": conditions.VERSION_FAILED,
    "version_archived": conditions.VERSION_ARCHIVED,
}
FRESH_SECONDS: Final = 5.0
"""An alias is asked for again after so long."""
AWAY_SECONDS: Final = 2.0
"""After a failure nobody asks for so long: passes do not queue up behind a server that does not answer."""
REFRESH_SECONDS: Final = 30.0
Key = tuple[str, str]
Reference = tuple[str, str, int | str]
"""Project, model, and a version's number or an alias."""
log = structlog.get_logger()


class RegistryAwayError(Exception):
    """The control plane does not answer, or not as it should."""


class Registry:
    """The control plane's answers, remembered."""

    def __init__(self, url: str, token_file: Path | None) -> None:
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._session: aiohttp.ClientSession | None = None
        self._known: dict[Reference, tuple[float, ResolvedVersion]] = {}
        self._users: dict[Reference, set[Key]] = {}
        self._away_until = 0.0
        self._away_words = ""

    async def close(self) -> None:
        """Close connections."""
        if self._session:
            await self._session.close()

    async def resolve(self, deployment: ModelDeployment, project: str) -> Artifact | Refusal:
        """Return the artifact of the spec's source, or why there is none."""
        source = deployment.spec.model
        reference = source.version_ref
        if reference is None:
            return artifact_of_uri(source)
        key = reference_key(project, reference)
        known = self._known.get(key)
        self._users.setdefault(key, set()).add((deployment.metadata.namespace, deployment.metadata.name))
        if known is not None and (reference.version is not None or _clock() - known[0] < FRESH_SECONDS):
            return artifact_of_version(known[1], reference.alias or "")
        try:
            answer = await self._ask(key, reference)
        except RegistryAwayError as error:
            last = artifact_of_version(known[1], reference.alias or "") if known else last_resolved(deployment)
            return last or Refusal(
                conditions.REGISTRY_UNAVAILABLE, f"spec.model.versionRef could not be resolved: {error}"
            )
        return artifact_of_version(answer, reference.alias or "") if isinstance(answer, ResolvedVersion) else answer

    async def follow_aliases(self, wake: Callable[[Key], None]) -> None:
        """Ask for every alias in use from time to time, and wake who uses one that points elsewhere now."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            for key in [one for one in self._known if isinstance(one[2], str)]:
                before = self._known[key][1]
                try:
                    answer = await self._ask(key, VersionRef(model=key[1], alias=str(key[2])))
                except RegistryAwayError as error:
                    log.warning("registry away", error=str(error))
                    break
                if not isinstance(answer, ResolvedVersion) or answer.version_id != before.version_id:
                    for user in self._users.get(key, ()):
                        wake(user)

    def forget(self, key: Key) -> None:
        """The deployment is gone."""
        for reference in [one for one, users in self._users.items() if key in users]:
            self._users[reference].discard(key)
            if not self._users[reference]:
                del self._users[reference]
                self._known.pop(reference, None)

    async def _ask(self, key: Reference, reference: VersionRef) -> ResolvedVersion | Refusal:
        if not self._url:
            raise RegistryAwayError("no control plane is configured (MIZZEN_CONTROLPLANE_URL)")
        if _clock() < self._away_until:
            raise RegistryAwayError(self._away_words)
        params = {"namespace": key[0], "model": reference.model}
        params |= {"version": str(reference.version)} if reference.version is not None else {"alias": str(key[2])}
        try:
            status, body = await self._get("internal/v1/models:resolve", params)
            if status == 200:
                answer = ResolvedVersion.model_validate(body)
                self._known[key] = (_clock(), answer)
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, ValidationError) as error:
            raise self._gone(f"the control plane does not answer ({error or type(error).__name__})") from error
        code, detail = str(body.get("code")), str(body.get("detail") or body.get("title") or status)
        if status not in (404, 409) or code not in RESOLUTION_REASONS:
            raise self._gone(f"the control plane answered {status}: {detail[:300]}")
        self._known.pop(key, None)
        return Refusal(RESOLUTION_REASONS[code], f"spec.model.versionRef: {detail}")

    async def _get(self, path: str, params: dict[str, str]) -> tuple[int, dict[str, object]]:
        headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"} if self._token_file else {}
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5, connect=2))
        async with self._session.get(f"{self._url}/{path}", params=params, headers=headers) as answer:
            content = await answer.read()
        body = orjson.loads(content) if content else {}
        return answer.status, body if isinstance(body, dict) else {}

    def _gone(self, words: str) -> RegistryAwayError:
        self._away_until, self._away_words = _clock() + AWAY_SECONDS, words
        return RegistryAwayError(words)


def reference_key(project: str, reference: VersionRef) -> Reference:
    """Return what answers are remembered by."""
    return project, reference.model, reference.version if reference.version is not None else (reference.alias or "")


def last_resolved(deployment: ModelDeployment) -> Artifact | None:
    """Return the artifact that the status tells of, where the spec still means it; None where that cannot be told."""
    known, reference = deployment.status.resolved_model, deployment.spec.model.version_ref
    if known is None or reference is None or not known.uri:
        return None
    # Not by observedGeneration: a pass that could not resolve a changed reference has told of that generation too.
    if known.source != f"{reference.model}@{known.version}":
        return None
    if known.version != reference.version if reference.version is not None else known.alias != reference.alias:
        return None
    return Artifact(
        uri=known.uri,
        digest=known.digest,
        format=known.format,
        size_bytes=known.size_bytes,
        version=known.version,
        alias=known.alias,
        architecture=known.architecture,
        parameters=known.parameters,
        source=known.source,
    )


def _clock() -> float:
    return asyncio.get_running_loop().time()
