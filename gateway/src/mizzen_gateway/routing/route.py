"""What does a ModelRoute say to the gateway? Rules, tried in order; `way.py` goes by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from mizzen_gateway.routing.deployment import EVERYBODY, Key

NO_ROUTES: Final[Mapping[str, "RouteFacts"]] = {}


class Cause(StrEnum):
    """Why a request goes on to a fallback, in the words of the ModelRoute."""

    NOT_READY = "NotReady"
    OVERLOADED = "Overloaded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"


REQUEST_STEP: Final = "request"
"""In a pipeline's inputs: what the caller sent."""
EVERY_CAUSE: Final = frozenset(Cause)


@dataclass(frozen=True, slots=True)
class Ref:
    """What answers."""

    kind: Literal["deployment", "model", "route"]
    """A deployment or a route of the route's namespace, or `project/served-name` of another project."""
    name: str


@dataclass(frozen=True, slots=True)
class Fallback:
    """What answers when the backends do not."""

    ref: Ref
    causes: frozenset[Cause] = EVERY_CAUSE


@dataclass(frozen=True, slots=True)
class HeaderTest:
    """A header that a request must have."""

    name: bytes
    """In lower case."""
    kind: Literal["Exact", "Prefix", "Present"]
    value: bytes = b""

    def holds(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether these headers have it."""
        found = headers.get(self.name)
        if found is None or self.kind == "Present":
            return found is not None
        return found == self.value if self.kind == "Exact" else found.startswith(self.value)


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """Which answers are kept."""

    lifetime_seconds: float
    sampled: bool = False
    """Those of requests, too, whose answers are drawn by chance."""


@dataclass(frozen=True, slots=True)
class HedgeFacts:
    """When a second endpoint is asked too."""

    seconds: float
    measured: bool = False
    """As late as 95 of 100 answers have begun, `seconds` at least."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """One model of a pipeline."""

    name: str
    ref: Ref
    inputs: tuple[tuple[str, str, str], ...] = ()
    """(name of the input, step that it comes from, its output there); none: what the step before gave."""


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """One way of a route."""

    name: str
    backends: tuple[tuple[Ref, int], ...]
    """With weights above 0."""
    fallbacks: tuple[Fallback, ...] = ()
    """In the order in which they are tried."""
    matches: tuple[tuple[HeaderTest, ...], ...] = ()
    """Requests that fulfil all of any entry; none given: all requests."""
    mirrors: tuple[tuple[Ref, int], ...] = ()
    """What gets copies, of so many requests in a hundred."""
    sticky: bytes | None = None
    """Header whose value keeps to one backend; empty for the caller's key, None for chance."""
    pipeline: tuple[StepFacts, ...] = ()
    """Models one after the other; then there are no backends."""
    cache: CacheFacts | None = None
    """None: each request is asked of an engine."""
    attempts: int | None = None
    """Further tries on other endpoints; None: as many as without a route."""
    retries: frozenset[str] = frozenset()
    """ConnectionFailed, Unavailable, Overloaded: what is tried again."""
    hedge: HedgeFacts | None = None
    """None: one endpoint at a time."""
    request_seconds: float | None = None
    """Until the answer's end, over all tries; 0 for no limit, None for the deployment's own."""
    first_byte_seconds: float | None = None
    """Until the first byte, each try."""
    idle_seconds: float | None = None
    """Between two parts of an answer."""

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The backends."""
        return tuple(ref for ref, _ in self.backends)

    def takes(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request with these headers goes this way."""
        return not self.matches or any(all(test.holds(headers) for test in tests) for tests in self.matches)


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What a ModelRoute says to the gateway."""

    key: Key
    """(namespace, name) of the ModelRoute."""
    project: str
    """Project whose callers may use the name."""
    name: str
    """Public name."""
    rules: tuple[RuleFacts, ...]
    """Tried in order."""
    created_at: str = ""
    """RFC 3339; of two routes with one name the older wins."""

    def rule_for(self, headers: Mapping[bytes, bytes]) -> RuleFacts | None:
        """The first rule that takes a request with these headers."""
        return next((rule for rule in self.rules if rule.takes(headers)), None)


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

    def get(self, key: Key) -> RouteFacts | None:
        """A route by namespace and name; None where it is not followed."""
        return self._known.get(key)

    def of(self, project: str) -> Mapping[str, RouteFacts]:
        """A project's routes by public name."""
        by_name = self._by_name
        return by_name.get(project) or by_name.get(EVERYBODY) or NO_ROUTES

    def _index(self, projects: set[str]) -> set[str]:
        for project in projects:
            named: dict[str, RouteFacts] = {}
            own = [route for route in self._known.values() if route.project == project]
            for route in sorted(own, key=lambda one: (one.created_at, one.key)):
                named.setdefault(route.name, route)
            self._by_name[project] = named
        return projects
