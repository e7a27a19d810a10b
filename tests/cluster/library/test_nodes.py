"""Pods take accelerators of nodes, become ready, fail and go as a test says, though nothing runs in them."""

from support.cluster.cluster import Cluster, condition
from support.cluster.nodes import ACCELERATOR, Behaviour, Failure
from support.cluster.objects import Object
from support.cluster.shared import fresh_namespace


def pod(name: str, accelerators: int, **labels: str) -> Object:
    container = {"name": "engine", "image": "none", "resources": {"limits": {ACCELERATOR: str(accelerators)}}}
    fetch = {"name": "fetch", "image": "none"}
    spec = {"containers": [container], "initContainers": [fetch], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def is_ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def test_a_pod_runs_on_a_node_with_accelerators_and_one_too_many_waits(node_cluster: Cluster) -> None:
    objects = fresh_namespace(node_cluster)
    objects.wait("ServiceAccount", "default", lambda account: True)
    for name in ("first", "second", "third"):
        objects.create(pod(name, 8))
    ready = objects.wait("Pod", "first", is_ready)
    assert ready["status"]["podIP"]
    assert ready["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    objects.wait("Pod", "second", is_ready)
    waiting = objects.wait("Pod", "third", lambda pod: condition(pod, "PodScheduled"))
    assert "Insufficient nvidia.com/gpu" in condition(waiting, "PodScheduled")["message"]
    objects.delete("Pod", "first")
    objects.wait("Pod", "third", is_ready)
    for name in ("second", "third"):
        objects.delete("Pod", name)
        objects.wait_gone("Pod", name)


def test_nodes_stay_ready_because_their_leases_are_renewed(node_cluster: Cluster) -> None:
    lease = node_cluster.objects.wait("Lease", "node-0", lambda seen: True, namespace="kube-node-lease")
    first = lease["spec"]["renewTime"]
    node_cluster.objects.wait("Lease", "node-0", lambda seen: seen["spec"]["renewTime"] > first, 40, "kube-node-lease")


def test_pods_with_a_label_fail_or_never_become_ready_while_others_do(node_cluster: Cluster) -> None:
    objects = fresh_namespace(node_cluster)
    objects.wait("ServiceAccount", "default", lambda account: True)
    last_words = 'CUDA "out of memory"\nTried to allocate 2 GiB'
    node_cluster.behave(
        Behaviour(("how", "fails"), failure=Failure(137, last_words, "OOMKilled")),
        Behaviour(("how", "fetch-fails"), failure=Failure(3, "no such model", init=True)),
        Behaviour(("how", "hangs"), ready_after=None),
    )
    for name in ("fails", "fetch-fails", "hangs"):
        objects.create(pod(name, 1, how=name))
    objects.create(pod("well", 1))
    objects.wait("Pod", "well", is_ready)
    failing = objects.wait("Pod", "fails", lambda pod: pod["status"].get("containerStatuses"))["status"]
    ended = failing["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (137, "OOMKilled", last_words)
    assert failing["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    unfetched = objects.wait("Pod", "fetch-fails", lambda pod: pod["status"].get("initContainerStatuses"))["status"]
    assert unfetched["phase"] == "Pending"
    assert unfetched["initContainerStatuses"][0]["lastState"]["terminated"]["message"] == "no such model"
    hanging = objects.wait("Pod", "hangs", lambda pod: pod["status"]["phase"] == "Running")
    assert not is_ready(hanging)
    node_cluster.behave()
    objects.wait("Pod", "hangs", is_ready)
    objects.wait("Pod", "fails", is_ready)


def test_a_deployment_has_its_replicas_behind_a_service(node_cluster: Cluster) -> None:
    objects = fresh_namespace(node_cluster)
    labels = {"app": "engine"}
    template = {"metadata": {"labels": labels}, "spec": pod("x", 1)["spec"] | {"terminationGracePeriodSeconds": 30}}
    objects.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "engine"},
            "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
        }
    )
    service = {"selector": labels, "ports": [{"port": 8000}]}
    objects.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "engine"}, "spec": service})
    objects.wait("Deployment", "engine", lambda seen: seen["status"].get("readyReplicas") == 3)

    def served(slices: list[Object]) -> int:
        return sum(len(each["endpoints"] or []) for each in slices)

    name = objects.list("EndpointSlice", labels="kubernetes.io/service-name=engine")[0]["metadata"]["name"]
    objects.wait("EndpointSlice", name, lambda each: served([each]) == 3)
    objects.delete("Deployment", "engine", propagationPolicy="Foreground")
    objects.wait_gone("Deployment", "engine")
    assert objects.list("Pod") == []
