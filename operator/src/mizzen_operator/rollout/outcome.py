"""What does a rollout step look like? Replicas and traffic of each revision, and what the status says about it."""

from dataclasses import dataclass

from mizzen_crds.v1alpha1.model_deployment.status import Hold, RevisionState, RolloutStatus


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
