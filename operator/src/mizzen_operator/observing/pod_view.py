"""What is kept of a Pod? A few facts instead of ten kilobytes, taken once when the watch tells of it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mizzen_crds.v1alpha1 import labels

GROUP_INDEX = "leaderworkerset.sigs.k8s.io/group-index"
GROUPS_NAME = "leaderworkerset.sigs.k8s.io/name"
TEMPLATE_HASH = "pod-template-hash"
FINISHED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container, as the kubelet last told."""

    name: str
    init: bool
    image: str = ""
    ready: bool = False
    started: bool = False
    sidecar: bool = False
    """An init container that runs as long as the pod; a mesh's proxy, put in by a webhook."""
    running: bool = False
    """It runs now, whatever became of runs before this one."""
    restarts: int = 0
    waiting_reason: str = ""
    """CrashLoopBackOff, ImagePullBackOff, ...; empty while it does not wait."""
    waiting_message: str = ""
    started_at: datetime | None = None
    """Start of the present run, or of the last one."""
    finished_at: datetime | None = None
    """End of the last run."""
    exit_code: int | None = None
    """Of the last run that ended."""
    ended_reason: str = ""
    """OOMKilled, Error, Completed."""
    message: str = ""
    """Termination message of that run: the container's last lines."""
    startup_budget: int = 0
    """Seconds that its start-up probe bears."""


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod of a ModelDeployment."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    deployment: str
    revision: str
    component: str
    group: str
    """Number of the group in a LeaderWorkerSet; empty for a Deployment's pod."""
    created_at: datetime
    workload: str = ""
    """Name of the Deployment or LeaderWorkerSet whose controller made it; empty where none did. One string for all."""
    node: str = ""
    ready: bool = False
    ready_at: datetime | None = None
    """Since when it is ready; not since when for the first time."""
    scheduled: bool = True
    """It has a node, or the scheduler has not looked at it yet."""
    scheduled_at: datetime | None = None
    unscheduled_message: str = ""
    """The scheduler's words."""
    initialized: bool = False
    terminating: bool = False
    finished: bool = False
    """Succeeded or Failed: it holds no place any more."""
    reason: str = ""
    """status.reason: Evicted, NodeLost, ..."""
    message: str = ""
    phase_label: str = ""
    deletion_cost: str = ""
    annotated: bool = False
    """It has annotations at all."""
    containers: tuple[ContainerView, ...] = ()


def never_ready(pod: PodView) -> bool:
    """Whether a pod is in its first start, as far as it can be told from the pod alone."""
    engines = [one for one in pod.containers if not one.init]
    return not pod.ready and not any(one.started or one.restarts for one in engines)


def pod_view(pod: Mapping[str, Any]) -> PodView:
    """Return what is kept of a pod."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    marks = metadata.get("labels") or {}
    told = {one["type"]: one for one in status.get("conditions") or ()}
    ready, placed = told.get("Ready", {}), told.get("PodScheduled", {})
    return PodView(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        deployment=marks.get(labels.DEPLOYMENT, ""),
        revision=marks.get(labels.REVISION, ""),
        component=marks.get(labels.COMPONENT, ""),
        group=marks.get(GROUP_INDEX, ""),
        created_at=time_of(metadata.get("creationTimestamp")) or datetime.fromtimestamp(0, UTC),
        workload=sys.intern(_workload(metadata.get("ownerReferences") or (), marks)),
        node=spec.get("nodeName", ""),
        ready=ready.get("status") == "True",
        ready_at=time_of(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None,
        scheduled=bool(spec.get("nodeName")) or placed.get("status") != "False",
        scheduled_at=time_of(placed.get("lastTransitionTime")) if placed.get("status") == "True" else None,
        unscheduled_message=placed.get("message", "") if placed.get("status") == "False" else "",
        initialized=told.get("Initialized", {}).get("status") == "True",
        terminating=bool(metadata.get("deletionTimestamp")),
        finished=status.get("phase") in FINISHED,
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        phase_label=marks.get(labels.PHASE, ""),
        deletion_cost=(metadata.get("annotations") or {}).get(labels.POD_DELETION_COST, ""),
        annotated=bool(metadata.get("annotations")),
        containers=_containers(spec, status),
    )


def _workload(owners: Sequence[Mapping[str, Any]], marks: Mapping[str, str]) -> str:
    """Name what stands above a pod's controller: a ReplicaSet or StatefulSet is named after its maker."""
    owner = next((one for one in owners if one.get("controller")), None)
    kind, name = (owner["kind"], str(owner["name"])) if owner is not None else ("", "")
    if kind == "ReplicaSet":
        end = f"-{marks.get(TEMPLATE_HASH, '')}"
        return name.removesuffix(end) if name.endswith(end) and end != "-" else ""
    groups = marks.get(GROUPS_NAME, "")
    if kind == "StatefulSet" and groups and name in (groups, f"{groups}-{marks.get(GROUP_INDEX, '')}"):
        return groups  # leaders belong to a StatefulSet of the whole, the others to one of their group
    return ""


def _containers(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[ContainerView, ...]:
    budgets = {one["name"]: _budget(one.get("startupProbe") or {}) for one in spec.get("containers") or ()}
    init = [(one, True) for one in status.get("initContainerStatuses") or ()]
    rest = [(one, False) for one in status.get("containerStatuses") or ()]
    sidecars = {one["name"] for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"}
    return tuple(
        _container(one, first, budgets.get(one["name"], 0), sidecar=one["name"] in sidecars)
        for one, first in (*init, *rest)
    )


def _budget(probe: Mapping[str, Any]) -> int:
    return int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3)) if probe else 0


def _container(told: Mapping[str, Any], init: bool, budget: int, *, sidecar: bool) -> ContainerView:
    state, before = told.get("state") or {}, (told.get("lastState") or {}).get("terminated") or {}
    waiting, running = state.get("waiting") or {}, state.get("running") or {}
    ended = state.get("terminated") or before
    return ContainerView(
        name=told["name"],
        init=init,
        sidecar=sidecar,
        image=told.get("image", ""),
        ready=bool(told.get("ready")),
        started=bool(told.get("started")),
        running=bool(running),
        restarts=int(told.get("restartCount", 0)),
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        started_at=time_of(running.get("startedAt")) or time_of(ended.get("startedAt")),
        finished_at=time_of(ended.get("finishedAt")),
        exit_code=ended.get("exitCode"),
        ended_reason=ended.get("reason", ""),
        message=(ended.get("message") or "").strip(),
        startup_budget=budget,
    )


def time_of(text: str | None) -> datetime | None:
    """Return a time of Kubernetes, RFC 3339, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
