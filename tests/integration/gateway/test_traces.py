"""Spans of requests, read by a receiver of OTLP that the official messages make; what engines hear of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.settings import SettingsError, read_settings
from mizzen_gateway.tracing import exporter
from support.gateway import (
    RunningGateway,
    endpoint_set,
    gateway_environment,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.scripted_engine import Behaviour, Exchange, ScriptedEngine, completion, hangs, scripted_engine, streams
from support.span_collector import ReceivedSpan, SpanCollector, span_collector
from support.until import until

CHAT = "/v1/chat/completions"
KEY = make_key()
TRACE, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MARKER = "xyzzy-marker"
SERVER, CLIENT = 2, 3


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are not gathered for long."""
    monkeypatch.setattr(exporter, "SEND_SECONDS", 0.01)


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion(exchange.document["model"], f"{MARKER}-answer"))


async def cuts(exchange: Exchange) -> None:
    exchange.cut()


@dataclass
class Stage:
    """A gateway that traces, engines of one model, and the collector."""

    running: RunningGateway
    engines: list[ScriptedEngine]
    collector: SpanCollector
    session: aiohttp.ClientSession

    async def ask(self, flags: str | None = "01", **more: Any) -> int:
        """The status of a chat."""
        headers = {} if flags is None else {"traceparent": f"00-{TRACE}-{CALLER_SPAN}-{flags}", "tracestate": "v=1"}
        body = {"model": "m", "messages": [{"role": "user", "content": MARKER}], **more}
        async with self.session.post(self.running.url + CHAT, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def spans(self, count: int) -> list[ReceivedSpan]:
        """All spans, the request's first, once there are so many."""
        found = await self.collector.until(lambda spans: len(spans) >= count)
        return sorted(found, key=lambda span: (span.kind, span.started_ns))


@asynccontextmanager
async def staged(folder: Path, *behaviours: Behaviour, **settings: str) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        collector = await enter(span_collector())
        engines = [await enter(scripted_engine(one)) for one in behaviours]
        objects = model_deployment("m"), endpoint_set("m", *(one.address for one in engines))
        variables = {"MIZZEN_TRACES_URL": collector.url, **settings}
        running = await enter(running_gateway(folder, make_snapshot([KEY]), *objects, **variables))
        session = await enter(aiohttp.ClientSession(headers=KEY.headers))
        yield Stage(running, engines, collector, session)


async def test_a_request_is_a_span_and_the_engines_call_another_below_it(tmp_path: Path) -> None:
    async with staged(tmp_path, well) as stage:
        assert await stage.ask(temperature=0.5, max_tokens=9, seed=1 << 63) == 200
        request, call = await stage.spans(2)
        [row] = stage.running.rows()
        [engine] = stage.engines
        [heard] = engine.exchanges
    assert {span.trace_id for span in (request, call)} == {TRACE}
    assert (request.parent_id, call.parent_id) == (CALLER_SPAN, request.span_id)
    assert (request.name, request.kind, call.name, call.kind) == (f"POST {CHAT}", SERVER, "chat m", CLIENT)
    assert request.started_ns <= call.started_ns <= call.ended_ns <= request.ended_ns
    assert request.state == call.state == "v=1"
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": CHAT,
        "url.scheme": "http",
        "http.response.status_code": 200,
        "mizzen.project": "default",
        "mizzen.key": KEY.access.id,
        "gen_ai.request.model": "m",
        "mizzen.request_id": row["request_id"],
        "mizzen.namespace": "default",
        "mizzen.deployment": "m",
    }
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "simulated",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "127.0.0.1",
        "server.port": engine.port,
        "mizzen.request_id": row["request_id"],
        "mizzen.namespace": "default",
        "mizzen.deployment": "m",
        "mizzen.pod": f"m-{engine.port}",
        "mizzen.revision": "r1",
    }
    assert request.resource["service.name"] == "mizzen-gateway"
    assert heard.headers["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
    assert heard.headers["tracestate"] == "v=1"


async def test_a_stream_tells_when_its_first_piece_came(tmp_path: Path) -> None:
    async with staged(tmp_path, streams) as stage:
        assert await stage.ask(stream=True) == 200
        request, call = await stage.spans(2)
    assert call.attributes["gen_ai.request.stream"] is True
    assert 0 <= call.attributes["gen_ai.response.time_to_first_chunk"] < 5
    assert call.attributes["gen_ai.usage.output_tokens"] == 3
    assert not request.failed


async def test_each_try_at_an_engine_is_a_span(tmp_path: Path) -> None:
    async with staged(tmp_path, cuts, cuts, cuts) as stage:
        assert await stage.ask() == 502
        request, *calls = await stage.spans(4)
        heard = {exchange.headers["traceparent"] for engine in stage.engines for exchange in engine.exchanges}
    assert len(calls) == 3
    assert heard == {f"00-{TRACE}-{call.span_id}-01" for call in calls}
    assert {call.attributes["error.type"] for call in calls} == {"broken"}
    assert all(span.failed for span in (request, *calls))
    assert (request.attributes["http.response.status_code"], request.attributes["error.type"]) == (
        502,
        "upstream_error",
    )


async def test_a_refused_request_is_a_span_that_did_not_fail(tmp_path: Path) -> None:
    async with staged(tmp_path, well) as stage:
        assert await stage.ask(model="absent") == 404
        [request] = await stage.spans(1)
    assert (request.attributes["error.type"], request.failed) == ("model_not_found", False)


async def test_a_caller_who_leaves_is_told_of(tmp_path: Path) -> None:
    async with staged(tmp_path, hangs) as stage:
        asking = asyncio.create_task(stage.ask())
        await until(lambda: stage.engines[0].exchanges)
        asking.cancel()
        request, call = await stage.spans(2)
    assert request.attributes["error.type"] == call.attributes["error.type"] == "caller_left"
    assert "http.response.status_code" not in request.attributes
    assert not request.failed


async def test_what_is_not_recorded_leaves_nothing_and_engines_hear_so(tmp_path: Path) -> None:
    async with staged(tmp_path, well, MIZZEN_TRACES_SHARE="0") as stage:
        assert await stage.ask(flags="00") == 200
        assert await stage.ask(flags=None) == 200
        assert await stage.ask(flags="01") == 200
        spans = await stage.spans(2)
        followed, begun, _ = [one.headers["traceparent"] for one in stage.engines[0].exchanges]
    assert len(spans) == 2
    assert followed == f"00-{TRACE}-{CALLER_SPAN}-00"
    assert begun.endswith("-00")
    assert TRACE not in begun


async def test_without_a_collector_engines_hear_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path, well, MIZZEN_TRACES_URL="") as stage:
        assert await stage.ask() == 200
        assert not {"traceparent", "tracestate"} & set(stage.engines[0].exchanges[0].headers)
        assert stage.running.settings.traces is None


