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
MODELS_LIMIT = 1000
"""Models with numbers of their own; later ones are counted together as `other`."""


@dataclass(slots=True)
class Histogram:
    """Times, in milliseconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    total: float = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_MS, milliseconds)] += 1
        self.total += milliseconds


class RequestCounts:
    """Counters of requests."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int, str]] = Counter()
        """Admitted requests by operation, status and model."""
        self.refusals: Counter[tuple[str, int, str]] = Counter()
        """Refused requests by route, status and code."""
        self.tokens: Counter[tuple[str, str]] = Counter()
        """Tokens by direction and model."""
        self.durations: dict[tuple[str, str], Histogram] = {}
        """Durations by operation and model."""
        self.first_bytes: dict[tuple[str, str], Histogram] = {}
        """Times to first byte by operation and model."""
        self._models: set[str] = set()

    def ended(self, intent: Intent, outcome: Outcome) -> None:
        """An admitted request ended."""
        model = self._bounded(intent.model)
        pair = (intent.operation, model)
        self.requests[intent.operation, outcome.status, model] += 1
        _histogram(self.durations, pair).add(outcome.duration_ms)
        if outcome.ttft_ms is not None:
            _histogram(self.first_bytes, pair).add(outcome.ttft_ms)
        usage = outcome.usage
        if usage.input_tokens:
            self.tokens["input", model] += usage.input_tokens
        if usage.output_tokens:
            self.tokens["output", model] += usage.output_tokens

    def refused(self, route: str, refusal: Refusal) -> None:
        """A request was refused."""
        self.refusals[route, refusal.status, refusal.code] += 1

    def _bounded(self, model: str) -> str:
        if model in self._models:
            return model
        if len(self._models) >= MODELS_LIMIT:
            return "other"
        self._models.add(model)
        return model


def _histogram(histograms: dict[tuple[str, str], Histogram], pair: tuple[str, str]) -> Histogram:
    found = histograms.get(pair)
    if found is None:
        found = histograms[pair] = Histogram()
    return found
