"""What engines say when they fail stays with them, at every endpoint; what callers say stays out of every log."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from support.free_ports import free_port
from support.gateway import endpoint_set, gateway_process, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, scripted_engine
from support.span_collector import span_collector
from tritonclient.grpc import service_pb2 as pb

KEY = make_key()
SECRET = "SECRET in /opt/engine/model.py"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "PROMPT"}]},
    "/v1/completions": {"prompt": "PROMPT"},
    "/v1/responses": {"input": "PROMPT"},
    "/v1/embeddings": {"input": "PROMPT"},
    "/v1/rerank": {"query": "PROMPT", "documents": ["PROMPT"]},
    "/v1/score": {"text_1": "PROMPT", "text_2": "PROMPT"},
    "/v1/classify": {"input": "PROMPT"},
    "/v1/images/generations": {"prompt": "PROMPT"},
}


async def asked(folder: Path, behaviour: Behaviour, path: str, **more: Any) -> tuple[int, str]:
    async with scripted_engine(behaviour) as engine:
        objects = [model_deployment("m"), endpoint_set("m", engine.address)]
        async with (
            running_gateway(folder, make_snapshot([KEY]), *objects) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
            session.post(running.url + path, json={"model": "m", **BODIES[path], **more}) as answer,
        ):
            return answer.status, await answer.text()


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 503])
async def test_no_endpoint_passes_an_engines_words_on(tmp_path: Path, path: str, status: int) -> None:
    async def fails(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": SECRET, "type": SECRET}, "detail": SECRET}, status)

    found, text = await asked(tmp_path, fails, path)
    assert "SECRET" not in text
    assert "/opt" not in text
    assert set(json.loads(text)["error"]) == {"message", "type", "param", "code"}
    assert found == (400 if status in {400, 422} else 502)


@pytest.mark.parametrize("path", [path for path in BODIES if path != "/v1/images/generations"])
async def test_an_error_under_a_good_status_is_an_error(tmp_path: Path, path: str) -> None:
    async def fails(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": SECRET}})

    found, text = await asked(tmp_path, fails, path)
    assert (found, json.loads(text)["error"]["code"]) == (502, "upstream_error")
    assert "SECRET" not in text


EVENTS = [
    {"type": "error", "message": SECRET, "code": SECRET},
    {"type": "response.failed", "response": {"error": {"message": SECRET}, "model": "m"}},
    {"error": {"message": SECRET}},
]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses"])
@pytest.mark.parametrize("event", EVENTS)
async def test_an_error_in_a_stream_becomes_one_event_of_ours(tmp_path: Path, path: str, event: dict[str, Any]) -> None:
    async def fails(exchange: Exchange) -> None:
        await exchange.start_events()
        await exchange.event({"type": "response.output_text.delta", "delta": "one", "choices": [{"index": 0}]})
        await exchange.event(event)
        await exchange.end_events()

    if path != "/v1/responses" and "error" not in event:
        return  # these words are events of the Responses API alone
    found, text = await asked(tmp_path, fails, path, stream=True)
    assert found == 200
    assert "SECRET" not in text
    last = json.loads(text.rstrip().splitlines()[-1].removeprefix("data: "))
    assert last["error"]["code"] == "upstream_error"
    if path == "/v1/responses":
        assert last["type"] == "error"


async def test_no_log_and_no_span_holds_what_a_caller_said(tmp_path: Path) -> None:
    async def fails(exchange: Exchange) -> None:
        told = {"error": "PROMPT " + SECRET} if exchange.method == "POST" else {"inputs": [], "outputs": []}
        await exchange.send_json(told, 400 if exchange.method == "POST" else 200)

    port = free_port()
    async with scripted_engine(fails) as engine, span_collector() as collector:
        settings = {
            "MIZZEN_LOG_LEVEL": "DEBUG",
            "MIZZEN_ACCESS_LOG": "all",
            "MIZZEN_GRPC_PORT": str(port),
            "MIZZEN_TRACES_URL": collector.url,
            "MIZZEN_TRACES_SHARE": "all",
        }
        tensors = endpoint_set("t", engine.address, protocol="OpenInference", engine="Triton")
        objects = [model_deployment("m"), endpoint_set("m", engine.address), model_deployment("t"), tensors]
        with gateway_process(tmp_path, make_snapshot([KEY]), *objects, **settings) as url:
            await _say_everywhere(url)
            await _infers(port)
            spans = await collector.until(lambda spans: any(span.attributes.get("rpc.method") for span in spans))
        logged = (tmp_path / "log").read_text()
    assert "gateway listens" in logged
    assert '"operation":"chat.completions"' in logged
    assert "PROMPT" not in logged
    assert {"chat m", "embeddings m", "inference.GRPCInferenceService/ModelInfer"} <= {span.name for span in spans}
    assert all(b"PROMPT" not in body for body in collector.raw)


async def _say_everywhere(url: str) -> None:
    async with aiohttp.ClientSession(headers=KEY.headers) as session:
        for path, body in BODIES.items():
            for wrong in ({}, {"n": "PROMPT"}, {"model": "nobody"}, {"user": "PROMPT"}):
                async with session.post(url + path, json={"model": "m", **body, **wrong}) as answer:
                    await answer.read()
        for raw in (b"PROMPT", b'{"model":"m","messages":"PROMPT"}'):
            async with session.post(url + "/v1/chat/completions", data=raw) as answer:
                await answer.read()
        form = aiohttp.FormData({"model": "m", "prompt": "PROMPT"})
        form.add_field("file", b"PROMPT" * 100, filename="PROMPT.wav")
        async with session.post(url + "/v1/audio/transcriptions", data=form) as answer:
            await answer.read()


async def _infers(port: int) -> None:
    made = pb.ModelInferRequest(model_name="t", raw_input_contents=[b"\x06\x00\x00\x00PROMPT"])
    made.inputs.add(name="text", datatype="BYTES", shape=[1])
    metadata = (("authorization", KEY.headers["Authorization"]),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answers = await asyncio.gather(
            *(infer(raw, metadata=metadata) for raw in (made.SerializeToString(), b"PROMPT")), return_exceptions=True
        )
    assert all(isinstance(one, grpc.aio.AioRpcError) for one in answers)
