"""What does the operator tell Prometheus of itself? Passes, the queue, writes, watches and starts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from mizzen_kube.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mizzen_operator.reconcile.keyed_queue import KeyedQueue

PASS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
START_BUCKETS: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 3600, 14_400)


class Telemetry:
    """The metrics of one operator."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.passes = Histogram(
            "mizzen_operator_pass_seconds",
            "Duration of a pass over one ModelDeployment.",
            ("outcome",),
            buckets=PASS_BUCKETS,
            registry=self.registry,
        )
        self.writes = Counter(
            "mizzen_operator_writes",
            "Writes to the API server by verb, kind and outcome.",
            ("verb", "kind", "outcome"),
            registry=self.registry,
        )
        self.startup_phases = Histogram(
            "mizzen_operator_startup_phase_seconds",
            "Duration of the phases of replicas that became ready.",
            ("phase",),
            buckets=START_BUCKETS,
            registry=self.registry,
        )

    def wrote(self, verb: str, resource: Resource, outcome: str) -> None:
        """Count a write."""
        self.writes.labels(verb, resource.kind, outcome).inc()

    def watch(
        self,
        queue: KeyedQueue[Any],
        restarts: Callable[[], Iterable[tuple[str, str, int]]],
        facts: Callable[[], Mapping[str, float]],
    ) -> None:
        """Tell of the queue, of watches (kind, why they ended, how often) and of single facts whenever asked."""
        self.registry.register(_Asked(queue, restarts, facts))


class _Asked(Collector):
    """What is read at the time of the scrape."""

    def __init__(
        self,
        queue: KeyedQueue[Any],
        restarts: Callable[[], Iterable[tuple[str, str, int]]],
        facts: Callable[[], Mapping[str, float]],
    ) -> None:
        self._queue = queue
        self._restarts = restarts
        self._facts = facts

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: the queue's clock needs a running loop."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield what is so now."""
        yield GaugeMetricFamily(
            "mizzen_operator_queue_depth", "ModelDeployments that wait for a pass.", value=self._queue.depth
        )
        yield GaugeMetricFamily(
            "mizzen_operator_oldest_unhandled_seconds",
            "Age of the oldest change that no pass has looked at yet.",
            value=self._queue.oldest_seconds(),
        )
        watches = CounterMetricFamily(
            "mizzen_operator_watch_restarts", "Watches that ended, by kind and reason.", labels=("kind", "reason")
        )
        for kind, reason, count in self._restarts():
            watches.add_metric((kind, reason), count)
        yield watches
        for name, value in self._facts().items():
            yield GaugeMetricFamily(f"mizzen_operator_{name}", name.replace("_", " ").capitalize() + ".", value=value)
