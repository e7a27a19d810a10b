"""What does /metrics show? Everything that the gateway's parts count, read when somebody scrapes."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from mizzen_crds.serving import RevisionLoad
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessStore
from mizzen_gateway.limits.quota import SnapshotQuota
from mizzen_gateway.limits.shared_store import SharedStore
from mizzen_gateway.metering.shipping import Shipper
from mizzen_gateway.metering.spool import Spool
from mizzen_gateway.telemetry.counts import OTHER, Histogram, RequestCounts

PICO = 10**12
SMALLEST_PARTS = {"money": PICO, "tokens": 1, "accelerator_seconds": 1000}
"""Of a budget's unit."""
MOST_NAMES = 500
"""Limits or budgets of one metric that have series of their own, those that came first; the others are `other`."""
Named = tuple[tuple[str, ...], int, int]
"""Labels, which of them is the name, and how much."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Whom the numbers come from."""

    counts: RequestCounts
    state: AccessState
    quota: SnapshotQuota
    leases: CreditLeases
    spool: Spool
    shipper: Shipper
    load: Callable[[], Iterable[RevisionLoad]]
    store: ProcessStore | SharedStore


class GatewayCollector(Collector):
    """A collector of prometheus_client."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield from _requests(self._sources.counts)
        yield from _limits(self._sources)
        yield from _store(self._sources)
        yield from _spool(self._sources)
        yield from _access(self._sources.state)
        yield from _load(self._sources.load())


def exposition(sources: Sources, *more: Collector) -> Callable[[], bytes]:
    """A function that gives the text of /metrics."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (GatewayCollector(sources), *more):
        registry.register(collector)
    return lambda: generate_latest(registry)


def _requests(counts: RequestCounts) -> Iterator[Metric]:
    of = ["operation", "model", "project"]
    requests = CounterMetricFamily("mizzen_gateway_requests", "Admitted requests", labels=[*of, "status"])
    errors = CounterMetricFamily("mizzen_gateway_errors", "Admitted requests that failed", labels=[*of, "code"])
    tokens = CounterMetricFamily("mizzen_gateway_tokens", "Tokens; no token counts twice", labels=[*of, "direction"])
    series = list(counts.series.items())
    for key, one in series:
        for status, count in list(one.statuses.items()):
            requests.add_metric([*key, str(status)], count)
        for code, count in list(one.errors.items()):
            errors.add_metric([*key, code], count)
        for direction, count in (
            ("input", one.input_tokens),
            ("cached", one.cached_tokens),
            ("output", one.output_tokens),
            ("reasoning", one.reasoning_tokens),
        ):
            if count:
                tokens.add_metric([*key, direction], count)
    yield requests
    yield errors
    yield tokens
    refused = CounterMetricFamily("mizzen_gateway_refused", "Refused requests", labels=["route", "status", "code"])
    for (route, status, code), count in list(counts.refusals.items()):
        refused.add_metric([route, str(status), code], count)
    yield refused
    for name, text, histogram in (
        ("request_duration", "Until the last byte", attrgetter("durations")),
        ("first_byte", "Until the engine's first byte: time to first token", attrgetter("first_bytes")),
        ("time_per_output_token", "From one token to the next, on average of a request", attrgetter("per_token")),
    ):
        family = HistogramMetricFamily(f"mizzen_gateway_{name}_seconds", text, labels=of)
        for key, one in series:
            _add(family, key, histogram(one))
        yield family


def _add(family: HistogramMetricFamily, key: tuple[str, str, str], histogram: Histogram) -> None:
    buckets: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        below += count
        buckets.append(("+Inf" if bound == float("inf") else f"{bound / 1000:g}", below))
    if below:
        family.add_metric(list(key), buckets, sum_value=histogram.total / 1000)


def _limits(sources: Sources) -> Iterator[Metric]:
    over = CounterMetricFamily(
        "mizzen_gateway_over_limit", "Requests over a limit or budget", labels=["kind", "name", "enforcement"]
    )
    for labels, count in few((key, 1, count) for key, count in list(sources.quota.refused_by.items())).items():
        over.add_metric(list(labels), count)
    yield over
    beyond = CounterMetricFamily(
        "mizzen_gateway_soft_budget_beyond",
        "Used by requests beyond what they had reserved of soft budgets, in the budget's unit",
        labels=["name", "unit"],
    )
    for (name, unit), amount in few((key, 0, amount) for key, amount in list(sources.quota.beyond.items())).items():
        beyond.add_metric([name, unit], amount / SMALLEST_PARTS[unit])
    yield beyond
    yield from _credit(sources)


