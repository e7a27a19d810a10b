"""What do callers get whose request is not over when the gateway has to stop? Word of it; rows say who ended it."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from mizzen_gateway.wiring import Gateway
from support.gateway import (
    RunningGateway,
    endpoint_set,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.scripted_engine import Exchange, chunk, scripted_engine
from support.tensor_engine import tensor_engine
from support.until import until
from tritonclient.grpc import service_pb2 as pb

KEY = make_key()
CHAT = "/v1/chat/completions"
INFER = "/inference.GRPCInferenceService/ModelInfer"
HEARTBEAT = ": waiting for a replica\n\n"
SCALING = {"minReplicas": 0, "maxReplicas": 1, "coldStart": {"queueLimit": 5, "holdSeconds": 60}}


async def asked(running: RunningGateway, *, stream: bool) -> tuple[int, str, Mapping[str, str]]:
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    async with (
        aiohttp.ClientSession(headers=KEY.headers) as session,
        session.post(running.url + CHAT, json=body) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


def last_error(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.rstrip().splitlines()[-1].removeprefix("data: "))["error"]
    return found


def written(gateway: Gateway) -> int:
    responders = [one._responder for one in gateway.server._connections]
    return sum(one.bytes_out for one in responders if one is not None)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_under_way_is_told_and_nobody_else_is_blamed(tmp_path: Path, stream: bool) -> None:
    heard = asyncio.Event()

    async def begins_and_hangs(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.send(404, b"")
            return
        if stream:
            await exchange.start_events()
            await exchange.event(chunk("m", "one"))
        heard.set()
        await asyncio.Event().wait()

    async with scripted_engine(begins_and_hangs) as engine:
        objects = (model_deployment("m"), endpoint_set("m", engine.address))
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as running:
            gateway = running.gateway
            asking = asyncio.create_task(asked(running, stream=stream))
            await heard.wait()
            await until(lambda: not stream or bool(written(gateway)))
            await gateway.server.drain(0.1)
            status, text, headers = await asking
            (row,) = running.rows()
            (load,) = [one for one in gateway.book.revisions() if one.revision]
    assert (status, last_error(text)["code"]) == (200 if stream else 503, "gateway_stopping")
    assert stream or headers["retry-after"] == "1"
    assert row["attempts"][-1]["outcome"] == "gateway_stopping"
    assert (row["status"], row.get("output_tokens", 0)) == (status, 1 if stream else 0)
    assert stream or not row.get("input_tokens")
    assert (load.requests, load.errors) == (1, 0), "no engine has failed"


@pytest.mark.parametrize("beats", [True, False])
async def test_a_request_that_waits_for_a_replica_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beats: bool
) -> None:
    monkeypatch.setattr("mizzen_gateway.heartbeats.HEARTBEAT_SECONDS", 0.05 if beats else 10.0)
    objects = (model_deployment("m", autoscaling=SCALING), endpoint_set("m"))
    async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as running:
        gateway = running.gateway
        asking = asyncio.create_task(asked(running, stream=True))
        await until(lambda: gateway.table.target(("default", "m")).parked == 1)
        await until(lambda: not beats or written(gateway) >= len(HEARTBEAT))
        await gateway.server.drain(0.1)
        status, text, headers = await asking
        assert not running.rows(), "no engine was asked"
    assert (status, last_error(text)["code"]) == (200 if beats else 503, "gateway_stopping")
    assert text.count("data: ") == int(beats)
    assert beats or headers["retry-after"] == "1"


async def test_a_call_over_grpc_is_told_too(tmp_path: Path) -> None:
    heard = asyncio.Event()
    describes = tensor_engine("inner")

    async def hangs(exchange: Exchange) -> None:
        if not exchange.path.endswith("/infer"):
            await describes(exchange)
            return
        heard.set()
        await asyncio.Event().wait()

    call = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"\x00\x00\x80\x3f" * 2])
    call.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    async with scripted_engine(hangs) as engine:
        endpoints = endpoint_set("m", engine.address, protocol="OpenInference", engine="Triton", model_name="inner")
        objects = (model_deployment("m"), endpoints)
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects, MIZZEN_GRPC_PORT="0") as running:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}") as channel:
                metadata = (("authorization", KEY.headers["Authorization"]),)
                asking = channel.unary_unary(INFER)(call.SerializeToString(), metadata=metadata)
                await heard.wait()
                assert running.gateway._grpc is not None
                await running.gateway._grpc.drain(0.1)
                assert await asking.code() is grpc.StatusCode.UNAVAILABLE
                assert dict(await asking.trailing_metadata())["x-error-code"] == "gateway_stopping"
            (row,) = running.rows()
    assert (row["status"], row["attempts"][-1]["outcome"]) == (503, "gateway_stopping")
