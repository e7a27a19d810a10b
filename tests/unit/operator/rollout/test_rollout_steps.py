"""Rollouts step by step: pauses, promotion, analysis, holds, stopping, and what status remembers."""

import random
from datetime import timedelta

import pytest
from mizzen_crds.v1alpha1 import conditions, labels
from mizzen_crds.v1alpha1.model_deployment.status import RevisionState
from mizzen_operator.rollout.fleet import LoadWindow, PodFailure
from mizzen_operator.rollout.plan import wanted_replicas
from mizzen_operator.rollout.situation import least_available
from mizzen_operator.rollout.traffic import percents
from support.deployments import NOON, deployment
from support.simulated_cluster import SimulatedCluster


def cluster(accelerators: int | None = None, **spec: object) -> SimulatedCluster:
    return SimulatedCluster(deployment(**spec), NOON, random.Random(1), accelerators)


def canary(*steps: dict, **more: object) -> dict:
    analysis = {"minRequests": 0} | more.pop("analysis", {})
    return {"strategy": "Canary", "canary": {"steps": list(steps), "analysis": analysis}} | more


def ticked(simulated: SimulatedCluster, target: str, ticks: int = 30):
    for _ in range(ticks):
        plan = simulated.tick(target)
    return plan


def stalled(simulated: SimulatedCluster) -> str:
    """Reason of Stalled; empty where it is not."""
    told = simulated.deployment.status.conditions
    return next((one.reason for one in told if one.type == conditions.STALLED), "")


def annotate(simulated: SimulatedCluster, text: str) -> None:
    body = simulated.deployment.model_dump(mode="json", by_alias=True)
    body["metadata"]["annotations"] = {labels.PROMOTE: text}
    simulated.deployment = type(simulated.deployment).model_validate(body)


def test_the_first_revision_gets_all_replicas_at_once():
    simulated = cluster(replicas=3)
    plan = simulated.tick("v1")
    assert plan.of("v1").replicas == 3
    assert plan.of("v1").state is RevisionState.PROGRESSING
    assert simulated.settle("v1").of("v1").state is RevisionState.SERVING


def test_a_revision_that_became_ready_before_any_status_was_written_began_all_the_same():
    simulated = cluster(replicas=3)
    simulated.settle("v1")
    body = simulated.deployment.model_dump(mode="json", by_alias=True, exclude={"status"})
    simulated.deployment = type(simulated.deployment).model_validate(body)
    plan = simulated.tick("v1")
    assert plan.of("v1").state is RevisionState.SERVING
    assert plan.rollout.started_at == plan.rollout.last_progress_at
    assert plan.rollout.started_at is not None


def test_a_clock_set_back_prolongs_a_pause_by_its_own_length_at_most():
    simulated = cluster(replicas=2, rollout=canary({"trafficPercent": 50, "pauseSeconds": 60}))
    simulated.settle("v1")
    ticked(simulated, "v2", 6)
    assert simulated.deployment.status.rollout.step_started_at is not None
    simulated.now -= timedelta(hours=1)
    assert simulated.tick("v2").rollout.step_started_at == simulated.now
    assert ticked(simulated, "v2", 40).of("v2").state is RevisionState.SERVING


def test_a_clock_set_back_does_not_put_off_the_progress_deadline():
    simulated = cluster(replicas=2, rollout={"progressDeadlineSeconds": 100})
    simulated.broken.add("v2")
    simulated.settle("v1")
    simulated.tick("v2")
    simulated.now -= timedelta(hours=1)
    assert ticked(simulated, "v2", 30).of("v2").state is RevisionState.FAILED


def test_a_single_replica_is_replaced_without_a_gap_where_a_second_fits():
    simulated = cluster()
    simulated.settle("v1")
    plan = simulated.tick("v2")
    assert (plan.of("v1").replicas, plan.of("v2").replicas) == (1, 1)
    assert plan.traffic == {"v1": 100}
    assert plan.rollout.strategy_in_use == "Surge"


