"""How long until the next try? Longer each time, never the same for two, never sooner than the server asked."""

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Pauses between tries that never end; all in seconds."""

    shortest: float = 0.2
    longest: float = 10.0
    steady: float = 5.0
    """What lived this long was well; the next failure is a first one."""
    failures: int = field(default=0, init=False)
    _random: random.Random = field(default_factory=random.Random)

    def after(self, lived: float, retry_after: float | None = None) -> float:
        """Return the pause after a try that lived for `lived` seconds, whether it failed or ended in good order."""
        if lived >= self.steady:
            self.failures = 0
        ceiling = min(self.longest, self.shortest * 2.0 ** min(self.failures, 16))
        self.failures += 1
        pause = ceiling * self._random.uniform(0.5, 1.0)
        if retry_after is None:
            return pause
        return max(pause, retry_after * self._random.uniform(1.0, 1.1))
