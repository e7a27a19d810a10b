"""Which artifact does a deployment mean now? Asked of the registry; pinned versions never change, so asked once."""

from mizzen_crds.registry import ResolvedVersion
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.source import Adapter, ModelSource
from mizzen_operator.kinds.model_deployment.artifact import (
    Artifact,
    artifact_of_uri,
    artifact_of_version,
    with_adapters,
)
from mizzen_operator.observation import Refusal

from mizzen_cli.local.runner.object_store import ObjectStore

Reference = tuple[str, str, int | str]
"""Namespace, model, and a version's number or an alias."""


class Resolver:
    """Resolves model sources; what it once knew serves while the registry is away."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[Reference, ResolvedVersion] = {}

    async def resolve(self, deployment: ModelDeployment) -> Artifact | Refusal:
        """The artifact with its adapters, or why there is none."""
        adapters, namespace = [], deployment.metadata.namespace
        model = await self._artifact(namespace, deployment.spec.model)
        if isinstance(model, Refusal):
            return model
        for adapter in deployment.spec.adapters:
            found = await self._artifact(namespace, adapter)
            if isinstance(found, Refusal):
                return Refusal(found.reason, f"adapter {adapter.name}: {found.message}")
            adapters.append((adapter.name, found))
        return with_adapters(model, adapters)

    async def _artifact(self, namespace: str, source: ModelSource | Adapter) -> Artifact | Refusal:
        reference = source.version_ref
        if reference is None:
            return artifact_of_uri(source)
        key = (namespace, reference.model, reference.version or reference.alias or "")
        answer = await self._store.resolve(namespace, reference)
        if isinstance(answer, ResolvedVersion):
            self._known[key] = answer
            return artifact_of_version(answer, reference.alias or "")
        if answer.reason == "RegistryUnavailable" and key in self._known:
            return artifact_of_version(self._known[key], reference.alias or "")
        return answer