def test_without_a_spare_accelerator_the_new_pod_waits_first_and_then_an_old_one_goes():
    simulated = cluster(2, replicas=2, resources={"acceleratorsPerPod": 1})
    simulated.settle("v1")
    first, second = simulated.tick("v2"), simulated.tick("v2")
    assert (first.of("v1").replicas, first.of("v2").replicas) == (2, 1)
    assert (second.of("v1").replicas, second.of("v2").replicas) == (1, 1)
    assert first.rollout.strategy_in_use == "Replace"
    assert "needs 1 accelerator, 0 are free" in first.rollout.strategy_reason


@pytest.mark.parametrize("unusable", [1, 3])
def test_auto_replaces_where_the_scheduler_does_not_give_what_counts_as_free(unusable):
    simulated = cluster(4, replicas=4, resources={"acceleratorsPerPod": 1})
    simulated.unusable = unusable
    simulated.settle("v1")
    plan = ticked(simulated, "v2", 6)
    assert (plan.rollout.strategy_in_use, plan.hold.gate) == ("Surge", conditions.NO_SPARE_ACCELERATOR)
    plan = simulated.settle("v2")
    assert (plan.rollout.strategy_in_use, plan.rollout.strategy_reason) == (
        "Replace",
        "the spare replica found no place",
    )


def test_a_canary_goes_on_where_the_scheduler_does_not_give_what_counts_as_free():
    simulated = cluster(4, replicas=4, resources={"acceleratorsPerPod": 1}, rollout=canary({"trafficPercent": 50}))
    simulated.unusable = 1
    simulated.settle("v1")
    assert simulated.settle("v2").of("v2").state is RevisionState.SERVING


@pytest.mark.parametrize("replicas", [2, 3, 5])
def test_a_canary_without_a_spare_accelerator_takes_the_place_of_an_old_replica(replicas):
    rollout = canary({"trafficPercent": 10}, {"trafficPercent": 60})
    simulated = cluster(replicas, replicas=replicas, resources={"acceleratorsPerPod": 1}, rollout=rollout)
    simulated.settle("v1")
    assert simulated.settle("v2").of("v2").state is RevisionState.SERVING


def test_a_revert_in_mid_canary_gives_the_revision_that_served_its_requests_back_at_once():
    simulated = cluster(replicas=4, rollout=canary({"trafficPercent": 25, "pause": "Manual"}))
    simulated.settle("v1")
    assert ticked(simulated, "v2").traffic == {"v1": 75, "v2": 25}
    for _ in range(30):
        plan = simulated.tick("v1")
        assert plan.traffic["v1"] >= 75
    assert plan.complete


def test_the_way_back_goes_on_where_the_scheduler_does_not_give_what_counts_as_free():
    analysis = {"minRequests": 50, "maxErrorPercent": 5}
    rollout = canary({"trafficPercent": 50}, analysis=analysis)
    simulated = cluster(4, replicas=4, resources={"acceleratorsPerPod": 1}, rollout=rollout)
    simulated.settle("v1")
    simulated.load = {"v2": LoadWindow(100, 50, 0.0)}
    simulated.unusable = 3
    plan = ticked(simulated, "v2", 200)
    assert plan.hold.gate == conditions.ANALYSIS_FAILED
    assert (simulated.ready("v1"), simulated.replicas["v2"]) == (4, 0)


def test_min_available_without_room_holds_and_says_what_is_needed():
    simulated = cluster(1, resources={"acceleratorsPerPod": 1}, rollout={"minAvailable": 1})
    simulated.settle("v1")
    plan = ticked(simulated, "v2", 2000)
    assert plan.hold.gate == conditions.NO_SPARE_ACCELERATOR
    assert (plan.hold.needed, plan.hold.free) == (1, 0)
    assert "spec.rollout.minAvailable" in plan.hold.reason
    assert not plan.rollout.failed_hash, "a hold is nobody's failure"
    simulated.accelerators = 2
    assert simulated.settle("v2").hold is None


