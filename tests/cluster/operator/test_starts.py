"""How far is a start? A pod posts it with its own token, `kubectl describe` shows it; one that stands still goes."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects, wait_until
from support.model_objects import model, pods
from support.running_operator import RunningOperator

STALL_SECONDS = 10
NEVER_READY = {"labels": {"test.mizzen.dev/pod": "never"}}
SECONDS = 60.0


@pytest.fixture
def fetching(objects: Objects) -> Object:
    """A pod whose fetch runs and does not end."""
    wait_until(lambda: objects.get("ServiceAccount", "default"), 30, "no service account")
    source = {"uri": "hf://org/repo@main", "format": "ONNX", "cache": {"stallSeconds": STALL_SECONDS}}
    objects.create(model("slow", podOverrides=NEVER_READY) | {"spec": triton(source)})
    wait_until(lambda: any(one.get("status", {}).get("podIP") for one in pods(objects, "slow")), 30, "no pod runs")
    return play_kubelet(objects, pods(objects, "slow")[0])


def triton(source: Object) -> Object:
    return {"model": source, "engine": {"type": "Triton"}, "podOverrides": NEVER_READY}


def play_kubelet(objects: Objects, pod: Object) -> Object:
    """The pod's fetch runs, what comes after it waits."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    init = [each | state_of(each["name"], now) for each in pod["status"]["initContainerStatuses"]]
    assert {each["name"] for each in init} == {"attendant", "fetch", "layout"}
    engine = [each | waiting() for each in pod["status"]["containerStatuses"]]
    told = [one for one in pod["status"]["conditions"] if one["type"] != "Initialized"]
    told.append({"type": "Initialized", "status": "False", "lastTransitionTime": now})
    status = {"phase": "Pending", "conditions": told, "initContainerStatuses": init, "containerStatuses": engine}
    return objects.merge("Pod", pod["metadata"]["name"], {"status": status}, subresource="status")


def state_of(container: str, now: str) -> Object:
    if container == "attendant":
        return {}
    running = {"ready": False, "started": True, "state": {"running": {"startedAt": now}}}
    return running if container == "fetch" else waiting()


def waiting() -> Object:
    return {"ready": False, "started": False, "state": {"waiting": {"reason": "PodInitializing"}}}


class Fetch:
    """What the fetch of a pod posts, as that pod."""

    def __init__(self, cluster: Cluster, objects: Objects, running: RunningOperator, pod: Object) -> None:
        self._pod, self._url = pod["metadata"]["name"], f"{running.url}/v1/startup-progress"
        bound = {"kind": "Pod", "apiVersion": "v1", "name": self._pod, "uid": pod["metadata"]["uid"]}
        spec = {"audiences": ["mizzen-registry"], "expirationSeconds": 600, "boundObjectRef": bound}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default/token"
        token = cluster.objects.call("POST", path, json=body)["status"]["token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def says(self, done: int) -> None:
        body = {"pod": self._pod, "phase": "fetch", "bytes_done": done, "bytes_total": 100, "seconds": 1.0}
        answer = httpx.post(self._url, json=body, headers=self._headers, timeout=10.0, trust_env=False)
        assert answer.status_code == 204, answer.text


def fetched(done: int) -> Callable[[Object], bool]:
    """The status says so of the fetch."""

    def holds(deployment: Object) -> bool:
        told = deployment.get("status", {}).get("startup", {}).get("phases", ())
        wanted = ("fetch", done, 100)
        return any((one["name"], one.get("bytesDone"), one.get("bytesTotal")) == wanted for one in told)

    return holds


def test_bytes_that_a_pod_posts_are_in_the_status(
    cluster: Cluster, objects: Objects, running: RunningOperator, fetching: Object
) -> None:
    fetch = Fetch(cluster, objects, running, fetching)
    for done in (40, 70):
        fetch.says(done)
        objects.wait("ModelDeployment", "slow", fetched(done), SECONDS)
    described = cluster.kubectl("describe", "modeldeployments.mizzen.dev", "slow", "-n", objects.namespace)
    assert re.search(r"Bytes Done:\s+70\n\s+Bytes Total:\s+100\n\s+Name:\s+fetch", described), described


def test_a_pod_whose_own_posts_say_that_nothing_comes_is_replaced_and_the_reason_told(
    cluster: Cluster, objects: Objects, running: RunningOperator, fetching: Object
) -> None:
    fetch, uid = Fetch(cluster, objects, running, fetching), fetching["metadata"]["uid"]

    def replaced() -> bool:
        staying = [one["metadata"] for one in pods(objects, "slow") if "deletionTimestamp" not in one["metadata"]]
        if any(one["uid"] == uid for one in staying):
            fetch.says(40)
        return bool(staying) and all(one["uid"] != uid for one in staying)

    wait_until(replaced, SECONDS, running.tell)
    told = objects.wait("ModelDeployment", "slow", lambda one: one["status"].get("lastFailure"))
    failure = told["status"]["lastFailure"]
    assert (failure["component"], failure["reason"]) == ("fetch", "LoadStalled")
    assert f"{STALL_SECONDS} s are allowed" in failure["message"]
    assert failure["remedy"]
    wait_until(lambda: "LoadStalled" in {one["reason"] for one in objects.list("Event")}, SECONDS, "no Event")