async def test_a_share_records_requests_of_callers_who_did_not_decide(tmp_path: Path) -> None:
    async with staged(tmp_path, well, MIZZEN_TRACES_SHARE="all") as stage:
        assert await stage.ask(flags=None) == 200
        request, call = await stage.spans(2)
    assert (request.parent_id, call.parent_id) == ("", request.span_id)
    assert request.trace_id not in {TRACE, "0" * 32}


async def test_nobody_without_a_good_key_makes_a_span(tmp_path: Path) -> None:
    async with staged(tmp_path, well, MIZZEN_TRACES_SHARE="all") as stage:
        async with aiohttp.ClientSession() as stranger:
            for path, status in (("/v1/models", 401), ("/v2/health/live", 200)):
                async with stranger.get(stage.running.url + path) as answer:
                    assert answer.status == status
        assert await stage.ask() == 200
        assert len(await stage.spans(2)) == 2


async def test_engines_get_one_context_also_where_a_setting_names_the_header(tmp_path: Path) -> None:
    async with staged(tmp_path, well, MIZZEN_FORWARD_HEADERS="x-other,traceparent,tracestate") as stage:
        assert await stage.ask() == 200
        _, call = await stage.spans(2)
        assert stage.engines[0].exchanges[0].headers["traceparent"] == f"00-{TRACE}-{call.span_id}-01"


