"""Builders of ModelDeployments and fleets for tests: short, with every default that a test does not care about."""

from datetime import UTC, datetime
from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def deployment(name: str = "sentiment", engine: str | dict[str, Any] = "Triton", **spec: Any) -> ModelDeployment:
    """Return a deployment of a registered model; keywords are fields of the spec, camelCase."""
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1}
    metadata |= spec.pop("metadata", {})
    chosen = {"type": engine} if isinstance(engine, str) else engine
    body = {"model": {"versionRef": {"model": name, "alias": "champion"}}, "engine": chosen} | spec
    return ModelDeployment.model_validate({"metadata": metadata, "spec": body})
