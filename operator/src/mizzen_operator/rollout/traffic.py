"""Which share of requests does each revision get? Percents, by ready replicas unless a step says otherwise."""

from collections.abc import Mapping

from mizzen_operator.rollout.situation import Situation
from mizzen_operator.rollout.strategies import Step

ALL = 100


def traffic(situation: Situation, step: Step, banned: str = "") -> dict[str, int]:
    """Return percents by hash. `banned` (a given-up revision) gets none while any other can answer."""
    weights = {one.hash: min(one.ready, step.others[one.hash]) for one in situation.others}
    weights[situation.goal.hash] = min(situation.goal.ready, step.goal)
    if banned and any(weight for name, weight in weights.items() if name != banned):
        weights[banned] = 0
    if not any(weights.values()):
        return {situation.goal.hash: ALL}  # nobody can answer: requests wait for the revision that should run
    if step.share is None:
        return percents(weights)
    return _shared(situation.goal.hash, step.share, weights)


def _shared(goal: str, share: int, weights: dict[str, int]) -> dict[str, int]:
    rest = {name: weight for name, weight in weights.items() if name != goal and weight}
    if weights[goal] == 0:
        share = 0
    if not rest:
        share = ALL
    return {goal: share} | (percents(rest, ALL - share) if share < ALL else {})


def percents(weights: Mapping[str, int], total: int = ALL) -> dict[str, int]:
    """Return integers in the proportion of the weights that sum to `total`, by largest remainder."""
    whole = sum(weights.values())
    shares = {name: weight * total // whole for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: (-(weights[name] * total % whole), name))
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return {name: share for name, share in shares.items() if share}
