"""What a Project makes where the cluster has Kueue; its definition stands in for it, and nothing admits."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, condition, start
from support.kind_objects import GPU, accelerator_class, project, quota
from support.kueue import install_queues
from support.model_objects import looked_at, model, says, workload
from support.running_operator import operator

SECONDS = 60.0


@pytest.fixture(scope="module")
def queues() -> Iterator[Cluster]:
    """A bare API server that knows LocalQueues, and the operator."""
    with start() as cluster:
        install_queues(cluster.objects)
        with operator(cluster):
            yield cluster


def test_a_project_with_a_queue_gets_a_local_queue_and_no_bound_of_accelerators(queues: Cluster) -> None:
    objects = queues.objects
    objects.create(accelerator_class("h100"))
    bounds = quota("h100", 4) | {"resources": {"pods": "9"}}
    objects.create(project("queued", queue={"clusterQueue": "all"}, quota=bounds))
    objects.wait("Project", "queued", says("Ready"), SECONDS)
    made = objects.get("LocalQueue", "mizzen", "queued")
    assert made is not None
    assert made["spec"] == {"clusterQueue": "all"}
    bounded = objects.get("ResourceQuota", "mizzen-project", "queued")
    assert bounded is not None
    assert bounded["spec"]["hard"] == {"pods": "9"}, f"with Kueue its ClusterQueue bounds {GPU}"


def test_pods_wait_in_the_queue_of_their_project_unless_the_spec_names_another(queues: Cluster) -> None:
    queues.objects.create(project("waiting", queue={"clusterQueue": "all", "localQueue": "line"}))
    queues.objects.wait("Project", "waiting", says("Ready"), SECONDS)
    objects = queues.objects.within("waiting")
    objects.create(model("silent"))
    objects.create(model("outspoken", placement={"queueName": "mine"}))
    for name, queue in (("silent", "line"), ("outspoken", "mine")):
        objects.wait("ModelDeployment", name, looked_at, SECONDS)
        marks = workload(objects, name)["spec"]["template"]["metadata"]["labels"]
        assert marks["kueue.x-k8s.io/queue-name"] == queue


def test_what_kueue_says_of_a_stopped_queue_is_passed_on(queues: Cluster) -> None:
    objects = queues.objects
    objects.create(project("stopped", queue={"clusterQueue": "gone"}))
    objects.wait("Project", "stopped", says("Ready"), SECONDS)
    words = {"type": "Active", "status": "False", "reason": "ClusterQueueDoesNotExist", "message": "gone is gone"}
    objects.merge("LocalQueue", "mizzen", {"status": {"conditions": [words]}}, "stopped", subresource="status")
    found = objects.wait("Project", "stopped", says("QuotaReady", "False", "QueueStopped"), SECONDS)
    assert "LocalQueue mizzen: gone is gone" in condition(found, "QuotaReady")["message"]
    objects.merge("Project", "stopped", {"spec": {"queue": None}})
    objects.wait_gone("LocalQueue", "mizzen", SECONDS, "stopped")
