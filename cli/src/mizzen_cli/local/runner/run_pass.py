"""One pass over one deployment: observe, plan with reasons, apply, and one status write, also after a failure.

Level-triggered: nothing here depends on what woke the pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.status import StartupStatus
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.ledgers.load_ledger import LoadLedger
from mizzen_operator.ledgers.startup_ledger import StartupLedger
from mizzen_operator.observation import Observation, Refusal
from mizzen_operator.revision import Revision
from mizzen_operator.rollout.fleet import Fleet, ObservedRevision
from mizzen_operator.rollout.outcome import RolloutPlan
from mizzen_operator.rollout.plan import plan_rollout, wanted_replicas
from mizzen_operator.rollout.refused import kept_while_refused
from mizzen_operator.runtimes.builtin import runtime_for
from mizzen_operator.runtimes.local import localized
from mizzen_operator.status import build_status
from mizzen_operator.target import Target, find_target

from mizzen_cli.local.pod.sandboxes import Sandboxes, SeenPod
from mizzen_cli.local.runner.apply import Applier
from mizzen_cli.local.runner.endpoint_set import endpoint_set
from mizzen_cli.local.runner.environment_keeper import EnvironmentKeeper
from mizzen_cli.local.runner.object_cache import Key, ObjectCache
from mizzen_cli.local.runner.object_store import ObjectStore, StoreUnavailableError
from mizzen_cli.local.runner.observe import capacity, count_starts, observe_fleet, sort_pods
from mizzen_cli.local.runner.resolution import Resolver
from mizzen_cli.local.runner.revisions import KeptRevision, RevisionFolder
from mizzen_cli.local.runner.scale import ScaleStep, scale_step

log = structlog.get_logger()


@dataclass(frozen=True)
class Hands:
    """All that a pass works with."""

    store: ObjectStore
    cache: ObjectCache
    sandboxes: Sandboxes
    revisions: RevisionFolder
    resolver: Resolver
    keeper: EnvironmentKeeper
    startups: StartupLedger
    loads: LoadLedger
    applier: Applier
    environment: PlanEnvironment


async def run_pass(key: Key, hands: Hands) -> None:
    """Bring one deployment nearer to what is wanted."""
    deployment = hands.cache.deployment(key)
    if deployment is None:
        if not hands.cache.exists(key):
            await hands.applier.remove_deployment(key)
        return
    now = datetime.now(UTC)
    try:
        await reconcile(deployment, hands, now)
    except StoreUnavailableError:
        raise
    except Exception as error:
        await write_status(deployment, Observation(error=f"{type(error).__name__}: {error}"), None, now, hands)
        raise


async def reconcile(deployment: ModelDeployment, hands: Hands, now: datetime) -> None:
    """Observe, plan, apply, and write the status."""
    key = (deployment.metadata.namespace, deployment.metadata.name)
    uid = deployment.metadata.uid
    kept = hands.revisions.of(*key, uid)
    target = await target_of(deployment, hands, kept)
    if target.revision and target.revision.hash not in kept:
        kept[target.revision.hash] = first_kept(target.revision, target, now)
    pods = sort_pods(list(hands.sandboxes.seen()), key, uid, kept)
    hands.applier.clear_away(pods)
    count_starts(key, pods.own, hands.startups)
    fleet = observe_fleet(deployment, kept, pods.own, (hands.startups, hands.loads), hands.keeper, now)
    plan, traffic, otherwise = None, None, "as last planned"
    if target.revision:
        plan = plan_rollout(deployment, target.revision.hash, fleet, capacity(), now)
        kept, traffic = told(kept, plan), plan.traffic
        fleet = as_told(fleet, kept)
    elif wanted_replicas(deployment) == 0:
        kept = {digits: each.with_replicas(0) for digits, each in kept.items()}
    elif target.refused:
        alone = kept_while_refused(deployment.status.revisions, fleet, wanted_replicas(deployment))
        kept = {digits: each.with_replicas(alone.replicas.get(digits, 0)) for digits, each in kept.items()}
        fleet, traffic, otherwise = as_told(fleet, kept), alone.traffic, "the newest change of the spec is refused"
    for each in kept.values():
        hands.revisions.keep(*key, uid, each)
    steps = scale_steps(kept, plan, fleet.revisions, otherwise)
    routed = await publish(deployment, target, pods.own, steps, traffic, hands)
    await hands.applier.carry_out(deployment, kept, pods.own, steps)
    observation = Observation(
        runtime=target.runtime,
        artifact=target.artifact,
        resolution_failure=target.failure,
        refusals=target.found,
        revision=target.revision,
        fleet=fleet,
        capacity=capacity(),
        routed=routed,
        project=deployment.metadata.namespace,
        startup=startup_of(deployment, target, fleet, hands),
    )
    await write_status(deployment, observation, plan, now, hands)
    if plan:
        await finish(deployment, plan, hands)


async def target_of(deployment: ModelDeployment, hands: Hands, kept: Mapping[str, KeptRevision]) -> Target:
    """Runtime, artifact and revision that the spec asks for. No revision while something forbids new pods."""
    runtime = runtime_for(deployment, hands.cache.runtimes())
    return find_target(
        deployment,
        runtime,
        await hands.resolver.resolve(deployment),
        list(hands.cache.deployments(deployment.metadata.namespace)),
        {digits: each.revision for digits, each in kept.items()},
        hands.environment,
        rendered=localized(runtime) if runtime else None,
        further=only_in_a_cluster(deployment),
    )


def only_in_a_cluster(deployment: ModelDeployment) -> tuple[Refusal, ...]:
    """What one machine without containers cannot do."""
    if deployment.spec.multi_node is not None:
        return (
            Refusal(
                conditions.POD_REFUSED,
                "spec.multiNode: a replica over several nodes needs a cluster; remove it to run on this machine.",
            ),
        )
    return ()


def first_kept(revision: Revision, target: Target, now: datetime) -> KeptRevision:
    """A revision that is seen for the first time."""
    assert target.runtime is not None, "a revision was made from it"
    return KeptRevision(
        revision=revision,
        created_at=now,
        replicas=0,
        runtime=target.runtime.metadata.name,
        local=target.runtime.spec.local,
        model_version=target.artifact.version if target.artifact else None,
    )


def told(kept: Mapping[str, KeptRevision], plan: RolloutPlan) -> dict[str, KeptRevision]:
    """Revisions with the replicas that the plan gives them; one without a place in the plan gets none."""
    wanted = {each.hash: each.replicas for each in plan.revisions}
    return {digits: each.with_replicas(wanted.get(digits, 0)) for digits, each in kept.items()}


def as_told(fleet: Fleet, kept: Mapping[str, KeptRevision]) -> Fleet:
    """The fleet with the replicas that its revisions have now been told."""
    return replace(fleet, revisions=tuple(replace(each, replicas=kept[each.hash].replicas) for each in fleet.revisions))


def scale_steps(
    kept: Mapping[str, KeptRevision], plan: RolloutPlan | None, observed: Sequence[ObservedRevision], otherwise: str
) -> dict[str, ScaleStep]:
    """What each revision needs for its replicas; `otherwise` is the reason without a plan."""
    steps = {}
    for each in observed:
        part = plan.of(each.hash) if plan else None
        reason = part.reason if part else otherwise
        steps[each.hash] = scale_step(each.pods, kept[each.hash].replicas, reason)
    return steps


async def publish(
    deployment: ModelDeployment,
    target: Target,
    pods: Sequence[SeenPod],
    steps: Mapping[str, ScaleStep],
    traffic: Mapping[str, int] | None,
    hands: Hands,
) -> bool | None:
    """Tell the gateways, before any pod is ended; without `traffic` the shares last told. None: nothing to tell yet."""
    key = (deployment.metadata.namespace, deployment.metadata.name)
    if target.runtime is None:
        return None
    before = hands.cache.endpoint_set(key)
    shares = (before or {}).get("traffic", {}) if traffic is None else traffic
    removing = {name for step in steps.values() for name in step.remove}
    wanted = endpoint_set(deployment, target.runtime, pods, removing, shares)
    if wanted["spec"] != before:
        hands.cache.remember(await hands.store.put(wanted))
    return True


def startup_of(deployment: ModelDeployment, target: Target, fleet: Fleet, hands: Hands) -> StartupStatus | None:
    """The ledger of starts, with the phases of the youngest pod of the newest revision."""
    key = (deployment.metadata.namespace, deployment.metadata.name)
    newest = fleet.find(target.revision.hash) if target.revision else None
    youngest = max(newest.live, key=lambda pod: pod.created_at, default=None) if newest else None
    phases = youngest.phases if youngest else ()
    return hands.startups.status(key, phases, deployment.status.startup)


async def write_status(
    deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None, now: datetime, hands: Hands
) -> None:
    """Write the status once, where it changed."""
    status = build_status(deployment, observation, plan, now, url=hands.environment.url)
    if status == deployment.status:
        return
    metadata = deployment.metadata
    body = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    written = await hands.store.put_status(metadata.namespace, metadata.name, metadata.uid, body)
    if written:
        hands.cache.remember(written)


async def finish(deployment: ModelDeployment, plan: RolloutPlan, hands: Hands) -> None:
    """After the status: tell people what changed, and forget revisions beyond the history."""
    metadata = deployment.metadata
    for happening in plan.happenings:
        await hands.applier.tell(deployment, happening.type, happening.reason, happening.message)
    for digits in plan.expired:
        hands.revisions.forget(metadata.namespace, metadata.name, metadata.uid, digits)
