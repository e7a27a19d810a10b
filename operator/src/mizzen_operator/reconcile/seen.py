"""What did this pass see of one deployment? Children and pods, read once from the pictures; then only this is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.observing.fleet_view import KeptRevision, created_at, kept_revisions
from mizzen_operator.observing.pod_view import PodView
from mizzen_operator.reconcile.children import WORKLOADS
from mizzen_operator.reconcile.writes import owned
from mizzen_operator.revision import Revision, hash_of_inputs, revision_inputs, revision_name

Manifest = dict[str, Any]
CLOCKS_DIFFER: Final = timedelta(seconds=10)
"""Between API servers that date what they make: a pod may seem older than what it was made for."""


@dataclass(frozen=True)
class Seen:
    """One deployment's children and pods."""

    children: tuple[Manifest, ...]
    pods: tuple[PodView, ...]
    kept: Mapping[str, KeptRevision]
    """Revisions by hash, oldest first."""

    @property
    def workloads(self) -> dict[str, Manifest]:
        """Deployments and LeaderWorkerSets by hash."""
        return {digits: one for one in self.children if one["kind"] in WORKLOADS and (digits := _hash_of(one))}


def seen(
    deployment: ModelDeployment, children: Iterable[Manifest], pods: Iterable[PodView], identity: str | None
) -> Seen:
    """Return what belongs to this very object. `identity` is the artifact's that it should serve, where it is known."""
    mine = tuple(one for one in children if owned(one, deployment))
    kept = kept_revisions([one for one in mine if one["kind"] == "ControllerRevision"])
    inputs = revision_inputs(deployment, identity) if identity is not None else {}
    for one in mine:
        digits = _hash_of(one) if one["kind"] in WORKLOADS else ""
        if digits and digits not in kept:
            kept[digits] = _recovered(one, digits, inputs)
    return Seen(mine, tuple(pod for pod in pods if _ours(pod, deployment, kept)), kept)


def _ours(pod: PodView, deployment: ModelDeployment, kept: Mapping[str, KeptRevision]) -> bool:
    """Whether the workload of a revision made the pod, for this very object: labels alone anybody may set."""
    known, made = kept.get(pod.revision), deployment.metadata.creation_timestamp
    name = known.revision.name if known is not None else revision_name(deployment.metadata.name, pod.revision)
    return pod.workload == name and (made is None or pod.created_at >= made - CLOCKS_DIFFER)


def with_newest(kept: Mapping[str, KeptRevision], newest: Revision | None, now: datetime) -> dict[str, KeptRevision]:
    """Return the kept revisions and the newest, which may not have been written yet."""
    if newest is None or newest.hash in kept:
        return dict(kept)
    return {**kept, newest.hash: KeptRevision(newest, now)}


def _recovered(workload: Manifest, digits: str, inputs: dict[str, Any]) -> KeptRevision:
    """A workload whose ControllerRevision somebody deleted: what runs is what it was rendered to."""
    spec = workload["spec"]
    group = spec.get("leaderWorkerTemplate")
    revision = Revision(
        name=workload["metadata"]["name"],
        hash=digits,
        inputs=inputs if inputs and hash_of_inputs(inputs) == digits else {},
        template=group["leaderTemplate"] if group else spec["template"],
        worker_template=group["workerTemplate"] if group else None,
    )
    return KeptRevision(revision, created_at(workload))


def _hash_of(child: Manifest) -> str:
    return str((child["metadata"].get("labels") or {}).get(labels.REVISION, ""))