def test_a_paused_rollout_takes_no_step_and_goes_on_afterwards():
    simulated = cluster(replicas=3)
    simulated.settle("v1")
    simulated.tick("v2")
    simulated.spec(rollout={"mode": "Paused", "progressDeadlineSeconds": 10})
    before = dict(simulated.replicas)
    plan = ticked(simulated, "v2")
    assert simulated.replicas == before
    assert plan.hold.gate == conditions.PAUSED
    simulated.spec(rollout={"mode": "Active"})
    simulated.settle("v2")


def test_a_paused_deployment_still_scales_what_serves():
    simulated = cluster(replicas=2, rollout={"mode": "Active"})
    simulated.settle("v1")
    simulated.spec(rollout={"mode": "Paused"}, replicas=4)
    ticked(simulated, "v2")
    assert simulated.ready("v1") == 4


def test_a_given_up_revision_is_not_tried_again_until_another_is_asked_for():
    simulated = cluster(rollout={"progressDeadlineSeconds": 60})
    simulated.settle("v1")
    simulated.broken.add("v2")
    plan = ticked(simulated, "v2", 100)
    assert plan.rollout.failed_hash == "v2"
    assert plan.of("v2").state is RevisionState.FAILED
    assert plan.traffic == {"v1": 100}
    assert simulated.settle("v3").rollout.failed_hash == ""


def test_a_first_revision_that_never_becomes_ready_is_given_up_too():
    simulated = cluster(rollout={"progressDeadlineSeconds": 60})
    simulated.broken.add("v1")
    plan = ticked(simulated, "v1", 60)
    assert plan.rollout.failed_hash == "v1"
    assert stalled(simulated) == conditions.PROGRESS_DEADLINE_EXCEEDED


def test_where_nothing_served_before_a_given_up_revision_keeps_its_pods_and_may_come_up_after_all():
    simulated = cluster(replicas=3, rollout={"progressDeadlineSeconds": 60})
    simulated.broken.add("v1")
    plan = ticked(simulated, "v1", 60)
    assert (plan.of("v1").replicas, plan.of("v1").state, plan.traffic) == (3, RevisionState.FAILED, {"v1": 100})
    simulated.broken.clear()
    assert simulated.settle("v1").rollout.failed_hash == ""
    ticked(simulated, "v1", 2)
    assert stalled(simulated) == ""


def test_a_partly_ready_first_revision_that_was_given_up_serves_until_another_is_ready():
    simulated = cluster(3, replicas=4, resources={"acceleratorsPerPod": 1}, rollout={"progressDeadlineSeconds": 60})
    ticked(simulated, "v1", 30)
    assert simulated.ready("v1") == 3
    simulated.broken.add("v2")
    for _ in range(100):
        plan = simulated.tick("v2")
        assert simulated.ready() >= 2, plan


@pytest.mark.parametrize("lacking", ["a place", "a quota", "the source of the weights"])
def test_a_first_revision_that_waits_for_what_it_cannot_help_is_never_given_up(lacking):
    simulated = cluster(
        0 if lacking == "a place" else 8,
        replicas=2,
        resources={"acceleratorsPerPod": 1},
        rollout={"progressDeadlineSeconds": 60},
    )
    simulated.quota = 0 if lacking == "a quota" else None
    simulated.source_away = lacking == "the source of the weights"
    plan = ticked(simulated, "v1", 720)
    gates = {"a place": conditions.UNSCHEDULABLE, "a quota": conditions.QUOTA_EXCEEDED}
    assert plan.hold.gate == gates.get(lacking, conditions.FETCH_FAILED)
    assert (plan.of("v1").state, plan.of("v1").replicas) == (RevisionState.PROGRESSING, 2)
    assert stalled(simulated) == ""
    simulated.accelerators, simulated.quota, simulated.source_away = 8, None, False
    assert simulated.settle("v1").hold is None


