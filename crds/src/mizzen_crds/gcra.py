"""How much of a rate limit is left? The generic cell rate algorithm (ITU-T I.371, annex A), in integers.

A limit of `amount` per `window` has the emission interval T = window / amount and the tolerance `window`: all of it may
come as one burst. Its state is one number, the theoretical arrival time (TAT). Taking n at the time t:

    TAT' = max(TAT, t) + n * T        admitted when TAT' - t <= window

Times are nanoseconds multiplied by `amount`, so that T is the whole number `window_ns` and no fraction is ever lost: of
a limit of 100, exactly 100 pass. Nothing here reads a clock, waits, or is shared between processes.

What a request will use is known at its end alone. Until then the most that it can use is *held*: it takes room and does
not drain. Were it taken and the rest given back, a request that outlasts the window would give back what has drained
long ago, and others would get that much more than the limit.
"""

import math
from dataclasses import dataclass, field

CRUMB = 1e-6
"""Of a unit. What is given back is measured by another clock than what drains: a crumb may be left for a moment."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Bucket:
    """The count of one limit."""

    amount: int
    """Units in a window, >= 1."""
    window_ns: int
    """Length of the window in nanoseconds."""
    tat: int = 0
    """Theoretical arrival time, in nanoseconds x amount."""
    held: int = 0
    """Units that requests under way may still use."""
    capacity: int = field(init=False)
    """The tolerance, window x amount."""

    def __post_init__(self) -> None:
        self.capacity = self.window_ns * self.amount

    def fits(self, units: int, now_ns: int) -> bool:
        """Whether that many could be taken now."""
        now = now_ns * self.amount  # written out here and below: six limits a request make calls of calls count
        earliest = self.tat if self.tat > now else now
        return earliest + (self.held + units) * self.window_ns <= now + self.capacity

    def take(self, units: int, now_ns: int) -> None:
        """Take them, whether they fit or not."""
        now = now_ns * self.amount
        self.tat = (self.tat if self.tat > now else now) + units * self.window_ns

    def give_back(self, units: int, elapsed_ns: int) -> None:
        """Return units that were taken so long ago and not used, but for as much as may have drained since."""
        rest = units * self.window_ns - elapsed_ns * self.amount
        if rest > 0:
            self.tat -= rest

    def spend(self, held: int, used: int, now_ns: int) -> None:
        """A request that held so many units has ended and used so many."""
        self.held -= held
        if used:
            self.take(used, now_ns)

    def level(self, now_ns: int) -> float:
        """Units that are held, or used and not drained yet, >= 0."""
        used = self.tat - now_ns * self.amount
        return self.held + used / self.window_ns if used > 0 else float(self.held)

    def resize(self, amount: int, window_ns: int, now_ns: int) -> None:
        """Go on with another amount or window: what is used now stays used."""
        used = -(-max(0, self.tat - now_ns * self.amount) // self.window_ns)
        self.amount, self.window_ns, self.capacity = amount, window_ns, amount * window_ns
        self.tat = now_ns * amount + used * window_ns


def remaining(amount: int, level: float) -> int:
    """Units that could be taken, >= 0, of a limit that is used so far."""
    return max(0, amount - math.ceil(level))


def seconds_until(units: int, amount: int, window_seconds: float, level: float) -> float | None:
    """Seconds until that many fit, 0 for now; None where they never do."""
    if units > amount:
        return None
    return max(0.0, (level + units - amount) * window_seconds / amount)
