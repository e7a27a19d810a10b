"""Which children does a ModelDeployment have? The one entry point of the plan."""

from dataclasses import dataclass
from typing import Any

import orjson
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.kinds.model_deployment.network import disruption_budget, network_policies, services
from mizzen_operator.kinds.model_deployment.pod import pod_template, worker_template
from mizzen_operator.kinds.model_deployment.workload import controller_revision, workload_of
from mizzen_operator.revision import Revision, hash_of_inputs, revision_inputs, revision_name

__all__ = ["Desired", "Manifest", "desired", "workload_of"]

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Desired:
    """The revision that the spec asks for, and every child that belongs to it."""

    revision: Revision
    """Name, hash, inputs and pod template."""
    manifests: tuple[Manifest, ...]
    """ControllerRevision, workload (Deployment or LeaderWorkerSet), Services, NetworkPolicies, PodDisruptionBudget."""


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
    inputs = revision_inputs(deployment, artifact.identity)
    digits = hash_of_inputs(inputs)
    if frozen is not None and frozen.hash == digits:
        revision = frozen
    else:
        template = pod_template(deployment, runtime.spec, artifact, environment, digits)
        revision = _revision(deployment, artifact, inputs, digits, template)
    count = deployment.spec.replicas if replicas is None else replicas
    manifests = (
        controller_revision(deployment, revision),
        workload_of(deployment, revision, count),
        *services(deployment, runtime.spec),
        *network_policies(deployment, runtime.spec, artifact, environment),
        disruption_budget(deployment),
    )
    return Desired(revision, manifests)


def _revision(
    deployment: ModelDeployment, artifact: Artifact, inputs: dict[str, Any], digits: str, shared: dict[str, Any]
) -> Revision:
    # Copied, because parts of it are shared between renderings and callers may change what they own.
    template = orjson.loads(orjson.dumps(shared))
    facts = {"mizzen.dev/model-digest": artifact.digest}
    if artifact.version is not None:
        facts["mizzen.dev/model-version"] = str(artifact.version)
    return Revision(
        name=revision_name(deployment.metadata.name, digits),
        hash=digits,
        inputs=inputs,
        template=template,
        worker_template=worker_template(template) if deployment.spec.multi_node else None,
        generation=deployment.metadata.generation,
        annotations=facts,
    )
