"""What the status says in each situation: one table of situations, and the rules that hold in all of them."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from mizzen_crds.v1alpha1 import conditions
from mizzen_operator.kinds.accelerator_class.capacity import ClassCapacity, NodeRoom
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.observation import Observation, Refusal
from mizzen_operator.revision import Revision
from mizzen_operator.rollout.fleet import Capacity, Fleet, ObservedPod, ObservedRevision, PodFailure
from mizzen_operator.rollout.plan import plan_rollout
from mizzen_operator.runtimes.builtin import builtin_runtimes
from mizzen_operator.status import build_status
from support.deployments import NOON, deployment
from support.simulated_cluster import SimulatedCluster

ARTIFACT = Artifact("mizzen://mv_1", "sha256:" + "a" * 64, "ONNX", 1000, 7)
REVISION = Revision("sentiment-v1", "v1", {}, {})
READY = ObservedPod("p1", NOON, ready=True, fetched=True)
STARTING = ObservedPod("p1", NOON, fetched=True)
FETCHING = ObservedPod("p1", NOON)


def fleet(*pods: ObservedPod, replicas: int = 1) -> Fleet:
    return Fleet((ObservedRevision("sentiment-v1", "v1", NOON, replicas, pods),))


def failing(reason: str) -> ObservedPod:
    return ObservedPod("p1", NOON, failure=PodFailure(reason, "its own words", "engine", 1, NOON))


def seen(*pods: ObservedPod, **more: object) -> Observation:
    known = {"runtime": builtin_runtimes()["triton"], "artifact": ARTIFACT, "revision": REVISION, "routed": True}
    return Observation(**(known | {"fleet": fleet(*pods), "capacity": Capacity()} | more))


def status_of(observation: Observation, wanted=None, *, passes: int = 2, planned: bool = True, seconds: int = 5):
    """Return the status after some passes in the same situation."""
    wanted = wanted or deployment()
    for number in range(passes):
        now = NOON + timedelta(seconds=seconds * number)
        plan = plan_rollout(wanted, "v1", observation.fleet, Capacity(), now) if planned else None
        status = build_status(wanted, observation, plan, now, url="http://gateway")
        wanted = wanted.model_copy(update={"status": status})
    return status


def said(status) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in status.conditions}


GATED = "Scheduling is blocked due to non-empty scheduling gates"
STOPPED = deployment(lifecycle={"state": "Stopped"})
AUTOSCALED = deployment(replicas=0, autoscaling={"minReplicas": 0, "maxReplicas": 2})
SITUATIONS = {
    "serving": (seen(READY), None, {"Ready": ("True", "Available"), "UpToDate": ("True", "RolledOut")}),
    "starting": (
        seen(STARTING),
        None,
        {"Ready": ("False", "Starting"), "Reconciling": ("True", "Progressing"), "ModelCached": ("True", "Cached")},
    ),
    "its environment is being made": (
        seen(replace(FETCHING, installing="installing packages")),
        None,
        {"WorkloadAvailable": ("False", "InstallingEnvironment"), "Ready": ("False", "InstallingEnvironment")},
    ),
    "held back by a queue": (
        seen(ObservedPod("p1", NOON, scheduled=False, failure=PodFailure("Unschedulable", GATED, "scheduler"))),
        None,
        {"QuotaReserved": ("False", "Queued"), "Ready": ("False", "Queued")},
    ),
    "fetching": (
        seen(FETCHING),
        None,
        {"ModelCached": ("False", "Fetching"), "RouteReady": ("False", "NoReplicaReady")},
    ),
    "tampered": (
        seen(failing("DigestMismatch")),
        None,
        {"Ready": ("False", "DigestMismatch"), "Stalled": ("True", "DigestMismatch")},
    ),
    "crashing": (
        seen(failing("CrashLooping")),
        None,
        {"Ready": ("False", "CrashLooping"), "WorkloadAvailable": ("False", "CrashLooping")},
    ),
    "no place": (
        seen(ObservedPod("p1", NOON, scheduled=False)),
        None,
        {"CapacityAvailable": ("False", "Unschedulable"), "Ready": ("False", "Unschedulable")},
    ),
    "stopped": (seen(fleet=Fleet()), STOPPED, {"Ready": ("True", "Stopped"), "RouteReady": ("True", "Stopped")}),
    "scaled to zero": (seen(fleet=Fleet()), AUTOSCALED, {"Ready": ("True", "ScaledToZero")}),
    "stopping": (seen(READY), STOPPED, {"Reconciling": ("True", "Stopping")}),
    "name taken": (
        seen(READY, refusals=(Refusal("NameTaken", "taken by first."),)),
        None,
        {"Ready": ("False", "NameTaken"), "Stalled": ("True", "NameTaken"), "WorkloadAvailable": ("True", "Available")},
    ),
    "gateway away": (seen(READY, routed=False), None, {"Ready": ("False", "GatewayUnavailable")}),
    "not routed yet": (seen(READY, routed=None), None, {"RouteReady": ("Unknown", "NotObserved")}),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_is_told_as_it_is(name):
    observation, wanted, expected = SITUATIONS[name]
    told = said(status_of(observation, wanted))
    assert {key: told.get(key) for key in expected} == expected


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_condition_is_set_on_every_pass_and_the_two_of_kstatus_only_while_true(name):
    observation, wanted, _ = SITUATIONS[name]
    told = said(status_of(observation, wanted))
    always = set(conditions.CONDITION_TYPES) - {conditions.RECONCILING, conditions.STALLED}
    assert always <= set(told)
    assert all(told[key][0] == "True" for key in set(told) - always)
    assert all(reason in conditions.REASONS for _, reason in told.values())
    assert not {conditions.RECONCILING, conditions.STALLED} <= set(told)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_same_situation_gives_the_same_status(name):
    observation, wanted, _ = SITUATIONS[name]
    assert status_of(observation, wanted, passes=3, seconds=1) == status_of(observation, wanted, passes=4, seconds=1)


def test_a_false_condition_says_what_to_do():
    status = status_of(seen(failing("CrashLooping")))
    message = next(one.message for one in status.conditions if one.type == "Ready")
    assert "its own words" in message
    assert "kubectl logs -n NAMESPACE -l mizzen.dev/deployment=NAME -c CONTAINER" in message
    assert status.last_failure is not None
    assert status.last_failure.remedy == conditions.REASONS["CrashLooping"].remedy


def up_to_date(simulated: SimulatedCluster, rollout: dict, ticks: int = 60) -> tuple[str, str]:
    """Message of UpToDate, and the hold's own words, once the rollout from v1 to v2 waits."""
    simulated.settle("v1")
    simulated.spec(rollout=rollout)
    for _ in range(ticks):
        plan = simulated.tick("v2")
    assert plan.hold is not None
    observation = seen(fleet=simulated.fleet(), revision=Revision("sentiment-v2", "v2", {}, {}))
    status = build_status(simulated.deployment, observation, plan, NOON, url="")
    return next(one.message for one in status.conditions if one.type == "UpToDate"), plan.hold.reason


