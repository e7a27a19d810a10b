"""What does /metrics show of where requests go? Copies, hedges, kept answers, prompts remembered, pickers away."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mizzen_crds.serving import RevisionLoad
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Copies(Protocol):
    """Those of mirrors."""

    sent: int
    left_out: int
    """Copies that were not made."""


class KeptAnswers(Protocol):
    """The response cache."""

    bytes: int
    hits: int


class SecondTries(Protocol):
    """Requests that were sent to a second engine beside the first."""

    sent: int
    won: int
    unpaid_seconds: float
    """Of accelerators."""


@dataclass(frozen=True, slots=True)
class RoutingCollector(Collector):
    """A collector of prometheus_client."""

    load: Callable[[], Iterable[RevisionLoad]]
    copies: Copies
    hedges: SecondTries
    kept: KeptAnswers
    picker_failures: Callable[[], int]

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        copies = CounterMetricFamily("mizzen_gateway_mirrored", "Copies for mirrors", labels=["outcome"])
        copies.add_metric(["sent"], self.copies.sent)
        copies.add_metric(["left_out"], self.copies.left_out)
        yield copies
        hedges = self.hedges
        yield CounterMetricFamily("mizzen_gateway_hedges_sent", "Requests sent to a second engine", value=hedges.sent)
        yield CounterMetricFamily("mizzen_gateway_hedges_won", "Of those, answered by the second", value=hedges.won)
        yield CounterMetricFamily(
            "mizzen_gateway_hedges_unpaid_accelerator_seconds",
            "Accelerator time of tries whose answer nobody got",
            value=hedges.unpaid_seconds,
        )
        yield CounterMetricFamily(
            "mizzen_gateway_response_cache_hits", "Requests answered by what was kept", value=self.kept.hits
        )
        yield GaugeMetricFamily("mizzen_gateway_response_cache_bytes", "Bytes of answers kept", value=self.kept.bytes)
        yield CounterMetricFamily(
            "mizzen_gateway_picker_failures",
            "Requests whose endpoint picker chose none, so that they went by load",
            value=self.picker_failures(),
        )
        labels = ["namespace", "deployment", "pod"]
        blocks = GaugeMetricFamily(
            "mizzen_gateway_prefix_blocks", "Blocks of prompts remembered of a pod", labels=labels
        )
        for one in self.load():
            for pod in one.pods:
                if pod.prefix_blocks:
                    blocks.add_metric([one.namespace, one.deployment, pod.pod], pod.prefix_blocks)
        yield blocks
