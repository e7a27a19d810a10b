"""The gateway's spans, read by a real OpenTelemetry Collector: it takes them by OTLP, and tells what it understood."""

from pathlib import Path

import aiohttp
import pytest
from cluster.build import built
from support.collector_process import collector_process
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, completion, scripted_engine
from support.span_collector import span_collector

KEY = make_key()
TRACE, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MARKER = "xyzzy-marker"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER_SPAN}-01", "tracestate": "v=1"}


@pytest.fixture(scope="module")
def program() -> Path:
    """Of the release that tools/cluster/otelcol pins."""
    return built("otelcol")["otelcol"]


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion(exchange.document["model"], MARKER))


async def test_a_collector_understands_the_spans_of_a_request(tmp_path: Path, program: Path) -> None:
    async with scripted_engine(well) as engine, span_collector() as behind:
        with collector_process(program, tmp_path / "collector", behind.url) as url:
            objects = model_deployment("m"), endpoint_set("m", engine.address)
            async with (
                running_gateway(tmp_path, make_snapshot([KEY]), *objects, MIZZEN_TRACES_URL=url) as running,
                aiohttp.ClientSession(headers=KEY.headers) as session,
            ):
                body = {"model": "m", "messages": [{"role": "user", "content": MARKER}], "temperature": 0.5}
                for headers in (PARENT, {**PARENT, "traceparent": PARENT["traceparent"][:-1] + "0"}):
                    path = running.url + "/v1/chat/completions"
                    async with session.post(path, json=body, headers=headers) as answer:
                        assert answer.status == 200
                spans = await behind.until(lambda spans: len(spans) >= 2)
                async with session.get(running.admin_url + "/metrics") as answer:
                    assert "mizzen_gateway_spans_sent_total 2.0" in await answer.text()
    request, call = sorted(spans, key=lambda span: span.kind)
    assert (request.name, call.name) == ("POST /v1/chat/completions", "chat m")
    assert (request.trace_id, request.parent_id) == (TRACE, CALLER_SPAN)
    assert (call.trace_id, call.parent_id, call.state) == (TRACE, request.span_id, "v=1")
    assert engine.exchanges[0].headers["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
    assert call.attributes["gen_ai.usage.output_tokens"] == 3
    assert call.attributes["gen_ai.request.temperature"] == 0.5
    assert request.resource["service.name"] == "mizzen-gateway"
    assert all(MARKER.encode() not in received for received in behind.raw)
