"""What happened so far? Plain counters that the request path raises for a microsecond at most.

`telemetry/exposition.py` turns them into Prometheus metrics when somebody scrapes. Implements `Observer` of
`stages.py`.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from mizzen_gateway.stages import Intent, Outcome, Refusal

BOUNDS_MS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0, 120000.0)
"""Upper bounds of the histograms, in milliseconds."""
BOUNDS_TOKEN_MS = (1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0)
"""For the time of one token."""
SERIES_LIMIT = 500
"""Operations of models and projects with numbers of their own; later ones are counted together as `other`."""
OTHER = "other"


@dataclass(slots=True)
class Histogram:
    """Times, in milliseconds."""

    bounds: tuple[float, ...] = BOUNDS_MS
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        """All at zero."""
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, milliseconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, milliseconds)] += 1
        self.total += milliseconds


@dataclass(slots=True)
class Series:
    """What is counted of one operation, model and project: found by one look-up a request."""

    statuses: Counter[int] = field(default_factory=Counter)
    """Admitted requests by status."""
    errors: Counter[str] = field(default_factory=Counter)
    """Those of them that ended with an error, by its code."""
    durations: Histogram = field(default_factory=Histogram)
    """Until the last byte."""
    first_bytes: Histogram = field(default_factory=Histogram)
    """Until the engine's first byte: the time to first token, where there are tokens."""
    per_token: Histogram = field(default_factory=lambda: Histogram(BOUNDS_TOKEN_MS))
    """From one token to the next, on average over each request."""
    input_tokens: int = 0
    """Without those from the prefix cache."""
    cached_tokens: int = 0
    """From the prefix cache."""
    output_tokens: int = 0
    """Without reasoning."""
    reasoning_tokens: int = 0
    """Of reasoning."""


class RequestCounts:
    """Counters of requests."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str, str], Series] = {}
        """By operation, model and project."""
        self.refusals: Counter[tuple[str, int, str]] = Counter()
        """Refused requests by route, status and code."""

    def ended(self, intent: Intent, outcome: Outcome) -> None:
        """An admitted request ended."""
        key = (intent.operation, intent.model, intent.caller.project)
        series = self.series.get(key) or self._begun(key)
        series.statuses[outcome.status] += 1
        if outcome.code:
            series.errors[outcome.code] += 1
        series.durations.add(outcome.duration_ms)
        first, usage = outcome.ttft_ms, outcome.usage
        if first is not None:
            series.first_bytes.add(first)
            if usage.output_tokens > 1:
                series.per_token.add((outcome.duration_ms - first) / (usage.output_tokens - 1))
        series.input_tokens += usage.input_tokens - usage.cached_tokens
        series.cached_tokens += usage.cached_tokens
        series.output_tokens += usage.output_tokens - usage.reasoning_tokens
        series.reasoning_tokens += usage.reasoning_tokens

    def refused(self, route: str, refusal: Refusal) -> None:
        """A request was refused; one that an engine was asked for is counted where it ended."""
        if not refusal.has_row:
            self.refusals[route, refusal.status, refusal.code] += 1

    def _begun(self, key: tuple[str, str, str]) -> Series:
        if len(self.series) >= SERIES_LIMIT:
            key = (key[0], OTHER, OTHER)
        return self.series.setdefault(key, Series())
