"""One endpoint as this gateway sees it: what it is doing, what it may remember, and whether it has failed lately."""

from collections.abc import Callable

from mizzen_gateway.overload.gate import Gate
from mizzen_gateway.routing.deployment import EndpointFacts
from mizzen_gateway.routing.prefix_index import PrefixIndex
from mizzen_gateway.routing.shared_time import SharedTime

FIRST_EJECTION_SECONDS = 0.5
LONGEST_EJECTION_SECONDS = 30.0
ERRORS_IN_A_ROW = 5
SHARED_SECONDS = 60.0
"""An endpoint that was asked by another project less long ago is not ejected for what it answers to one."""
SLOW_START_SECONDS = 30.0
"""A new endpoint among older ones gets its full share only after so long: its caches are cold, its code unwarmed."""
SLOW_START_SHARE = 0.1
"""Share that it begins with."""
PROMPT_BYTES_A_REQUEST = 4096
"""A prompt that still has to be read weighs one more request for each so many of its bytes."""
REJECTED = float("inf")


class EndpointState:
    """Counts live here across changes of the endpoint set."""

    __slots__ = (
        "_ejections",
        "_errors",
        "_refused",
        "_slow_until",
        "_tenant",
        "address",
        "ejected_until",
        "facts",
        "failing",
        "gate",
        "grpc_address",
        "in_flight",
        "others",
        "prefixes",
        "prompt_bytes",
        "shared_until",
        "time",
    )

    def __init__(self, facts: EndpointFacts, *, new: bool = False) -> None:
        """`new` among others that have served for a while."""
        self.facts = facts
        self.address = (facts.address, facts.port)
        self.grpc_address = grpc_address_of(facts)
        """None where it speaks no gRPC."""
        self.gate: Gate
        """Its revision's, from the time on that it takes requests."""
        self.in_flight = 0
        """Requests of this gateway that it is answering."""
        self.others = 0.0
        """Requests of other gateways, from the engine's gauges."""
        self.prompt_bytes = 0
        """Bytes of the prompts among them whose answer has not begun: they have to be read before anything else."""
        self.prefixes: PrefixIndex | None = None
        """Which prompts it has read, where the policy asks."""
        self.time = SharedTime()
        """Shared out among the requests that are under way."""
        self.ejected_until = 0.0
        self._slow_until = -1.0 if new else 0.0
        self._ejections = 0
        self._errors = 0
        self.failing: set[str] = set()
        """Projects whose last answer was a 500."""
        self._refused: list[str] = []
        """Of the last 500s and 429s in a row: whose they were."""
        self._tenant = ""
        """Whom it answered last."""
        self.shared_until = 0.0
        """Until then it counts as asked by several projects."""

    def update(self, facts: EndpointFacts, *, new: bool = False) -> None:
        """Take newer facts. A pod that has become ready begins with a clean sheet, and slowly among older ones."""
        if facts.ready and not self.facts.ready:
            self.succeeded()
            self.failing.clear()
            self.ejected_until = 0.0
            self._slow_until = -1.0 if new else 0.0
            self.prefixes = None
        self.facts = facts
        self.address = (facts.address, facts.port)
        self.grpc_address = grpc_address_of(facts)

    def cost(self, now: float) -> float:
        """How much it has to do: requests, and prompts to be read. `now` in loop time, as everywhere here.

        An ejected one costs infinitely much, one that has just come as if it had more to do than it has.
        """
        if self.ejected_until > now:
            return REJECTED
        load = self.in_flight + self.others + self.prompt_bytes / PROMPT_BYTES_A_REQUEST
        return self._slowed(load, now) if self._slow_until else load

    def _slowed(self, load: float, now: float) -> float:
        """As a share of its capacity, which grows from the first time on that it could be chosen."""
        if self._slow_until < 0.0:
            self._slow_until = now + SLOW_START_SECONDS
        left = (self._slow_until - now) / SLOW_START_SECONDS
        if left <= 0.0:
            self._slow_until = 0.0
            return load
        if load == 0.0:
            return load  # one request at a time warms it; without that it would stand idle where nobody is busy
        return (load + 1.0) / (1.0 - left * (1.0 - SLOW_START_SHARE)) - 1.0

    def takes_requests(self, now: float) -> bool:
        """Ready, not going away, not ejected."""
        return self.facts.ready and not self.facts.terminating and self.ejected_until <= now

    def succeeded(self, project: str = "", clock: Callable[[], float] = float) -> None:
        """It gave a good answer; to a project, where one asked."""
        self._ejections = self._errors = 0
        if project != self._tenant:
            self._answered(project, clock())
        if self._refused or self.failing:
            self.failing.discard(project)
            self._refused.clear()

    def _answered(self, project: str, now: float) -> None:
        if self._tenant and project:
            self.shared_until = now + SHARED_SECONDS
        self._tenant = project or self._tenant

    def answered_500(self, project: str, now: float, *, others_too: bool) -> None:
        """That may be the request's doing, so that a project alone ejects no endpoint that others are served by.

        Several in a row eject it where they are of several projects, or where it serves that project alone and no
        other endpoint answers it so (`others_too`).
        """
        self.failing.add(project)
        self._refuses(project, now, others_too=others_too)

    def answered_429(self, project: str, now: float) -> None:
        """It has too much to do, or the request is too large, or its caller has a quota there.

        So it is ejected as after a 500, except that what other endpoints answer makes no difference.
        """
        self._refuses(project, now, others_too=False)

    def _refuses(self, project: str, now: float, *, others_too: bool) -> None:
        if project != self._tenant:
            self._answered(project, now)
        self._refused = [*self._refused[1 - ERRORS_IN_A_ROW :], project]
        if len(self._refused) < ERRORS_IN_A_ROW:
            return
        if len(set(self._refused)) > 1 or not (others_too or self.shared_until > now):
            self.broke(now)

    def answered_with_error(self, now: float) -> None:
        """It says that it is not able now, or took too long: several in a row eject it."""
        self._errors += 1
        if self._errors >= ERRORS_IN_A_ROW:
            self.broke(now)

    def broke(self, now: float) -> None:
        """It could not be reached or broke off: ejected at once, each time for twice as long."""
        if self.ejected_until > now:
            return
        seconds = min(FIRST_EJECTION_SECONDS * 2**self._ejections, LONGEST_EJECTION_SECONDS)
        self.ejected_until = now + seconds
        self._ejections = min(self._ejections + 1, 10)
        self._errors = 0
        self._refused.clear()


def grpc_address_of(facts: EndpointFacts) -> tuple[str, int] | None:
    """Where it speaks gRPC."""
    return None if facts.grpc_port is None else (facts.address, facts.grpc_port)
