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
SUMS = (conditions.READY, conditions.RECONCILING, conditions.STALLED)
"""They repeat the reasons of others."""
AWAY = Refusal("RegistryUnavailable", "spec.model.versionRef could not be resolved: the control plane does not answer.")
CLAIMLESS = ObservedPod("p1", NOON, scheduled=False, failure=PodFailure("ClaimNotFound", "There is no claim w."))
UNPLACED = ObservedPod("p1", NOON, scheduled=False, failure=PodFailure("Unschedulable", "0/2 nodes.", "scheduler"))
SITUATIONS = {
    "without a place, in the scheduler's words": (
        seen(UNPLACED),
        None,
        {"CapacityAvailable": ("False", "Unschedulable"), "WorkloadAvailable": ("False", "Unschedulable")},
    ),
    "without its claim": (
        seen(CLAIMLESS),
        None,
        {
            "ModelCached": ("False", "ClaimNotFound"),
            "UpToDate": ("False", "ClaimNotFound"),
            "CapacityAvailable": ("Unknown", "NotObserved"),
            "Ready": ("False", "ClaimNotFound"),
        },
    ),
    "no LeaderWorkerSet": (
        seen(fleet=Fleet(), refusals=(Refusal("LeaderWorkerSetNotInstalled", "there is none."),)),
        None,
        {"Ready": ("False", "LeaderWorkerSetNotInstalled"), "CapacityAvailable": ("Unknown", "NotObserved")},
    ),
    **{
        f"refused for {reason}": (
            seen(fleet=Fleet(), refusals=(Refusal(reason, "its own words."),)),
            None,
            {"UpToDate": ("False", reason), "Ready": ("False", reason)},
        )
        for reason in (
            "RuntimeNotFound",
            "RuntimeMismatch",
            "ArgNotAllowed",
            "ImageNotAllowed",
            "EngineVersionNotFound",
            "EnvNotAllowed",
            "ChildOwnedBySomeoneElse",
            "ApplyFailed",
            "PodRefused",
            "PodNotCreated",
        )
    },
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
    own = {key: reason for key, (_, reason) in told.items() if key not in SUMS}
    assert {key: reason for key, reason in own.items() if key not in conditions.REASONS[reason].condition_types} == {}


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
    "a person, of a uri": (
        {"strategy": "Canary", "canary": {"steps": [{"trafficPercent": 50, "pause": "Manual"}]}},
        None,
        "or apply the former spec, as it names a uri.",
    ),
    "no spare": (
        {"minAvailable": 1},
        1,
        "or lower spec.rollout.minAvailable to 0 (with strategy Auto or Replace): no old replica may go before that.",
    ),
    "no spare of a surge": (
        {"minAvailable": 0, "strategy": "Surge"},
        1,
        "Free 1 accelerator, or set spec.rollout.strategy to Auto or Replace, or lower spec.rollout.minAvailable.",
    ),
    "no second set": (
        {"strategy": "BlueGreen"},
        1,
        "Make room for all of them, or set spec.rollout.strategy to Auto, which goes on with the places there are.",
    ),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_rollout_that_waits_says_once_what_lets_it_go_on(name):
    rollout, accelerators, remedy = WAITS[name]
    source = {"model": {"uri": "s3://models/sentiment"}} if "uri" in name else {}
    wanted = deployment(resources={"acceleratorsPerPod": 1 if accelerators else 0}, **source)
    message, hold = up_to_date(SimulatedCluster(wanted, NOON, random.Random(1), accelerators), rollout)
    assert message == hold
    assert message.endswith(remedy)


def test_a_revision_that_was_given_up_is_told_with_the_remedy_of_the_table():
    simulated = SimulatedCluster(deployment(), NOON, random.Random(1), None)
    simulated.broken.add("v2")
    message, hold = up_to_date(simulated, {"progressDeadlineSeconds": 100})
    assert message == f"{hold} {conditions.REASONS['ProgressDeadlineExceeded'].remedy}"


CAUSES = {
    "the control plane away": ({"artifact": None, "resolution_failure": AWAY}, "ModelResolved", "RegistryUnavailable"),
    "no such version": (
        {"artifact": None, "resolution_failure": Refusal("VersionNotFound", "spec.model.versionRef: no version 9.")},
        "ModelResolved",
        "VersionNotFound",
    ),
    "a format of another engine": (
        {"refusals": (Refusal("FormatNotServed", "runtime triton serves ONNX."),)},
        "ModelResolved",
        "FormatNotServed",
    ),
    "no such class": (
        {"refusals": (Refusal("AcceleratorClassNotFound", "there is no a100."),)},
        "CapacityAvailable",
        "AcceleratorClassNotFound",
    ),
    "no such flag": ({"refusals": (Refusal("ArgNotAllowed", "--x."),)}, "WorkloadAvailable", "ArgNotAllowed"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_where_nothing_may_run_ready_and_route_name_the_condition_that_is_the_cause(name):
    more, cause, reason = CAUSES[name]
    status = status_of(seen(**({"fleet": Fleet(), "revision": None, "routed": None} | more)), planned=False)
    conditions_by_type = {one.type: one for one in status.conditions}
    assert conditions_by_type[cause].reason == reason
    assert (conditions_by_type["Ready"].status, conditions_by_type["Ready"].reason) == ("False", reason)
    assert conditions_by_type["Ready"].message == conditions_by_type[cause].message
    assert conditions_by_type["RouteReady"].message.endswith(f"503 with Retry-After. The condition {cause} says why.")


def test_that_no_project_has_the_namespace_is_said_where_callers_are_looked_for():
    told = said_of("RouteReady", status_of(seen(READY, project="team", project_found=False)))
    assert "only keys of a project team of the control plane reach it" in told
    assert "No Project" not in said_of("RouteReady", status_of(seen(READY, project="team")))


def test_min_available_above_the_replicas_is_said_before_a_rollout_stands_still_for_it():
    status = status_of(seen(READY), deployment(replicas=1, rollout={"minAvailable": 3}))
    message = next(one.message for one in status.conditions if one.type == "UpToDate")
    assert "spec.rollout.minAvailable, 3, is above the replicas and counts as 1" in message


def test_without_an_autoscaler_the_bounds_that_hold_are_told():
    status = status_of(seen(READY), deployment(replicas=5, autoscaling={"minReplicas": 1, "maxReplicas": 2}))
    told = next(one for one in status.conditions if one.type == "AutoscalingActive")
    assert (told.status, told.reason) == ("False", "NoAutoscaler")
    assert told.message.startswith("spec.replicas, 5, is kept within 1 and 2, so 2 replicas are wanted.")


def test_nothing_is_said_to_serve_on_where_nothing_served():
    refused = Refusal("ArgNotAllowed", "--x.")
    first, later = seen(fleet=Fleet(), refusals=(refused,)), seen(READY, refusals=(refused,))
    told = [said_of("UpToDate", status_of(one, planned=False)) for one in (first, later)]
    assert ["goes on serving" in one for one in told] == [False, True]


def said_of(name, status) -> str:
    return next(one.message for one in status.conditions if one.type == name)


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
