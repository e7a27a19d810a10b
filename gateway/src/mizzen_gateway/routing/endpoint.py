"""One endpoint as this gateway sees it: what it is doing, and whether it has failed lately."""

from mizzen_gateway.routing.deployment import EndpointFacts

FIRST_EJECTION_SECONDS = 0.5
LONGEST_EJECTION_SECONDS = 30.0
ERRORS_IN_A_ROW = 5


class EndpointState:
    """Counts live here across changes of the endpoint set."""

    __slots__ = ("_ejections", "_errors", "address", "ejected_until", "facts", "in_flight")

    def __init__(self, facts: EndpointFacts) -> None:
        self.facts = facts
        self.address = (facts.address, facts.port)
        self.in_flight = 0
        self.ejected_until = 0.0
        self._ejections = 0
        self._errors = 0

    def update(self, facts: EndpointFacts) -> None:
        """Take newer facts. A pod that has become ready begins with a clean sheet."""
        if facts.ready and not self.facts.ready:
            self.succeeded()
            self.ejected_until = 0.0
        self.facts = facts
        self.address = (facts.address, facts.port)

    def takes_requests(self, now: float) -> bool:
        """Ready, not going away, not ejected. `now` in loop time, as everywhere here."""
        return self.facts.ready and not self.facts.terminating and self.ejected_until <= now

    def succeeded(self) -> None:
        """It gave a good answer."""
        self._ejections = self._errors = 0

    def answered_with_error(self, now: float) -> None:
        """It gave a 5xx answer: several in a row eject it."""
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
