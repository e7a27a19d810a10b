"""What has to be done to single pods? A plan as data.

The label that closes the way out, the end of a pod that stands still, the order in which pods go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from mizzen_crds.v1alpha1 import conditions, labels

from mizzen_operator.kinds.model_deployment.startup import longest_silence_seconds
from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.observing.pod_view import ContainerView, PodView
from mizzen_operator.observing.replicas import PHASE_OF_CONTAINER
from mizzen_operator.rollout.fleet import PodFailure

FETCHING: Final = "fetch"
SERVING: Final = "serve"
FIRST_TO_GO: Final = "-1"
Verb = Literal["patch", "delete"]


@dataclass(frozen=True)
class PodAction:
    """One write to one pod."""

    verb: Verb
    pod: PodView
    reason: str
    operations: tuple[Mapping[str, Any], ...] = ()
    """JSON patch."""
    failure: PodFailure | None = None
    """What the status says of it."""


def phase_changes(pods: Sequence[PodView]) -> list[PodAction]:
    """Return one patch for each pod whose init containers have ended: from now on nothing lets it out."""
    return [
        PodAction("patch", pod, "the fetch has ended", (_set(f"labels/{_escaped(labels.PHASE)}", SERVING),))
        for pod in pods
        if pod.phase_label == FETCHING and pod.initialized and not _gone(pod)
    ]


def stalled_pods(
    pods: Sequence[PodView],
    progress_of: Callable[[PodView], PodProgress],
    stall_seconds: int,
    listening_since: datetime,
    now: datetime,
) -> list[PodAction]:
    """Return the end of each pod whose fetch or layout stands still, by what its container itself told.

    A container that tells nothing is not known to stand still: its posts may be lost, or had another reader. It is
    ended when it has told nothing for as long as any part of a start may take. `listening_since` is since when posts
    come here. An engine that loads is not judged here: its start-up probe has a budget of its own.
    """
    found = []
    for pod in pods:
        running = None if pod.initialized or _gone(pod) else _running_first(pod)
        if running is None or running.started_at is None:
            continue
        progress = progress_of(pod)
        since = max(one for one in (running.started_at, listening_since, progress.advanced_at) if one)
        why = _standstill(running.name, progress.heard_at.get(running.name), since, stall_seconds, now)
        if why:
            failure = PodFailure(conditions.LOAD_STALLED, f"{pod.name}: {why}", running.name, time=now)
            found.append(PodAction("delete", pod, why, failure=failure))
    return found


def _running_first(pod: PodView) -> ContainerView | None:
    """The init container that runs, which others wait for; one of Mizzen's before one that somebody put in."""
    running = [one for one in pod.containers if one.init and one.running and not one.sidecar]
    return max(running, key=lambda one: one.name in PHASE_OF_CONTAINER, default=None)


def _standstill(name: str, heard: datetime | None, since: datetime, stall_seconds: int, now: datetime) -> str:
    """Why a container that runs is taken for stuck; empty while it is not."""
    if heard is not None and heard - since > timedelta(seconds=stall_seconds):
        return f"{name} made no progress since {since:%H:%M:%S} UTC ({stall_seconds} s are allowed)"
    silent_since = max(since, heard or since)
    silence = longest_silence_seconds(stall_seconds)
    if now - silent_since > timedelta(seconds=silence):
        return f"{name} reported no progress at all since {silent_since:%H:%M:%S} UTC ({silence} s are allowed)"
    return ""


def first_to_go(pods: Sequence[PodView], keep: int, cordoned: frozenset[str]) -> list[PodAction]:
    """Return a mark for each ready pod that should go when a workload shrinks to `keep`.

    Kubernetes itself ends those first that are not ready; among the others the least useful are those on a node that
    is being emptied, then the youngest.
    """
    live = [pod for pod in pods if not _gone(pod)]
    order = sorted(live, key=lambda pod: (pod.ready, pod.node not in cordoned, -pod.created_at.timestamp(), pod.name))
    return [
        PodAction("patch", pod, "the first to go", _marked(pod))
        for pod in order[: max(0, len(live) - keep)]
        if pod.ready and pod.deletion_cost != FIRST_TO_GO
    ]


def _marked(pod: PodView) -> tuple[Mapping[str, Any], ...]:
    if pod.annotated:
        return (
            {"op": "add", "path": f"/metadata/annotations/{_escaped(labels.POD_DELETION_COST)}", "value": FIRST_TO_GO},
        )
    # Adding to no annotations is an error, and making them anew must not lose any that came meanwhile.
    return (
        {"op": "test", "path": "/metadata/resourceVersion", "value": pod.resource_version},
        {"op": "add", "path": "/metadata/annotations", "value": {labels.POD_DELETION_COST: FIRST_TO_GO}},
    )


def _set(path: str, value: str) -> Mapping[str, Any]:
    return {"op": "replace", "path": f"/metadata/{path}", "value": value}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _gone(pod: PodView) -> bool:
    return pod.terminating or pod.finished