def _credit(sources: Sources) -> Iterator[Metric]:
    labels, now = ["budget", "unit"], time.time()
    free = GaugeMetricFamily("mizzen_gateway_credit_free", "Budget credit at hand, in its unit", labels=labels)
    held = GaugeMetricFamily("mizzen_gateway_credit_in_use", "Budget credit used or held back", labels=labels)
    accounts = list(sources.leases.accounts.items())
    for family, amounts in (
        (free, few(((budget, one.unit), 0, max(0, one.free(now))) for budget, one in accounts)),
        (held, few(((budget, one.unit), 0, one.in_use) for budget, one in accounts)),
    ):
        for (budget, unit), amount in amounts.items():
            family.add_metric([budget, unit], amount / SMALLEST_PARTS[unit])
        yield family


def few(amounts: Iterable[Named]) -> dict[tuple[str, ...], int]:
    """By labels; what has a name beyond the bound is added up."""
    found: dict[tuple[str, ...], int] = {}
    names: set[str] = set()
    for labels, place, amount in amounts:
        key = labels
        if labels[place] in names or len(names) < MOST_NAMES:
            names.add(labels[place])
        else:
            key = (*labels[:place], OTHER, *labels[place + 1 :])
        found[key] = found.get(key, 0) + amount
    return found


def _store(sources: Sources) -> Iterator[Metric]:
    lost = CounterMetricFamily(
        "mizzen_gateway_limits_store_lost",
        "Requests that met a limit or budget whose store was away",
        labels=["kind", "name", "outcome"],
    )
    for (kind, name, outcome), count in list(sources.quota.store_lost.items()):
        lost.add_metric([kind, name, outcome], count)
    yield lost
    store = sources.store
    if isinstance(store, ProcessStore):
        return
    yield GaugeMetricFamily(
        "mizzen_gateway_limits_store_up", "1 while the store of limits answers", value=int(not store.lost)
    )
    yield CounterMetricFamily(
        "mizzen_gateway_limits_store_failures", "Calls that the store of limits did not answer", value=store.failures
    )
    yield GaugeMetricFamily(
        "mizzen_gateway_limits_settlements_waiting",
        "Ends of requests that the store of limits has not heard of",
        value=store.settlements_waiting,
    )
    yield CounterMetricFamily(
        "mizzen_gateway_limits_settlements_lost",
        "Ends of requests that the store of limits never hears of: they end by their time",
        value=store.lost_settlements,
    )


def _spool(sources: Sources) -> Iterator[Metric]:
    spool, shipper = sources.spool, sources.shipper
    yield GaugeMetricFamily("mizzen_gateway_spool_bytes", "Bytes of the spool on disk", value=spool.size_bytes)
    yield GaugeMetricFamily(
        "mizzen_gateway_spool_oldest_seconds",
        "Age of the oldest row that the ledger lacks",
        value=shipper.oldest_seconds(),
    )
    yield GaugeMetricFamily(
        "mizzen_gateway_spool_closed", "1 while usage cannot be recorded and requests are refused", value=_closed(spool)
    )
    yield CounterMetricFamily("mizzen_gateway_spool_write_failures", "Writes that failed", value=spool.failures)
    yield CounterMetricFamily("mizzen_gateway_rows_shipped", "Rows that the ledger took", value=shipper.shipped)
    yield CounterMetricFamily("mizzen_gateway_rows_refused", "Rows that the ledger never takes", value=shipper.refused)
    yield GaugeMetricFamily("mizzen_gateway_open_intents", "Requests under way", value=spool.open_intents)


def _closed(spool: Spool) -> int:
    return int(spool.closed() is not None)


def _access(state: AccessState) -> Iterator[Metric]:
    version = 0 if state.index is None else state.index.version
    yield GaugeMetricFamily("mizzen_gateway_snapshot_version", "Version of the access snapshot", value=version)
    if state.index is not None:
        age = max(0.0, state.age_seconds())
        yield GaugeMetricFamily("mizzen_gateway_snapshot_age_seconds", "Since it was last confirmed", value=age)


def _load(revisions: Iterable[RevisionLoad]) -> Iterator[Metric]:
    labels = ["namespace", "deployment", "revision"]
    in_flight = GaugeMetricFamily("mizzen_gateway_in_flight", "Requests being answered", labels=labels)
    parked = GaugeMetricFamily("mizzen_gateway_parked", "Requests that wait for a replica", labels=labels)
    for load in list(revisions):
        place = [load.namespace, load.deployment, load.revision]
        in_flight.add_metric(place, load.in_flight)
        parked.add_metric(place, load.parked)
    yield in_flight
    yield parked
