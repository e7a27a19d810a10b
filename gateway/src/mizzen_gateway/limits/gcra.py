"""How much of a rate limit is left? The generic cell rate algorithm (ITU-T I.371, annex A), in integers.

A limit of `amount` per `window` has the emission interval T = window / amount and the tolerance `window`: all of it may
come as one burst. Its state is one number, the theoretical arrival time (TAT). Taking n at the time t:

    TAT' = max(TAT, t) + n * T        admitted when TAT' - t <= window

Times are nanoseconds multiplied by `amount`, so that T is the whole number `window_ns` and no fraction is ever lost: of
a limit of 100, exactly 100 pass. Nothing here reads a clock, waits, or is shared between processes.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """The count of one limit."""

    amount: int
    """Units in a window, >= 1."""
    window_ns: int
    """Length of the window in nanoseconds."""
    tat: int = 0
    """Theoretical arrival time, in nanoseconds x amount."""

    def fits(self, units: int, now_ns: int) -> bool:
        """Whether that many could be taken now."""
        now = now_ns * self.amount  # written out here and below: six limits a request make calls of calls count
        earliest = self.tat if self.tat > now else now
        return earliest + units * self.window_ns <= now + self.window_ns * self.amount

    def take(self, units: int, now_ns: int) -> None:
        """Take them, whether they fit or not."""
        now = now_ns * self.amount
        self.tat = (self.tat if self.tat > now else now) + units * self.window_ns

    def give_back(self, units: int) -> None:
        """Return units that were taken and not used; a negative number takes more."""
        self.tat -= units * self.window_ns

    def remaining(self, now_ns: int) -> int:
        """Units that could be taken now, >= 0."""
        used = self.tat - now_ns * self.amount
        if used <= 0:
            return self.amount
        left = self.amount - -(-used // self.window_ns)
        return left if left > 0 else 0

    def seconds_until(self, units: int, now_ns: int) -> float | None:
        """Seconds until that many fit, 0 for now; None where they never do."""
        if units > self.amount:
            return None
        return max(0, self._wait(units, now_ns)) / self.amount / 1e9

    def seconds_until_full(self, now_ns: int) -> float:
        """Seconds until nothing of the limit is used any more."""
        return max(0, self.tat - now_ns * self.amount) / self.amount / 1e9

    def resize(self, amount: int, window_ns: int, now_ns: int) -> None:
        """Go on with another amount or window: what is used now stays used."""
        used = -(-max(0, self.tat - now_ns * self.amount) // self.window_ns)
        self.amount, self.window_ns = amount, window_ns
        self.tat = now_ns * amount + used * window_ns

    def _wait(self, units: int, now_ns: int) -> int:
        now = now_ns * self.amount
        return max(self.tat, now) + units * self.window_ns - now - self.window_ns * self.amount
