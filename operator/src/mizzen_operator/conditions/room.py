"""Is there room? QuotaReserved and CapacityAvailable."""

from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.conditions.model import refused_by
from mizzen_operator.conditions.verdict import Said, no, unknown, yes
from mizzen_operator.kinds.accelerator_class.asked import free_places, room_refusal
from mizzen_operator.observation import Observation
from mizzen_operator.rollout.outcome import RolloutPlan
from mizzen_operator.rollout.situation import accelerators_per_replica

GATED: Final = "scheduling gates"
"""Words of the API server about a pod that no scheduler looks at yet."""


def quota_reserved(deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None) -> Said:
    """Whether the project's quota covers the wanted replicas."""
    refusal = refused_by(observation, conditions.QUOTA_RESERVED)
    if refusal is not None:
        return no(refusal.reason, refusal.message)
    if queued := _queued(observation):
        return no(
            conditions.QUEUED, f"{queued} replicas are held back by a scheduling gate, as an admission queue sets."
        )
    if observation.capacity is None or plan is None:
        return unknown("The quota was not looked at in this pass.")
    left, need = observation.capacity.quota_accelerators, accelerators_per_replica(deployment)
    if left is None or need == 0:
        return yes(conditions.NO_QUOTA)
    missing = plan.wanted - sum(len(one.live) for one in observation.fleet.revisions)
    if missing > 0 and missing * need > left:
        return no(
            conditions.QUOTA_EXCEEDED,
            f"{missing} more replicas need {missing * need} accelerators; "
            f"{observation.capacity.quota or 'the quota'} leaves {left}.",
        )
    return yes(conditions.WITHIN_QUOTA)


def _queued(observation: Observation) -> int:
    """Pods that wait for somebody to let the scheduler look at them."""
    waiting = [pod for one in observation.fleet.revisions for pod in one.live if not pod.scheduled]
    return sum(pod.failure is not None and GATED in pod.failure.message for pod in waiting)


def capacity_available(deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None) -> Said:
    """Whether every replica has a place to run."""
    refusal = refused_by(observation, conditions.CAPACITY_AVAILABLE)
    if refusal is not None:
        return no(refusal.reason, refusal.message)
    if plan is None:
        return unknown("No replicas were planned in this pass.")
    room = observation.capacity.room if observation.capacity else None
    waiting = [pod for one in observation.fleet.revisions for pod in one.live if not pod.scheduled]
    if plan.hold is not None and plan.hold.gate == conditions.NO_SPARE_ACCELERATOR:
        where = f" Free: {free_places(room)}." if room is not None and room.rooms else ""
        return Said("False", plan.hold.gate, f"{plan.hold.reason}{where}")  # which says itself what to do
    missing = max(0, plan.wanted - sum(len(one.live) for one in observation.fleet.revisions))
    if not waiting and not missing:
        return yes(conditions.SUFFICIENT_CAPACITY)
    size = deployment.spec.multi_node.size if deployment.spec.multi_node else 1
    lacking = room_refusal(deployment, room, (len(waiting) + missing) * size) if room is not None else None
    if lacking is not None:
        return no(lacking.reason, lacking.message)
    if not waiting and room is None:
        return unknown(f"{missing} replicas have no pod yet, so no node was looked for.")
    if not waiting:
        return yes(conditions.SUFFICIENT_CAPACITY)
    words = next((pod.failure.message for pod in waiting if pod.failure is not None), "")
    need = accelerators_per_replica(deployment)
    each = f", {need} accelerators each" if need else ""
    return no(conditions.UNSCHEDULABLE, f"{len(waiting)} replicas find no place to run{each}. {words}".rstrip())
