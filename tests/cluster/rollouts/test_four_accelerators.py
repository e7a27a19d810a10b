"""Four accelerators, all in use: the update needs no fifth, and at no moment are fewer ready than must be."""

from collections.abc import Callable

from support.cluster.changes import recorded
from support.cluster.cluster import Cluster, condition
from support.cluster.nodes import ACCELERATOR
from support.cluster.objects import Object, Objects
from support.rollouts import (
    NAME,
    POOL,
    change,
    chat,
    hold,
    moments,
    uids,
    wait,
    wait_rolled_out,
    waits_at,
    widen,
)
from support.troubles import pass_time

Pool = Callable[[int], str]


def test_an_update_needs_no_fifth_accelerator_and_keeps_all_but_one_ready(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4), rollout={"minAvailable": 3}))
    wait_rolled_out(objects)
    before = uids(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        deployment = wait_rolled_out(objects, "2")
    seen = moments(changes)
    assert min(one.ready for one in seen) == 3, seen
    assert max(one.bound for one in seen) == 4, seen
    assert len(uids(objects, "2") - before) == 4
    assert deployment["status"]["rollout"]["strategyInUse"] == "Replace"
    assert "needs 1 accelerator, 0 are free" in deployment["status"]["rollout"]["strategyReason"]
    assert "lastFailure" not in deployment["status"], "a pod that waits for the place of another is no failure"


def test_without_a_number_one_less_than_wanted_stays_ready(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4)))
    wait_rolled_out(objects)
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        wait_rolled_out(objects, "2")
    seen = moments(changes)
    assert min(one.ready for one in seen) == 3, seen
    assert max(one.bound for one in seen) == 4, seen


def test_with_a_spare_accelerator_auto_surges_and_nothing_is_missing_ever(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(5), rollout={"minAvailable": 3}))
    wait_rolled_out(objects)
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        deployment = wait_rolled_out(objects, "2")
    seen = moments(changes)
    assert min(one.ready for one in seen) == 4, seen
    assert max(one.bound for one in seen) == 5, seen
    assert deployment["status"]["rollout"]["strategyInUse"] == "Surge"
    assert "needs 1 accelerator and fits" in deployment["status"]["rollout"]["strategyReason"]


def test_under_a_quota_without_headroom_it_frees_first_and_no_pod_is_refused(objects: Objects, pool: Pool) -> None:
    resource = f"requests.{ACCELERATOR}"
    hard = {"spec": {"hard": {resource: "4"}}}
    objects.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "four"}, **hard})
    objects.wait("ResourceQuota", "four", lambda one: one.get("status", {}).get("hard"))
    objects.create(chat(pool(8), rollout={"minAvailable": 3}))
    wait_rolled_out(objects)
    objects.wait("ResourceQuota", "four", lambda one: one["status"]["used"][resource] == "4")
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        deployment = wait_rolled_out(objects, "2")
    seen = moments(changes)
    assert min(one.ready for one in seen) == 3, seen
    assert max(one.pods for one in seen) == 4, seen
    assert deployment["status"]["rollout"]["strategyInUse"] == "Replace"
    assert "the quota leaves 0" in deployment["status"]["rollout"]["strategyReason"]


def test_a_single_replica_without_a_spare_is_replaced(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(1), replicas=1))
    wait_rolled_out(objects)
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        wait_rolled_out(objects, "2")
    seen = moments(changes)
    assert max(one.bound for one in seen) == 1, seen
    assert min(one.ready for one in seen) == 0, seen


def test_a_single_replica_with_a_spare_is_never_missed(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(2), replicas=1))
    wait_rolled_out(objects)
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        wait_rolled_out(objects, "2")
    assert min(one.ready for one in moments(changes)) == 1


def test_a_single_replica_that_must_stay_holds_until_there_is_room(
    objects: Objects, pool: Pool, cluster: Cluster
) -> None:
    name = pool(1)
    objects.create(chat(name, replicas=1, rollout={"minAvailable": 1}))
    wait_rolled_out(objects)
    serving = uids(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        deployment = wait(objects, waits_at("NoSpareAccelerator"))
        assert (hold(deployment)["needed"], hold(deployment)["free"]) == (1, 0)
        assert "lower spec.rollout.minAvailable" in hold(deployment)["reason"]
        told = condition(deployment, "UpToDate")
        assert (told["status"], told["reason"]) == ("False", "NoSpareAccelerator")
        assert condition(deployment, "Ready")["status"] == "True"
        assert uids(objects, "1") == serving
        widen(cluster, name, 1)
        wait_rolled_out(objects, "2")
    assert min(one.ready for one in moments(changes)) == 1


def test_a_surge_that_finds_no_place_holds_and_replace_brings_it_to_its_end(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4), rollout={"strategy": "Surge"}))
    wait_rolled_out(objects)
    change(objects, "2")
    deployment = wait(objects, waits_at("NoSpareAccelerator"))
    assert (hold(deployment)["needed"], hold(deployment)["free"]) == (1, 0)
    assert "set spec.rollout.strategy to Auto or Replace" in hold(deployment)["reason"]
    assert len(uids(objects, "1")) == 4
    objects.merge("ModelDeployment", NAME, {"spec": {"rollout": {"strategy": "Replace"}}})
    assert wait_rolled_out(objects, "2")["status"]["rollout"]["strategyInUse"] == "Replace"


def test_auto_replaces_where_the_scheduler_gives_no_pod_the_accelerator_that_counts_as_free(
    objects: Objects, pool: Pool, cluster: Cluster
) -> None:
    name = pool(4)
    widen(cluster, name, 1)
    (spare,) = (one for one in nodes_of(cluster, name) if one["status"]["allocatable"][ACCELERATOR] == "1")
    taint = {"key": "test.mizzen.dev/kept", "value": "yes", "effect": "NoSchedule"}
    cluster.objects.merge("Node", spare["metadata"]["name"], {"spec": {"taints": [taint]}})
    objects.create(chat(name))
    wait_rolled_out(objects)
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        wait(objects, waits_at("NoSpareAccelerator"))
        deployment = wait_rolled_out(objects, "2", seconds=180)
    seen = moments(changes)
    assert min(one.ready for one in seen) == 3, seen
    assert max(one.bound for one in seen) == 4, seen
    assert deployment["status"]["rollout"]["strategyInUse"] == "Replace"


def test_a_first_revision_waits_for_its_accelerator_beyond_the_deadline_and_what_is_ready_serves(
    objects: Objects, pool: Pool, cluster: Cluster
) -> None:
    name = pool(1)
    objects.create(chat(name, replicas=2, rollout={"progressDeadlineSeconds": 10}))
    wait(objects, waits_at("Unschedulable"))
    objects.wait("ModelDeployment", NAME, lambda one: one["status"]["readyReplicas"] == 1)
    pass_time(15)
    deployment = wait(objects, waits_at("Unschedulable"))
    assert not condition(deployment, "Stalled")
    assert deployment["status"]["readyReplicas"] == 1
    widen(cluster, name, 1)
    wait_rolled_out(objects)


def nodes_of(cluster: Cluster, pool: str) -> list[Object]:
    """Nodes of a pool."""
    return cluster.objects.list("Node", labels=f"{POOL}={pool}")
