"""What does each revision get now? `plan_rollout` is the one entry point; executors only carry it out."""

from dataclasses import dataclass
from datetime import datetime

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import LifecycleState
from mizzen_crds.v1alpha1.model_deployment.status import Hold, RevisionState, RolloutStatus

from mizzen_operator.rollout.fleet import Capacity, Fleet

__all__ = ["Happening", "RevisionPlan", "RolloutPlan", "plan_rollout", "wanted_replicas"]


@dataclass(frozen=True)
class RevisionPlan:
    """What one revision should have now. Who lowers replicas takes those that are not ready first."""

    hash: str
    """Revision."""
    name: str
    """<deployment>-<hash>."""
    replicas: int
    """Replicas that its workload should run."""
    traffic_percent: int
    """Share of requests; over all revisions 100, or 0 where nothing runs on purpose."""
    state: RevisionState
    """Where it stands."""
    reason: str
    """Why so many, for the log and for people."""


@dataclass(frozen=True)
class Happening:
    """Something that people should be told once."""

    type: str
    """Normal or Warning."""
    reason: str
    """A constant: RolloutStarted, RolloutCompleted, RevisionGivenUp, CanaryStepPassed."""
    message: str
    """For people."""


@dataclass(frozen=True)
class RolloutPlan:
    """The step to take now."""

    target: str
    """Hash of the revision that the spec asks for."""
    wanted: int
    """Replicas that should run in all."""
    least: int
    """Replicas that must be ready: minAvailable as a number."""
    revisions: tuple[RevisionPlan, ...]
    """Newest first; one for each revision of the fleet and one for the target. A revision with 0 replicas is kept for
    rollback, unless it is in `expired`."""
    rollout: RolloutStatus
    """For `status.rollout`; the next pass reads it back from there."""
    complete: bool
    """The target has replaced all others. Replicas may still be missing, for other reasons than a rollout."""
    expired: tuple[str, ...] = ()
    """Hashes beyond revisionHistoryLimit: their workload and ControllerRevision may be deleted."""
    happenings: tuple[Happening, ...] = ()
    """What changed in this step."""

    @property
    def hold(self) -> Hold | None:
        """Why the rollout waits."""
        return self.rollout.hold

    def of(self, revision_hash: str) -> RevisionPlan | None:
        """Return what a revision gets."""
        return next((one for one in self.revisions if one.hash == revision_hash), None)

    @property
    def traffic(self) -> dict[str, int]:
        """Percent of requests by hash, for the EndpointSet."""
        return {one.hash: one.traffic_percent for one in self.revisions if one.traffic_percent}


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
    from mizzen_operator.rollout.steps import Pass

    count = wanted_replicas(deployment) if wanted is None else wanted
    return Pass(deployment, target, fleet, capacity, now, count).plan()
