"""What is this step decided from? The fleet, seen from the revision that should run, with bounds resolved."""

import math
from dataclasses import dataclass
from typing import Final

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.status import RevisionState, RevisionStatus

from mizzen_operator.rollout.fleet import Capacity, ObservedRevision

SCHEDULER_SECONDS: Final = 60
"""A pod that waits so long beside free accelerators cannot use them: a taint, its affinity, CPUs or memory."""

SERVED_STATES = frozenset({RevisionState.SERVING, RevisionState.RETIRING, RevisionState.RETIRED})


@dataclass(frozen=True)
class Situation:
    """One revision on its way up, the others on their way out."""

    goal: ObservedRevision
    """The revision that should run."""
    others: tuple[ObservedRevision, ...]
    """All others, oldest first."""
    wanted: int
    """Replicas in all."""
    least: int
    """minAvailable, as a number."""
    surge: int
    """maxSurge, as a number."""
    need: int
    """Accelerators of one replica."""
    capacity: Capacity
    never_served: frozenset[str] = frozenset()
    """Hashes of others that never took requests: nothing is lost with them."""
    unplaced_seconds: float = 0.0
    """For how long a pod of the goal has waited for a place while no replica was on its way out."""

    @property
    def others_wanted(self) -> int:
        """Replicas that the others' workloads are told to run."""
        return sum(one.replicas for one in self.others)

    @property
    def others_existing(self) -> int:
        """Pods of the others that still hold their place, those that go included."""
        return sum(max(one.replicas, len(one.pods)) for one in self.others)

    @property
    def others_ready(self) -> int:
        """Pods of the others that take requests and stay: those that were told to go may be gone at any moment."""
        return sum(one.staying for one in self.others)

    @property
    def ready(self) -> int:
        """Pods that take requests."""
        return self.goal.staying + self.others_ready

    @property
    def under_way(self) -> bool:
        """Some other revision still has replicas."""
        return self.others_wanted > 0

    @property
    def going(self) -> int:
        """Replicas of the others that were told to go and have not gone."""
        return self.others_existing - self.others_wanted

    @property
    def starting(self) -> int:
        """Pods of the goal that have a place and are not ready, or were asked for and are not there yet."""
        placed = sum(pod.scheduled and not pod.ready for pod in self.goal.live)
        return placed + max(0, self.goal.replicas - len(self.goal.live))

    @property
    def without_place(self) -> bool:
        """A pod of the goal waits, and neither the replicas that go nor what is free will give it a place."""
        nothing_free = self.capacity.lacking_accelerators != 0 or self.unplaced_seconds >= SCHEDULER_SECONDS
        return self.goal.unschedulable > self.going and nothing_free

    @property
    def quota_binds(self) -> bool:
        """One more replica would be refused rather than left pending."""
        quota = self.capacity.quota_accelerators
        return self.need > 0 and quota is not None and quota < self.need

    @property
    def full(self) -> bool:
        """One more replica would find no accelerators."""
        free = self.capacity.free_accelerators
        return self.need > 0 and free is not None and free < self.need


def accelerators_per_replica(deployment: ModelDeployment) -> int:
    """Return how many accelerators one replica takes, over all its pods."""
    size = deployment.spec.multi_node.size if deployment.spec.multi_node else 1
    return deployment.spec.resources.accelerators_per_pod * size


def resolved(bound: int | str, wanted: int) -> int:
    """Return an int-or-percent of the wanted replicas as a number, percents rounded up."""
    if isinstance(bound, int):
        return bound
    return math.ceil(wanted * int(bound.removesuffix("%")) / 100)


def least_available(deployment: ModelDeployment, wanted: int) -> int:
    """Return minAvailable as a number: by default one less than wanted, never more than wanted."""
    bound = deployment.spec.rollout.min_available
    return max(0, wanted - 1) if bound is None else min(wanted, resolved(bound, wanted))


def most_surge(deployment: ModelDeployment, wanted: int) -> int:
    """Return maxSurge as a number, at least 1: a surge of none is what Replace is for."""
    return max(1, resolved(deployment.spec.rollout.max_surge, wanted))


def trimmed(others: tuple[ObservedRevision, ...], replicas: dict[str, int], keep: int) -> dict[str, int]:
    """Return `replicas` of the others lowered until `keep` remain: the unready first, then the oldest."""
    left = dict(replicas)
    excess = sum(left.values()) - keep
    oldest_first = sorted(others, key=lambda one: one.created_at)
    for spare_ready in (True, False):
        for one in oldest_first:
            removable = left[one.hash] - (one.ready if spare_ready else 0)
            taken = max(0, min(excess, removable))
            left[one.hash] -= taken
            excess -= taken
    return left


def served_before(status: RevisionStatus | None) -> bool:
    """Whether a revision took requests as the whole of the deployment at some time."""
    return status is not None and status.state in SERVED_STATES
