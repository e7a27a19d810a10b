"""What went wrong in a pod, how far its start is, and what is done to it: from what kubelet and scheduler tell."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mizzen_crds.serving import StartupProgress
from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.observing.failures import failure_of
from mizzen_operator.observing.pod_view import PodView, pod_view
from mizzen_operator.observing.replicas import observed_pod
from mizzen_operator.reconcile.pod_actions import first_to_go, phase_changes

BORN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    return (BORN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def pod(
    *, init: dict[str, Any] | None = None, engine: dict[str, Any] | None = None, name: str = "p", **status: Any
) -> PodView:
    """A pod; `init` is the state of its fetch container, `engine` that of its engine."""
    ready = status.pop("ready", False)
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": at(50)}]
    conditions += status.pop("conditions", [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(1)}])
    if init and init.get("state", {}).get("terminated", {}).get("exitCode") == 0:
        conditions.append({"type": "Initialized", "status": "True"})
    marks = {"mizzen.dev/deployment": "d", "mizzen.dev/revision": "r", "mizzen.dev/phase": "fetch"}
    metadata = {"name": name, "namespace": "n", "uid": f"u-{name}", "creationTimestamp": at(0), "labels": marks}
    probe = {"periodSeconds": 1, "failureThreshold": 100}
    return pod_view(
        {
            "metadata": metadata | status.pop("metadata", {}),
            "spec": {"nodeName": status.pop("node", "a"), "containers": [{"name": "engine", "startupProbe": probe}]},
            "status": {
                "conditions": conditions,
                "initContainerStatuses": [{"name": "fetch", **init}] if init else [],
                "containerStatuses": [{"name": "engine", **engine}] if engine else [],
                **status,
            },
        }
    )


def ended(code: int, message: str = "", reason: str = "Error", ran: float = 5) -> dict[str, Any]:
    state = {"exitCode": code, "message": message, "reason": reason, "startedAt": at(2), "finishedAt": at(2 + ran)}
    return {"state": {"terminated": state}}


def restarted(code: int, restarts: int = 3, waiting: str = "CrashLoopBackOff", **more: Any) -> dict[str, Any]:
    last = ended(code, **more)["state"]
    return {"state": {"waiting": {"reason": waiting}}, "lastState": last, "restartCount": restarts}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


UNSCHEDULABLE = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}]
WITHOUT_CLAIM = [UNSCHEDULABLE[0] | {"message": '0/2 nodes are available: persistentvolumeclaim "w" not found.'}]


@pytest.mark.parametrize(
    ("seen", "reason", "words"),
    [
        (pod(conditions=UNSCHEDULABLE, node=""), "Unschedulable", "0/2 nodes"),
        (pod(conditions=WITHOUT_CLAIM, node=""), "ClaimNotFound", "no PersistentVolumeClaim w in the namespace n"),
        (pod(engine=waiting("ImagePullBackOff", "Back-off pulling x")), "ImagePullFailed", "Back-off pulling x"),
        (pod(engine=waiting("CreateContainerConfigError", 'secret "s" not found')), "SecretNotFound", "secret"),
        (pod(engine=waiting("CreateContainerError", "context deadline exceeded")), "PodNotCreated", "deadline"),
        (pod(engine=waiting("CreateContainerConfigError", "image has runAsNonRoot and")), "PodRefused", "runAs"),
        (pod(engine=waiting("InvalidImageName", "couldn't parse image reference")), "PodRefused", "parse"),
        (pod(init=ended(12, "DigestMismatch: a differs")), "DigestMismatch", "a differs"),
        (pod(init=ended(21, "no route to host")), "FetchFailed", "no route"),
        (pod(init={"name": "layout", **ended(10, "no config.json")}), "LayoutRefused", "config.json"),
        (pod(init={"name": "layout", **ended(143)}), "CrashLooping", "143"),
        (pod(engine=ended(137, reason="OOMKilled")), "OutOfMemory", "137"),
        (pod(engine=restarted(1, message="ValueError: shapes")), "CrashLooping", "ValueError: shapes"),
        (pod(engine=restarted(1, message="frame\n" * 300 + "ValueError: at the end")), "CrashLooping", "at the end"),
        (pod(engine=restarted(1, restarts=1, waiting="ContainerCreating")), "ReplicaUnready", "exit code 1"),
        (pod(engine=restarted(137, ran=100)), "StartupTimedOut", "137"),
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "Evicted", "low on memory"),
    ],
)
def test_a_failure_has_its_reason_and_the_components_own_words(seen: PodView, reason: str, words: str) -> None:
    found = failure_of(seen)
    assert found is not None
    assert found.reason == reason
    assert words in found.message


def test_a_pod_in_which_nothing_went_wrong_has_no_failure() -> None:
    running = {"state": {"running": {"startedAt": at(10)}}}
    assert failure_of(pod(init=ended(0), engine=running)) is None
    assert failure_of(pod(engine=waiting("PodInitializing"))) is None


def test_a_pod_that_the_scheduler_has_not_seen_yet_is_not_called_unschedulable() -> None:
    assert observed_pod(pod(conditions=[], node=""), PodProgress(), BORN).scheduled
    assert not observed_pod(pod(conditions=UNSCHEDULABLE, node=""), PodProgress(), BORN).scheduled


def test_phases_have_seconds_and_the_bytes_that_were_posted_or_left_behind() -> None:
    posted = StartupProgress(pod="p", phase="fetch", bytes_done=5, bytes_total=10, seconds=1)
    running = {"state": {"running": {"startedAt": at(2)}}}
    now = BORN + timedelta(seconds=9)
    (fetch,) = observed_pod(pod(init=running), PodProgress({"fetch": posted}), now).phases
    assert (fetch.name, fetch.seconds, fetch.bytes_done, fetch.bytes_total) == ("fetch", 7, 5, 10)
    left = ended(0, '{"bytesDone": 10, "bytesTotal": 10}')
    fetched, load = observed_pod(pod(init=left, engine=running), PodProgress(), now).phases
    assert (fetched.seconds, fetched.bytes_done, load.name, load.seconds) == (5, 10, "load", 7)


def test_the_way_out_is_closed_once_by_pod_when_the_fetch_has_ended() -> None:
    running = {"state": {"running": {"startedAt": at(2)}}}
    done = pod(init=ended(0), name="done")
    closed = pod(init=ended(0), metadata={"labels": {"mizzen.dev/deployment": "d", "mizzen.dev/phase": "serve"}})
    (action,) = phase_changes([pod(init=running), done, closed])
    assert (action.pod.name, action.operations[0]["value"]) == ("done", "serve")
    assert action.operations[0]["path"] == "/metadata/labels/mizzen.dev~1phase"


def test_the_first_to_go_are_those_on_a_node_that_is_emptied() -> None:
    pods = [pod(name=name, node=node, ready=True) for name, node in (("a", "one"), ("b", "two"), ("c", "one"))]
    marked = first_to_go(pods, 2, frozenset({"two"}))
    assert [one.pod.name for one in marked] == ["b"]
    assert first_to_go(pods, 3, frozenset()) == []


def test_pods_that_are_not_ready_need_no_mark() -> None:
    pods = [pod(name="ready", ready=True), pod(name="starting")]
    assert first_to_go(pods, 1, frozenset()) == []
