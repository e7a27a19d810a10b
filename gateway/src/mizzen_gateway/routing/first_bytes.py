"""When do a revision's answers begin? As 95 of the last hundred did; kept where a route's hedges go by it."""

from collections import deque

KEPT = 100
"""Answers remembered."""
ENOUGH = 20
"""Fewer tell nothing of the slowest of them."""
PERCENT = 95


class FirstBytes:
    """Of one revision, as this gateway sees it."""

    __slots__ = ("_ordered", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self._ordered: list[float] | None = None

    def note(self, seconds: float) -> None:
        """An answer has begun after so long, or not yet when nobody waited for it any more."""
        self._seconds.append(seconds)
        self._ordered = None

    @property
    def p95(self) -> float | None:
        """Seconds; None while too few are known."""
        count = len(self._seconds)
        if count < ENOUGH:
            return None
        ordered = self._ordered
        if ordered is None:
            ordered = self._ordered = sorted(self._seconds)
        return ordered[(count * PERCENT - 1) // 100]
