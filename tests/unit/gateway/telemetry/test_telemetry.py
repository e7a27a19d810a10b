"""Metrics that a Prometheus can read, of bounded cardinality; logs without secrets."""

import io
import json

import structlog
from mizzen_gateway.metering.shipping import Shipper
from mizzen_gateway.metering.spool import Spool
from mizzen_gateway.stages import Refusal
from mizzen_gateway.telemetry import counts
from mizzen_gateway.telemetry.counts import RequestCounts
from mizzen_gateway.telemetry.exposition import Sources, exposition
from mizzen_gateway.telemetry.logs import SteadyStream, redact
from prometheus_client.parser import text_string_to_metric_families
from support.access_snapshots import KEY, Enforcement, a_limit, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench
from support.records import an_intent, an_outcome


async def test_metrics_can_be_parsed_and_say_what_happened(tmp_path):
    bench = QuotaBench(a_snapshot(9, limits=[a_limit(1, enforcement=Enforcement.SHADOW)]))
    spool = Spool(tmp_path)
    shipper = Shipper(spool, LedgerDouble(), bench.leases.acknowledge)
    observed = RequestCounts()
    observed.ended(an_intent("req_1"), an_outcome())
    observed.refused("/v1/chat/completions", Refusal(429, "rate_limit_exceeded", ""))
    bench.leases.account("bud_a")
    read = exposition(
        Sources(observed, bench.state, bench.quota, bench.leases, spool, shipper, lambda: (), bench.store)
    )
    families = {family.name: family for family in text_string_to_metric_families(read().decode())}
    samples = {(s.name, *sorted(s.labels.items())): s.value for f in families.values() for s in f.samples}
    labels = (("model", "m"), ("operation", "chat.completions"))
    assert samples["mizzen_gateway_requests_total", *labels, ("status", "200")] == 1
    assert samples["mizzen_gateway_request_duration_seconds_count", *labels] == 1
    assert samples["mizzen_gateway_request_duration_seconds_sum", *labels] == 0.0125
    bucket = ("mizzen_gateway_request_duration_seconds_bucket", ("le", "0.025"), *labels)
    assert samples[bucket] == 1
    assert samples[("mizzen_gateway_snapshot_version",)] == 9
    assert samples[("mizzen_gateway_spool_closed",)] == 0
    refused = (("code", "rate_limit_exceeded"), ("route", "/v1/chat/completions"), ("status", "429"))
    assert samples["mizzen_gateway_refused_total", *refused] == 1
    await spool.close()


def test_models_beyond_the_bound_are_counted_together(monkeypatch):
    monkeypatch.setattr(counts, "MODELS_LIMIT", 2)
    observed = RequestCounts()
    for model in ("a", "b", "c", "d", "a"):
        observed.ended(an_intent("req_1", model), an_outcome())
    assert {model for _, _, model in observed.requests} == {"a", "b", "other"}


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
