"""A Project with a queue whose cluster has no Kueue, then has it, and then has it no longer."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, condition, start
from support.cluster.nodes import Nodes
from support.cluster.objects import Object, Objects
from support.kind_objects import GPU, accelerator_class, project, quota
from support.kueue import install_queues, remove_queues
from support.model_objects import model, says
from support.running_operator import operator

SECONDS = 90.0
"""A kind that the server does not know is looked for every 30 s."""
BOUND = f"requests.{GPU}"


@pytest.fixture(scope="module")
def without_kueue() -> Iterator[Cluster]:
    """A node of 4 accelerators, and the operator."""
    with start(nodes=[Nodes(1, 4)]) as cluster:
        cluster.objects.create(accelerator_class("h100"))
        with operator(cluster):
            yield cluster


def replicas(objects: Objects, count: int) -> None:
    """Wait until the deployment asks for so many pods."""
    objects.wait("ModelDeployment", "two", lambda one: one.get("status", {}).get("replicas") == count, SECONDS)
    assert objects.list("Deployment")[0]["spec"]["replicas"] == count


def hard(objects: Objects, holds: bool) -> Object:
    """Wait until the namespace's ResourceQuota bounds accelerators, or does so no longer; returns its bounds."""
    found = objects.wait(
        "ResourceQuota", "mizzen-project", lambda one: (BOUND in one["spec"]["hard"]) is holds, SECONDS
    )
    return found["spec"]["hard"]


def test_the_quota_holds_accelerators_until_kueue_comes_and_again_when_it_goes(without_kueue: Cluster) -> None:
    everywhere = without_kueue.objects
    bounds = quota("h100", 1) | {"resources": {"pods": "9"}}
    everywhere.create(project("queued", queue={"clusterQueue": "all"}, quota=bounds))
    found = everywhere.wait("Project", "queued", says("QuotaReady", "False", "KueueNotInstalled"), SECONDS)
    assert (
        f"ResourceQuota mizzen-project in each namespace (pods=9, {BOUND}=1)"
        in condition(found, "QuotaReady")["message"]
    )
    objects = everywhere.within("queued")
    assert hard(objects, True) == {"pods": "9", BOUND: "1"}
    objects.create(model("two", replicas=2, resources={"acceleratorClass": "h100", "acceleratorsPerPod": 1}))
    objects.wait("ModelDeployment", "two", says("QuotaReserved", "False"), SECONDS)
    replicas(objects, 1)

    install_queues(everywhere)
    everywhere.wait("Project", "queued", says("Ready"), SECONDS)
    assert hard(objects, False) == {"pods": "9"}
    assert objects.get("LocalQueue", "mizzen")["spec"] == {"clusterQueue": "all"}
    replicas(objects, 2)

    remove_queues(everywhere)
    everywhere.wait("Project", "queued", says("QuotaReady", "False", "KueueNotInstalled"), SECONDS)
    assert hard(objects, True) == {"pods": "9", BOUND: "1"}
