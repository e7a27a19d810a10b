"""Which pods are made and which go, and why: pure, from what each revision should have and what it has."""

from collections.abc import Sequence
from dataclasses import dataclass

from mizzen_operator.rollout.fleet import ObservedPod


@dataclass(frozen=True)
class ScaleStep:
    """What one revision needs now."""

    make: int
    """Pods to make."""
    remove: tuple[str, ...]
    """Names of pods to end."""
    reason: str
    """For the log and for people."""


def scale_step(pods: Sequence[ObservedPod], replicas: int, reason: str) -> ScaleStep:
    """Make what is missing; end what is too much: those not ready first, then the youngest."""
    live = [pod for pod in pods if not pod.terminating]
    missing = replicas - len(live)
    if missing >= 0:
        return ScaleStep(missing, (), reason)
    order = sorted(live, key=lambda pod: (pod.ready, -pod.created_at.timestamp()))
    return ScaleStep(0, tuple(pod.name for pod in order[:-missing]), reason)
