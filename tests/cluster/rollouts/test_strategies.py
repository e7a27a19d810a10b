"""BlueGreen and Canary: who gets requests at each moment, what a step waits for, and what turns it back."""

from typing import Any

import pytest
from support.cluster.changes import recorded
from support.cluster.cluster import condition
from support.cluster.objects import Object, Objects
from support.rollouts import (
    KIND,
    NAME,
    LoadSource,
    annotate,
    change,
    chat,
    hash_of,
    hold,
    moments,
    rolled_out,
    traffic,
    uids,
    wait,
    wait_rolled_out,
    waits_at,
)

MANUAL = {"trafficPercent": 25, "pause": "Manual"}


def canary(*steps: Object, **analysis: Any) -> Object:
    """A canary that asks for no requests unless a test says so."""
    return {"strategy": "Canary", "canary": {"steps": list(steps), "analysis": {"minRequests": 0, **analysis}}}


def begin(objects: Objects, **rollout: Any) -> tuple[str, str]:
    """Roll out version 1, ask for version 2; their hashes."""
    objects.create(chat(rollout=rollout))
    old = hash_of(wait_rolled_out(objects, "1"), "Serving")
    change(objects, "2")
    deployment = wait(objects, lambda one: len(one["status"]["revisions"]) == 2)
    return old, next(one["hash"] for one in deployment["status"]["revisions"] if one["hash"] != old)


def at_step(number: int) -> Any:
    """The step has its replicas ready, and is watched."""

    def holds(deployment: Object) -> bool:
        rollout = deployment["status"].get("rollout", {})
        return rollout.get("step") == number and bool(rollout.get("stepStartedAt"))

    return holds


def shares(deployment: Object) -> dict[str, int]:
    """Percents by hash."""
    told = deployment["status"]["revisions"]
    return {one["hash"]: one["trafficPercent"] for one in told if one.get("trafficPercent")}


def test_blue_green_sets_up_a_second_set_and_switches_all_requests_once(objects: Objects) -> None:
    objects.create(chat(rollout={"strategy": "BlueGreen"}))
    old = hash_of(wait_rolled_out(objects, "1"), "Serving")
    with recorded(objects, "Pod") as pods_seen, recorded(objects, KIND) as told:
        change(objects, "2")
        deployment = wait_rolled_out(objects, "2")
    new = hash_of(deployment, "Serving")
    assert traffic(told) == [{old: 100}, {new: 100}]
    seen = moments(pods_seen)
    assert max(one.ready for one in seen) == 8, seen
    assert min(one.ready for one in seen) == 4, seen
    assert deployment["status"]["rollout"]["strategyInUse"] == "BlueGreen"


def test_a_canary_takes_its_steps_and_a_person_promotes_each_by_name(objects: Objects) -> None:
    rollout = canary(MANUAL, {"trafficPercent": 50, "pause": "Manual"})
    with recorded(objects, KIND) as told, recorded(objects, "Pod") as pods_seen:
        old, new = begin(objects, **rollout)
        deployment = wait(objects, waits_at("AwaitingPromotion"))
        assert shares(deployment) == {old: 75, new: 25}
        assert f"mizzen.dev/promote={new}/0" in hold(deployment)["reason"]
        assert condition(deployment, "UpToDate")["reason"] == "AwaitingPromotion"
        annotate(objects, "mizzen.dev/promote", f"{new}/0")
        deployment = wait(objects, lambda one: at_step(1)(one) and waits_at("AwaitingPromotion")(one))
        assert shares(deployment) == {old: 50, new: 50}
        annotate(objects, "mizzen.dev/promote", f"{new}/1")
        deployment = wait_rolled_out(objects, "2")
    assert [shares[new] for shares in traffic(told) if new in shares] == [25, 50, 100]
    assert traffic(told)[-1] == {new: 100}
    began = next(place for place, one in enumerate(moments(pods_seen)) if one.ready == 4)
    assert min(one.ready for one in moments(pods_seen)[began:]) >= 3


def test_a_promotion_of_another_step_or_revision_changes_nothing(objects: Objects) -> None:
    old, new = begin(objects, **canary(MANUAL, {"trafficPercent": 50, "pause": "Manual"}))
    wait(objects, waits_at("AwaitingPromotion"))
    for other in (f"{new}/1", f"{old}/0", "0", "true"):
        annotate(objects, "mizzen.dev/promote", other)
    annotate(objects, "mizzen.dev/promote", f"{new}/0")
    deployment = wait(objects, lambda one: at_step(1)(one) and waits_at("AwaitingPromotion")(one))
    assert shares(deployment) == {old: 50, new: 50}