async def test_spans_hold_nothing_that_was_asked_or_answered(tmp_path: Path) -> None:
    async with staged(tmp_path, well) as stage:
        assert await stage.ask(user=MARKER, stop=[MARKER], metadata={"a": MARKER}) == 200
        await stage.spans(2)
        assert all(MARKER.encode() not in body for body in stage.collector.raw)
        assert all(KEY.text.encode() not in body for body in stage.collector.raw)


async def test_prompts_are_told_where_they_are_wanted_and_answers_never(tmp_path: Path) -> None:
    async with staged(tmp_path, well, MIZZEN_TRACES_PROMPTS="on") as stage:
        assert await stage.ask() == 200
        _, call = await stage.spans(2)
    assert (
        call.attributes["gen_ai.input.messages"]
        == f'[{{"role":"user","parts":[{{"type":"text","content":"{MARKER}"}}]}}]'
    )
    assert all(f"{MARKER}-answer".encode() not in body for body in stage.collector.raw)


async def test_a_collector_that_hangs_holds_up_no_request(tmp_path: Path) -> None:
    async with staged(tmp_path, well, MIZZEN_TRACES_URL="http://127.0.0.1:9/v1/traces") as stage:
        for _ in range(20):
            assert await stage.ask() == 200
        async with stage.session.get(stage.running.admin_url + "/metrics") as answer:
            assert "mizzen_gateway_spans_sent_total 0.0" in await answer.text()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MIZZEN_TRACES_URL", "collector:4317"),
        ("MIZZEN_TRACES_URL", "http://collector:4318"),
        ("MIZZEN_TRACES_URL", "http://user:password@collector/v1/traces"),
        ("MIZZEN_TRACES_SHARE", "2"),
        ("MIZZEN_TRACES_PROMPTS", "some"),
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, name: str, value: str) -> None:
    variables = {"MIZZEN_TRACES_URL": "http://127.0.0.1:4318/v1/traces", name: value}
    with pytest.raises(SettingsError, match=name):
        read_settings(gateway_environment(tmp_path, **variables))


async def test_a_collector_is_trusted_by_the_authority_that_is_named(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    for name, one in (("ours", authority), ("other", other)):
        one.cert_pem.write_to_path(tmp_path / f"{name}.pem")
    async with span_collector(authority) as collector:
        for name, taken in (("ours", "2.0"), ("other", "0.0")):
            variables = {"MIZZEN_TRACES_URL": collector.url, "MIZZEN_TRACES_CA": str(tmp_path / f"{name}.pem")}
            (tmp_path / name).mkdir()
            async with staged(tmp_path / name, well, **variables) as stage:
                assert await stage.ask() == 200
                spans = stage.running.gateway._spans
                assert spans is not None
                if name == "ours":
                    await collector.until(lambda found: len(found) == 2)
                else:
                    await until(lambda spans=spans: "certificate verify failed" in spans._said)  # type: ignore[misc]  # a default binds it
                async with stage.session.get(stage.running.admin_url + "/metrics") as answer:
                    assert f"mizzen_gateway_spans_sent_total {taken}" in await answer.text()


async def test_an_authority_that_is_none_is_named(tmp_path: Path) -> None:
    variables = {"MIZZEN_TRACES_URL": "https://127.0.0.1:9/v1/traces", "MIZZEN_TRACES_CA": str(tmp_path / "none")}
    with pytest.raises(CannotStartError, match=r"MIZZEN_TRACES_CA: .* holds no certificate"):
        async with running_gateway(tmp_path, make_snapshot([]), **variables):
            pass


def test_headers_for_the_collector_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer t\n\nX-Scope: a:b\n")
    variables = {"MIZZEN_TRACES_URL": "http://c/v1/traces", "MIZZEN_TRACES_HEADERS_FILE": str(tmp_path / "headers")}
    traces = read_settings(gateway_environment(tmp_path, **variables)).traces
    assert traces is not None
    assert traces.headers == (("authorization", "Bearer t"), ("x-scope", "a:b"))
    (tmp_path / "headers").write_text("Bearer t")
    with pytest.raises(SettingsError, match="one header a line"):
        read_settings(gateway_environment(tmp_path, **variables))