def test_a_rollout_whose_source_is_away_waits_and_takes_nothing_down():
    simulated = cluster(replicas=2, rollout={"progressDeadlineSeconds": 60})
    simulated.settle("v1")
    simulated.source_away = True
    plan = ticked(simulated, "v2", 720)
    assert (plan.hold.gate, simulated.ready("v1")) == (conditions.FETCH_FAILED, 2)
    simulated.source_away = False
    simulated.settle("v2")


def test_replicas_that_find_no_place_after_the_first_ones_serve_take_none_of_these_down():
    simulated = cluster(3, replicas=4, resources={"acceleratorsPerPod": 1}, rollout={"progressDeadlineSeconds": 60})
    plan = ticked(simulated, "v1", 720)
    assert (plan.hold.gate, simulated.ready("v1")) == (conditions.UNSCHEDULABLE, 3)


@pytest.mark.parametrize(("reason", "code"), [("DigestMismatch", 12), ("LayoutRefused", 11), ("PodRefused", None)])
def test_a_revision_that_no_time_helps_is_given_up_at_once(reason, code):
    simulated = cluster(4, replicas=4, resources={"acceleratorsPerPod": 1})
    simulated.settle("v1")
    simulated.broken.add("v2")
    simulated.failures = {"v2": PodFailure(reason, "its own words", "", code)}
    plan = ticked(simulated, "v2", 30)
    assert (plan.rollout.failed_hash, plan.hold.gate, stalled(simulated)) == ("v2", reason, reason)
    assert "its own words" in plan.hold.reason
    assert (simulated.ready("v1"), simulated.replicas["v2"]) == (4, 0)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("FetchFailed", 14),
        ("ImagePullFailed", None),
        ("CrashLooping", 1),
        ("PodNotCreated", None),
        ("LayoutRefused", 1),
    ],
)
def test_a_revision_that_time_may_help_has_until_its_deadline(reason, code):
    simulated = cluster(replicas=2)
    simulated.settle("v1")
    simulated.broken.add("v2")
    simulated.failures = {"v2": PodFailure(reason, "its own words", exit_code=code)}
    assert ticked(simulated, "v2", 60).of("v2").state is RevisionState.PROGRESSING


def test_one_node_that_spoils_the_weights_takes_no_revision_back_of_which_a_replica_serves():
    simulated = cluster(replicas=3)
    simulated.settle("v1")
    while not simulated.ready("v2"):
        simulated.tick("v2")
    simulated.failures = {"v2": PodFailure("DigestMismatch", "its own words")}
    assert simulated.settle("v2").rollout.failed_hash == ""


def test_a_first_revision_that_no_time_helps_keeps_its_pods_as_there_is_nothing_to_go_back_to():
    simulated = cluster()
    simulated.broken.add("v1")
    simulated.failures = {"v1": PodFailure("DigestMismatch", "its own words", "fetch", 12)}
    plan = ticked(simulated, "v1", 30)
    assert (plan.of("v1").replicas, plan.rollout.failed_hash) == (1, "")


def test_a_revision_that_served_is_not_given_up_when_it_breaks_later():
    simulated = cluster(rollout={"progressDeadlineSeconds": 10})
    simulated.settle("v1")
    simulated.broken.add("v1")
    for pod in simulated.pods:
        pod.ready = False
    plan = ticked(simulated, "v1", 60)
    assert plan.of("v1").state is RevisionState.SERVING
    assert not plan.rollout.failed_hash


def test_a_canary_waits_for_a_person_and_passes_the_step_that_was_named():
    simulated = cluster(
        replicas=4, rollout=canary({"trafficPercent": 25, "pause": "Manual"}, {"trafficPercent": 50, "pause": "Manual"})
    )
    simulated.settle("v1")
    plan = ticked(simulated, "v2")
    assert plan.traffic == {"v1": 75, "v2": 25}
    assert plan.hold.gate == conditions.AWAITING_PROMOTION
    annotate(simulated, "v2/1")
    assert ticked(simulated, "v2").rollout.step == 0, "a later step's promotion passes nothing"
    annotate(simulated, "v2/0")
    assert ticked(simulated, "v2").rollout.step == 1
    annotate(simulated, "v2/1")
    simulated.settle("v2")


