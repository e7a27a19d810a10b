"""How far is a start? A pod posts it with its own token, `kubectl describe` shows it; one that stands still goes."""

import re

import httpx
import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects, wait_until
from support.model_objects import pods
from support.running_operator import RunningOperator
from support.starting_pod import fetched, pod_that_fetches, token_of

STALL_SECONDS = 10
SECONDS = 60.0


@pytest.fixture
def fetching(objects: Objects) -> Object:
    """A pod whose fetch runs and does not end."""
    return pod_that_fetches(objects, "slow", STALL_SECONDS)


class Fetch:
    """What the fetch of a pod posts, as that pod."""

    def __init__(self, cluster: Cluster, running: RunningOperator, pod: Object) -> None:
        self._pod, self._url = pod["metadata"]["name"], f"{running.url}/v1/startup-progress"
        self._headers = {"Authorization": f"Bearer {token_of(cluster, pod)}"}

    def says(self, done: int) -> None:
        body = {"pod": self._pod, "phase": "fetch", "bytes_done": done, "bytes_total": 100, "seconds": 1.0}
        answer = httpx.post(self._url, json=body, headers=self._headers, timeout=10.0, trust_env=False)
        assert answer.status_code == 204, answer.text


def test_bytes_that_a_pod_posts_are_in_the_status(
    cluster: Cluster, objects: Objects, running: RunningOperator, fetching: Object
) -> None:
    fetch = Fetch(cluster, running, fetching)
    for done in (40, 70):
        fetch.says(done)
        objects.wait("ModelDeployment", "slow", fetched(done), SECONDS)
    described = cluster.kubectl("describe", "modeldeployments.mizzen.dev", "slow", "-n", objects.namespace)
    assert re.search(r"Bytes Done:\s+70\n\s+Bytes Total:\s+100\n\s+Name:\s+fetch", described), described


def test_a_pod_whose_own_posts_say_that_nothing_comes_is_replaced_and_the_reason_told(
    cluster: Cluster, objects: Objects, running: RunningOperator, fetching: Object
) -> None:
    fetch, uid = Fetch(cluster, running, fetching), fetching["metadata"]["uid"]

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
