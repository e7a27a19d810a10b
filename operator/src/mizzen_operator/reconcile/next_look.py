"""When is a deployment looked at again if nothing happens to it? Only where time itself changes something. Pure."""

from datetime import datetime
from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import RoutingPolicy

from mizzen_operator.observation import Observation
from mizzen_operator.rollout.outcome import RolloutPlan

STARTING_SECONDS: Final = 5.0
"""While a pod starts: its progress is shown, and one that stands still is noticed."""
HOLD_SECONDS: Final = 5.0
"""While a rollout waits for places: what frees them belongs to other deployments, whose events wake others."""
REFUSED_SECONDS: Final = 15.0
"""While something stands in the way that no watch tells of: someone else's object, the registry."""
PICKER_SECONDS: Final = 60.0
"""While an endpoint picker is there, whose Service nobody watches."""
SHORTEST_SECONDS: Final = 0.5


def seconds_until_next_look(
    deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None, now: datetime
) -> float | None:
    """Return after how many seconds to look again; None where only an event can change anything."""
    waits: list[float] = []
    if observation.refusals or observation.resolution_failure or observation.error:
        waits.append(REFUSED_SECONDS)
    if deployment.spec.routing.policy is RoutingPolicy.EXTERNAL:
        waits.append(PICKER_SECONDS)
    if any(not pod.ready for one in observation.fleet.revisions for pod in one.live):
        waits.append(STARTING_SECONDS)
    if plan is not None:
        waits += _of_rollout(deployment, plan, now)
    return max(SHORTEST_SECONDS, min(waits)) if waits else None


def _of_rollout(deployment: ModelDeployment, plan: RolloutPlan, now: datetime) -> list[float]:
    waits: list[float] = []
    if _decides_anew(deployment, plan):
        waits.append(SHORTEST_SECONDS)
    if plan.wanted == 0 or plan.rollout.failed_hash == plan.target:
        return waits  # what goes and what comes back are pods, and their events wake it
    if plan.hold is not None and plan.hold.gate != conditions.PAUSED:
        waits.append(HOLD_SECONDS)
    left = [_pause_left(deployment, plan, now), _deadline_left(deployment, plan, now)]
    return waits + [one for one in left if one is not None and one >= 0]


def _pause_left(deployment: ModelDeployment, plan: RolloutPlan, now: datetime) -> float | None:
    """Seconds until a canary step's pause ends; negative once it has, when the hold says what else it waits for."""
    steps, step, since = deployment.spec.rollout.canary.steps, plan.rollout.step, plan.rollout.step_started_at
    if step is None or since is None or step >= len(steps):
        return None
    pause = steps[step].pause_seconds
    return None if pause is None else pause - (now - since).total_seconds()


def _deadline_left(deployment: ModelDeployment, plan: RolloutPlan, now: datetime) -> float | None:
    """Seconds until the revision is given up; None while the deadline rests."""
    last = plan.rollout.last_progress_at
    if last is None or plan.complete or plan.hold is not None:
        return None
    return deployment.spec.rollout.progress_deadline_seconds - (now - last).total_seconds()


def _decides_anew(deployment: ModelDeployment, plan: RolloutPlan) -> bool:
    """Whether the next pass takes another step for nothing but what this one remembers: our own status wakes nobody."""
    before = deployment.status
    shares = {one.hash: one.traffic_percent for one in before.revisions if one.traffic_percent}
    if not shares:
        return False  # the first replicas are on their way, and their readiness wakes it
    return shares != plan.traffic or (before.rollout is not None and before.rollout.step != plan.rollout.step)
