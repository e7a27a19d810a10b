"""Is there room? QuotaReserved and CapacityAvailable."""

from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.conditions.model import refused_by
from mizzen_operator.conditions.verdict import Said, no, unknown, yes
from mizzen_operator.counted import counted, verb
from mizzen_operator.kinds.accelerator_class.asked import free_places, room_refusal
from mizzen_operator.observation import Observation
from mizzen_operator.rollout.outcome import RolloutPlan
from mizzen_operator.rollout.situation import accelerators_per_replica

GATED: Final = "scheduling gates"
"""Words of the API server about a pod that no scheduler looks at yet."""
NO_QUOTA_OF_ACCELERATORS: Final = (
    "No quota counts accelerators of these replicas. One of CPUs, memory or objects is told once it refuses a pod."
)


def quota_reserved(deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None) -> Said:
    """Whether the project's quota covers the wanted replicas."""
    refusal = refused_by(observation, conditions.QUOTA_RESERVED)
    if refusal is not None:
        return no(refusal.reason, refusal.message)
    if queued := _queued(observation):
        return no(
            conditions.QUEUED,
            f"{counted(queued, 'replica')} {verb(queued, 'is', 'are')} held back by a scheduling gate, as an admission "
            "queue sets.",
        )
    if observation.capacity is None or plan is None:
        return unknown("The quota was not looked at in this pass.")
    left, need = observation.capacity.quota_accelerators, accelerators_per_replica(deployment)
    if left is None or need == 0:
        return yes(conditions.NO_QUOTA, NO_QUOTA_OF_ACCELERATORS)
    missing = plan.wanted - sum(len(one.live) for one in observation.fleet.revisions)
    if missing > 0 and missing * need > left:
        return no(
            conditions.QUOTA_EXCEEDED,
            f"{counted(missing, 'more replica')} {verb(missing, 'needs', 'need')} "
            f"{counted(missing * need, 'accelerator')}; "
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
    if not waiting and refused_by(observation, conditions.WORKLOAD_AVAILABLE) is not None:
        return unknown("No node is looked for before pods can be made. The condition WorkloadAvailable says why not.")
    size = deployment.spec.multi_node.size if deployment.spec.multi_node else 1
    lacking = room_refusal(deployment, room, (len(waiting) + missing) * size) if room is not None else None
    if lacking is not None:
        return no(lacking.reason, lacking.message)
    if not waiting and room is None:
        have = f"{counted(missing, 'replica')} {verb(missing, 'has', 'have')}"
        return unknown(f"{have} no pod yet, so no node was looked for.")
    if not waiting:
        return yes(conditions.SUFFICIENT_CAPACITY)
    if all(pod.failure is not None and pod.failure.reason == conditions.CLAIM_NOT_FOUND for pod in waiting):
        return unknown("The scheduler looks for no place before the claim that ModelCached names is there.")
    words = next((pod.failure.message for pod in waiting if pod.failure is not None), "")
    need = accelerators_per_replica(deployment)
    each = f", {counted(need, 'accelerator')} each" if need else ""
    who = f"{counted(len(waiting), 'replica')} {verb(len(waiting), 'finds', 'find')}"
    return no(conditions.UNSCHEDULABLE, f"{who} no place to run{each}. {words}".rstrip())
