"""How often may one ask? A bucket each that refills steadily; memory stays bounded however many ask.

Two rates: refusals of callers whom nobody knows, by their address (before any token is looked at), and requests of a
known caller. In this process: N replicas allow N times as much.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from mizzen_controlplane.kit.problem import TooManyRequests

REMEMBERED: Final = 10_000
"""Buckets; of those that were not asked for longest, the next request finds a full one."""


class Rate:
    """At most `per_second` on average, `burst` at once; each by a name of its own."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, name: str) -> float:
        """Seconds until one more is allowed; 0 for now."""
        left = self._refilled(name)
        return 0.0 if left >= 1 else (1 - left) / self._per_second

    def spend(self, name: str) -> None:
        """One was used."""
        self._left[name] = (self._refilled(name) - 1, self._clock())
        self._left.move_to_end(name)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)

    def _refilled(self, name: str) -> float:
        left, at = self._left.get(name, (self._burst, self._clock()))
        return min(self._burst, left + (self._clock() - at) * self._per_second)


def too_often(wait: float, detail: str) -> TooManyRequests:
    """The refusal, with when to try again."""
    return TooManyRequests(detail, code="rate_limited", headers={"Retry-After": str(max(1, round(wait + 0.5)))})
