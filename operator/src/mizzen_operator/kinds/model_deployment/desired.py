"""Which children does a ModelDeployment have? The one entry point of the plan."""

from dataclasses import dataclass
from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.revision import Revision

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Desired:
    """The revision that the spec asks for, and every child that belongs to it."""

    revision: Revision
    """Name, hash, inputs and pod template."""
    manifests: tuple[Manifest, ...]
    """ControllerRevision, workload (Deployment or LeaderWorkerSet), Services, NetworkPolicy, PodDisruptionBudget."""


def desired(
    deployment: ModelDeployment,
    runtime: ServingRuntime,
    artifact: Artifact,
    environment: PlanEnvironment,
    *,
    frozen: Revision | None = None,
    replicas: int | None = None,
) -> Desired:
    """Return what should exist for the newest revision.

    `frozen` is the revision of the same hash as it was first rendered: its template then wins over a new rendering.
    `replicas` are those that the rollout plan gives the revision; by default `spec.replicas`.
    """
    raise NotImplementedError


def workload_of(deployment: ModelDeployment, revision: Revision, replicas: int) -> Manifest:
    """Return the Deployment or LeaderWorkerSet that runs `replicas` of a revision, from its frozen template."""
    raise NotImplementedError
