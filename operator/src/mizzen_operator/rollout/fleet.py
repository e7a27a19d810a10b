"""What runs now? Observations that rollout and conditions are computed from; whoever observes fills them in."""

from dataclasses import dataclass, field
from datetime import datetime

from mizzen_crds.v1alpha1.model_deployment.status import StartupPhase

from mizzen_operator.kinds.accelerator_class.capacity import ClassCapacity


@dataclass(frozen=True)
class PodFailure:
    """What last went wrong in a pod."""

    reason: str
    """A constant of the table of reasons: FetchFailed, DigestMismatch, CrashLooping, ..."""
    message: str
    """The component's own last lines, or what the platform says."""
    component: str = ""
    """Container."""
    exit_code: int | None = None
    """Exit code."""
    time: datetime | None = None
    """When, UTC."""


@dataclass(frozen=True)
class ObservedPod:
    """One pod; of a LeaderWorkerSet, one group."""

    name: str
    """Name."""
    created_at: datetime
    """When it was made, UTC."""
    ready: bool = False
    """Takes requests."""
    scheduled: bool = True
    """Has a place to run."""
    terminating: bool = False
    """Goes; still holds its accelerators."""
    fetched: bool = False
    """Its weights are there and laid out."""
    progress_at: datetime | None = None
    """When its start last came forward (bytes fetched, a phase ended), UTC."""
    phases: tuple[StartupPhase, ...] = ()
    """Phases of its start."""
    failure: PodFailure | None = None
    """What last went wrong, while it is not ready."""
    installing: str = ""
    """How far its environment, which it waits for, has been made; empty when it waits for none."""


@dataclass(frozen=True)
class LoadWindow:
    """What all gateways saw of a revision since the canary step began."""

    requests: int = 0
    """Requests ended."""
    errors: int = 0
    """Of those, 5xx and broken streams."""
    ttft_ms_sum: float = 0.0
    """Times to first byte, added up; of callers who left before it, how long they had waited."""
    first_bytes: int = 0
    """Requests that this adds up."""
    left: int = 0
    """Of the requests, those whose callers left before a first byte."""


@dataclass(frozen=True)
class ObservedRevision:
    """One revision and its pods."""

    name: str
    """<deployment>-<hash>."""
    hash: str
    """Its hash."""
    created_at: datetime
    """When it was first asked for, UTC."""
    replicas: int = 0
    """Replicas that its workload was last told to run."""
    pods: tuple[ObservedPod, ...] = ()
    """Its pods, those that go included."""
    model_version: int | None = None
    """Number of the version that it serves."""
    load: LoadWindow = LoadWindow()
    """What gateways saw of it since `status.rollout.stepStartedAt`."""
    refusal: PodFailure | None = None
    """Why the API server refuses its pods; None where it does not."""

    @property
    def live(self) -> tuple[ObservedPod, ...]:
        """Pods that do not go."""
        return tuple(pod for pod in self.pods if not pod.terminating)

    @property
    def ready(self) -> int:
        """Pods that take requests and stay."""
        return sum(pod.ready for pod in self.live)

    @property
    def staying(self) -> int:
        """Pods that take requests and are not about to go: no more than the workload was last told to run."""
        return min(self.ready, self.replicas)

    @property
    def unschedulable(self) -> int:
        """Pods that wait for a place to run."""
        return sum(not pod.scheduled for pod in self.live)


@dataclass(frozen=True)
class Fleet:
    """Every revision that still has a workload, and the newest even before it has one."""

    revisions: tuple[ObservedRevision, ...] = ()
    """In any order."""

    def find(self, revision_hash: str) -> ObservedRevision | None:
        """Return the revision of that hash."""
        return next((one for one in self.revisions if one.hash == revision_hash), None)


@dataclass(frozen=True)
class Capacity:
    """What is left for more replicas. None: without bound, or not known."""

    free_accelerators: int | None = None
    """Accelerators of the class that no pod holds."""
    quota_accelerators: int | None = None
    """Accelerators that quotas still admit, the least of all; None where no quota binds."""
    lacking_accelerators: int | None = None
    """Accelerators that waiting pods ask for beyond those that no pod holds: some of these pods will find no place."""
    quota: str = ""
    """The quota that leaves so few, for people."""
    share_accelerators: int | None = None
    """Accelerators of the class that the project may still hold, as the operator alone counts. None: no bound."""
    room: ClassCapacity | None = None
    """The nodes of the class, and what is free on each; None where no class is known."""


@dataclass(frozen=True)
class Wanted:
    """How many replicas should run: spec.replicas, or what the autoscaler decided; 0 when stopped."""

    replicas: int
    """Replicas."""
    reason: str = field(default="spec.replicas")
    """Who decided."""