def test_a_canary_step_is_watched_for_its_pause():
    simulated = cluster(rollout=canary({"trafficPercent": 10, "pauseSeconds": 300}))
    simulated.settle("v1")
    plan = ticked(simulated, "v2", 20)
    assert (plan.traffic, plan.hold.gate) == ({"v1": 90, "v2": 10}, conditions.CANARY_STEP)
    simulated.now += plan.rollout.step_started_at - plan.rollout.started_at
    simulated.tick("v2", 300)
    simulated.settle("v2")


WORSE = {
    "errors": LoadWindow(100, 6, 1000.0, 100),
    "slow": LoadWindow(100, 0, 2000.0, 100),
    "slow, where half of its requests end without a first byte": LoadWindow(100, 0, 1000.0, 50),
    "its callers give up": LoadWindow(100, 0, 1000.0, 100, 12),
}


@pytest.mark.parametrize("failure", WORSE)
def test_a_canary_that_does_worse_is_rolled_back(failure):
    analysis = {"minRequests": 50, "maxErrorPercent": 5, "maxTTFTRegressionPercent": 20}
    rollout = canary({"trafficPercent": 10, "pause": "Manual"}, analysis=analysis)
    simulated = cluster(replicas=2, rollout=rollout)
    simulated.settle("v1")
    simulated.load = {"v1": LoadWindow(900, 0, 9000.0, 900, 54), "v2": WORSE[failure]}
    plan = ticked(simulated, "v2")
    assert plan.rollout.failed_hash == "v2"
    assert plan.hold.gate == conditions.ANALYSIS_FAILED
    assert plan.traffic == {"v1": 100}
    assert (simulated.replicas["v2"], simulated.ready("v1")) == (0, 2)


@pytest.mark.parametrize(("requests", "left", "of_others"), [(100, 11, 6), (12, 4, 0)], ids=["as usual there", "few"])
def test_callers_who_leave_early_as_they_do_elsewhere_are_not_held_against_a_canary(requests, left, of_others):
    analysis = {"minRequests": 5, "maxErrorPercent": 5}
    simulated = cluster(replicas=2, rollout=canary({"trafficPercent": 10}, analysis=analysis))
    simulated.settle("v1")
    simulated.load = {
        "v1": LoadWindow(100, 0, 1000.0, 100, of_others),
        "v2": LoadWindow(requests, 0, 1000.0, requests, left),
    }
    assert simulated.settle("v2").hold is None


def test_requests_that_nobody_waited_for_do_not_carry_a_canary_on():
    simulated = cluster(rollout=canary({"trafficPercent": 10}, analysis={"minRequests": 50}))
    simulated.settle("v1")
    simulated.load = {"v2": LoadWindow(60, 0, 1000.0, 60, 40)}
    assert "20 of 50 requests" in ticked(simulated, "v2").hold.reason


def test_a_canary_that_does_worse_can_be_paused_instead_and_promoted_all_the_same():
    analysis = {"minRequests": 50, "maxErrorPercent": 5, "onFailure": "Pause"}
    simulated = cluster(replicas=2, rollout=canary({"trafficPercent": 10, "pauseSeconds": 1}, analysis=analysis))
    simulated.settle("v1")
    simulated.load = {"v2": LoadWindow(100, 50, 0.0)}
    plan = ticked(simulated, "v2")
    assert (plan.hold.gate, stalled(simulated)) == (conditions.ANALYSIS_PAUSED, "")
    assert plan.traffic == {"v1": 90, "v2": 10}
    annotate(simulated, "v2/0")
    simulated.settle("v2")


def test_better_figures_end_the_pause_of_a_canary_that_did_worse():
    analysis = {"minRequests": 50, "maxErrorPercent": 5, "onFailure": "Pause"}
    simulated = cluster(replicas=2, rollout=canary({"trafficPercent": 10, "pauseSeconds": 1}, analysis=analysis))
    simulated.settle("v1")
    simulated.load = {"v2": LoadWindow(100, 50, 0.0)}
    assert ticked(simulated, "v2").hold.gate == conditions.ANALYSIS_PAUSED
    simulated.load = {"v2": LoadWindow(2000, 50, 0.0)}
    assert simulated.settle("v2").hold is None


