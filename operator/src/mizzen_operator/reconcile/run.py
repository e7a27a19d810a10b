"""One pass over one deployment: observe, plan with reasons, apply, and one status write, also after a failure.

Level-triggered: nothing here depends on what woke the pass. The file to read first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog
from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.status import LastFailure, StartupPhase, StartupStatus
from mizzen_kube.api import Api
from mizzen_kube.errors import ApiError
from mizzen_kube.kept import Key

from mizzen_operator.kinds.accelerator_class.asked import class_refusal
from mizzen_operator.kinds.accelerator_class.placement import accelerator_kind
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.ledgers.advance_ledger import AdvanceLedger
from mizzen_operator.ledgers.load_ledger import LoadLedger
from mizzen_operator.ledgers.startup_ledger import PodProgress, StartupLedger
from mizzen_operator.names import child_name
from mizzen_operator.observation import Observation, Refusal
from mizzen_operator.observing.fleet_view import observed_fleet, refused_pods
from mizzen_operator.observing.furthest import standings
from mizzen_operator.observing.pod_view import PodView, never_ready
from mizzen_operator.observing.replicas import LOAD, phases
from mizzen_operator.reading import UnreadableError, read_object
from mizzen_operator.reconcile.apply import Applier, NamespaceEndingError, Outcome
from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.children import as_last_wanted, wanted_children
from mizzen_operator.reconcile.decision import Decision, decide
from mizzen_operator.reconcile.endpoint_picker import picker_refusal
from mizzen_operator.reconcile.next_look import seconds_until_next_look
from mizzen_operator.reconcile.pod_actions import PodAction, first_to_go, phase_changes, stalled_pods
from mizzen_operator.reconcile.registry import Registry
from mizzen_operator.reconcile.seen import Seen, seen, with_newest
from mizzen_operator.reconcile.status_write import StatusWriter
from mizzen_operator.reconcile.telemetry import Telemetry
from mizzen_operator.reconcile.writes import child_id, plan_writes
from mizzen_operator.rollout.fleet import Fleet
from mizzen_operator.rollout.situation import accelerators_per_replica
from mizzen_operator.runtimes.builtin import runtime_for
from mizzen_operator.target import Target, find_target

LEFTOVER_SECONDS = 1.0
log = structlog.get_logger()


@dataclass(frozen=True)
class Hands:
    """All that a pass works with."""

    api: Api
    caches: Caches
    registry: Registry
    applier: Applier
    statuses: StatusWriter
    startups: StartupLedger
    loads: LoadLedger
    telemetry: Telemetry
    environment: PlanEnvironment
    advances: AdvanceLedger = field(default_factory=AdvanceLedger)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    """Whole seconds, as Kubernetes counts them."""


async def run_pass(key: Key, hands: Hands) -> float | None:
    """Bring one deployment nearer to what is wanted; returns after how many seconds to look again, None for never.

    Raises ApiError where the pass should come again soon.
    """
    body = hands.caches.primaries.get(key)
    if body is None:
        hands.registry.forget(key)
        hands.advances.forget(key)
        hands.startups.forget_deployment(key)
        hands.loads.keep(key, ())
        return None
    if body["metadata"].get("deletionTimestamp") or hands.caches.namespace_ends(key[0]):
        return None  # the garbage collector and the namespace controller do the rest
    now = hands.clock()
    try:
        deployment = read_object(ModelDeployment, body)
    except UnreadableError as error:
        await hands.statuses.write_unreadable(body, str(error), now)
        return None
    with structlog.contextvars.bound_contextvars(generation=deployment.metadata.generation):
        try:
            return await reconcile(deployment, hands, now)
        except NamespaceEndingError:
            return None
        except ApiError:
            raise  # the server is away, or what was seen is old: a status from it would be no better
        except Exception as error:
            observation = Observation(error=f"{type(error).__name__}: {error}")
            await hands.statuses.write(deployment, observation, None, Outcome(), now)
            raise


async def reconcile(deployment: ModelDeployment, hands: Hands, now: datetime) -> float | None:
    """Observe, plan, apply, and write the status."""
    key = (deployment.metadata.namespace, deployment.metadata.name)
    project = hands.caches.project_of(key[0])
    answer = await hands.registry.resolve(deployment, project)
    identity = answer.identity if isinstance(answer, Artifact) else None
    unpicked = await picker_refusal(deployment, hands.api)
    there = seen(deployment, hands.caches.children_of(deployment), hands.caches.pods_of(key), identity)
    count_starts(key, there, deployment.status.startup, hands)
    hands.advances.note(key, standings(there.pods, progress_of(hands)), now)
    environment = environment_of(hands, key[0])
    target = target_of(deployment, answer, there, environment, hands)
    there = replace(there, kept=with_newest(there.kept, target.revision, now))
    fleet = fleet_of(deployment, there, hands, now)
    capacity = hands.caches.capacity(deployment)
    decision = decide(deployment, target, fleet, capacity, now)
    note_grant(key, deployment, decision, hands)  # nothing is awaited in between: no two passes grant the same

    outcome = Outcome()
    await apply(deployment, target, there, decision, outcome, hands, now)
    observation = Observation(
        runtime=target.runtime,
        artifact=target.artifact,
        accelerator_bytes=target.accelerator_bytes,
        resolution_failure=target.failure,
        refusals=(*target.found, *former(outcome), *outcome.refusals, *refused_pods(there.workloads), *unpicked),
        revision=target.revision,
        fleet=decision.fleet,
        capacity=capacity,
        routed=routed(deployment, target, outcome),
        project=project,
        project_found=hands.caches.has_project(key[0]),
        startup=hands.startups.status(key, youngest_phases(decision.fleet, target), deployment.status.startup),
        last_failure=stall_of(outcome, now),
    )
    await hands.statuses.write(deployment, observation, decision.plan, outcome, now, decision.traffic)
    mark_step(key, decision, hands)
    if outcome.leftover:
        return LEFTOVER_SECONDS
    return seconds_until_next_look(deployment, observation, decision.plan, now)


def note_grant(key: Key, deployment: ModelDeployment, decision: Decision, hands: Hands) -> None:
    """Keep what was granted of the class and has no pod yet, so that no other deployment is granted it too."""
    need, klass = accelerators_per_replica(deployment), deployment.spec.resources.accelerator_class
    live = {one.hash: len(one.live) for one in decision.fleet.revisions}
    missing = sum(max(0, replicas - live.get(digits, 0)) for digits, replicas in decision.replicas.items())
    if klass is not None and need and missing:
        hands.caches.granted[key] = (klass, missing * need)
    else:
        hands.caches.granted.pop(key, None)


def mark_step(key: Key, decision: Decision, hands: Hands) -> None:
    """From the moment that a canary step begins, and no later, what gateways see counts for it."""
    since = decision.plan.rollout.step_started_at if decision.plan else None
    for one in decision.fleet.revisions if since else ():
        hands.loads.window((*key, one.hash), since)


def environment_of(hands: Hands, namespace: str) -> PlanEnvironment:
    """The installation, with the accelerator classes of the cluster and the queue of the namespace's project."""
    accelerators = {name: accelerator_kind(one) for name, one in hands.caches.classes().items()}
    return replace(hands.environment, accelerators=accelerators, queue=hands.caches.queue_of(namespace))


