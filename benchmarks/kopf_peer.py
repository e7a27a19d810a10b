"""The operator that the product is compared with: plain kopf, as its documentation teaches it.

High-level handlers, the generated synchronous client, the status handed to kopf. It reads, judges and renders with the
product's own pure functions, so that what differs is the engine room. Unlike the product it watches no children.
Its Events are off. `python benchmarks/kopf_peer.py` with KUBECONFIG.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import kopf
import kubernetes
from bare_loop import ENVIRONMENT
from kubernetes.client.exceptions import ApiException
from mizzen_crds.v1alpha1 import GROUP, VERSION
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.kinds.model_deployment.artifact import artifact_of_uri
from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.observation import Observation
from mizzen_operator.observing.fleet_view import KeptRevision, observed_fleet
from mizzen_operator.reading import read_object
from mizzen_operator.reconcile.children import wanted_children
from mizzen_operator.reconcile.decision import decide
from mizzen_operator.rollout.fleet import Capacity, LoadWindow
from mizzen_operator.runtimes.builtin import builtin_runtimes, runtime_for
from mizzen_operator.status import build_status
from mizzen_operator.target import find_target
from operator_stage import AT_ONCE

Verbs = tuple[Callable[..., Any], Callable[..., Any]]
"""How to create a kind, and how to patch it."""


def verbs() -> dict[str, Verbs]:
    """Of every kind that a deployment has."""
    apps, core = kubernetes.client.AppsV1Api(), kubernetes.client.CoreV1Api()
    network, policy = kubernetes.client.NetworkingV1Api(), kubernetes.client.PolicyV1Api()
    return {
        "ControllerRevision": (
            apps.create_namespaced_controller_revision,
            apps.patch_namespaced_controller_revision,
        ),
        "Deployment": (apps.create_namespaced_deployment, apps.patch_namespaced_deployment),
        "Service": (core.create_namespaced_service, core.patch_namespaced_service),
        "NetworkPolicy": (network.create_namespaced_network_policy, network.patch_namespaced_network_policy),
        "PodDisruptionBudget": (
            policy.create_namespaced_pod_disruption_budget,
            policy.patch_namespaced_pod_disruption_budget,
        ),
    }


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """As many handlers at once as the product has workers."""
    kubernetes.config.load_kube_config()  # type: ignore[no-untyped-call]
    configuration = kubernetes.client.Configuration.get_default_copy()
    configuration.connection_pool_maxsize = AT_ONCE
    kubernetes.client.Configuration.set_default(configuration)
    settings.execution.max_workers = AT_ONCE
    settings.posting.enabled = False
    memo.verbs = verbs()


@kopf.on.create(GROUP, VERSION, "modeldeployments")
@kopf.on.update(GROUP, VERSION, "modeldeployments")
def reconcile(body: kopf.Body, patch: kopf.Patch, memo: kopf.Memo, **_: Any) -> None:
    """Write every child, then hand the status to kopf."""
    now = datetime.now(UTC).replace(microsecond=0)
    deployment = read_object(ModelDeployment, dict(body))
    runtime = runtime_for(deployment, builtin_runtimes())
    target = find_target(deployment, runtime, artifact_of_uri(deployment.spec.model), [], {}, ENVIRONMENT)
    assert target.revision is not None
    kept = {target.revision.hash: KeptRevision(target.revision, now)}
    fleet = observed_fleet(kept, {}, [], lambda _: PodProgress(), lambda _: LoadWindow(), now)
    decision = decide(deployment, target, fleet, Capacity(), now)
    for child in wanted_children(deployment, target.desired, kept, decision.replicas, ENVIRONMENT):
        write(memo.verbs[child["kind"]], child)
    observation = Observation(
        runtime=target.runtime,
        artifact=target.artifact,
        revision=target.revision,
        fleet=decision.fleet,
        capacity=Capacity(),
        routed=True,
        project=deployment.metadata.namespace,
    )
    status = build_status(deployment, observation, decision.plan, now)
    patch.status.update(status.model_dump(mode="json", by_alias=True, exclude_none=True))


def write(verbs: Verbs, child: dict[str, Any]) -> None:
    """Create it, or patch what is there."""
    metadata = child["metadata"]
    create, change = verbs
    try:
        create(metadata["namespace"], child)
    except ApiException as error:
        if error.status != 409:
            raise
        change(metadata["name"], metadata["namespace"], child)


if __name__ == "__main__":
    kopf.run(clusterwide=True, standalone=True)
