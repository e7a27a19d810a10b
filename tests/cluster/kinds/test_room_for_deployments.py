"""What a ModelDeployment says of room: which class, how much is needed, what is free where, and which quota binds."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, condition, start
from support.cluster.nodes import Nodes
from support.cluster.objects import Object, Objects, wait_until
from support.kind_objects import GPU, accelerator_class, project, quota
from support.model_objects import model, says, wait_ready
from support.running_operator import operator

SECONDS = 60.0
BIG, SMALL = {"card": "big"}, {"card": "small"}


@pytest.fixture(scope="module")
def cards() -> Iterator[Cluster]:
    """One node of 4 big cards and one of 4 small ones, both counted by one resource, and the operator."""
    nodes = [Nodes(1, 4, prefix="big", labels=BIG), Nodes(1, 4, prefix="small", labels=SMALL)]
    with start(nodes=nodes) as cluster:
        for name, labels in (("big", BIG), ("small", SMALL)):
            cluster.objects.create(accelerator_class(name, nodeLabels=labels))
        with operator(cluster):
            yield cluster


def team(cluster: Cluster, name: str, **spec: object) -> Objects:
    """The namespace of a new project."""
    cluster.objects.create(project(name, **spec))
    cluster.objects.wait("Project", name, says("Ready"), SECONDS)
    return cluster.objects.within(name)


def on(klass: str, each: int, **spec: object) -> Object:
    """A deployment of that class; its name tells which."""
    return model(f"on-{klass}", resources={"acceleratorClass": klass, "acceleratorsPerPod": each}, **spec)


def test_a_class_that_is_not_there_is_named_until_it_is(cards: Cluster) -> None:
    objects = team(cards, "early")
    objects.create(on("later", 1))
    found = objects.wait("ModelDeployment", "on-later", says("CapacityAvailable", "False"), SECONDS)
    said = condition(found, "CapacityAvailable")
    assert said["reason"] == "AcceleratorClassNotFound"
    assert "there is no later; there are big, small" in said["message"]
    assert objects.list("Deployment") == []
    objects.create(accelerator_class("later", nodeLabels=SMALL))
    wait_ready(objects, "on-later")
    objects.delete("ModelDeployment", "on-later")
    objects.delete("AcceleratorClass", "later")


def test_what_is_lacking_is_told_with_what_is_free_on_which_nodes(cards: Cluster) -> None:
    objects = team(cards, "greedy")
    objects.create(on("big", 3, replicas=2))
    words = f"1 more pod needs 3 {GPU} of class big, 3 on one node; 1 is free, room for 0 pods: big-0 1 of 4"
    found = objects.wait(
        "ModelDeployment", "on-big", lambda one: words in str(condition(one, "CapacityAvailable")), SECONDS
    )
    assert says("CapacityAvailable", "False", "InsufficientAccelerators")(found)
    objects.merge("ModelDeployment", "on-big", {"spec": {"replicas": 1}})
    objects.wait("ModelDeployment", "on-big", says("CapacityAvailable"), SECONDS)
    wait_ready(objects, "on-big")
    objects.delete("ModelDeployment", "on-big")


def test_the_quota_of_a_class_holds_where_kubernetes_counts_the_resource_alone(cards: Cluster) -> None:
    both = [{"acceleratorClass": "big", "count": 1}, {"acceleratorClass": "small", "count": 3}]
    objects = team(cards, "bound", quota={"accelerators": both})
    objects.create(on("big", 1, replicas=2))
    words = "1 more replica needs 1 accelerator; spec.quota of project bound for big leaves 0"
    objects.wait("ModelDeployment", "on-big", lambda one: words in str(condition(one, "QuotaReserved")), SECONDS)
    workload = objects.list("Deployment")[0]
    assert workload["spec"]["replicas"] == 1, "the second one would go past the quota of the class"
    objects.merge("Project", "bound", {"spec": {"quota": quota("big", 2)}})
    wait_ready(objects, "on-big")
    objects.wait("Project", "bound", lambda one: one["status"].get("acceleratorsUsed") == 2, SECONDS)
    objects.delete("ModelDeployment", "on-big")


def test_deployments_that_come_at_once_are_not_granted_the_same_accelerators(cards: Cluster) -> None:
    objects = team(cards, "crowd", quota=quota("big", 2))
    names = [f"crowd-{number}" for number in range(5)]
    for name in names:
        objects.create(on("big", 1) | {"metadata": {"name": name}})
    objects.wait("Project", "crowd", lambda one: one["status"].get("acceleratorsUsed") == 2, SECONDS)

    def said() -> list[str]:
        every = (objects.get("ModelDeployment", name) for name in names)
        return sorted(condition(one, "QuotaReserved").get("status", "") for one in every if one is not None)

    wait_until(lambda: said() == ["False", "False", "False", "True", "True"], SECONDS, lambda: str(said()))
    assert sum(one["spec"]["replicas"] for one in objects.list("Deployment")) == 2
    for name in names:
        objects.delete("ModelDeployment", name)


def test_a_resource_quota_of_somebody_else_is_named_too(cards: Cluster) -> None:
    objects = team(cards, "foreign")
    bound = {"metadata": {"name": "finance", "namespace": "foreign"}, "spec": {"hard": {f"requests.{GPU}": "1"}}}
    objects.create({"apiVersion": "v1", "kind": "ResourceQuota", **bound})
    objects.wait("ResourceQuota", "finance", lambda one: one.get("status", {}).get("hard"), SECONDS)
    objects.create(on("small", 1, replicas=2))
    found = objects.wait("ModelDeployment", "on-small", says("QuotaReserved", "False"), SECONDS)
    assert "finance" in condition(found, "QuotaReserved")["message"]
    objects.delete("ModelDeployment", "on-small")


def test_a_deployment_beyond_the_quota_of_their_number_waits_and_what_runs_goes_on(cards: Cluster) -> None:
    objects = team(cards, "few", quota={"deployments": 1})
    objects.create(model("first"))
    wait_ready(objects, "first")
    objects.create(model("second"))
    found = objects.wait("ModelDeployment", "second", says("QuotaReserved", "False"), SECONDS)
    said = condition(found, "QuotaReserved")
    assert said["reason"] == "DeploymentQuotaExceeded"
    assert "spec.quota.deployments of project few is 1, and 1 deployment goes before this one" in said["message"]
    assert [one["metadata"]["labels"]["mizzen.dev/deployment"] for one in objects.list("Deployment")] == ["first"]
    cards.objects.wait("Project", "few", lambda one: one["status"].get("deploymentsUsed") == 2, SECONDS)
    cards.objects.merge("Project", "few", {"spec": {"quota": {"deployments": 0}}})
    objects.merge("ModelDeployment", "first", {"spec": {"replicas": 2}})
    objects.wait("ModelDeployment", "first", lambda one: one["status"].get("readyReplicas") == 2, SECONDS)
    cards.objects.merge("Project", "few", {"spec": {"quota": {"deployments": 1}}})
    cards.objects.wait("Project", "few", says("Ready"), SECONDS)
    objects.delete("ModelDeployment", "first")
    wait_ready(objects, "second")
    objects.delete("ModelDeployment", "second")