def target_of(
    deployment: ModelDeployment,
    answer: Artifact | Refusal,
    there: Seen,
    environment: PlanEnvironment,
    hands: Hands,
) -> Target:
    """Runtime, artifact and revision that the spec asks for. No revision while something forbids new pods."""
    caches = hands.caches
    lacking = (class_refusal(deployment, caches.classes()), caches.place_refusal(deployment))
    return find_target(
        deployment,
        runtime_for(deployment, hands.caches.runtimes()),
        answer,
        list(hands.caches.primaries.rivals(deployment)),
        {digits: one.revision for digits, one in there.kept.items()},
        environment,
        further=tuple(one for one in lacking if one is not None),
    )


def fleet_of(deployment: ModelDeployment, there: Seen, hands: Hands, now: datetime) -> Fleet:
    """Every kept revision with its pods, and what gateways saw of it."""
    metadata, rollout = deployment.metadata, deployment.status.rollout
    since = rollout.step_started_at if rollout else None
    hands.loads.keep((metadata.namespace, metadata.name), there.kept)
    return observed_fleet(
        there.kept,
        there.workloads,
        there.pods,
        progress_of(hands),
        lambda digits: hands.loads.window((metadata.namespace, metadata.name, digits), since),
        now,
    )


async def apply(
    deployment: ModelDeployment,
    target: Target,
    there: Seen,
    decision: Decision,
    outcome: Outcome,
    hands: Hands,
    now: datetime,
) -> None:
    """Write what differs; nothing at all while children of a former object of this name have not gone."""
    wanted = wanted_children(deployment, target.desired, there.kept, decision.replicas, hands.environment)
    live = hands.caches.children_of(deployment, map(child_id, wanted))
    if target.desired is None:
        wanted = as_last_wanted(wanted, live)
    plan = plan_writes(deployment, wanted, live, expired=decision.expired, obsolete=target.desired is not None)
    if plan.leftover:
        kind, name = child_id(plan.leftover[0])
        outcome.leftover = f"{kind} {name}"
        return
    await hands.applier.carry_out(deployment, plan, pod_actions(deployment, there, decision, hands, now), outcome)


