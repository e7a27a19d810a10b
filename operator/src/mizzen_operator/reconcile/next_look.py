"""When is a deployment looked at again if nothing happens to it? Only where time itself changes something. Pure."""

from datetime import datetime
from typing import Final

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.observation import Observation
from mizzen_operator.rollout.outcome import RolloutPlan

STARTING_SECONDS: Final = 5.0
"""While a pod starts: its progress is shown, and one that stands still is noticed."""
HOLD_SECONDS: Final = 5.0
"""While a rollout waits for places: what frees them belongs to other deployments, whose events wake others."""
REFUSED_SECONDS: Final = 15.0
"""While something stands in the way that no watch tells of: someone else's object, the registry."""
SHORTEST_SECONDS: Final = 0.5


def seconds_until_next_look(
    deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None, now: datetime
) -> float | None:
    """Return after how many seconds to look again; None where only an event can change anything."""
    waits: list[float] = []
    if observation.refusals or observation.resolution_failure or observation.error:
        waits.append(REFUSED_SECONDS)
    if any(not pod.ready for one in observation.fleet.revisions for pod in one.live):
        waits.append(STARTING_SECONDS)
    if plan is not None:
        waits += _of_rollout(deployment, plan, now)
    return max(SHORTEST_SECONDS, min(waits)) if waits else None


def _of_rollout(deployment: ModelDeployment, plan: RolloutPlan, now: datetime) -> list[float]:
    waits: list[float] = []
    rollout = deployment.spec.rollout
    if _decides_anew(deployment, plan):
        waits.append(SHORTEST_SECONDS)
    if plan.hold is not None:
        waits.append(HOLD_SECONDS)
    step, since = plan.rollout.step, plan.rollout.step_started_at
    if step is not None and since is not None and step < len(rollout.canary.steps):
        pause = rollout.canary.steps[step].pause_seconds or 0
        waits.append(min(HOLD_SECONDS, pause - (now - since).total_seconds()))
    last = plan.rollout.last_progress_at
    if last is not None and not plan.complete:
        waits.append(rollout.progress_deadline_seconds - (now - last).total_seconds())
    return waits


def _decides_anew(deployment: ModelDeployment, plan: RolloutPlan) -> bool:
    """Whether the next pass takes another step for nothing but what this one remembers: our own status wakes nobody."""
    before = deployment.status
    shares = {one.hash: one.traffic_percent for one in before.revisions if one.traffic_percent}
    if not shares:
        return False  # the first replicas are on their way, and their readiness wakes it
    return shares != plan.traffic or (before.rollout is not None and before.rollout.step != plan.rollout.step)