def test_a_pause_of_seconds_is_waited_for_and_ends_by_itself(objects: Objects) -> None:
    with recorded(objects, KIND) as told:
        _, new = begin(objects, **canary({"trafficPercent": 25, "pauseSeconds": 2}))
        wait_rolled_out(objects, "2")
    assert [shares[new] for shares in traffic(told) if new in shares] == [25, 100]
    gates = {hold(state[NAME]).get("gate") for state in told.states() if state.get(NAME, {}).get("status")}
    assert "CanaryStep" in gates


def test_a_step_waits_for_requests_and_counts_those_of_this_step_alone(objects: Objects, gateway: LoadSource) -> None:
    steps = {"trafficPercent": 25}, {"trafficPercent": 50}
    old, new = begin(objects, **canary(*steps, minRequests=100))
    wait(objects, at_step(0))
    gateway.saw(objects, new, 99)
    wait(objects, lambda one: "has seen 99 of 100" in hold(one).get("reason", ""))
    gateway.saw(objects, new, 1)
    deployment = wait(objects, at_step(1))
    assert shares(deployment) == {old: 50, new: 50}
    wait(objects, lambda one: "has seen 0 of 100" in hold(one).get("reason", ""))
    gateway.saw(objects, new, 100)
    wait_rolled_out(objects, "2")


def test_too_many_errors_take_a_canary_back(objects: Objects, gateway: LoadSource) -> None:
    old, new = begin(objects, **canary(MANUAL, minRequests=50, maxErrorPercent=5))
    serving = uids(objects, "1")
    wait(objects, at_step(0))
    with recorded(objects, KIND) as told:
        gateway.saw(objects, old, 500)
        gateway.saw(objects, new, 100, errors=6)
        deployment = wait(objects, lambda one: shares(one) == {old: 100} and not uids(objects, "2"))
    assert hold(deployment)["gate"] == "AnalysisFailed"
    assert "6 of 100 requests of the new revision failed" in hold(deployment)["reason"]
    assert hash_of(deployment, "Failed") == new
    assert condition(deployment, "Stalled")["reason"] == "AnalysisFailed"
    assert condition(deployment, "Ready")["status"] == "True"
    objects.wait(KIND, NAME, lambda one: one["status"]["readyReplicas"] == 4)
    assert len(serving & uids(objects, "1")) == 3, "those that served beside the canary serve on"
    assert len(uids(objects, "1")) == 4
    assert all(set(one) <= {old, new} for one in traffic(told))


def test_errors_within_the_limit_take_nothing_back(objects: Objects, gateway: LoadSource) -> None:
    _, new = begin(objects, **canary({"trafficPercent": 25}, minRequests=50, maxErrorPercent=5))
    wait(objects, at_step(0))
    gateway.saw(objects, new, 100, errors=5)
    wait_rolled_out(objects, "2")


def test_a_slower_first_token_takes_a_canary_back(objects: Objects, gateway: LoadSource) -> None:
    old, new = begin(objects, **canary(MANUAL, minRequests=10, maxTTFTRegressionPercent=20))
    wait(objects, at_step(0))
    gateway.saw(objects, old, 100, ttft_ms=100)
    gateway.saw(objects, new, 100, ttft_ms=150)
    deployment = wait(objects, waits_at("AnalysisFailed"))
    assert "150 ms against 100 ms, 50 % more" in hold(deployment)["reason"]
    assert wait(objects, lambda one: shares(one) == {old: 100})


def test_errors_can_pause_a_canary_instead_until_a_person_decides(objects: Objects, gateway: LoadSource) -> None:
    old, new = begin(objects, **canary({"trafficPercent": 25}, minRequests=50, onFailure="Pause"))
    wait(objects, at_step(0))
    gateway.saw(objects, new, 100, errors=50)
    deployment = wait(objects, waits_at("AnalysisPaused"))
    assert not condition(deployment, "Stalled")
    assert shares(deployment) == {old: 75, new: 25}
    assert "promote" in hold(deployment)["reason"]
    annotate(objects, "mizzen.dev/promote", f"{new}/0")
    assert rolled_out(wait_rolled_out(objects, "2"))


@pytest.mark.parametrize("strategy", ["Surge", "Replace", "BlueGreen"])
def test_what_the_spec_names_is_followed_and_told(objects: Objects, strategy: str) -> None:
    objects.create(chat(replicas=2, rollout={"strategy": strategy}))
    wait_rolled_out(objects, "1")
    change(objects, "2")
    rollout = wait_rolled_out(objects, "2")["status"]["rollout"]
    assert (rollout["strategyInUse"], rollout["strategyReason"]) == (strategy, "spec.rollout.strategy")