def pod_actions(
    deployment: ModelDeployment, there: Seen, decision: Decision, hands: Hands, now: datetime
) -> list[PodAction]:
    """What single pods need: the way out closed, an end to standing still, an order to go in."""
    found = phase_changes(there.pods)
    patience = deployment.spec.model.cache.stall_seconds
    found += stalled_pods(there.pods, progress_of(hands), patience, hands.startups.since, now)
    for digits, replicas in decision.replicas.items():
        pods = [pod for pod in there.pods if pod.revision == digits and not pod.group]
        if 0 < replicas < sum(not pod.terminating and not pod.finished for pod in pods):
            found += first_to_go(pods, replicas, hands.caches.cordoned())
    return found


def routed(deployment: ModelDeployment, target: Target, outcome: Outcome) -> bool | None:
    """Whether gateways find the endpoints: through the slices of the headless Service."""
    if outcome.leftover or (target.desired is None and not deployment.status.conditions):
        return None
    return ("Service", child_name(deployment.metadata.name, "pods")) not in outcome.refused


def progress_of(hands: Hands) -> Callable[[PodView], PodProgress]:
    """What a pod's containers posted, and when its revision last came forward."""

    def asked(pod: PodView) -> PodProgress:
        told = hands.startups.of(f"{pod.namespace}/{pod.name}")
        return replace(told, revision_at=hands.advances.last((pod.namespace, pod.deployment), pod.revision))

    return asked


def youngest_phases(fleet: Fleet, target: Target) -> tuple[StartupPhase, ...]:
    """Phases of the youngest pod of the newest revision; none where its load is over and nobody saw when."""
    newest = fleet.find(target.revision.hash) if target.revision else None
    youngest = max(newest.live, key=lambda pod: pod.created_at, default=None) if newest else None
    if youngest is None or (youngest.ready and LOAD not in {one.name for one in youngest.phases}):
        return ()  # the status keeps what it says of that start
    return youngest.phases


def count_starts(key: Key, there: Seen, recorded: StartupStatus | None, hands: Hands) -> None:
    """Note how long each pod took that has become ready for the first time under this program's eyes."""
    for pod in there.pods:
        name = f"{pod.namespace}/{pod.name}"
        if hands.startups.knows_start_of(name):
            continue
        if pod.ready_at is None:
            if never_ready(pod):
                hands.startups.begins(name)
            continue
        if not hands.startups.of(name).starting and pod.created_at < hands.startups.since:
            hands.startups.started_unseen(name)
            continue
        seconds = (pod.ready_at - pod.created_at).total_seconds()
        hands.startups.started(key, name, seconds, at=pod.ready_at, recorded=recorded)
        for one in phases(pod, progress_of(hands)(pod), pod.ready_at):
            hands.telemetry.startup_phases.labels(one.name).observe(one.seconds)


def stall_of(outcome: Outcome, now: datetime) -> LastFailure | None:
    """What the status says of a pod that this pass ended because it stood still."""
    failure = next((one.failure for one in outcome.pods if one.failure is not None), None)
    if failure is None:
        return None
    return LastFailure(
        component=failure.component,
        reason=failure.reason,
        message=failure.message,
        time=now,
        remedy=conditions.REASONS[failure.reason].remedy,
    )


def former(outcome: Outcome) -> tuple[Refusal, ...]:
    """A child of a former object of this name: nothing is adopted, and nothing is written until it has gone."""
    if not outcome.leftover:
        return ()
    text = f"{outcome.leftover} belongs to a former object of this name; the garbage collector is about to remove it."
    return (Refusal(conditions.CHILD_OWNED_BY_SOMEONE_ELSE, text),)
