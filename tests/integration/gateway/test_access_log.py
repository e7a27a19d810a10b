"""The access log of a gateway that serves: one line a request, with all that is known of it, refusals included."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from support.alone import a_file, a_key, alone, ask
from support.gateway import Key, make_key, make_snapshot, running_gateway
from support.scripted_engine import Exchange, completion, scripted_engine
from tritonclient.grpc import service_pb2 as pb


async def well(exchange: Exchange) -> None:
    if exchange.document["model"] == "bad":
        await exchange.send_json({"error": "x"}, 500)
    elif exchange.document["model"] == "slow":
        await asyncio.Event().wait()
    else:
        await exchange.send_json(completion("inner"))


def document(url: str, *keys: dict[str, Any]) -> dict[str, Any]:
    models = [{"name": name, "upstreams": ["local"]} for name in ("small", "bad", "slow", "spare")]
    models[0]["limits"] = [{"name": "two", "metric": "requests", "amount": 2, "per": "day"}]
    projects = [{"name": "team-a", "keys": list(keys), "models": ["small", "bad", "slow", "best"]}]
    routes = [{"name": "best", "models": [{"model": "bad"}], "fallbacks": ["spare"]}]
    return a_file(url, models=models, routes=routes, projects=projects, access_log="all")


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]


async def test_each_request_has_one_line_with_who_and_what(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (key, entry), (old, expired), (stranger, _) = a_key(), a_key(), a_key()
    expired = expired | {"name": "old", "expires_at": "2020-01-01T00:00:00Z"}
    async with (
        scripted_engine(well) as engine,
        alone(tmp_path, document(f"http://127.0.0.1:{engine.port}/v1", entry, expired)) as running,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key.text}"}) as session,
    ):
        for _ in range(3):
            await ask(running.url, key)
        for name in ("spare", "nowhere", "bad", "best"):
            await ask(running.url, key, name)
        await ask(running.url, old)
        await ask(running.url, stranger)
        await ask(running.url, key, n="many")
        async with session.get(f"{running.url}/v1/models") as answer:
            assert answer.status == 200
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await session.post(f"{running.url}/v1/chat/completions", json=chat("slow"))
    told = lines(capfd)
    assert [(line["status"], line["code"], line["model"]) for line in told] == [
        (200, "", "small"),
        (200, "", "small"),
        (429, "rate_limit_exceeded", "small"),
        (403, "model_not_allowed", "spare"),
        (404, "model_not_found", "nowhere"),
        (502, "upstream_error", "bad"),
        (200, "", "spare"),
        (401, "invalid_api_key", ""),
        (401, "invalid_api_key", ""),
        (400, "invalid_parameter", ""),
        (200, "", ""),
        (499, "caller_left", "slow"),
    ]
    for line in told:
        known = {"project": "team-a", "key": key.id} if line["status"] != 401 else {"project": ""}
        assert known.items() <= line.items(), line
    assert [line["key"] for line in told if line["status"] == 401] == [old.id, stranger.id]
    assert [bool(line["request_id"]) for line in told] == [True, True, *[False] * 3, True, True, *[False] * 4, True]
    assert told[6]["endpoints"][-1] == "local"
    assert {line["route"] for line in told} == {"/v1/chat/completions", "/v1/models"}
    assert key.text not in json.dumps(told)


def chat(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]}


async def test_calls_of_grpc_have_the_same_lines_also_those_that_are_refused_before_they_are_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key, stranger = make_key(), make_key()
    settings = {"MIZZEN_GRPC_PORT": "0", "MIZZEN_ACCESS_LOG": "all", "MIZZEN_MAX_BODY_BYTES": "1000"}
    named = pb.ModelReadyRequest(name="nobody").SerializeToString()
    calls: list[tuple[str, bytes, Key | None]] = [
        ("inference.GRPCInferenceService/ModelInfer", b"", None),
        ("inference.GRPCInferenceService/ModelStreamInfer", b"", stranger),
        ("inference.GRPCInferenceService/ModelInfer", bytes(2000), key),
        ("inference.GRPCInferenceService/ModelInfer", b"x", key),
        ("inference.GRPCInferenceService/ModelReady", named, key),
        ("inference.GRPCInferenceService/ModelMetadata", named, key),
        ("inference.GRPCInferenceService/ModelMetadata", b"x", key),
        ("inference.GRPCInferenceService/RepositoryIndex", b"", key),
        ("inference.GRPCInferenceService/ServerMetadata", b"", key),
        ("inference.GRPCInferenceService/ServerLive", b"", None),
        ("inference.GRPCInferenceService/Nowhere", b"", key),
    ]
    codes = []
    async with (
        running_gateway(tmp_path, make_snapshot([key]), **settings) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}") as channel,
    ):
        for path, message, one in calls:
            metadata = () if one is None else (("authorization", one.headers["Authorization"]),)
            codes.append(await channel.unary_unary("/" + path)(message, metadata=metadata).code())
    told = lines(capfd)
    assert [(line["route"], line["status"], line["code"], line["model"]) for line in told] == [
        ("grpc ModelInfer", 401, "invalid_api_key", ""),
        ("grpc ModelStreamInfer", 401, "invalid_api_key", ""),
        ("grpc ModelInfer", 499, "message_broken_off", ""),
        ("grpc ModelInfer", 400, "invalid_parameter", ""),
        ("grpc ModelReady", 404, "model_not_found", "nobody"),
        ("grpc ModelMetadata", 404, "model_not_found", "nobody"),
        ("grpc ModelMetadata", 400, "invalid_message", ""),
        ("grpc RepositoryIndex", 403, "not_offered", ""),
        ("grpc ServerMetadata", 200, "", ""),
        ("grpc ServerLive", 200, "", ""),
        ("grpc", 404, "unknown_path", ""),
    ]
    assert [line["key"] for line in told] == ["", stranger.access.id, *[key.access.id] * 7, "", key.access.id]
    assert [line["project"] for line in told] == ["", "", *["default"] * 7, "", "default"]
    assert codes[2] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert codes[-2:] == [grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED]
