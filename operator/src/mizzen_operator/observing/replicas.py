"""What does the plan see of a pod, or of a group of pods? Readiness, progress, phases and failure."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from mizzen_crds.v1alpha1.model_deployment.status import StartupPhase

from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.observing.failures import failure_of
from mizzen_operator.observing.pod_view import ContainerView, PodView
from mizzen_operator.rollout.fleet import ObservedPod

PHASE_OF_CONTAINER: Final = {"fetch": "fetch", "layout": "layout"}
ENGINE: Final = "engine"
LOAD: Final = "load"


def observed_pod(pod: PodView, progress: PodProgress, now: datetime) -> ObservedPod:
    """Return one pod as the plan sees it."""
    return ObservedPod(
        name=pod.name,
        created_at=pod.created_at,
        ready=pod.ready,
        scheduled=pod.scheduled,
        terminating=pod.terminating or pod.finished,
        fetched=pod.initialized,
        progress_at=progress.revision_at,
        phases=phases(pod, progress, now),
        failure=None if pod.ready else failure_of(pod),
    )


def observed_group(pods: Sequence[PodView], progress: PodProgress, now: datetime) -> ObservedPod:
    """Return a replica over several pods: its leader, with what went wrong in any of them."""
    leader = next((pod for pod in pods if pod.component == ENGINE), pods[0])
    seen = observed_pod(leader, progress, now)
    if seen.ready or seen.failure is not None:
        return seen
    failure = next((found for pod in pods if not pod.ready and (found := failure_of(pod))), None)
    return ObservedPod(
        name=seen.name,
        created_at=seen.created_at,
        scheduled=all(pod.scheduled for pod in pods),
        terminating=seen.terminating,
        fetched=seen.fetched,
        progress_at=seen.progress_at,
        phases=seen.phases,
        failure=failure,
    )


def phases(pod: PodView, progress: PodProgress, now: datetime) -> tuple[StartupPhase, ...]:
    """Return fetch and layout from their containers, load from the engine's start to its readiness."""
    found = []
    for one in pod.containers:
        name = PHASE_OF_CONTAINER.get(one.name) if one.init else (LOAD if one.name == ENGINE else None)
        if name is None or one.started_at is None:
            continue
        end = _end(one, now) if one.init else _load_end(one, pod, progress, now)
        if end is None:
            continue
        done, total = _bytes(one, progress, name)
        seconds = max(0, round((end - one.started_at).total_seconds()))
        found.append(StartupPhase(name=name, seconds=seconds, bytes_done=done, bytes_total=total))
    return tuple(found)


def _end(container: ContainerView, now: datetime) -> datetime:
    finished = container.finished_at
    return finished if finished and container.started_at and finished >= container.started_at else now


def _load_end(engine: ContainerView, pod: PodView, progress: PodProgress, now: datetime) -> datetime | None:
    """Return when the load ended, `now` while it lasts; None where that was not seen.

    Since when a pod is ready tells it no more: readiness comes and goes long after the load.
    """
    first = progress.first_ready_at
    if first is not None and engine.started_at is not None and first >= engine.started_at:
        return first
    loading = not pod.ready and (progress.starting or not engine.started)
    return now if loading else None


def _bytes(container: ContainerView, progress: PodProgress, phase: str) -> tuple[int | None, int | None]:
    """Return bytes done and in all: the totals that a container left at its end, else what it posted on the way."""
    if container.exit_code == 0 and container.message.startswith("{"):
        try:
            totals = json.loads(container.message)
            return int(totals["bytesDone"]), int(totals["bytesTotal"])
        except (ValueError, KeyError, TypeError):
            pass  # another program's words; what was posted will do
    told = progress.phases.get(phase)
    return (told.bytes_done, told.bytes_total) if told else (None, None)
