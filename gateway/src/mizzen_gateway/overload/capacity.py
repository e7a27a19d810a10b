"""How many requests at once are worth it at a replica? Those beyond which more bring no more answers: found by trying.

A gateway sees requests and how long they take, not an engine's batch. What a replica gives out while n requests are
under way is n times the speed of one of them: up to its capacity that grows with n, beyond it the engine only lets them
wait. `Gate` tells each round of requests that has ended; nothing here knows of time or sockets.
"""

WORTH = 0.25
"""More at once are worth it where output grows by this share of what they are more ..."""
WORTH_MORE = 0.5
"""... but to have more than what is best, by this share: between the two, what is best stays as it is."""
KNOWN_BY = 1.6
"""So many times what was needed for the same output, and at least `MORE` more: the engine lets requests wait."""
MORE = 3.0
ROUNDS_TO_KNOW = 3
"""Before requests are held back at all: one round may be chance, or of other requests than those before."""
FADING = 0.998
"""An output that is not seen again counts for less with each round."""
STEP = 1.125
"""Between one number that is tried and the next."""
LONGEST_STEP, SHORTEST_STEP = 4.0, 0.5
"""Of such steps at once: twice as many while each of them proves right, and the shortest where one did not."""
REST = 6
"""Rounds at the number that is best, before another is tried."""
FEWEST = 1.0
"""Requests at once, for a whole revision."""


class Capacity:
    """Of one replica of a revision, on average over all of them."""

    __slots__ = ("_base", "_direction", "_load", "_most", "_needed", "_output", "_rest", "_step", "_strikes", "limit")

    def __init__(self) -> None:
        self.limit: float | None = None
        """Requests at once that a replica should have; None while nothing says that any would wait."""
        self._most = 0.0
        """Output of all rounds that were worth it: work per second."""
        self._needed = 0.0
        """Requests at once that gave it."""
        self._strikes = 0
        self._base = self._load = self._output = 0.0
        """Limit that is best, and the load and output that were measured with it."""
        self._direction, self._step, self._rest = -1, SHORTEST_STEP, 0

    def ended(self, load: float, speed: float, *, full: bool, replicas: int = 1) -> bool:
        """A round has ended: with `load` requests at once a replica, each at `speed` (work per second).

        `full`: the limit held others back. True where the limit has changed.
        """
        before = self.limit
        if before is None:
            self._watch(load, load * speed)
        elif full:
            self._try(load, load * speed, 1.0 / replicas)
        return self.limit != before

    def refused(self, load: float, well: float = 0.0) -> bool:
        """The engine itself says that `load` requests at once are too many, and `well` are not.

        True where that is news.
        """
        few = max(min(load, self.limit or load) / STEP, well)
        if self.limit is not None and self.limit <= few:
            return False
        self._hold(few)
        self._step, self._rest = SHORTEST_STEP, REST  # it is known well enough
        return True

    def _watch(self, load: float, output: float) -> None:
        self._most *= FADING
        worth = self._most * (1 + WORTH * (load / self._needed - 1)) if self._needed else 0.0
        if output > worth:
            if load > self._needed or output > self._most:
                self._most = output
            self._needed, self._strikes = load, 0
        elif load >= self._needed * KNOWN_BY and load >= self._needed + MORE:
            self._strikes += 1
            if self._strikes >= ROUNDS_TO_KNOW:
                self._hold(self._needed)

    def _hold(self, limit: float) -> None:
        self.limit = self._base = limit
        self._output = self._load = 0.0
        self._direction, self._step, self._rest = -1, LONGEST_STEP, 1

    def _try(self, load: float, output: float, grain: float) -> None:
        """`grain`: the least by which the limit of a replica can change, so that the revision's does."""
        if self.limit == self._base:
            self._measured(load, output)
            self._rest -= 1
            if self._rest <= 0:
                self.limit = self._another(grain)
            return
        share = WORTH_MORE if load > self._load else WORTH
        worth = self._output * (1 + share * (load / self._load - 1))
        if (load > self._load) == (self._direction > 0) and output >= worth:
            assert self.limit is not None
            self._base, self._output, self._load = self.limit, output, load
            self._step, self._rest = min(self._step * 2, LONGEST_STEP), 1
            return
        self.limit = self._base
        if self._step == SHORTEST_STEP:
            self._direction, self._rest = -self._direction, REST
        else:
            self._step, self._rest = SHORTEST_STEP, 1

    def _another(self, grain: float) -> float:
        """The number that is tried next to the best one."""
        base, fewest = self._base, FEWEST * grain
        if base <= fewest:
            self._direction = 1
        factor: float = STEP**self._step
        return (
            max(base * factor, base + grain) if self._direction > 0 else max(fewest, min(base / factor, base - grain))
        )

    def _measured(self, load: float, output: float) -> None:
        known = self._output > 0.0
        self._output = (self._output + output) / 2 if known else output
        self._load = (self._load + load) / 2 if known else load
