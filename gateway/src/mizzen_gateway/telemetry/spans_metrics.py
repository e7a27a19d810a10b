"""What does /metrics show of spans, where they are switched on? How many a collector took, and how many nobody gets."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class Spans(Protocol):
    """What sends them."""

    @property
    def sent(self) -> int:
        """Taken by the collector."""
        ...

    @property
    def dropped(self) -> Mapping[str, int]:
        """Those that nobody gets, by reason."""
        ...


class SpansCollector(Collector):
    """A collector of prometheus_client."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield CounterMetricFamily("mizzen_gateway_spans_sent", "Spans that the collector took", value=self._spans.sent)
        dropped = CounterMetricFamily("mizzen_gateway_spans_dropped", "Spans that nobody gets", labels=["reason"])
        for reason, count in list(self._spans.dropped.items()):
            dropped.add_metric([reason], count)
        yield dropped