WAITS = {
    "paused": ({"mode": "Paused"}, None, "Set it to Active to go on."),
    "a person": (
        {"strategy": "Canary", "canary": {"steps": [{"trafficPercent": 50, "pause": "Manual"}]}},
        None,
        "or `mizzen rollout rollback sentiment`.",
    ),
    "no spare": ({"minAvailable": 1}, 1, "or lower spec.rollout.minAvailable."),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_rollout_that_waits_says_once_what_lets_it_go_on(name):
    rollout, accelerators, remedy = WAITS[name]
    wanted = deployment(resources={"acceleratorsPerPod": 1 if accelerators else 0})
    message, hold = up_to_date(SimulatedCluster(wanted, NOON, random.Random(1), accelerators), rollout)
    assert message == hold
    assert message.endswith(remedy)


def test_a_revision_that_was_given_up_is_told_with_the_remedy_of_the_table():
    simulated = SimulatedCluster(deployment(), NOON, random.Random(1), None)
    simulated.broken.add("v2")
    message, hold = up_to_date(simulated, {"progressDeadlineSeconds": 100})
    assert message == f"{hold} {conditions.REASONS['ProgressDeadlineExceeded'].remedy}"


def test_a_registry_that_is_away_leaves_serving_as_it_is_and_says_unknown():
    away = Refusal("RegistryUnavailable", "The control plane does not answer.")
    before = deployment().model_copy(update={"status": status_of(seen(READY))})
    status = status_of(seen(READY, artifact=None, revision=None, resolution_failure=away), before, planned=False)
    told = said(status)
    assert told["ModelResolved"] == ("Unknown", "RegistryUnavailable")
    assert told["Ready"] == ("True", "Available")
    assert status.revisions == before.status.revisions
    assert status.resolved_model == before.status.resolved_model


def test_a_version_that_does_not_exist_is_the_reason_of_ready():
    gone = Refusal("VersionNotFound", "spec.model.versionRef.version: sentiment has no version 9.")
    observation = Observation(runtime=builtin_runtimes()["triton"], resolution_failure=gone)
    status = status_of(observation, planned=False)
    assert said(status)["Ready"] == ("False", "VersionNotFound")
    assert "Stalled" not in said(status), "the version may still be pushed"


def test_a_refused_flag_stalls_and_what_serves_goes_on():
    refused = Refusal("ArgNotAllowed", "spec.engine.args[0]: --x is not in allowedArgs.")
    status = status_of(seen(READY, refusals=(refused,)), planned=False)
    told = said(status)
    assert told["Stalled"] == ("True", "ArgNotAllowed")
    assert told["Ready"][0] == "True"


def test_a_transition_time_moves_only_with_the_status():
    before = deployment().model_copy(update={"status": status_of(seen(STARTING))})
    later = status_of(seen(READY), before, passes=1, seconds=0)
    times = {one.type: one.last_transition_time for one in later.conditions}
    started = {one.type: one.last_transition_time for one in before.status.conditions}
    assert times["ModelResolved"] == started["ModelResolved"]
    observed = replace(seen(READY))
    moved = build_status(before, observed, None, NOON + timedelta(minutes=5))
    route = next(one for one in moved.conditions if one.type == "RouteReady")
    assert route.last_transition_time == NOON + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (ClassCapacity("nvidia.com/gpu", 1, (NodeRoom("a", 4, 4),), 0), ("False", "InsufficientAccelerators")),
        (ClassCapacity("nvidia.com/gpu", 1, (NodeRoom("a", 4, 3),), 0), ("False", "InsufficientAccelerators")),
        (ClassCapacity("nvidia.com/gpu", 0, (), 0), ("False", "NoNodeOfClass")),
        (ClassCapacity("nvidia.com/gpu", 1, (NodeRoom("a", 4, 2),), 0), ("True", "SufficientCapacity")),
        (None, ("Unknown", "NotObserved")),
    ],
)
def test_replicas_that_have_no_pod_yet_need_room_too(room, expected):
    observation = seen(fleet=Fleet(), capacity=Capacity(room=room))
    wanted = deployment(replicas=2, resources={"acceleratorsPerPod": 1})
    assert said(status_of(observation, wanted))["CapacityAvailable"] == expected


def test_status_counts_pods_and_names_where_to_call():
    status = status_of(seen(READY, ObservedPod("p2", NOON, scheduled=False)), deployment(replicas=2))
    counts = (status.replicas, status.ready_replicas, status.unschedulable_replicas, status.desired_replicas)
    assert counts == (2, 1, 1, 2)
    assert status.url == "http://gateway"
    assert status.selector == "mizzen.dev/deployment=sentiment,mizzen.dev/component=engine"
    assert status.revisions[0].model_version == 7


def test_a_revision_goes_by_the_version_that_is_meant_now_where_another_has_the_same_content() -> None:
    first = status_of(seen(READY))
    assert [one.model_version for one in first.revisions] == [7]
    again = status_of(
        seen(READY, artifact=replace(ARTIFACT, version=9)), deployment().model_copy(update={"status": first})
    )
    assert [(one.hash, one.model_version) for one in again.revisions] == [("v1", 9)]
