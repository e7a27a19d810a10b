"""What does an engine pod look like? The template that a revision freezes."""

from typing import Any, Final

from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment import containers
from mizzen_operator.kinds.model_deployment.adapters import adapter_containers
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import AcceleratorKind, PlanEnvironment
from mizzen_operator.kinds.model_deployment.mounts import Mounts, mounts_of

Template = dict[str, Any]
ENGINE_USER: Final = 10_001
AFTER_DRAIN_SECONDS: Final = 30
"""Grace beyond the drain, for the engine's own shutdown."""
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
MANAGER: Final = "mizzen"


def selector_labels(deployment: ModelDeployment) -> dict[str, str]:
    """Return the labels that all pods of a deployment have, and no other pod."""
    return {labels.DEPLOYMENT: deployment.metadata.name, labels.COMPONENT: "engine"}


def child_labels(deployment: ModelDeployment) -> dict[str, str]:
    """Return the labels of every child."""
    return {labels.MANAGED_BY: MANAGER, labels.DEPLOYMENT: deployment.metadata.name}


def pod_template(
    deployment: ModelDeployment,
    runtime: ServingRuntimeSpec,
    artifact: Artifact,
    environment: PlanEnvironment,
    revision: str,
) -> Template:
    """Return metadata and spec of an engine pod of that revision (a hash)."""
    mounts = mounts_of(deployment, runtime, artifact)
    overrides = deployment.spec.pod_overrides
    phase = "fetch" if mounts.model is not None else "serve"
    own = child_labels(deployment) | selector_labels(deployment) | {labels.REVISION: revision, labels.PHASE: phase}
    queue = deployment.spec.placement.queue_name or environment.queue
    metadata: dict[str, Any] = {"labels": overrides.labels | ({QUEUE_LABEL: queue} if queue else {}) | own}
    if overrides.annotations:
        metadata["annotations"] = dict(overrides.annotations)
    return {"metadata": metadata, "spec": _spec(deployment, runtime, artifact, environment, mounts)}


def _spec(
    deployment: ModelDeployment,
    runtime: ServingRuntimeSpec,
    artifact: Artifact,
    environment: PlanEnvironment,
    mounts: Mounts,
) -> dict[str, Any]:
    init = [containers.attendant_container(mounts, environment)]
    if mounts.model is not None:
        fetch = containers.fetch_container(deployment, artifact, mounts, environment)
        init += [*adapter_containers(fetch, artifact, mounts, mounts.model.name), fetch]
    if mounts.repository is not None:
        init.append(containers.layout_container(deployment, runtime, artifact, mounts, environment))
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": ENGINE_USER,
            "runAsGroup": ENGINE_USER,
            "fsGroup": ENGINE_USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": deployment.spec.lifecycle.drain_seconds + AFTER_DRAIN_SECONDS,
        "initContainers": init,
        "containers": [containers.engine_container(deployment, runtime, artifact, mounts, environment)],
        "volumes": mounts.volumes(),
    }
    if deployment.spec.pod_overrides.service_account_name:
        spec["serviceAccountName"] = deployment.spec.pod_overrides.service_account_name
    return spec | _placement(deployment, environment)


def _placement(deployment: ModelDeployment, environment: PlanEnvironment) -> dict[str, Any]:
    placement = deployment.spec.placement
    kind = containers.accelerator_of(deployment, environment)
    nodes = (
        dict(kind.node_selector) | placement.node_selector if _on_accelerators(deployment) else placement.node_selector
    )
    every: dict[str, Any] = {
        "nodeSelector": nodes,
        "tolerations": [*_class_tolerations(deployment, kind), *placement.tolerations],
        "affinity": placement.affinity,
        "priorityClassName": placement.priority_class_name,
        "topologySpreadConstraints": placement.topology_spread,
    }
    return {name: wanted for name, wanted in every.items() if wanted}


def _class_tolerations(deployment: ModelDeployment, kind: AcceleratorKind) -> list[dict[str, str]]:
    return [dict(one) for one in kind.tolerations] if _on_accelerators(deployment) else []


def _on_accelerators(deployment: ModelDeployment) -> bool:
    return deployment.spec.resources.accelerators_per_pod > 0


def worker_template(leader: Template) -> Template:
    """Return the template of the pods that follow the leader of a replica over several pods.

    Workers answer no HTTP, so that they have no probes; the leader's readiness stands for the group.
    """
    engine = leader["spec"]["containers"][0]
    kept = {name: part for name, part in engine.items() if not name.endswith("Probe") and name != "lifecycle"}
    worker = kept | {"command": [*engine["command"], "--headless"]}
    worker_labels = leader["metadata"]["labels"] | {labels.COMPONENT: "worker"}
    metadata = leader["metadata"] | {"labels": worker_labels}
    return {"metadata": metadata, "spec": leader["spec"] | {"containers": [worker]}}
