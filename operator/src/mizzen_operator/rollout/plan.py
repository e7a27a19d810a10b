"""What does each revision get now? `plan_rollout` is the one entry point; executors only carry it out."""

from datetime import datetime

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import LifecycleState

from mizzen_operator.rollout.fleet import Capacity, Fleet
from mizzen_operator.rollout.outcome import Happening, RevisionPlan, RolloutPlan
from mizzen_operator.rollout.steps import Pass

__all__ = ["Happening", "RevisionPlan", "RolloutPlan", "plan_rollout", "wanted_replicas"]


def wanted_replicas(deployment: ModelDeployment, autoscaled: int | None = None) -> int:
    """Return how many replicas should run: 0 when stopped, else the autoscaler's decision, else `spec.replicas`.

    With `spec.autoscaling` and no decision yet: `spec.replicas` within its bounds, or minReplicas.
    """
    spec = deployment.spec
    if spec.lifecycle.state is LifecycleState.STOPPED:
        return 0
    if spec.autoscaling is None:
        return spec.replicas
    bounds = spec.autoscaling
    return min(max(spec.replicas if autoscaled is None else autoscaled, bounds.min_replicas), bounds.max_replicas)


def plan_rollout(
    deployment: ModelDeployment,
    target: str,
    fleet: Fleet,
    capacity: Capacity,
    now: datetime,
    *,
    wanted: int | None = None,
) -> RolloutPlan:
    """Return the next step towards `target` (a revision's hash), from what runs and from `deployment.status`.

    Call it on every pass with the fleet as observed. `deployment.status` must be the one that the last pass wrote:
    `rollout` (strategy, step, times, given-up hash) and `revisions` (states) are read back from there.
    `wanted` is `wanted_replicas(deployment)` unless told otherwise.
    """
    count = wanted_replicas(deployment) if wanted is None else wanted
    return Pass(deployment, target, fleet, capacity, now, count).plan()
