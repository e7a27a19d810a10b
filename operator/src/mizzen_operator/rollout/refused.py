"""What goes on running while the newest spec is refused? The serving revision alone, at the replicas that are wanted.

A rollout that the refused change interrupted has no target any more; its other revisions would hold their places for
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mizzen_crds.v1alpha1.model_deployment.status import RevisionState, RevisionStatus

from mizzen_operator.rollout.fleet import Fleet, ObservedRevision
from mizzen_operator.rollout.situation import trimmed


@dataclass(frozen=True)
class Kept:
    """Replicas and traffic by revision's hash."""

    replicas: dict[str, int]
    """What each workload is told to run."""
    traffic: dict[str, int] | None
    """Percents; None: as last published."""


def kept_while_refused(known: Sequence[RevisionStatus], fleet: Fleet, wanted: int) -> Kept:
    """Return what keeps on running; `known` is what the last pass said of the revisions, `wanted` counts replicas.

    Where only one revision runs, nothing changes. Others go as far as the serving one's ready pods replace theirs.
    """
    told = {one.hash: one.replicas for one in fleet.revisions}
    serving = _serving(known, fleet)
    if serving is None:
        return Kept(told, None)
    others = tuple(one for one in fleet.revisions if one.hash != serving.hash)
    running = {one.hash: one.replicas for one in others}
    if not any(running.values()):
        return Kept(told, {serving.hash: 100} if serving.ready else None)
    left = trimmed(others, running, max(0, wanted - serving.ready))
    alone = serving.ready > 0 and not any(left.values())
    return Kept(left | {serving.hash: wanted}, {serving.hash: 100} if alone else None)


def _serving(known: Sequence[RevisionStatus], fleet: Fleet) -> ObservedRevision | None:
    """Return the revision that took requests as the whole of the deployment; else the one that takes most of them."""
    states = {one.hash: one.state for one in known}
    percents = {one.hash: one.traffic_percent for one in known}
    running = [one for one in fleet.revisions if one.replicas > 0]
    serving = [one for one in running if states.get(one.hash) is RevisionState.SERVING]
    candidates = serving or [one for one in running if one.ready > 0]
    oldest_first = sorted(candidates, key=lambda one: one.created_at)
    return max(oldest_first, key=lambda one: (percents.get(one.hash, 0), one.ready), default=None)
