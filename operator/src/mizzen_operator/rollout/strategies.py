"""How many replicas next? One function for each strategy; each takes the smallest safe step from what is observed."""

import math
from dataclasses import dataclass
from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment.rollout import Strategy

from mizzen_operator.rollout.situation import Situation, trimmed

DRAINING: Final = "Draining"


@dataclass(frozen=True)
class Wait:
    """What a step waits at; the progress deadline rests meanwhile."""

    gate: str
    """A reason of condition UpToDate, or Draining."""
    reason: str
    """What blocks and what to do about it."""
    needed: int | None = None
    """Accelerators needed."""
    free: int | None = None
    """Accelerators free."""


DRAIN: Final = Wait(DRAINING, "An old replica finishes its requests; its place is needed.")


@dataclass(frozen=True)
class Step:
    """Replicas of each revision now."""

    goal: int
    others: dict[str, int]
    wait: Wait | None = None
    why: str = ""
    """Why so, for the log."""
    share: int | None = None
    """Percent of requests for the goal; None: by ready replicas."""
    reached: bool = False
    """A canary step has its replicas ready."""


def choose(situation: Situation, spec: Strategy, in_use: str, reason: str = "") -> tuple[Strategy, str]:
    """Return the strategy to follow and why. What Auto chose stays, unless a surge turns out to find no place.

    `in_use` and `reason` are what was chosen before, empty where the rollout begins.
    """
    if spec is not Strategy.AUTO:
        return spec, "spec.rollout.strategy"
    if in_use == Strategy.REPLACE:
        return Strategy.REPLACE, reason or "chosen when the rollout began: no spare replica fitted"
    if situation.need == 0:
        return Strategy.SURGE, "replicas need no accelerators, so a spare one fits"
    free, quota = situation.capacity.free_accelerators, situation.capacity.quota_accelerators
    if situation.without_place and situation.others_wanted:
        return Strategy.REPLACE, "the spare replica found no place"
    if in_use == Strategy.SURGE:
        return Strategy.SURGE, reason or "chosen when the rollout began: a spare replica fitted"
    if situation.quota_binds:
        return Strategy.REPLACE, f"a spare replica needs {situation.need} accelerators, the quota leaves {quota}"
    if situation.full:
        return Strategy.REPLACE, f"a spare replica needs {situation.need} accelerators, {free} are free"
    return Strategy.SURGE, f"a spare replica needs {situation.need} accelerators and fits"


def surge(situation: Situation, goal_wanted: int | None = None, floor: int = 0) -> Step:
    """New replicas first, within wanted + maxSurge; an old one goes for each new one that is ready.

    `goal_wanted` bounds the goal below `wanted`, `floor` keeps so many of the others: a canary step does both.
    """
    top = situation.wanted if goal_wanted is None else goal_wanted
    others = _without_never_served(situation)
    room = situation.wanted + situation.surge - sum(others.values())
    goal = max(min(situation.goal.replicas, top), min(top, room))
    kept = trimmed(situation.others, others, max(floor, situation.wanted - situation.goal.staying))
    return Step(goal, kept, _unplaced(situation), f"surge: {situation.goal.staying} of {top} new replicas ready")


def replace(situation: Situation, goal_wanted: int | None = None, floor: int = 0) -> Step:
    """No spare place: ask for a new replica, so that it is pending, then free an old one; under a quota free first."""
    top = situation.wanted if goal_wanted is None else goal_wanted
    others = _without_never_served(situation)
    total = sum(others.values())
    # Asked first only where the scheduler will hold it back: elsewhere it would run beside the old ones.
    ask_first = situation.full and not situation.quota_binds
    places = situation.wanted - total + 1 if ask_first else situation.wanted - situation.others_existing
    goal = max(min(situation.goal.replicas, top), min(top, places))
    keep = max(floor, situation.wanted - situation.goal.staying)
    if total > keep:
        return Step(
            goal, trimmed(situation.others, others, keep), None, "replace: new replicas are ready in their place"
        )
    return _free_one(situation, goal, others, top, floor)


