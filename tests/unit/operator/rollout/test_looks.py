"""A rollout that stands still is looked at seldom, or when something happens: never again and again for nothing."""

import random
from datetime import timedelta

import pytest
from mizzen_operator.observation import Observation
from mizzen_operator.reconcile.next_look import HOLD_SECONDS, seconds_until_next_look
from mizzen_operator.rollout.outcome import RolloutPlan
from support.deployments import NOON, deployment
from support.simulated_cluster import SimulatedCluster

AN_HOUR = 720
MANUAL = {"steps": [{"trafficPercent": 50, "pause": "Manual"}], "analysis": {"minRequests": 0}}
UNSEEN = {"steps": [{"trafficPercent": 50, "pauseSeconds": 30}], "analysis": {"minRequests": 50}}
ONE_EACH = {"resources": {"acceleratorsPerPod": 1}}


def cluster(accelerators: int | None = None, **spec: object) -> SimulatedCluster:
    simulated = SimulatedCluster(deployment(**spec), NOON, random.Random(1), accelerators)
    simulated.settle("v1")
    return simulated


def look(simulated: SimulatedCluster, plan: RolloutPlan) -> float | None:
    return seconds_until_next_look(simulated.deployment, Observation(fleet=simulated.fleet()), plan, simulated.now)


def given_up() -> SimulatedCluster:
    simulated = cluster(replicas=2, rollout={"progressDeadlineSeconds": 100})
    simulated.broken.add("v2")
    return simulated


def paused() -> SimulatedCluster:
    simulated = cluster(replicas=2)
    simulated.tick("v2")
    simulated.spec(rollout={"mode": "Paused"})
    return simulated


def stopped_in_mid_rollout() -> SimulatedCluster:
    simulated = cluster(replicas=2)
    simulated.broken.add("v2")
    for _ in range(5):
        simulated.tick("v2")
    simulated.spec(lifecycle={"state": "Stopped"})
    return simulated


STANDING = {
    "given up": (given_up, None),
    "stopped in mid-rollout": (stopped_in_mid_rollout, None),
    "paused": (paused, None),
    "a canary waits for a person": (
        lambda: cluster(replicas=2, rollout={"strategy": "Canary", "canary": MANUAL}),
        HOLD_SECONDS,
    ),
    "a canary waits for requests after its pause": (
        lambda: cluster(replicas=2, rollout={"strategy": "Canary", "canary": UNSEEN}),
        HOLD_SECONDS,
    ),
    "no spare accelerator past the deadline": (
        lambda: cluster(1, rollout={"minAvailable": 1}, **ONE_EACH),
        HOLD_SECONDS,
    ),
}


@pytest.mark.parametrize("name", STANDING)
def test_what_stands_still_for_an_hour_is_not_looked_at_again_and_again(name: str) -> None:
    build, expected = STANDING[name]
    simulated = build()
    for _ in range(AN_HOUR):
        plan = simulated.tick("v2")
    assert look(simulated, plan) == expected, plan


def test_the_deadline_and_the_end_of_a_pause_bring_their_look_in_time() -> None:
    simulated = cluster(rollout={"progressDeadlineSeconds": 12})
    simulated.broken.add("v2")
    plan = simulated.tick("v2")
    last = plan.rollout.last_progress_at
    assert last is not None
    left = seconds_until_next_look(simulated.deployment, Observation(), plan, last + timedelta(seconds=9))
    assert left == 3
    pausing = {"steps": [{"trafficPercent": 50, "pauseSeconds": 60}], "analysis": {"minRequests": 0}}
    simulated = cluster(rollout={"strategy": "Canary", "canary": pausing})
    while plan.rollout.step_started_at is None:
        plan = simulated.tick("v2")
    almost = plan.rollout.step_started_at + timedelta(seconds=58)
    assert seconds_until_next_look(simulated.deployment, Observation(), plan, almost) == 2
