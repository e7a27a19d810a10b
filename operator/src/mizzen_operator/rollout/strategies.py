"""How many replicas next? One function for each strategy; each takes the smallest safe step from what is observed."""

import math
from dataclasses import dataclass
from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment.rollout import Strategy

from mizzen_operator.counted import counted, verb
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
    needed, quota = counted(situation.need, "accelerator"), situation.capacity.quota_accelerators
    if situation.without_place and situation.others_wanted:
        return Strategy.REPLACE, "the spare replica found no place"
    if in_use == Strategy.SURGE:
        return Strategy.SURGE, reason or "chosen when the rollout began: a spare replica fitted"
    if situation.quota_binds:
        return Strategy.REPLACE, f"a spare replica needs {needed}, the quota leaves {quota}"
    if situation.full:
        return Strategy.REPLACE, f"a spare replica needs {needed}, {_left_over(situation)}"
    return Strategy.SURGE, f"a spare replica needs {needed} and fits"


def _left_over(situation: Situation) -> str:
    """Return what is left for one more replica; of what a class has free, waiting pods take theirs first."""
    left, room = situation.capacity.free_accelerators, situation.capacity.room
    told = f"{'?' if left is None else left} {verb(left or 0, 'is', 'are')}"
    if room is None or left is None or room.free == left:
        return f"{told} free"
    return f"{told} left for it of {room.free} free: waiting pods take theirs, and a pod needs its own on one node"


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
    wait = _unplaced(situation)
    if wait is not None and wait.gate == conditions.NO_SPARE_ACCELERATOR:
        wait = _no_second_set(situation)
    return Step(situation.wanted, others, wait, "blue/green: second set starting", share)


def _no_second_set(situation: Situation) -> Wait:
    """A whole second set stands beside the first, so that minAvailable frees nothing."""
    missing = situation.goal.unschedulable
    needed, many = missing * situation.need, counted(missing, "replica")
    more = f", which need {counted(needed, 'accelerator')}; {_left_over(situation)}" if needed else ""
    return Wait(
        conditions.NO_SPARE_ACCELERATOR,
        f"The second set of BlueGreen lacks a place for {many}{more}. Make room for all of them, or set "
        "spec.rollout.strategy to Auto, which goes on with the places there are.",
        needed=needed or None,
        free=situation.capacity.free_accelerators if needed else None,
    )


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
            f"({situation.least} of {situation.wanted}) keeps the old ones. {_way_on(situation, 'make room')}",
        )
    left = quota if situation.quota_binds else free
    unusable = ", which the scheduler does not give it (CPUs, memory, taints, spec.placement)" if left else ""
    over = f"the quota leaves {left}" if situation.quota_binds else _left_over(situation)
    needed = counted(situation.need, "accelerator")
    return Wait(
        conditions.NO_SPARE_ACCELERATOR,
        f"A new replica needs {needed} and {over}{unusable}; spec.rollout.minAvailable is {situation.least} of "
        f"{counted(situation.wanted, 'replica')}. {_way_on(situation, f'free {needed}')}",
        needed=situation.need,
        free=left,
    )


def _way_on(situation: Situation, make_room: str) -> str:
    """Return what helps: with minAvailable at every replica no strategy may free one, so that comes first."""
    begun = make_room[0].upper() + make_room[1:]
    if situation.least >= situation.wanted:
        lower = f"lower spec.rollout.minAvailable to {situation.wanted - 1} (with strategy Auto or Replace)"
        return f"{begun}, or {lower}: no old replica may go before that."
    return f"{begun}, or set spec.rollout.strategy to Auto or Replace, or lower spec.rollout.minAvailable."