def _free_one(situation: Situation, goal: int, others: dict[str, int], top: int, floor: int) -> Step:
    total = sum(others.values())
    waiting = situation.goal.unschedulable > situation.going or (
        goal < top and goal == situation.goal.replicas and situation.going == 0 and situation.starting == 0
    )
    if not waiting or total == 0:
        wait = DRAIN if situation.going else None
        return Step(goal, others, wait, "replace: waiting for a replica to go or to become ready")
    idle = total > situation.others_ready
    if total > floor and (idle or situation.ready - 1 >= situation.least):
        return Step(
            goal, trimmed(situation.others, others, total - 1), None, "replace: freeing one place for the new revision"
        )
    if situation.starting:
        return Step(goal, others, None, "replace: waiting for a new replica to become ready")
    return Step(goal, others, _no_place(situation), "replace: minAvailable keeps every old replica")


def blue_green(situation: Situation, *, switched: bool) -> Step:
    """A full second set, one switch of all traffic, then the first set goes."""
    others = _without_never_served(situation)
    up = situation.goal.staying >= situation.wanted
    if up and switched:
        return Step(situation.wanted, dict.fromkeys(others, 0), None, "blue/green: switched", 100)
    share = 100 if up or situation.others_ready == 0 else 0
    return Step(situation.wanted, others, _unplaced(situation), "blue/green: second set starting", share)


def canary(situation: Situation, percent: int, before: int, place: Strategy) -> Step:
    """So many new replicas as the share of traffic asks for, at least one; old ones for the rest, at least one.

    Until they are ready, the goal gets the share `before`, that of the step before.
    """
    top = max(1, math.ceil(situation.wanted * percent / 100))
    floor = 0 if percent == 100 else max(1, math.ceil(situation.wanted * (100 - percent) / 100))
    if place is Strategy.REPLACE and floor:  # both shares are rounded up, and there is no place for one more
        top = min(top, max(1, situation.wanted - 1))
        floor = min(floor, max(1, situation.wanted - top))
    step = replace(situation, top, floor) if place is Strategy.REPLACE else surge(situation, top, floor)
    reached = situation.goal.staying >= top
    share = percent if reached else before
    return Step(step.goal, step.others, None if reached else step.wait, f"canary at {percent} %", share, reached)


def _without_never_served(situation: Situation) -> dict[str, int]:
    return {
        one.hash: 0 if one.hash in situation.never_served and one.ready == 0 else one.replicas
        for one in situation.others
    }


def _unplaced(situation: Situation) -> Wait | None:
    """What a surge waits at: nothing while a pod of it starts, those that go, or a place."""
    if not situation.goal.unschedulable or situation.starting:
        return None
    return DRAIN if situation.goal.unschedulable <= situation.going else _no_place(situation)


def _no_place(situation: Situation) -> Wait:
    free, quota = situation.capacity.free_accelerators, situation.capacity.quota_accelerators
    if situation.need == 0:
        return Wait(
            conditions.NO_SPARE_ACCELERATOR,
            "The new replica finds no place to run, and spec.rollout.minAvailable "
            f"({situation.least} of {situation.wanted}) keeps the old ones. Lower it, or make room.",
        )
    left = quota if situation.quota_binds else free
    unusable = " which the scheduler does not give it (CPUs, memory, taints, spec.placement)" if left else ""
    return Wait(
        conditions.NO_SPARE_ACCELERATOR,
        f"A new replica needs {situation.need} accelerators and {'?' if left is None else left} are free{unusable}; "
        f"spec.rollout.minAvailable is {situation.least} of {situation.wanted} replicas. Free {situation.need} "
        "accelerators, set spec.rollout.strategy to Replace, or lower spec.rollout.minAvailable.",
        needed=situation.need,
        free=left,
    )
