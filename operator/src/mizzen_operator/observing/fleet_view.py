"""Which revisions run, with which pods? The fleet, from ControllerRevisions, workloads and pod views."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.observation import Refusal
from mizzen_operator.observing.failures import refusal_reason
from mizzen_operator.observing.pod_view import PodView, time_of
from mizzen_operator.observing.replicas import observed_group, observed_pod
from mizzen_operator.revision import Revision, frozen_revision
from mizzen_operator.rollout.fleet import Fleet, LoadWindow, ObservedPod, ObservedRevision, PodFailure

Manifest = Mapping[str, Any]
MODEL_VERSION = "mizzen.dev/model-version"
LAST_MICROSECOND = 999_999


@dataclass(frozen=True)
class KeptRevision:
    """A revision with the time that it was first asked for."""

    revision: Revision
    created_at: datetime

    @property
    def model_version(self) -> int | None:
        """Number of the version that it serves."""
        number = self.revision.annotations.get(MODEL_VERSION, "")
        return int(number) if number.isdigit() else None


def kept_revisions(manifests: Sequence[Manifest]) -> dict[str, KeptRevision]:
    """Return revisions by hash, oldest first; what is not one of Mizzen's is passed over."""
    found = []
    for manifest in manifests:
        try:
            revision = frozen_revision(dict(manifest))
        except (KeyError, TypeError):
            continue
        found.append(KeptRevision(revision, created_at(manifest)))
    return {one.revision.hash: one for one in sorted(found, key=lambda one: one.created_at)}


def created_at(manifest: Manifest) -> datetime:
    """Return when a ControllerRevision was made.

    The API server counts whole seconds; its generation, as microseconds, tells two of one second apart.
    """
    made = time_of(manifest["metadata"].get("creationTimestamp")) or datetime.fromtimestamp(0, UTC)
    return made.replace(microsecond=min(int(manifest.get("revision") or 0), LAST_MICROSECOND))


def observed_fleet(
    kept: Mapping[str, KeptRevision],
    workloads: Mapping[str, Manifest],
    pods: Sequence[PodView],
    progress_of: Callable[[PodView], PodProgress],
    load_of: Callable[[str], LoadWindow],
    now: datetime,
) -> Fleet:
    """Return every kept revision with its pods; `workloads` are by hash."""
    by_hash: dict[str, list[PodView]] = defaultdict(list)
    for pod in pods:
        by_hash[pod.revision].append(pod)
    return Fleet(
        tuple(
            ObservedRevision(
                name=one.revision.name,
                hash=digits,
                created_at=one.created_at,
                replicas=told_replicas(workloads.get(digits)),
                pods=_replicas(by_hash[digits], progress_of, now),
                model_version=one.model_version,
                load=load_of(digits),
                refusal=refusal_of(workloads.get(digits)),
            )
            for digits, one in kept.items()
        )
    )


def told_replicas(workload: Manifest | None) -> int:
    """Return how many replicas a Deployment or LeaderWorkerSet was told to run; 0 where there is none."""
    return int((workload or {}).get("spec", {}).get("replicas") or 0)


def _replicas(
    pods: Sequence[PodView], progress_of: Callable[[PodView], PodProgress], now: datetime
) -> tuple[ObservedPod, ...]:
    alive = sorted((pod for pod in pods if not pod.finished), key=lambda pod: (pod.created_at, pod.name))
    groups: dict[str, list[PodView]] = defaultdict(list)
    for pod in alive:
        groups[pod.group or pod.uid].append(pod)
    seen = []
    for group in groups.values():
        one = observed_group if group[0].group else None
        progress = progress_of(group[0])
        seen.append(one(group, progress, now) if one else observed_pod(group[0], progress, now))
    return tuple(seen)


def refused_pods(workloads: Mapping[str, Manifest]) -> tuple[Refusal, ...]:
    """Return why the API server refuses a workload's pods: a quota, Pod Security, an admission rule."""
    found = (refusal_of(workload) for workload in workloads.values())
    return tuple(Refusal(one.reason, one.message) for one in found if one is not None)


def refusal_of(workload: Manifest | None) -> PodFailure | None:
    """Return why pods that were asked for are refused; None where none is."""
    told = ((workload or {}).get("status") or {}).get("conditions") or ()
    failing = next((one for one in told if one["type"] == "ReplicaFailure" and one["status"] == "True"), None)
    if failing is None or not told_replicas(workload):
        return None
    words = failing.get("message", "")
    return PodFailure(refusal_reason(words), words)
