"""How long a container that ended waits before its next run: the kubelet's rule, pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """The first restart is immediate; then `base`, doubled each time up to `limit`; a run of `reset` starts over."""

    base: float
    limit: float
    reset: float
    failures: int = 0

    def after_run(self, seconds: float) -> "Backoff":
        """The rule after a run that lasted `seconds`."""
        failures = 0 if seconds >= self.reset else self.failures + 1
        return Backoff(self.base, self.limit, self.reset, failures)

    @property
    def delay(self) -> float:
        """Seconds to wait now."""
        if self.failures <= 1:
            return 0.0
        # Beyond 2^20 the limit holds for any base worth setting.
        return min(self.limit, self.base * 2.0 ** min(self.failures - 2, 20))
