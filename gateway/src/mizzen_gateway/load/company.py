"""How much do other gateways ask of a Triton? Its statistics, on the port that it serves by, count the requests of all.

The seconds that requests took in a time, over that time, are how many were under way on average (Little's law).
"""

from dataclasses import dataclass, fields
from typing import Any

import orjson

NEWEST_SHARE = 0.3
"""Of sums that fade, as in gauges.py: a reading may fall between the begin and the end of long requests."""


@dataclass(slots=True)
class Tally:
    """Until some moment."""

    at: float
    """Seconds."""
    seconds: float
    """That all requests took."""
    requests: float
    """All that have ended."""
    own_seconds: float
    """That requests of this gateway were under way, each counted by itself."""
    own_requests: float
    """Those of this gateway that have ended."""


class Company:
    """What others ask of one replica."""

    __slots__ = ("_last", "_recent")

    def __init__(self) -> None:
        self._last: Tally | None = None
        self._recent = Tally(0.0, 0.0, 0.0, 0.0, 0.0)
        """Sums over readings, of which older ones count less."""

    def note(self, now: Tally) -> float:
        """Requests of others that were under way on average of late."""
        last, self._last = self._last, now
        if last is None or now.requests < last.requests or now.at <= last.at:
            self._recent = Tally(0.0, 0.0, 0.0, 0.0, 0.0)  # the first reading, or the first of a new process
            return 0.0
        recent = self._recent
        for field in fields(Tally):
            grown = getattr(now, field.name) - getattr(last, field.name)
            setattr(recent, field.name, getattr(recent, field.name) * (1.0 - NEWEST_SHARE) + grown)
        left = recent.seconds - recent.own_seconds
        if recent.own_requests:
            # A gateway sees a request for longer than its engine does. As many seconds for each request of others as
            # for its own, so that all shares together are never more than the time that has passed.
            left = max(left, recent.own_seconds * (recent.requests / recent.own_requests - 1.0))
        return max(0.0, left / recent.at)


def spent_on_requests(page: bytes) -> tuple[float, float] | None:
    """Seconds and requests, over all versions of a model: the answer of `/v2/models/NAME/stats`. None for another."""
    seconds = requests = 0.0
    try:
        for version in orjson.loads(page)["model_stats"]:
            told: dict[str, Any] = version["inference_stats"]
            for end in ("success", "fail"):
                seconds += int(told[end]["ns"]) / 1e9
                requests += int(told[end]["count"])
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    return seconds, requests
