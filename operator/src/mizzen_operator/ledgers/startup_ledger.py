"""How far starts are, and how long they took: what init containers post, and the durations of recent starts."""

import statistics
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mizzen_crds.serving import StartupProgress
from mizzen_crds.v1alpha1.model_deployment.status import StartupPhase, StartupStatus

RECENT_STARTS = 20


@dataclass(frozen=True)
class PodProgress:
    """What a pod's containers said."""

    phases: dict[str, StartupProgress] = field(default_factory=dict)
    advanced_at: datetime | None = None
    """When a post last told of more than the one before."""
    heard_at: dict[str, datetime] = field(default_factory=dict)
    """When the last post of a phase came, whatever it told."""
    starting: bool = False
    """It was seen before it became ready for the first time, and has not yet."""
    first_ready_at: datetime | None = None
    """When it became ready for the first time; None where that was not seen."""
    revision_at: datetime | None = None
    """When the start of any pod of its revision last came further than one did before."""


class StartupLedger:
    """Progress of pods by name, and durations of starts by deployment. Lost with its program: pods say it again.

    Where one name may stand for two pods, callers put the namespace before it.
    """

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        """From when on posts came here: since this program leads, others' posts are none that it heard."""
        self._pods: dict[str, PodProgress] = {}
        self._starting: set[str] = set()
        self._first_ready: dict[str, datetime | None] = {}
        self._durations: dict[tuple[str, str], deque[float]] = {}

    def begin(self, now: datetime) -> None:
        """This program leads from now on: what it heard in an earlier time says nothing about pods any more."""
        self.since = now
        self._pods.clear()
        self._starting.clear()
        self._durations.clear()  # what others counted meanwhile is in the status

    def record(self, progress: StartupProgress, pod: str = "") -> None:
        """Take what a container posted; `pod` is the name to keep it under, by default the one that it says."""
        name = pod or progress.pod
        known = self._pods.get(name, PodProgress())
        before = known.phases.get(progress.phase)
        came_forward = before is None or progress.done or (progress.bytes_done or 0) > (before.bytes_done or 0)
        now = datetime.now(UTC)
        self._pods[name] = replace(
            known,
            phases={**known.phases, progress.phase: progress},
            advanced_at=now if came_forward else known.advanced_at,
            heard_at={**known.heard_at, progress.phase: now},
        )

    def of(self, pod: str) -> PodProgress:
        """What a pod said so far, and what was seen of its start."""
        starting, first = pod in self._starting, self._first_ready.get(pod)
        return replace(self._pods.get(pod, PodProgress()), starting=starting, first_ready_at=first)

    def begins(self, pod: str) -> None:
        """A pod is there that was never ready."""
        self._starting.add(pod)

    def started(
        self,
        key: tuple[str, str],
        pod: str,
        seconds: float,
        *,
        at: datetime | None = None,
        recorded: StartupStatus | None = None,
    ) -> None:
        """A pod became ready for the first time, after so long; it is counted once.

        `recorded` is what the status says of starts before: the first one of this program's time joins its median.
        """
        self._starting.discard(pod)
        if pod in self._first_ready:
            return
        self._first_ready[pod] = at
        if key not in self._durations:
            median = recorded.p50_seconds if recorded is not None else None
            self._durations[key] = deque(() if median is None else (float(median),), maxlen=RECENT_STARTS)
        self._durations[key].append(seconds)

    def started_unseen(self, pod: str) -> None:
        """A pod is ready whose start nobody saw: when it last became ready says nothing about its first time."""
        self._first_ready.setdefault(pod, None)

    def knows_start_of(self, pod: str) -> bool:
        """Whether the pod's start is over, counted or not."""
        return pod in self._first_ready

    def forget(self, pod: str) -> None:
        """The pod is gone."""
        self._pods.pop(pod, None)
        self._starting.discard(pod)
        self._first_ready.pop(pod, None)

    def forget_deployment(self, key: tuple[str, str]) -> None:
        """The deployment is gone."""
        self._durations.pop(key, None)

    def status(
        self, key: tuple[str, str], phases: tuple[StartupPhase, ...], before: StartupStatus | None
    ) -> StartupStatus | None:
        """For the status: `phases` of the start under way, durations of this program's time or of the status before."""
        durations = self._durations.get(key)
        if not phases and not durations:
            return before
        return StartupStatus(
            last_seconds=round(durations[-1]) if durations else before and before.last_seconds,
            p50_seconds=round(statistics.median(durations)) if durations else before and before.p50_seconds,
            phases=list(phases) or (before.phases if before else []),
        )
