"""Which endpoint takes the next request? Revision by weight, then by load: of two endpoints the one with less to do.

Two that are looked at are enough to keep all evenly busy, and gateways that know nothing of each other do not all
run to the one endpoint that has the least.
"""

from collections.abc import Iterable, Sequence
from random import Random

from mizzen_gateway.routing.endpoint import EndpointState


class RevisionWheel:
    """Smooth weighted round robin (as in nginx): exact shares over any hundred requests, without chance."""

    def __init__(self) -> None:
        self._standing: dict[str, int] = {}

    def turn(self, weights: dict[str, int]) -> str:
        """The revision of the next request; `weights` must hold a positive one."""
        if len(weights) == 1:
            return next(iter(weights))
        standing = self._standing
        for gone in [revision for revision in standing if revision not in weights]:
            del standing[gone]
        for revision, weight in weights.items():
            standing[revision] = standing.get(revision, 0) + weight
        chosen = max(weights, key=lambda revision: standing[revision])
        standing[chosen] -= sum(weights.values())
        return chosen


class LeastLoad:
    """One endpoint in turn against another by chance; while all are idle that is one after the other."""

    __slots__ = ("_chance", "_turn")

    def __init__(self, chance: Random | None = None) -> None:
        self._chance = (chance or Random()).random  # noqa: S311 - shares of load
        self._turn = 0

    def pick(self, among: Sequence[EndpointState], now: float) -> EndpointState:
        """One of `among`, which is not empty. Ejected only where both that were looked at are."""
        count = len(among)
        if count == 1:
            return among[0]
        self._turn = turn = (self._turn + 1) % count
        first = among[turn]
        second = among[turn - 1 - int(self._chance() * (count - 1))]
        return second if second.cost(now) < first.cost(now) else first


def least_loaded(endpoints: Iterable[EndpointState], now: float) -> EndpointState:
    """The one of all that has the least to do; `endpoints` is not empty."""
    return min(endpoints, key=lambda one: one.cost(now))
