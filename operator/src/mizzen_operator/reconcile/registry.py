"""Which artifact does a deployment mean now? Asked of the control plane; a pinned version never changes, so once.

While the control plane is away, what it last said stands: in memory, else in the status, so that a Ready deployment
stays Ready.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog
from mizzen_crds.registry import ResolvedVersion
from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.source import Adapter, ModelSource, VersionRef
from mizzen_crds.v1alpha1.model_deployment.status import ResolvedAdapter, ResolvedModel
from pydantic import ValidationError

from mizzen_operator.kinds.model_deployment.artifact import (
    Artifact,
    artifact_of_uri,
    artifact_of_version,
    with_adapters,
)
from mizzen_operator.observation import Refusal
from mizzen_operator.reconcile.controlplane import ControlPlane, ControlPlaneAwayError, words_of

RESOLUTION_REASONS: Final = {
    "model_not_found": conditions.MODEL_NOT_FOUND,
    "version_not_found": conditions.VERSION_NOT_FOUND,
    "alias_not_found": conditions.ALIAS_NOT_FOUND,
    "version_not_ready": conditions.VERSION_NOT_READY,
    "version_failed": conditions.VERSION_FAILED,
    "version_quarantined": conditions.VERSION_QUARANTINED,
    "version_unsigned": conditions.VERSION_UNSIGNED,
    "version_archived": conditions.VERSION_ARCHIVED,
}
FRESH_SECONDS: Final = 5.0
"""An alias is asked for again after so long."""
REFRESH_SECONDS: Final = 30.0
Key = tuple[str, str]
Resolved = ResolvedModel | ResolvedAdapter
Reference = tuple[str, str, int | str]
"""Project, model, and a version's number or an alias."""
log = structlog.get_logger()


class Registry:
    """The control plane's answers, remembered."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._known: dict[Reference, tuple[float, ResolvedVersion]] = {}
        self._users: dict[Reference, set[Key]] = {}

    async def resolve(self, deployment: ModelDeployment, project: str) -> Artifact | Refusal:
        """Return the artifact of the spec's source with its adapters, or why there is none."""
        user, spec, status = deployment.metadata, deployment.spec, deployment.status
        key, adapters = (user.namespace, user.name), []
        last = told_of(status.resolved_model, same=status.observed_generation == user.generation)
        model = await self._artifact(key, project, spec.model, last, "spec.model")
        if isinstance(model, Refusal):
            return model
        before = {one.name: one for one in status.adapters}
        for number, adapter in enumerate(spec.adapters):
            where = f"spec.adapters[{number}]"
            found = await self._artifact(key, project, adapter, before.get(adapter.name), where)
            if isinstance(found, Refusal):
                return found
            adapters.append((adapter.name, found))
        return with_adapters(model, adapters)

    async def _artifact(
        self, user: Key, project: str, source: ModelSource | Adapter, last: Resolved | None, where: str
    ) -> Artifact | Refusal:
        reference = source.version_ref
        if reference is None:
            return artifact_of_uri(source)
        key = reference_key(project, reference)
        known = self._known.get(key)
        self._users.setdefault(key, set()).add(user)
        if known is not None and (reference.version is not None or _clock() - known[0] < FRESH_SECONDS):
            return artifact_of_version(known[1], reference.alias or "")
        try:
            answer = await self._ask(key, reference)
        except ControlPlaneAwayError as error:
            if known:
                return artifact_of_version(known[1], reference.alias or "")
            return last_resolved(last, reference) or Refusal(
                conditions.REGISTRY_UNAVAILABLE, f"{where}.versionRef could not be resolved: {error}"
            )
        if isinstance(answer, Refusal):
            return Refusal(answer.reason, f"{where}.versionRef: {answer.message}")
        return artifact_of_version(answer, reference.alias or "")

    async def follow_aliases(self, wake: Callable[[Key], None]) -> None:
        """Ask for every alias in use from time to time, and wake who uses one that points elsewhere now."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            for key in [one for one in self._known if isinstance(one[2], str)]:
                before = self._known[key][1]
                try:
                    answer = await self._ask(key, VersionRef(model=key[1], alias=str(key[2])))
                except ControlPlaneAwayError as error:
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
        params = {"namespace": key[0], "model": reference.model}
        params |= {"version": str(reference.version)} if reference.version is not None else {"alias": str(key[2])}
        status, body = await self._plane.get("internal/v1/models:resolve", params)
        if status == 200:
            try:
                answer = ResolvedVersion.model_validate(body)
            except ValidationError as error:
                raise ControlPlaneAwayError(f"the control plane gave no answer that is understood ({error})") from error
            self._known[key] = (_clock(), answer)
            return answer
        code, detail = str(body.get("code")), str(body.get("detail") or body.get("title") or status)
        if status not in (404, 409) or code not in RESOLUTION_REASONS:
            raise ControlPlaneAwayError(words_of(status, body))
        self._known.pop(key, None)
        return Refusal(RESOLUTION_REASONS[code], detail)


def reference_key(project: str, reference: VersionRef) -> Reference:
    """Return what answers are remembered by."""
    return project, reference.model, reference.version if reference.version is not None else (reference.alias or "")


def told_of(known: ResolvedModel | None, *, same: bool) -> ResolvedModel | None:
    """Return what the status tells of, where it can be trusted.

    An older release did not write which alias it had asked for; what it wrote holds for the generation that it saw.
    """
    return None if known is not None and known.alias is None and not same else known


def last_resolved(known: Resolved | None, reference: VersionRef) -> Artifact | None:
    """Return the artifact that the status tells of, where the reference still means it; None where it does not."""
    if known is None or not known.uri:
        return None
    # Not by observedGeneration: a pass that could not resolve a changed reference has told of that generation too.
    if known.source != f"{reference.model}@{known.version}":
        return None
    asked = (
        known.version == reference.version if reference.version is not None else known.alias in (reference.alias, None)
    )
    if not asked:
        return None
    artifact = Artifact(
        uri=known.uri, digest=known.digest, version=known.version, alias=known.alias or "", source=known.source
    )
    if isinstance(known, ResolvedAdapter):
        return artifact
    return replace(
        artifact,
        format=known.format,
        size_bytes=known.size_bytes,
        architecture=known.architecture,
        parameters=known.parameters,
    )


def _clock() -> float:
    return asyncio.get_running_loop().time()
