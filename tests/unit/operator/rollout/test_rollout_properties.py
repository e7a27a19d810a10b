"""Whatever the cluster does, a rollout keeps what it promises."""

import random

from hypothesis import given, note, settings
from hypothesis import strategies as st
from mizzen_crds.v1alpha1 import conditions
from support.deployments import NOON, deployment
from support.simulated_cluster import SimulatedCluster

REPLICAS = st.integers(1, 4)
SEED = st.integers(0, 2**32)


def cluster(seed: int, replicas: int, *, need: int = 0, spare: int = 0, strategy: str = "Auto", **rollout: object):
    note(f"seed {seed}")
    print(f"seed {seed}")
    wanted = deployment(
        replicas=replicas,
        resources={"acceleratorsPerPod": need},
        rollout={"strategy": strategy, "progressDeadlineSeconds": 600} | rollout,
    )
    accelerators = replicas * need + spare if need else None
    return SimulatedCluster(wanted, NOON, random.Random(seed), accelerators)


def watched(simulated: SimulatedCluster, target: str, least: int, ticks: int = 250) -> None:
    """Tick to the end; once there are that many ready pods, there are never fewer."""
    for _ in range(ticks):
        plan = simulated.tick(target)
        assert simulated.ready() >= least, f"{simulated.ready()} ready, {least} promised: {plan}"
        assert sum(plan.traffic.values()) == 100
        if plan.complete and simulated.ready(target) == plan.wanted == len(simulated.pods):
            return
    raise AssertionError(f"no end: {plan}")


@given(SEED, REPLICAS, st.sampled_from([0, 1, 2]), st.integers(0, 2), st.sampled_from(["Auto", "Replace"]))
@settings(max_examples=60, deadline=None)
def test_a_rollout_ends_and_keeps_all_but_one_replica_ready(seed, replicas, need, spare, strategy):
    simulated = cluster(seed, replicas, need=need, spare=spare, strategy=strategy)
    simulated.settle("v1")
    watched(simulated, "v2", replicas - 1)
    assert simulated.ready("v2") == replicas


@given(SEED, st.integers(2, 5), st.sampled_from(["Auto", "Replace", "Surge", "Canary"]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_was_told_to_go_and_has_not_gone_counts_for_nothing(seed, replicas, strategy, spare):
    canary = {"steps": [{"trafficPercent": 10}, {"trafficPercent": 50}], "analysis": {"minRequests": 0}}
    simulated = cluster(seed, replicas, need=1, spare=int(spare), strategy=strategy, canary=canary)
    if strategy == "Surge":
        simulated.accelerators = replicas + 1
    simulated.settle("v1")
    simulated.lag = 0.6
    watched(simulated, "v2", replicas - 1)
    for _ in range(simulated.chance.randrange(12)):
        simulated.tick("v3")
        assert simulated.ready() >= replicas - 1
    watched(simulated, "v2", replicas - 1)


@given(SEED, REPLICAS, st.sampled_from(["Auto", "Surge", "BlueGreen", "Canary"]))
@settings(max_examples=60, deadline=None)
def test_with_room_no_replica_is_missed_for_a_moment(seed, replicas, strategy):
    canary = {"steps": [{"trafficPercent": 10}, {"trafficPercent": 50}], "analysis": {"minRequests": 0}}
    simulated = cluster(seed, replicas, strategy=strategy, canary=canary)
    simulated.settle("v1")
    watched(simulated, "v2", replicas)


@given(SEED, REPLICAS, st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_replace_never_runs_more_pods_than_before(seed, replicas, need):
    simulated = cluster(seed, replicas, need=need, spare=5 * need, strategy="Replace")
    simulated.settle("v1")
    for _ in range(200):
        plan = simulated.tick("v2")
        assert simulated.holding() <= replicas
        if plan.complete and simulated.ready("v2") == replicas:
            return
    raise AssertionError("no end")


@given(SEED, REPLICAS, st.integers(0, 1))
@settings(max_examples=40, deadline=None)
def test_under_a_quota_a_rollout_ends_too(seed, replicas, spare):
    simulated = cluster(seed, replicas, need=1, spare=8)
    simulated.quota = replicas + spare
    simulated.settle("v1")
    watched(simulated, "v2", replicas - 1)


@given(SEED, REPLICAS, st.sampled_from([0, 1]), st.integers(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_revision_that_never_becomes_ready_is_given_up_and_the_old_one_has_all_replicas_again(
    seed, replicas, need, spare
):
    simulated = cluster(seed, replicas, need=need, spare=spare)
    simulated.settle("v1")
    simulated.broken.add("v2")
    for _ in range(300):
        plan = simulated.tick("v2")
        assert simulated.ready() >= replicas - 1
        if plan.rollout.failed_hash and simulated.ready("v1") == replicas == len(simulated.pods):
            break
    assert plan.rollout.failed_hash == "v2"
    assert simulated.replicas["v2"] == 0
    assert plan.hold is not None
    assert plan.hold.gate == conditions.PROGRESS_DEADLINE_EXCEEDED
    assert simulated.ready("v1") == replicas


@given(SEED, st.integers(2, 4), st.integers(0, 12), st.sampled_from([0, 1]))
@settings(max_examples=40, deadline=None)
def test_a_revert_in_the_middle_keeps_what_serves(seed, replicas, after, need):
    simulated = cluster(seed, replicas, need=need)
    simulated.settle("v1")
    for _ in range(after):
        simulated.tick("v2")
    watched(simulated, "v1", replicas - 1)
    assert simulated.ready("v1") == replicas


@given(SEED, REPLICAS, st.lists(st.sampled_from(["v2", "v3", "v4"]), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_any_sequence_of_changes_ends_at_the_last(seed, replicas, targets):
    simulated = cluster(seed, replicas, need=1)
    simulated.settle("v1")
    for target in targets:
        for _ in range(simulated.chance.randrange(8)):
            simulated.tick(target)
            assert simulated.ready() >= replicas - 1
    watched(simulated, targets[-1], replicas - 1)
