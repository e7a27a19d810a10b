"""Which of a route's deployments takes the next request? By weight among those that can; a fallback where none can."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from mizzen_gateway.routing.deployment import Key
from mizzen_gateway.routing.target import Target

NO_ROUTES: Final[Mapping[str, "RouteFacts"]] = {}


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What a ModelRoute says to the gateway."""

    key: Key
    """(namespace, name) of the ModelRoute."""
    project: str
    """Project whose callers may use the name."""
    name: str
    """Public name."""
    backends: tuple[tuple[str, int], ...]
    """Names of deployments of the namespace, with weights above 0."""
    fallbacks: tuple[str, ...] = ()
    """Names of deployments of the namespace, tried in order while no backend has an endpoint."""
    created_at: str = ""
    """RFC 3339; of two routes with one name the older wins."""


class Routes:
    """Every route that is followed, by key and by name."""

    def __init__(self) -> None:
        self._known: dict[Key, RouteFacts] = {}
        self._by_name: dict[str, dict[str, RouteFacts]] = {}

    def put(self, facts: RouteFacts) -> set[str]:
        """Take a route that is new or has changed; the projects whose names may have changed."""
        before = self._known.get(facts.key)
        self._known[facts.key] = facts
        return self._index({facts.project} | ({before.project} if before is not None else set()))

    def drop(self, key: Key) -> set[str]:
        """A route is gone; the projects whose names may have changed."""
        before = self._known.pop(key, None)
        return self._index({before.project}) if before is not None else set()

    def of(self, project: str) -> Mapping[str, RouteFacts]:
        """A project's routes by public name."""
        return self._by_name.get(project, NO_ROUTES)

    def _index(self, projects: set[str]) -> set[str]:
        for project in projects:
            named: dict[str, RouteFacts] = {}
            own = [route for route in self._known.values() if route.project == project]
            for route in sorted(own, key=lambda one: (one.created_at, one.key)):
                named.setdefault(route.name, route)
            self._by_name[project] = named
        return projects


def pick(route: RouteFacts, targets: Mapping[Key, Target], now: float, chance: Random) -> Target | None:
    """The deployment of the next request; None where none of them is there. `now` is loop time.

    One with an endpoint comes before one that a request would have to wait for, and that before one that refuses.
    A deployment that has left the route's project is none of its deployments.
    """

    def there(name: str) -> Target | None:
        found = targets.get((route.key[0], name))
        return found if found is not None and found.facts.tenant == route.project else None

    backends = [(target, weight) for name, weight in route.backends if (target := there(name)) is not None]
    fallbacks = [target for name in route.fallbacks if (target := there(name)) is not None]
    fitness: tuple[Callable[[Target], bool], ...] = (
        lambda target: target.takes_requests(now),
        lambda target: target.why_not_parked() is None,
        lambda _: True,
    )
    for fits in fitness:
        able = [(target, weight) for target, weight in backends if fits(target)]
        if able:
            chosen: Target = chance.choices([one for one, _ in able], [weight for _, weight in able])[0]
            return chosen
        for fallback in fallbacks:
            if fits(fallback):
                return fallback
    return None
