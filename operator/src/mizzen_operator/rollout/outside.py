"""What does a revision wait for that it cannot help? A place, a quota, the source of its weights."""

from typing import Final

from mizzen_crds.v1alpha1 import conditions

from mizzen_operator.rollout.fleet import ObservedPod
from mizzen_operator.rollout.situation import Situation
from mizzen_operator.rollout.strategies import DRAIN, Wait

UNREACHABLE: Final = 21
"""Exit code of an init container whose source could not be reached (`mizzen_engines.failure.ExitCode`)."""
SOURCE: Final = frozenset({conditions.FETCH_FAILED, conditions.REGISTRY_UNAVAILABLE})


def waits_outside(situation: Situation) -> Wait | None:
    """Return what the goal waits for; None where one of its pods starts, or fails by itself: then its clock runs."""
    placed = [pod for pod in situation.goal.live if pod.scheduled and not pod.ready]
    away = [pod for pod in placed if _source_away(pod)]
    if len(away) < len(placed):
        return None
    if not situation.under_way and (found := _room(situation)) is not None:
        return found
    if not away or away[0].failure is None:
        return None
    return Wait(conditions.FETCH_FAILED, f"The source of the weights cannot be reached: {away[0].failure.message}")


def _source_away(pod: ObservedPod) -> bool:
    failure = pod.failure
    return failure is not None and failure.reason in SOURCE and failure.exit_code == UNREACHABLE


def _room(situation: Situation) -> Wait | None:
    """A place or a quota, where no replica of another revision could be asked to make room."""
    goal, capacity, need = situation.goal, situation.capacity, situation.need
    waiting = [pod for pod in goal.live if not pod.scheduled]
    if waiting and len(waiting) <= situation.going:
        return DRAIN
    if waiting:
        words = next((pod.failure.message for pod in waiting if pod.failure is not None), "")
        text = f"{len(waiting)} replicas wait for a place to run. {words}".rstrip()
        return Wait(conditions.UNSCHEDULABLE, text, need or None, capacity.free_accelerators if need else None)
    missing = situation.wanted - len(goal.live)
    if missing > 0 and goal.refused_by_quota:
        return Wait(conditions.RESOURCE_QUOTA_EXCEEDED, goal.refused_by_quota)
    if missing > 0 and situation.quota_binds:
        left = capacity.quota_accelerators
        text = f"{missing} replicas need {need} accelerators each; {capacity.quota or 'the quota'} leaves {left}."
        return Wait(conditions.QUOTA_EXCEEDED, text, need, left)
    return None
