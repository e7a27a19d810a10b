"""What has to stand around a revision that serves, when the spec tells nothing to run? Its frozen template says it.

So a Service, a policy or the budget that somebody deletes comes back while the newest spec is refused, or its model
cannot be resolved; and old pods of a rollout go on reaching what they fetch.
"""

from collections.abc import Iterable
from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat
from mizzen_crds.v1alpha1.serving_runtime import RuntimePort, ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment.adapters import ADAPTER_FETCH
from mizzen_operator.kinds.model_deployment.artifact import Artifact, with_adapters
from mizzen_operator.kinds.model_deployment.containers import FETCH
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.kinds.model_deployment.network import (
    disruption_budget,
    fetch_policy,
    network_policies,
    services,
)
from mizzen_operator.names import child_name
from mizzen_operator.revision import Revision

Manifest = dict[str, Any]


def standing(deployment: ModelDeployment, serving: Revision, environment: PlanEnvironment) -> tuple[Manifest, ...]:
    """Return Services, NetworkPolicies and PodDisruptionBudget as `desired` made them for this revision."""
    pod = serving.template["spec"]
    fetched = next((one for one in pod["initContainers"] if one["name"] == FETCH), None)
    runtime = _as_frozen(pod["containers"][0], fetches=fetched is not None)
    adapters = [one for one in pod["initContainers"] if one["name"].startswith(ADAPTER_FETCH)]
    artifact = with_adapters(Artifact(_uri(fetched)), [(one["name"], Artifact(_uri(one))) for one in adapters])
    return (
        *services(deployment, runtime),
        *network_policies(deployment, runtime, artifact, environment),
        disruption_budget(deployment),
    )


def with_every_way_out(
    deployment: ModelDeployment,
    around: Iterable[Manifest],
    revisions: Iterable[Revision],
    environment: PlanEnvironment,
) -> tuple[Manifest, ...]:
    """Return what stands around revisions with the way out of fetching pods led to the sources of all of these.

    One policy selects the pods of every revision, so one that followed the newest alone would shut the others in.
    """
    policy = ("NetworkPolicy", child_name(deployment.metadata.name, "fetch"))
    others = tuple(one for one in around if (one["kind"], one["metadata"]["name"]) != policy)
    sources = {uri for one in revisions for uri in _sources(one)}
    return (*others, fetch_policy(deployment, sources, environment)) if sources else others


def _sources(revision: Revision) -> list[str]:
    """What the pods of a revision fetch: the model and its adapters; nothing where the engine needs no weights."""
    containers = revision.template["spec"].get("initContainers", ())
    return [_uri(one) for one in containers if one["name"] == FETCH or one["name"].startswith(ADAPTER_FETCH)]


def _uri(fetch: Manifest | None) -> str:
    """What a container fetches."""
    env = (fetch or {}).get("env", ())
    return next((str(one.get("value", "")) for one in env if one["name"] == "MIZZEN_MODEL_URI"), "")


def _as_frozen(engine: Manifest, *, fetches: bool) -> ServingRuntimeSpec:
    """The two facts of a runtime that these children are made from; the runtime itself may have changed, or gone."""
    facts: dict[str, Any] = {
        "ports": [RuntimePort(name=one["name"], container_port=one["containerPort"]) for one in engine["ports"]],
        "formats": [ModelFormat.ONNX] if fetches else [],  # which ones they are is not asked
    }
    return ServingRuntimeSpec.model_construct(**facts)
