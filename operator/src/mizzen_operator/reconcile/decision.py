"""What shall run now? Replicas and traffic of every revision, from what was seen and what the spec asks for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.rollout.fleet import Capacity, Fleet
from mizzen_operator.rollout.outcome import RolloutPlan
from mizzen_operator.rollout.plan import plan_rollout, wanted_replicas
from mizzen_operator.rollout.refused import kept_while_refused
from mizzen_operator.rollout.situation import accelerators_per_replica
from mizzen_operator.target import Target


@dataclass(frozen=True)
class Decision:
    """The step of this pass."""

    plan: RolloutPlan | None
    """None where the spec's revision is not known, or is refused."""
    replicas: Mapping[str, int]
    """By hash; a revision that is not in it is left as it is."""
    traffic: Mapping[str, int] | None
    """Percent of requests by hash where no plan says it; None: as before."""
    expired: tuple[str, ...]
    """Names of revisions beyond the history."""
    fleet: Fleet
    """As seen, with the replicas that revisions have now been told."""


def decide(deployment: ModelDeployment, target: Target, fleet: Fleet, capacity: Capacity, now: datetime) -> Decision:
    """Return the step: towards the target, to nothing where nothing is wanted, or what keeps on while it is refused."""
    if target.revision is not None:
        plan = plan_rollout(deployment, target.revision.hash, fleet, capacity, now)
        planned = {one.hash: one.replicas for one in plan.revisions if one.hash not in plan.expired}
        replicas = within_share(planned, fleet, capacity, accelerators_per_replica(deployment))
        expired = tuple(one.name for one in plan.revisions if one.hash in plan.expired)
        return Decision(plan, replicas, None, expired, as_told(fleet, replicas))
    if wanted_replicas(deployment) == 0:
        none = {one.hash: 0 for one in fleet.revisions}
        return Decision(None, none, None, (), as_told(fleet, none))
    if target.refused:
        alone = kept_while_refused(deployment.status.revisions, fleet, wanted_replicas(deployment))
        return Decision(None, alone.replicas, alone.traffic, (), as_told(fleet, alone.replicas))
    told = {one.hash: one.replicas for one in fleet.revisions}
    return Decision(None, told, None, (), fleet)


def within_share(planned: Mapping[str, int], fleet: Fleet, capacity: Capacity, need: int) -> dict[str, int]:
    """Return the replicas without those that the project's quota of the class does not cover.

    No ResourceQuota refuses these (it counts a resource, not a class), so they are not asked for. What was told before
    stays told: nothing is stopped.
    """
    left = capacity.share_accelerators
    if left is None or need == 0:
        return dict(planned)
    places, granted = left // need, dict(planned)
    for digits, replicas in planned.items():
        seen = fleet.find(digits)
        told, live = (seen.replicas, len(seen.live)) if seen else (0, 0)
        more = max(0, replicas - live)
        given = min(more, places)
        places -= given
        granted[digits] = replicas if given == more else max(min(told, replicas), live + given)
    return granted


def as_told(fleet: Fleet, replicas: Mapping[str, int]) -> Fleet:
    """Return the fleet with the replicas that its revisions have now been told."""
    revisions = (replace(one, replicas=replicas.get(one.hash, one.replicas)) for one in fleet.revisions)
    return replace(fleet, revisions=tuple(revisions))
