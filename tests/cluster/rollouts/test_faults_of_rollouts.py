"""A namespace that ends, a clock that was set back, a broken neighbour: what a rollout does then."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from support.cluster.cluster import condition
from support.cluster.objects import Object, Objects, wait_until
from support.model_objects import looked_at, model
from support.rollouts import KIND, NAME, change, chat, hash_of, pods_on_nodes, wait, wait_rolled_out, waits_at
from support.running_operator import RunningOperator

MANY = 200


def in_mid_rollout(objects: Objects) -> None:
    """A rollout that runs and will not end by itself."""
    objects.create(chat(replicas=3))
    wait_rolled_out(objects, "1")
    change(objects, "2", "never")
    wait_until(lambda: list(pods_on_nodes(objects, "2")), 60, "no pod of the new version has a place")


def test_a_namespace_ends_though_a_rollout_runs_in_it(objects: Objects, running: RunningOperator) -> None:
    in_mid_rollout(objects)
    objects.delete("Namespace", objects.namespace)
    objects.wait_gone("Namespace", objects.namespace, 60)
    assert running.process.runs


def test_a_namespace_ends_though_a_rollout_runs_and_the_operator_is_gone(
    objects: Objects, running: RunningOperator
) -> None:
    in_mid_rollout(objects)
    running.process.kill()
    try:
        objects.delete("Namespace", objects.namespace)
        objects.wait_gone("Namespace", objects.namespace, 60)
    finally:
        running.process.start()
        running.wait_ready()


def in_an_hour() -> str:
    """What a clock that was an hour ahead wrote."""
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def remember(objects: Objects, **times: str) -> None:
    """Leave times in the status, as an operator did whose clock was ahead."""
    objects.merge(KIND, NAME, {"status": {"rollout": times}}, subresource="status")


def test_a_clock_set_back_makes_no_canary_wait_longer_than_its_pause(objects: Objects) -> None:
    steps = [{"trafficPercent": 50, "pauseSeconds": 8}]
    canary = {"steps": steps, "analysis": {"minRequests": 0}}
    objects.create(chat(replicas=2, rollout={"strategy": "Canary", "canary": canary}))
    wait_rolled_out(objects, "1")
    change(objects, "2")
    wait(objects, lambda one: one["status"].get("rollout", {}).get("stepStartedAt"))
    remember(objects, stepStartedAt=in_an_hour())
    wait_rolled_out(objects, "2")


def test_a_clock_set_back_does_not_put_off_the_deadline(objects: Objects) -> None:
    objects.create(chat(replicas=2, rollout={"progressDeadlineSeconds": 10}))
    old = hash_of(wait_rolled_out(objects, "1"), "Serving")
    change(objects, "2", "never")
    wait(objects, lambda one: one["status"].get("rollout", {}).get("lastProgressAt"))
    wait_until(lambda: list(pods_on_nodes(objects, "2")), 60, "no pod of the new version has a place")
    remember(objects, lastProgressAt=in_an_hour(), startedAt=in_an_hour())
    deployment = wait(objects, waits_at("ProgressDeadlineExceeded"))
    assert hash_of(deployment, "Serving") == old


@pytest.mark.timeout(300)
def test_a_broken_one_among_two_hundred_holds_up_nobody(objects: Objects) -> None:
    broken = model("broken", placement={"tolerations": [{"operator": "Perhaps"}]})
    names = [f"many-{number}" for number in range(MANY - 1)]
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(objects.create, (broken, *(model(name, replicas=0) for name in names))))
    wait_until(lambda: not not_looked_at(objects), 150, lambda: f"{not_looked_at(objects)} were not looked at")
    changed = names[:: len(names) // 10]
    for name in changed:
        objects.merge(KIND, name, {"spec": {"replicas": 1}})
        wait_until(lambda name=name: workload(objects, name), 20, f"{name} waits")
    every = {one["metadata"]["name"]: one for one in objects.list(KIND)}
    assert len(every) == MANY
    assert condition(every["broken"], "UpToDate")["reason"] == "PodRefused"


def workload(objects: Objects, name: str) -> bool:
    """Its pods have been asked for."""
    found = objects.list("Deployment", labels=f"mizzen.dev/deployment={name}")
    return [one["spec"]["replicas"] for one in found] == [1]


def not_looked_at(objects: Objects) -> list[str]:
    """Names of those whose status is of an older spec."""
    every: list[Object] = objects.list(KIND)
    return [one["metadata"]["name"] for one in every if not looked_at(one)]
