"""What is the sum? Ready, and Reconciling and Stalled, which are present only while true."""

from collections.abc import Mapping

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.conditions.serving import zero_reason
from mizzen_operator.conditions.verdict import Said, needs_spec_change, yes
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

ON_ITS_WAY = frozenset(
    row.reason for row in conditions.REASONS.values() if conditions.RECONCILING in row.condition_types
)


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
    causes = [said[name] for name in CAUSES if said[name].false]
    certain = [one for one in causes if one.reason not in ON_ITS_WAY]
    blocked = certain or [one for one in missing if one.false] or causes
    return blocked[0] if blocked else missing[0]


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
        return Said("True", conditions.STOPPING, f"{live} replicas are on their way out.")
    if not waits_for_a_person and ready_now != plan.wanted:
        return Said("True", conditions.SCALING_REPLICAS, f"{ready_now} of {plan.wanted} replicas are ready.")
    return None
