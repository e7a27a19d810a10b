"""What counts as progress of a start? Only what no pod of the revision had reached before."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from mizzen_crds.serving import StartupProgress
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.ledgers.advance_ledger import AdvanceLedger
from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.observation import Observation
from mizzen_operator.observing.furthest import standings
from mizzen_operator.observing.pod_view import PodView, pod_view
from mizzen_operator.observing.replicas import observed_pod
from mizzen_operator.rollout.fleet import Capacity, Fleet, ObservedRevision
from mizzen_operator.rollout.outcome import RolloutPlan
from mizzen_operator.rollout.plan import plan_rollout
from mizzen_operator.status import build_status
from support.deployments import NOON, deployment

KEY = ("default", "sentiment")
LOOK = 20
DEADLINE = 1800
Seen = list[tuple[PodView, int | None]]
"""Pods, each with the bytes that its fetch told of."""


def when(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_pod(name: str, born: float, *, ready: bool = False, fetched: bool = False) -> PodView:
    """A pod that has a place since its birth, and fetches unless told otherwise."""
    begun = when(born).isoformat()
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": begun},
        {"type": "Ready", "status": str(ready), "lastTransitionTime": begun},
    ]
    marks = {"mizzen.dev/deployment": "sentiment", "mizzen.dev/revision": "v1", "mizzen.dev/component": "engine"}
    done: dict[str, Any] = {"terminated": {"exitCode": 0, "startedAt": begun, "finishedAt": begun}}
    state = done if fetched or ready else {"running": {"startedAt": begun}}
    status = {"conditions": conditions, "initContainerStatuses": [{"name": "fetch", "state": state}]}
    metadata = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": begun, "labels": marks}
    return pod_view({"metadata": metadata, "spec": {"nodeName": "a"}, "status": status})


def after(seconds: int, pods_at: Callable[[int], Seen], *, begun_anew_at: int = -1, **spec: Any) -> RolloutPlan:
    """The plan after so long, with passes as the operator makes them."""
    ledger, known = AdvanceLedger(), deployment(rollout={"progressDeadlineSeconds": DEADLINE}, **spec)
    ledger.note(KEY, {}, NOON)
    for second in range(0, seconds, LOOK):
        if second == begun_anew_at:
            ledger.begin()
        known, plan = one_pass(known, ledger, pods_at(second), when(second))
    return plan


def one_pass(
    known: ModelDeployment, ledger: AdvanceLedger, seen: Seen, now: datetime
) -> tuple[ModelDeployment, RolloutPlan]:
    """One look; returns the deployment with its new status."""
    told = {pod.name: progress(pod, done) for pod, done in seen}
    pods = [pod for pod, _ in seen]
    ledger.note(KEY, standings(pods, lambda pod: told[pod.name]), now)
    at = ledger.last(KEY, "v1")
    observed = tuple(observed_pod(pod, PodProgress(revision_at=at), now) for pod in pods)
    fleet = Fleet((ObservedRevision("sentiment-v1", "v1", NOON, len(pods), observed),))
    plan = plan_rollout(known, "v1", fleet, Capacity(), now)
    status = build_status(known, Observation(fleet=fleet), plan, now)
    return known.model_copy(update={"status": status}), plan


def progress(pod: PodView, done: int | None) -> PodProgress:
    if done is None:
        return PodProgress()
    return PodProgress({"fetch": StartupProgress(pod=pod.name, phase="fetch", bytes_done=done, seconds=1)})


def renewed(second: int) -> Seen:
    """A fetch that breaks off at 100 bytes; five minutes later its pod is replaced, and the next begins."""
    number, age = divmod(second, 305)
    return [(a_pod(f"p{number}", number * 305), min(age, 100))]


def test_pods_that_are_renewed_again_and_again_meet_the_deadline() -> None:
    assert after(DEADLINE // 2, renewed).rollout.failed_hash == ""
    assert after(DEADLINE + 600, renewed).rollout.failed_hash == "v1"


def test_an_operator_that_begins_anew_takes_nothing_that_it_sees_first_for_progress() -> None:
    late = DEADLINE - 100
    plan = after(late + 300, lambda second: [(a_pod("p", 0), 50)], begun_anew_at=late)
    assert plan.rollout.failed_hash == "v1"


def test_a_fetch_that_comes_forward_for_hours_meets_no_deadline() -> None:
    plan = after(4 * DEADLINE, lambda second: [(a_pod("p", 0), second)])
    assert plan.rollout.failed_hash == ""


def test_each_replica_in_turn_may_take_its_time() -> None:
    each = DEADLINE - 300

    def in_turn(second: int) -> Seen:
        number, age = divmod(second, each)
        done: Seen = [(a_pod(f"p{one}", one * each, ready=True), None) for one in range(number)]
        return [*done, (a_pod(f"p{number}", number * each), age)]

    assert after(3 * each, in_turn, replicas=3).rollout.failed_hash == ""


def test_a_step_that_a_start_takes_is_progress() -> None:
    def steps(second: int) -> Seen:
        return [(a_pod("p", 0, fetched=second > DEADLINE - 100), None)]

    assert after(2 * DEADLINE - 300, steps).rollout.failed_hash == ""
    assert after(2 * DEADLINE + 300, steps).rollout.failed_hash == "v1"


def test_a_deployment_that_is_gone_is_forgotten() -> None:
    ledger = AdvanceLedger()
    ledger.note(KEY, {}, NOON)
    ledger.note(KEY, standings([a_pod("p", 0)], lambda _: PodProgress()), NOON)
    assert ledger.last(KEY, "v1") == NOON
    ledger.forget(KEY)
    assert ledger.last(KEY, "v1") is None
