"""Where do routes lead that name other routes? Chains that come back, and chains that are too long."""

from collections.abc import Mapping, Sequence
from typing import Final

from mizzen_crds.v1alpha1.model_route import ModelRoute

from mizzen_operator.kinds.model_route.references import references

LONGEST_CHAIN: Final = 4
"""Routes that a request may pass, the first one counted: each may retry, and tries multiply."""


def successors(route: ModelRoute) -> tuple[str, ...]:
    """Names of the routes that it names, each once, mirrors too: a copy that comes back would never end."""
    named = (one.ref.route for one in references(route) if one.ref.route is not None)
    return tuple(dict.fromkeys(named))


def cycle(route: ModelRoute, routes: Mapping[str, ModelRoute]) -> Sequence[str] | None:
    """Return a shortest chain from the route back to itself, `[a, b, a]`; None where there is none.

    A route that merely leads into a cycle of others is not to blame: those are.
    """
    start = route.metadata.name
    known = {**routes, start: route}
    frontier, seen = [[start]], {start}
    while frontier:
        longer: list[list[str]] = []
        for chain in frontier:
            for name in successors(known[chain[-1]]) if chain[-1] in known else ():
                if name == start:
                    return [*chain, name]
                if name not in seen:
                    seen.add(name)
                    longer.append([*chain, name])
        frontier = longer
    return None


def too_long(route: ModelRoute, routes: Mapping[str, ModelRoute]) -> Sequence[str] | None:
    """Return a chain of more than LONGEST_CHAIN routes that begins here; None where there is none.

    It looks no further than that, so cycles among others end the search as well.
    """
    known = {**routes, route.metadata.name: route}
    frontier = [[route.metadata.name]]
    for _ in range(LONGEST_CHAIN):
        by_end = {
            name: [*chain, name]
            for chain in frontier
            for name in (successors(known[chain[-1]]) if chain[-1] in known else ())
            if name in known
        }
        frontier = list(by_end.values())
    return frontier[0] if frontier else None
