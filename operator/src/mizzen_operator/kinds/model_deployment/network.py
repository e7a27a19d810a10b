"""Who reaches engine pods, and whom do they reach? Services, NetworkPolicies and the disruption budget."""

from collections.abc import Iterable
from typing import Any, Final

from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment.artifact import Artifact, with_adapters
from mizzen_operator.kinds.model_deployment.environment import Peer, PlanEnvironment
from mizzen_operator.kinds.model_deployment.pod import selector_labels
from mizzen_operator.kinds.model_deployment.way_out import DNS, peer, way_out
from mizzen_operator.kinds.model_deployment.workload import child_metadata
from mizzen_operator.names import child_name
from mizzen_operator.rollout.plan import wanted_replicas
from mizzen_operator.rollout.situation import least_available, resolved

Manifest = dict[str, Any]
CLUSTER_DNS: Final = DNS | {
    "to": [
        peer(Peer("kube-system", {"k8s-app": "kube-dns"})),
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]
}
"""Kubernetes' own DNS, by the labels that CoreDNS too has kept, and the cache of names on each node."""


def services(deployment: ModelDeployment, runtime: ServingRuntimeSpec) -> tuple[Manifest, Manifest]:
    """Return the Service for people inside the cluster, and the headless one that gateways discover pods through."""
    ports = [{"name": port.name, "port": port.container_port, "targetPort": port.name} for port in runtime.ports]
    spec = {"selector": selector_labels(deployment), "ports": ports}
    name = deployment.metadata.name
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": child_metadata(deployment, name),
            "spec": {"type": "ClusterIP"} | spec,
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": child_metadata(deployment, child_name(name, "pods")),
            "spec": {"clusterIP": "None"} | spec,
        },
    )


def network_policies(
    deployment: ModelDeployment, runtime: ServingRuntimeSpec, artifact: Artifact, environment: PlanEnvironment
) -> tuple[Manifest, ...]:
    """Return the policy that closes pods and, where weights are fetched, the one that opens the way out meanwhile."""
    name = deployment.metadata.name
    closed: Manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": child_metadata(deployment, name),
        "spec": {
            "podSelector": {"matchLabels": {labels.DEPLOYMENT: name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": _ingress(deployment, runtime, environment),
            # The pods of a replica find their leader by its name; asked for elsewhere, names would carry data out.
            "egress": [CLUSTER_DNS, _group(deployment, "to")] if deployment.spec.multi_node else [],
        },
    }
    if not runtime.formats:
        return (closed,)
    sources = [artifact.uri, *(one.artifact.uri for one in artifact.adapters)]
    return closed, fetch_policy(deployment, sources, environment)


def fetch_policy(deployment: ModelDeployment, sources: Iterable[str], environment: PlanEnvironment) -> Manifest:
    """Return the policy that opens the way out to each of these URIs, in whatever order they come, while pods fetch."""
    name = deployment.metadata.name
    first, *others = sorted(set(sources))
    every = with_adapters(Artifact(first), [(uri, Artifact(uri)) for uri in others])
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": child_metadata(deployment, child_name(name, "fetch")),
        "spec": {
            "podSelector": {"matchLabels": {labels.DEPLOYMENT: name, labels.PHASE: "fetch"}},
            "policyTypes": ["Egress"],
            "egress": way_out(every, environment),
        },
    }


def disruption_budget(deployment: ModelDeployment) -> Manifest:
    """Return the budget that node drains keep: the rollout's minAvailable where that lets a drain go on at all."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_metadata(deployment, deployment.metadata.name),
        "spec": _drain_bound(deployment)
        | {
            "selector": {"matchLabels": selector_labels(deployment)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def _drain_bound(deployment: ModelDeployment) -> dict[str, int | str]:
    """One replica at a time, also where minAvailable keeps all of them from a rollout: a drain would never end."""
    least, wanted = deployment.spec.rollout.min_available, wanted_replicas(deployment)
    if deployment.spec.multi_node is not None:
        # A budget counts pods, and a replica is lost with the first of its own.
        return {"maxUnavailable": max(1, wanted - least_available(deployment, wanted))}
    if least is None or resolved(least, wanted) >= wanted:
        return {"maxUnavailable": 1}
    return {"minAvailable": least}


def _group(deployment: ModelDeployment, direction: str) -> dict[str, Any]:
    return {direction: [{"podSelector": {"matchLabels": {labels.DEPLOYMENT: deployment.metadata.name}}}]}


def _ingress(
    deployment: ModelDeployment, runtime: ServingRuntimeSpec, environment: PlanEnvironment
) -> list[dict[str, Any]]:
    names = [port.name for port in runtime.ports]
    serving = [{"protocol": "TCP", "port": name} for name in names if name != labels.PORT_METRICS]
    metrics = labels.PORT_METRICS if labels.PORT_METRICS in names else labels.PORT_HTTP
    rules = [
        {"from": [peer(environment.gateway)], "ports": serving},
        {"from": [peer(environment.monitoring)], "ports": [{"protocol": "TCP", "port": metrics}]},
    ]
    return [*rules, _group(deployment, "from")] if deployment.spec.multi_node else rules
