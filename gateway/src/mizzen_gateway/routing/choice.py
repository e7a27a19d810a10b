"""Which endpoint takes the next request: revision by weight, then the least loaded of its endpoints."""

from collections.abc import Iterable

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


def least_loaded(endpoints: Iterable[EndpointState], turn: int) -> EndpointState | None:
    """The endpoint with the fewest requests in flight; among equals, one after the other."""
    best: list[EndpointState] = []
    for endpoint in endpoints:
        if not best or endpoint.in_flight < best[0].in_flight:
            best = [endpoint]
        elif endpoint.in_flight == best[0].in_flight:
            best.append(endpoint)
    return best[turn % len(best)] if best else None
