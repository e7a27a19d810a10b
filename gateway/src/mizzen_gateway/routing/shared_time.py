"""How much of a replica's time belongs to one request? Each moment is shared out evenly among those under way then.

Requests of other gateways count among them as far as the engine's own numbers tell of them, so that gateways which
use one replica share its time out once together.

A clock that runs at one n-th of the speed while n requests are under way: what it advanced while a request was, is the
request's share. So shares add up to the time during which anything was under way, at the cost of one addition each.
"""


class SharedTime:
    """The clock of one endpoint, over the requests of this gateway."""

    __slots__ = ("_at", "_clock", "_others", "_under_way", "busy_seconds", "ended", "flight_seconds")

    def __init__(self) -> None:
        self._under_way = 0
        self._at = 0.0
        self._clock = 0.0
        self._others = 0.0
        """Requests of other gateways; an average."""
        self.busy_seconds = 0.0
        """During which anything was under way."""
        self.flight_seconds = 0.0
        """That requests were under way, each counted by itself."""
        self.ended = 0
        """Requests that have gone."""

    def share_with(self, others: float, now: float) -> None:
        """So many requests of other gateways are under way, from now on."""
        self._advance(now)
        self._others = others

    def asked(self, now: float) -> tuple[float, int]:
        """Until now: the seconds that requests were under way, each counted by itself, and how many have gone."""
        self._advance(now)
        return self.flight_seconds, self.ended

    def begin(self, now: float) -> float:
        """A request has come, at `now` in seconds; what it gets goes to `end`."""
        self._advance(now)
        self._under_way += 1
        return self._clock

    def so_far(self, began: float, now: float) -> float:
        """Its share in seconds until now, while it is under way."""
        self._advance(now)
        return self._clock - began

    def end(self, began: float, now: float) -> float:
        """It has gone: its share in seconds."""
        self._advance(now)
        self._under_way -= 1
        self.ended += 1
        return self._clock - began

    def _advance(self, now: float) -> None:
        if self._under_way:
            passed = now - self._at
            self.busy_seconds += passed
            self.flight_seconds += passed * self._under_way
            self._clock += passed / (self._under_way + self._others)
        self._at = now