def test_an_evaluation_that_nobody_runs_waits_for_a_person_and_says_so():
    rollout = canary({"trafficPercent": 10}, analysis={"evaluationRef": "quality"})
    simulated = cluster(replicas=2, rollout=rollout)
    simulated.settle("v1")
    plan = ticked(simulated, "v2")
    assert (plan.hold.gate, stalled(simulated)) == (conditions.AWAITING_PROMOTION, "")
    assert "runs no evaluations, so quality" in plan.hold.reason
    annotate(simulated, "v2/0")
    assert simulated.settle("v2").hold is None


def test_a_canary_with_too_few_requests_says_how_many_it_has_seen():
    simulated = cluster(rollout=canary({"trafficPercent": 10}, analysis={"minRequests": 50}))
    simulated.settle("v1")
    simulated.load = {"v2": LoadWindow(12, 12, 0.0)}
    plan = ticked(simulated, "v2")
    assert "12 of 50 requests" in plan.hold.reason


def test_blue_green_switches_all_traffic_at_once():
    simulated = cluster(replicas=2, rollout={"strategy": "BlueGreen"})
    simulated.settle("v1")
    shares = []
    for _ in range(40):
        plan = simulated.tick("v2")
        shares.append(tuple(sorted(plan.traffic.items())))
        if plan.complete:
            break
    assert set(shares) == {(("v1", 100),), (("v2", 100),)}


def test_stopped_means_no_replica_and_running_again_is_no_rollout():
    simulated = cluster(replicas=2)
    simulated.settle("v1")
    simulated.spec(lifecycle={"state": "Stopped"})
    plan = ticked(simulated, "v1")
    assert (simulated.pods, plan.traffic, plan.complete) == ([], {}, True)
    simulated.spec(lifecycle={"state": "Running"})
    assert simulated.tick("v1").of("v1").state is RevisionState.SERVING
    simulated.settle("v1")


def test_old_revisions_beyond_the_history_limit_expire():
    simulated = cluster(rollout={"revisionHistoryLimit": 2})
    for target in ("v1", "v2", "v3", "v4", "v5"):
        simulated.settle(target)
    ticked(simulated, "v5", 2)
    assert set(simulated.replicas) == {"v3", "v4", "v5"}


def test_a_settled_deployment_plans_the_same_again_and_again():
    simulated = cluster(replicas=2)
    simulated.settle("v1")
    simulated.settle("v2")
    simulated.tick("v2")
    before = simulated.deployment.status
    plan = simulated.tick("v2")
    assert simulated.deployment.status == before
    assert plan.happenings == ()


@pytest.mark.parametrize(
    ("spec", "autoscaled", "wanted"),
    [
        ({"replicas": 3}, None, 3),
        ({"replicas": 3, "lifecycle": {"state": "Stopped"}}, None, 0),
        ({"replicas": 9, "autoscaling": {"minReplicas": 2, "maxReplicas": 4}}, None, 4),
        ({"autoscaling": {"minReplicas": 0, "maxReplicas": 4}}, 0, 0),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 4}}, 1, 2),
    ],
)
def test_wanted_replicas_follow_state_autoscaler_and_bounds(spec, autoscaled, wanted):
    assert wanted_replicas(deployment(**spec), autoscaled) == wanted


def test_percents_sum_to_the_whole():
    assert percents({"a": 1, "b": 1, "c": 1}) == {"a": 34, "b": 33, "c": 33}


@pytest.mark.parametrize(("share", "wanted", "least"), [("50%", 3, 2), ("50%", 4, 2), ("34%", 3, 2), ("0%", 3, 0)])
def test_a_percentage_that_must_stay_ready_is_rounded_up_as_in_a_disruption_budget(share, wanted, least):
    assert least_available(deployment(rollout={"minAvailable": share}), wanted) == least
