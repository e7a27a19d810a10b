"""Which of a route's deployments takes a request, and which the next where that one does not answer?

By rule, then by weight among those that can; fallbacks where none can, or where one has failed.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from mizzen_gateway.routing.deployment import Key
from mizzen_gateway.routing.ring import point
from mizzen_gateway.routing.route import Cause, Ref, RouteFacts, RuleFacts, StepFacts
from mizzen_gateway.routing.target import Target

LONGEST_CHAIN = 4
"""Routes that one request may pass; the operator refuses longer chains, and those that come back."""
PLACES = 2.0**64

Fits = Callable[[Target], bool]


@dataclass(frozen=True, slots=True)
class Leg:
    """A deployment that a request is sent to, and the rules that led there."""

    target: Target
    rules: tuple[RuleFacts, ...]
    """Its own first, then those of the routes before it."""

    @property
    def rule(self) -> RuleFacts:
        """Whose retries and time-outs hold."""
        return self.rules[0]


@dataclass(frozen=True, slots=True)
class Traveller:
    """What of a request its way depends on."""

    headers: Mapping[bytes, bytes]
    key_id: str
    now: float
    """Loop time."""


@dataclass(slots=True)
class Way:
    """One request on its way. Not frozen: it knows where it has been."""

    route: RouteFacts
    rule: RuleFacts
    first: Leg
    namespace: str
    traveller: Traveller
    grants: frozenset[str]
    guide: "Guide"
    steps: tuple[tuple[StepFacts, Leg], ...] = ()
    """Of a pipeline; `first` is where it begins."""
    been: set[Key] = field(default_factory=set)
    """Deployments that were tried."""

    def after(self, leg: Leg, cause: Cause, now: float) -> Leg | None:
        """The next fallback that takes requests now, the one closest to where the request has failed first."""

        def fits(target: Target) -> bool:
            return target.facts.key not in self.been and target.takes_requests(now)

        return self._fallback(leg.rules, cause, fits)

    def instead(self, cause: Cause, now: float) -> Leg | None:
        """Of a pipeline in which a step has failed: the fallback that takes the whole request now."""

        def fits(target: Target) -> bool:
            return target.takes_requests(now)

        return self._fallback((self.rule,), cause, fits) if self.steps else None

    def _fallback(self, rules: tuple[RuleFacts, ...], cause: Cause, fits: Fits) -> Leg | None:
        for place, rule in enumerate(rules):
            for fallback in rule.fallbacks:
                if cause in fallback.causes:
                    found = self.guide.resolve(fallback.ref, self, fits, rules[place:])
                    if found is not None:
                        return found
        return None

    def copies(self) -> list[Leg]:
        """Where copies go: of each mirror by its share, as far as it takes requests."""
        legs: list[Leg] = []
        for ref, percent in self.rule.mirrors:
            if self.guide.chance.random() * 100 < percent:
                found = self.guide.resolve(ref, self, lambda target: target.takes_requests(self.traveller.now), ())
                if found is not None:
                    legs.append(found)
        return legs


class Guide:
    """Knows what routes lead to."""

    def __init__(
        self,
        targets: Mapping[Key, Target],
        route_at: Callable[[Key], RouteFacts | None],
        shared: Callable[[str, str, frozenset[str]], Target | None],
        chance: Random,
    ) -> None:
        """`shared(project, model, grants)` is the target of `other/name` that its project offers to this one."""
        self._targets = targets
        self._route_at = route_at
        self._shared = shared
        self.chance = chance

    def way(self, route: RouteFacts, rule: RuleFacts, traveller: Traveller, grants: frozenset[str]) -> Way | None:
        """Where a request goes first; None where nothing of the rule is there.

        One with an endpoint comes before one that a request would have to wait for, and that before one that refuses.
        """
        way = Way(route, rule, None, route.key[0], traveller, grants, self)  # type: ignore[arg-type]  # found below
        fitness: tuple[Fits, ...] = (
            lambda target: target.takes_requests(traveller.now),
            lambda target: target.why_not_parked() is None and not target.queue_full,
            lambda _: True,
        )
        if rule.pipeline and self._through(rule, way, fitness):
            ready = all(leg.target.takes_requests(traveller.now) for _, leg in way.steps)
            other = None if ready else way.instead(Cause.NOT_READY, traveller.now)
            if other is not None:
                way.steps, way.first = (), other
            return way
        for fits in fitness:
            found = self._by_rule(rule, way, fits, ())
            if found is not None:
                way.first = found
                return way
        return None

    def _through(self, rule: RuleFacts, way: Way, fitness: tuple[Fits, ...]) -> bool:
        """Every step of a pipeline, or nothing. The rule's fallbacks are for the whole, a step has its route's."""
        each = replace(rule, fallbacks=()) if rule.fallbacks else rule
        steps: list[tuple[StepFacts, Leg]] = []
        for step in rule.pipeline:
            found = next((leg for fits in fitness if (leg := self.resolve(step.ref, way, fits, (each,)))), None)
            if found is None:
                return False
            steps.append((step, found))
        way.steps, way.first = tuple(steps), steps[0][1]
        return True

    def behind(self, route: RouteFacts, depth: int = 1) -> Iterator[Target]:
        """Every deployment of a route's namespace that may answer for it."""
        refs = [ref for rule in route.rules for ref in (*rule.refs, *(one.ref for one in rule.fallbacks))]
        refs += [rule.pipeline[-1].ref for rule in route.rules if rule.pipeline]
        for ref in dict.fromkeys(refs):
            key = (route.key[0], ref.name)
            if ref.kind == "deployment" and (target := self._targets.get(key)) is not None:
                yield target
            elif ref.kind == "route" and depth < LONGEST_CHAIN and (named := self._route_at(key)) is not None:
                yield from self.behind(named, depth + 1)

    def resolve(self, ref: Ref, way: Way, fits: Fits, before: tuple[RuleFacts, ...]) -> Leg | None:
        """The leg to what a route names. A deployment that has left the route's project is none of its deployments."""
        if ref.kind == "route":
            route = self._route_at((way.namespace, ref.name))
            rule = route.rule_for(way.traveller.headers) if route is not None else None
            if rule is None or rule.pipeline or len(before) >= LONGEST_CHAIN:
                return None
            return self._by_rule(rule, way, fits, before)
        if ref.kind == "model":
            target = self._shared(way.route.project, ref.name, way.grants)
        else:
            target = self._targets.get((way.namespace, ref.name))
            if target is not None and target.facts.tenant != way.route.project:
                target = None
        return Leg(target, before or (way.rule,)) if target is not None and fits(target) else None

    def _by_rule(self, rule: RuleFacts, way: Way, fits: Fits, before: tuple[RuleFacts, ...]) -> Leg | None:
        rules = (rule, *before)
        able = [
            (found, weight)
            for ref, weight in rule.backends
            if (found := self.resolve(ref, way, fits, rules)) is not None
        ]
        if able:
            return self._one_of(able, rule, way.traveller)
        for fallback in rule.fallbacks:
            if Cause.NOT_READY in fallback.causes and (found := self.resolve(fallback.ref, way, fits, rules)):
                return found
        return None

    def _one_of(self, able: list[tuple[Leg, int]], rule: RuleFacts, traveller: Traveller) -> Leg:
        if len(able) == 1:
            return able[0][0]
        held = traveller.key_id.encode() if rule.sticky == b"" else traveller.headers.get(rule.sticky or b"")
        if rule.sticky is None or not held:
            return self.chance.choices([leg for leg, _ in able], [weight for _, weight in able])[0]
        # Weighted rendezvous: shares as by chance, and a backend that goes moves only those who were with it.
        return max(able, key=lambda pair: _standing(held, *pair))[0]


def _standing(held: bytes, leg: Leg, weight: int) -> float:
    namespace, name = leg.target.facts.key
    return -weight / math.log((point(held + f"\0{namespace}/{name}".encode()) + 0.5) / PLACES)
