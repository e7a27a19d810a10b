"""What gateways are told of a deployment: its endpoints and the share of each revision. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mizzen_crds.serving import Endpoint, EndpointSetSpec
from mizzen_crds.v1alpha1 import API_VERSION, labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

from mizzen_cli.local.pod.manifest import Pod
from mizzen_cli.local.pod.sandboxes import SeenPod
from mizzen_cli.local.runner.pod_view import going


def endpoint_set(
    deployment: ModelDeployment,
    runtime: ServingRuntime,
    pods: Sequence[SeenPod],
    removing: Collection[str],
    traffic: Mapping[str, int],
) -> dict[str, Any]:
    """The EndpointSet object. Pods in `removing` are told as terminating before they are asked to end."""
    spec = EndpointSetSpec(
        protocol=runtime.spec.protocol,
        engine=runtime.spec.engine.value,
        model_name=deployment.served_names[0],
        endpoints=[endpoint(each, each.pod.name in removing) for each in pods if each.state and each.state.address],
        traffic=dict(sorted(traffic.items())),
    )
    metadata = {"name": deployment.metadata.name, "namespace": deployment.metadata.namespace}
    return {
        "apiVersion": API_VERSION,
        "kind": "EndpointSet",
        "metadata": metadata,
        "spec": spec.model_dump(mode="json", by_alias=True),
    }


def endpoint(seen: SeenPod, removing: bool) -> Endpoint:
    """One pod."""
    assert seen.state is not None, "chosen by its address"
    terminating = removing or going(seen)
    return Endpoint(
        pod=seen.pod.name,
        revision=seen.pod.labels.get(labels.REVISION, ""),
        address=seen.state.address,
        port=port_of(seen.pod, labels.PORT_HTTP) or 0,
        grpc_port=port_of(seen.pod, labels.PORT_GRPC),
        metrics_port=port_of(seen.pod, labels.PORT_METRICS),
        ready=seen.state.ready and not terminating and not seen.lost,
        terminating=terminating,
    )


def port_of(pod: Pod, name: str) -> int | None:
    """Number of a named port of the pod."""
    return next((number for each in pod.containers for known, number in each.ports if known == name), None)
