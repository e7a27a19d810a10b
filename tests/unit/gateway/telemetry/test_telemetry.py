"""Metrics that a Prometheus can read, of bounded cardinality; logs without secrets."""

import io
import json

import structlog
from mizzen_gateway.metering.shipping import Shipper
from mizzen_gateway.metering.spool import Spool
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.telemetry import counts
from mizzen_gateway.telemetry.counts import RequestCounts
from mizzen_gateway.telemetry.exposition import Sources, exposition
from mizzen_gateway.telemetry.logs import SteadyStream, redact
from mizzen_gateway.telemetry.serving_metrics import ServingCollector
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from support.access_snapshots import KEY, Enforcement, a_limit, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import CALLER, QuotaBench
from support.records import an_intent, an_outcome


async def test_metrics_can_be_parsed_and_say_what_happened(tmp_path):
    bench = QuotaBench(a_snapshot(9, limits=[a_limit(1, enforcement=Enforcement.SHADOW)]))
    spool = Spool(tmp_path)
    shipper = Shipper(spool, LedgerDouble(), bench.leases.acknowledge)
    observed = RequestCounts()
    observed.ended(an_intent("req_1"), an_outcome())
    observed.refused("/v1/chat/completions", Refusal(429, "rate_limit_exceeded", ""))
    bench.leases.account("bud_a")
    bench.quota.store_lost["limit", "strict", "refused"] += 3
    read = exposition(
        Sources(observed, bench.state, bench.quota, bench.leases, spool, shipper, lambda: (), bench.store)
    )
    families = {family.name: family for family in text_string_to_metric_families(read().decode())}
    samples = {(s.name, *sorted(s.labels.items())): s.value for f in families.values() for s in f.samples}
    labels = (("model", "m"), ("operation", "chat.completions"), ("project", CALLER.project))
    assert samples["mizzen_gateway_requests_total", *labels, ("status", "200")] == 1
    assert samples["mizzen_gateway_request_duration_seconds_count", *labels] == 1
    assert samples["mizzen_gateway_request_duration_seconds_sum", *labels] == 0.0125
    bucket = ("mizzen_gateway_request_duration_seconds_bucket", ("le", "0.025"), *labels)
    assert samples[bucket] == 1
    assert samples[("mizzen_gateway_snapshot_version",)] == 9
    assert samples[("mizzen_gateway_spool_closed",)] == 0
    lost = (("kind", "limit"), ("name", "strict"), ("outcome", "refused"))
    assert samples["mizzen_gateway_limits_store_lost_total", *lost] == 3
    refused = (("code", "rate_limit_exceeded"), ("route", "/v1/chat/completions"), ("status", "429"))
    assert samples["mizzen_gateway_refused_total", *refused] == 1
    await spool.close()


def test_models_beyond_the_bound_are_counted_together(monkeypatch):
    monkeypatch.setattr(counts, "SERIES_LIMIT", 2)
    observed = RequestCounts()
    for model in ("a", "b", "c", "d", "a"):
        observed.ended(an_intent("req_1", model), an_outcome())
    assert {(model, project == "other") for _, model, project in observed.series} == {
        ("a", False),
        ("b", False),
        ("other", True),
    }


def test_no_key_or_token_reaches_a_log_line():
    output = io.StringIO()
    log = structlog.wrap_logger(structlog.PrintLogger(output), processors=[redact, structlog.processors.JSONRenderer()])
    log.info(f"refused {KEY}", header=f"Bearer {KEY}", token="mzt_gateway_" + "x" * 43, other="Bearer sk-abc")
    line = json.loads(output.getvalue())
    assert KEY[-43:] not in output.getvalue()
    assert "x" * 43 not in output.getvalue()
    assert "sk-abc" not in output.getvalue()
    assert line["event"].startswith("refused mzk_")


def test_a_log_that_cannot_be_written_breaks_nothing():
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        stream = SteadyStream(full)
        structlog.PrintLogger(stream).msg("x" * 10_000)
        assert stream.lost > 0
        full.buffer.raw.close()


class Endpoint:
    def __init__(self, healthy: bool, in_flight: int) -> None:
        self.healthy, self.in_flight = healthy, in_flight

    def takes_requests(self, now: float) -> bool:
        return self.healthy


class Callers:
    connection_count, evicted = 7, 2


class Lines:
    dropped = 3


def test_each_endpoints_health_and_the_callers_connections_are_told():
    told = [("default", "chat", "pod-a", Endpoint(True, 4)), ("default", "chat", "pod-b", Endpoint(False, 0))]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServingCollector(lambda: told, Callers(), Lines(), lambda: 0.0))
    place = {"namespace": "default", "deployment": "chat"}
    assert registry.get_sample_value("mizzen_gateway_endpoint_healthy", {**place, "pod": "pod-a"}) == 1
    assert registry.get_sample_value("mizzen_gateway_endpoint_healthy", {**place, "pod": "pod-b"}) == 0
    assert registry.get_sample_value("mizzen_gateway_endpoint_in_flight", {**place, "pod": "pod-a"}) == 4
    assert registry.get_sample_value("mizzen_gateway_connections") == 7
    assert registry.get_sample_value("mizzen_gateway_connections_evicted_total") == 2
    assert registry.get_sample_value("mizzen_gateway_access_log_dropped_total") == 3


def test_tokens_count_once_and_times_are_told_by_token():
    observed = RequestCounts()
    usage = Usage(10, 5, cached_tokens=4, reasoning_tokens=2)
    observed.ended(an_intent("req_1"), an_outcome(usage=usage))
    [series] = observed.series.values()
    counted = (series.input_tokens, series.cached_tokens, series.output_tokens, series.reasoning_tokens)
    assert counted == (6, 4, 3, 2)
    assert series.per_token.total == (12.5 - 3.0) / 4
    assert sum(series.per_token.counts) == sum(series.first_bytes.counts) == 1
