"""A pod whose fetch runs and does not end, on nodes that only play: what its kubelet and its fetch would tell."""

from collections.abc import Callable
from datetime import UTC, datetime

from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects, wait_until
from support.model_objects import model, pods

NEVER_READY = {"labels": {"test.mizzen.dev/pod": "never"}}


def pod_that_fetches(objects: Objects, name: str, stall_seconds: int = 300) -> Object:
    """Make a deployment of Triton; returns its pod once the fetch runs and what comes after it waits."""
    wait_until(lambda: objects.get("ServiceAccount", "default"), 30, "no service account")
    source = {"uri": "hf://org/repo@main", "format": "ONNX", "cache": {"stallSeconds": stall_seconds}}
    objects.create(model(name) | {"spec": {"model": source, "engine": {"type": "Triton"}, "podOverrides": NEVER_READY}})
    wait_until(lambda: any(one.get("status", {}).get("podIP") for one in pods(objects, name)), 30, "no pod runs")
    return _play_kubelet(objects, pods(objects, name)[0])


def token_of(cluster: Cluster, pod: Object) -> str:
    """The token for the registry and the operator, as the kubelet projects it into the pod."""
    metadata = pod["metadata"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
    spec = {"audiences": ["mizzen-registry"], "expirationSeconds": 600, "boundObjectRef": bound}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/default/token"
    return str(cluster.objects.call("POST", path, json=body)["status"]["token"])


def fetched(done: int) -> Callable[[Object], bool]:
    """The status of a deployment says that so many of 100 bytes are there."""

    def holds(deployment: Object) -> bool:
        told = deployment.get("status", {}).get("startup", {}).get("phases", ())
        wanted = ("fetch", done, 100)
        return any((one["name"], one.get("bytesDone"), one.get("bytesTotal")) == wanted for one in told)

    return holds


def _play_kubelet(objects: Objects, pod: Object) -> Object:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    init = [each | _state_of(each["name"], now) for each in pod["status"]["initContainerStatuses"]]
    assert {each["name"] for each in init} == {"attendant", "fetch", "layout"}
    engine = [each | _waiting() for each in pod["status"]["containerStatuses"]]
    told = [one for one in pod["status"]["conditions"] if one["type"] != "Initialized"]
    told.append({"type": "Initialized", "status": "False", "lastTransitionTime": now})
    status = {"phase": "Pending", "conditions": told, "initContainerStatuses": init, "containerStatuses": engine}
    return objects.merge("Pod", pod["metadata"]["name"], {"status": status}, subresource="status")


def _state_of(container: str, now: str) -> Object:
    if container == "attendant":
        return {}
    running = {"ready": False, "started": True, "state": {"running": {"startedAt": now}}}
    return running if container == "fetch" else _waiting()


def _waiting() -> Object:
    return {"ready": False, "started": False, "state": {"waiting": {"reason": "PodInitializing"}}}
