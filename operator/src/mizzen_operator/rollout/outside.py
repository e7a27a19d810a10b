"""What keeps a revision from its start? A place, a quota, its source: it cannot help these. Or it is hopeless."""

from typing import Final

from mizzen_crds.v1alpha1 import conditions

from mizzen_operator.conditions.verdict import needs_spec_change, with_remedy
from mizzen_operator.counted import counted, verb
from mizzen_operator.rollout.fleet import ObservedPod, ObservedRevision, PodFailure
from mizzen_operator.rollout.situation import Situation
from mizzen_operator.rollout.strategies import DRAIN, Wait

UNREACHABLE: Final = 21
"""Exit code of an init container whose source could not be reached (`mizzen_engines.failure.ExitCode`)."""
FINAL: Final = range(10, 14)
"""Exit codes of init containers that found what only another artifact or spec helps: no end by a signal, no bug."""
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


def hopeless(goal: ObservedRevision) -> PodFailure | None:
    """Return why the goal never starts as it is; None where one of its pods does, or where something else may help."""
    if goal.ready:
        return None
    failures = [goal.refusal, *(pod.failure for pod in goal.live)]
    return next((one for one in failures if one is not None and _certain(one)), None)


def _certain(failure: PodFailure) -> bool:
    told = failure.exit_code is None or failure.exit_code in FINAL
    return told and needs_spec_change(failure.reason)


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
        failure = next((pod.failure for pod in waiting if pod.failure is not None), None)
        if failure is not None and failure.reason == conditions.CLAIM_NOT_FOUND:
            return Wait(failure.reason, with_remedy(failure.reason, failure.message))
        who = f"{counted(len(waiting), 'replica')} {verb(len(waiting), 'waits', 'wait')}"
        text = f"{who} for a place to run. {failure.message if failure else ''}".rstrip()
        return Wait(conditions.UNSCHEDULABLE, text, need or None, capacity.free_accelerators if need else None)
    missing = situation.wanted - len(goal.live)
    if missing > 0 and goal.refusal is not None and goal.refusal.reason == conditions.RESOURCE_QUOTA_EXCEEDED:
        return Wait(goal.refusal.reason, goal.refusal.message)
    if missing > 0 and situation.quota_binds:
        left = capacity.quota_accelerators
        who = f"{counted(missing, 'replica')} {verb(missing, 'needs', 'need')} {counted(need, 'accelerator')}"
        text = f"{who} each; {capacity.quota or 'the quota'} leaves {left}."
        return Wait(conditions.QUOTA_EXCEEDED, text, need, left)
    return None
