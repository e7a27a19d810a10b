"""What does /metrics show of those who call and those who answer? Connections, and the health of each endpoint."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Callers(Protocol):
    """The port that callers reach."""

    @property
    def connection_count(self) -> int:
        """Connections now."""
        ...

    evicted: int
    """Connections that made room for others."""


class Lines(Protocol):
    """The access log."""

    dropped: int
    """Lines that were not written."""


class Endpoint(Protocol):
    """What routing thinks of an endpoint."""

    in_flight: int
    """Requests that it is answering."""

    def takes_requests(self, now: float) -> bool:
        """Ready, not going away, not left alone."""
        ...


Endpoints = Callable[[], Iterable[tuple[str, str, str, Endpoint]]]
"""Namespace, deployment, pod, and what routing thinks of it."""


class ServingCollector(Collector):
    """A collector of prometheus_client."""

    def __init__(self, endpoints: Endpoints, callers: Callers, lines: Lines | None, now: Callable[[], float]) -> None:
        """`now`: the event loop's clock."""
        self._endpoints = endpoints
        self._callers = callers
        self._lines = lines
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        labels = ["namespace", "deployment", "pod"]
        healthy = GaugeMetricFamily(
            "mizzen_gateway_endpoint_healthy", "1 where a pod takes requests: ready, and not left alone", labels=labels
        )
        busy = GaugeMetricFamily("mizzen_gateway_endpoint_in_flight", "Requests that a pod answers", labels=labels)
        now = self._now()
        for *place, endpoint in self._endpoints():
            healthy.add_metric(place, int(endpoint.takes_requests(now)))
            busy.add_metric(place, endpoint.in_flight)
        yield healthy
        yield busy
        connections = self._callers.connection_count
        yield GaugeMetricFamily("mizzen_gateway_connections", "Connections of callers", value=connections)
        yield CounterMetricFamily(
            "mizzen_gateway_connections_evicted", "Idle ones that made room for others", value=self._callers.evicted
        )
        dropped = 0 if self._lines is None else self._lines.dropped
        yield CounterMetricFamily("mizzen_gateway_access_log_dropped", "Lines that were not written", value=dropped)
