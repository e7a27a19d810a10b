"""What does /metrics show of more requests than engines can answer? Places, who waits for one, who was refused."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mizzen_gateway.overload.gate import NO_LIMIT
from mizzen_gateway.overload.priority import NAMES
from mizzen_gateway.telemetry.counts import OTHER, SERIES_LIMIT

Key = tuple[str, str]
"""Namespace and name of a deployment."""


class Queue(Protocol):
    """Who waits."""

    waiting: list[int]
    """By priority."""


class Gate(Protocol):
    """Before the replicas of a revision."""

    @property
    def queue(self) -> Queue:
        """Who waits there."""
        ...

    limit: int


class OverloadCollector(Collector):
    """A collector of prometheus_client."""

    def __init__(self, gates: Mapping[Key, Mapping[str, Gate]], shed: Mapping[Key, "Counter[tuple[int, str]]"]) -> None:
        """`gates` by deployment and revision; `shed` by deployment, of priority and reason."""
        self._gates = gates
        self._shed = shed

    def collect(self) -> Iterator[Metric]:
        """All metrics. Deployments beyond the first 500 that have something to show are counted as one."""
        held = [(key, gate) for key, by_revision in self._gates.items() for gate in by_revision.values()]
        held = [(key, gate) for key, gate in held if gate.limit < NO_LIMIT]
        places, waiting = Counter[Key](), Counter[tuple[Key, int]]()
        for place, (key, gate) in enumerate(held):
            shown = key if place < SERIES_LIMIT else (OTHER, OTHER)
            places[shown] += gate.limit
            for priority, count in enumerate(gate.queue.waiting):
                waiting[shown, priority] += count
        yield _family(
            GaugeMetricFamily, "places", "Requests at once that replicas were found to be worth", [],
            [(key, (), count) for key, count in places.items()],
        )  # fmt: skip
        yield _family(
            GaugeMetricFamily, "waiting", "Requests that wait for a place", ["priority"],
            [(key, (NAMES[priority],), count) for (key, priority), count in waiting.items()],
        )  # fmt: skip
        shed = Counter[tuple[Key, tuple[str, str]]]()
        for place, (key, counts) in enumerate((key, counts) for key, counts in list(self._shed.items()) if counts):
            for (priority, reason), count in counts.items():
                shed[key if place < SERIES_LIMIT else (OTHER, OTHER), (NAMES[priority], reason)] += count
        yield _family(
            CounterMetricFamily, "shed", "Requests refused for want of a place", ["priority", "reason"],
            [(key, labels, count) for (key, labels), count in shed.items()],
        )  # fmt: skip


def _family(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    text: str,
    labels: Sequence[str],
    series: Sequence[tuple[Key, tuple[str, ...], int]],
) -> Metric:
    family = kind(f"mizzen_gateway_{name}", text, labels=["namespace", "deployment", *labels])
    for key, values, count in series:
        family.add_metric([*key, *values], count)
    return family
