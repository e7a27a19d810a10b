"""What is the sum? Ready, and Reconciling and Stalled, which are present only while true."""

from collections.abc import Mapping

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.conditions.serving import zero_reason
from mizzen_operator.conditions.verdict import Said, meaning_of, needs_spec_change, unknown, yes
from mizzen_operator.counted import counted, ready_of, verb
from mizzen_operator.observation import Observation
from mizzen_operator.rollout.outcome import RolloutPlan

NEEDED_TO_SERVE = (conditions.WORKLOAD_AVAILABLE, conditions.ROUTE_READY)
"""What callers notice. A model that is resolved no longer, or a rollout that stands still, leaves Ready true."""

CAUSES = (
    conditions.MODEL_RESOLVED,
    conditions.MODEL_FITS,
    conditions.QUOTA_RESERVED,
    conditions.MODEL_CACHED,
    conditions.CAPACITY_AVAILABLE,
    conditions.UP_TO_DATE,
)
"""Where the reason is looked for when replicas are missing: the first that is False, in the order of a start."""

CAUSES_UNTOLD = frozenset({conditions.REGISTRY_UNAVAILABLE})
"""Reasons of a condition that is Unknown, and yet says what is in the way."""

ON_ITS_WAY = frozenset(
    row.reason for row in conditions.REASONS.values() if conditions.RECONCILING in row.condition_types
)


def cause(said: Mapping[str, Said]) -> str:
    """Return the condition that says why replicas are missing: WorkloadAvailable where no other says more."""
    false = [name for name in CAUSES if said[name].false]
    certain = [name for name in false if said[name].reason not in ON_ITS_WAY]
    untold = [name for name in CAUSES if said[name].status == "Unknown" and said[name].reason in CAUSES_UNTOLD]
    own = [conditions.WORKLOAD_AVAILABLE] if said[conditions.WORKLOAD_AVAILABLE].false else []
    first = next(iter((*certain, *untold, *own, *false)), conditions.WORKLOAD_AVAILABLE)
    return conditions.WORKLOAD_AVAILABLE if said[first].reason == said[conditions.WORKLOAD_AVAILABLE].reason else first


def with_cause(said: Mapping[str, Said]) -> dict[str, Said]:
    """Return the conditions; those that no replica is behind name the one that says why."""
    name = cause(said)
    pointed = dict(said)
    if said[conditions.ROUTE_READY].reason == conditions.NO_REPLICA_READY:
        text = f"{meaning_of(conditions.NO_REPLICA_READY)} The condition {name} says why."
        pointed[conditions.ROUTE_READY] = Said("False", conditions.NO_REPLICA_READY, text)
    workload = said[conditions.WORKLOAD_AVAILABLE]
    if workload.status == "Unknown" and name != conditions.WORKLOAD_AVAILABLE:
        pointed[conditions.WORKLOAD_AVAILABLE] = unknown(f"{workload.message} The condition {name} says why.")
    return pointed


def ready(deployment: ModelDeployment, said: Mapping[str, Said], plan: RolloutPlan | None) -> Said:
    """Whether callers get answers, or no replica runs on purpose; with the reason of what stands in the way."""
    if plan is not None and plan.wanted == 0:
        blocked = [said[name] for name in (conditions.ROUTE_READY,) if said[name].false]
        return blocked[0] if blocked else yes(zero_reason(deployment))
    missing = [said[name] for name in NEEDED_TO_SERVE if not said[name].true]
    if not missing:
        return yes(conditions.AVAILABLE, said[conditions.WORKLOAD_AVAILABLE].message)
    if said[conditions.WORKLOAD_AVAILABLE].true:
        return missing[0]
    blocking = said[cause(said)]
    if blocking.status == "Unknown" and said[conditions.ROUTE_READY].false:
        return Said("False", *_known_cause(blocking, said[conditions.ROUTE_READY]))
    return blocking


def _known_cause(blocking: Said, route: Said) -> tuple[str, str]:
    """Return reason and message of a cause that is not certain; the route's where it was not observed at all."""
    told = route if blocking.reason == conditions.NOT_OBSERVED else blocking
    return told.reason, told.message


def stalled(said: Mapping[str, Said]) -> Said | None:
    """Return True where nothing but a change of the spec helps; None else."""
    blocking = [one for one in said.values() if one.false and needs_spec_change(one.reason)]
    return Said("True", blocking[0].reason, blocking[0].message) if blocking else None


def reconciling(
    observation: Observation, said: Mapping[str, Said], plan: RolloutPlan | None, stuck: Said | None
) -> Said | None:
    """Return True while work towards the spec is going on; None else, and None while stalled."""
    if stuck is not None:
        return None
    for name in (conditions.UP_TO_DATE, conditions.MODEL_CACHED, conditions.WORKLOAD_AVAILABLE):
        if said[name].false and said[name].reason in ON_ITS_WAY:
            return Said("True", said[name].reason, said[name].message)
    if said[conditions.MODEL_RESOLVED].status == "Unknown":
        return Said("True", conditions.RESOLVING, said[conditions.MODEL_RESOLVED].message)
    if plan is None:
        return None
    return _replicas_moving(observation, said, plan)


def _replicas_moving(observation: Observation, said: Mapping[str, Said], plan: RolloutPlan) -> Said | None:
    live = sum(len(one.live) for one in observation.fleet.revisions)
    going = any(pod.terminating for one in observation.fleet.revisions for pod in one.pods)
    ready_now = sum(one.ready for one in observation.fleet.revisions)
    waits_for_a_person = said[conditions.UP_TO_DATE].false
    if plan.wanted == 0 and (live or going):
        return Said(
            "True", conditions.STOPPING, f"{counted(live, 'replica')} {verb(live, 'is', 'are')} on the way out."
        )
    if not waits_for_a_person and ready_now != plan.wanted:
        return Said("True", conditions.SCALING_REPLICAS, ready_of(ready_now, plan.wanted))
    return None
