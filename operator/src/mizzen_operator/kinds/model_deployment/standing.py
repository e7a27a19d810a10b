"""What has to stand around a revision that serves, when the spec tells nothing to run? Its frozen template says it.

So a Service, a policy or the budget that somebody deletes comes back while the newest spec is refused, or its model
cannot be resolved.
"""

from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat
from mizzen_crds.v1alpha1.serving_runtime import RuntimePort, ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment.adapters import ADAPTER_FETCH
from mizzen_operator.kinds.model_deployment.artifact import Artifact, with_adapters
from mizzen_operator.kinds.model_deployment.containers import FETCH
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.kinds.model_deployment.network import disruption_budget, network_policies, services
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
