"""A key that is confined to operations, routes or networks is held to them on every way into the gateway."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import orjson
from grpc import StatusCode
from mizzen_crds.access import KeyAccess
from mizzen_crds.kept_batches import BatchLine, LineResult
from mizzen_gateway.batches.line import Line
from mizzen_gateway.wire.request import Request
from support.free_ports import free_port
from support.gateway import (
    Key,
    RunningGateway,
    endpoint_set,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.scripted_engine import Exchange, completion, scripted_engine

CHAT = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
ONE_NUMBER = b"\x0a\x04chat\x2a\x0d\x0a\x01x\x12\x05UINT8\x1a\x01\x01\x3a\x01\x07"
"""A ModelInferRequest."""
EMBED = {"model": "chat", "input": "Hi"}


def confined(**scopes: Any) -> Key:
    key = make_key()
    return Key(key.text, KeyAccess.model_validate({**key.access.model_dump(), **scopes}))


async def embeds(exchange: Exchange) -> None:
    if "embeddings" in exchange.path:
        data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        await exchange.send_json({"object": "list", "model": "chat", "data": data, "usage": usage})
    else:
        await exchange.send_json(completion("chat"))


async def asked(running: RunningGateway, key: Key, path: str, body: Any, **headers: str) -> tuple[int, str | None]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(running.url + path, json=body, headers={**key.headers, **headers}) as answer,
    ):
        found = await answer.json()
        return answer.status, found["error"]["code"] if answer.status != 200 else None


async def asked_in_a_batch(running: RunningGateway, key: Key, url: str, body: Any) -> int:
    text = orjson.dumps({"custom_id": "one", "method": "POST", "url": url, "body": body}).decode()
    gateway = running.gateway
    caller = gateway.accounting.authenticator.caller_with(key.access.id)
    assert caller is not None
    result = await Line("batch_1", BatchLine(number=1, text=text)).ask(gateway._handler, caller, None)
    assert isinstance(result, LineResult)
    return int(orjson.loads(result.text)["response"]["status_code"])


async def test_a_key_for_embeddings_alone_is_refused_at_chat_also_in_a_batch(tmp_path: Path) -> None:
    key = confined(operations=["embeddings"])
    async with scripted_engine(embeds) as engine:
        objects = (model_deployment("chat"), endpoint_set("chat", engine.address))
        async with running_gateway(tmp_path, make_snapshot([key]), *objects) as running:
            assert await asked(running, key, "/v1/chat/completions", CHAT) == (403, "operation_not_allowed")
            assert await asked(running, key, "/v1/files", CHAT) == (403, "operation_not_allowed")
            assert await asked(running, key, "/v1/embeddings", EMBED) == (200, None)
            assert await asked_in_a_batch(running, key, "/v1/chat/completions", CHAT) == 403
            assert await asked_in_a_batch(running, key, "/v1/embeddings", EMBED) == 200
            async with aiohttp.ClientSession() as session:
                models = await session.get(running.url + "/v1/models", headers=key.headers)
                assert models.status == 200


async def test_grpc_is_held_to_operations_and_networks(tmp_path: Path) -> None:
    port = free_port()
    keys = {
        "chatty": confined(operations=["chat.completions"]),
        "elsewhere": confined(ip_ranges=["192.0.2.0/24"]),
        "here": confined(ip_ranges=["127.0.0.0/8"]),
    }
    async with (
        running_gateway(tmp_path, make_snapshot(list(keys.values())), MIZZEN_GRPC_PORT=str(port)),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        found = {}
        for name, key in keys.items():
            metadata = (("authorization", f"Bearer {key.text}"), ("x-forwarded-for", "192.0.2.1"))
            try:
                await call(ONE_NUMBER, metadata=metadata)
            except grpc.aio.AioRpcError as refused:
                found[name] = (refused.code(), refused.details())
    assert found["chatty"][0] is StatusCode.PERMISSION_DENIED
    assert "'infer'" in str(found["chatty"][1])
    assert found["elsewhere"][0] is StatusCode.PERMISSION_DENIED
    assert "127.0.0.1" in str(found["elsewhere"][1])
    assert found["here"][0] is StatusCode.NOT_FOUND


async def test_a_key_of_a_network_is_known_behind_a_trusted_proxy_alone(tmp_path: Path) -> None:
    key = confined(ip_ranges=["192.0.2.0/24"])
    for trusted, expected in (("127.0.0.0/8", 404), ("", 403)):
        folder = tmp_path / f"trusts-{bool(trusted)}"
        async with running_gateway(folder, make_snapshot([key]), MIZZEN_TRUSTED_PROXIES=trusted) as running:
            said = {"X-Forwarded-For": "198.51.100.1, 192.0.2.9"}
            status, code = await asked(running, key, "/v1/chat/completions", CHAT, **said)
            assert (status, code) == (expected, "model_not_found" if trusted else "address_not_allowed")


async def test_what_is_not_confined_pays_for_no_look_at_its_address(tmp_path: Path) -> None:
    key = make_key()
    async with running_gateway(tmp_path, make_snapshot([key])) as running:
        request = Request(b"POST", b"/v1/x", b"/v1/x", {b"api-key": key.text.encode()}, True, True)
        running.gateway._handler.vet(request, asyncio.BaseTransport())  # which could tell no address
        assert request.caller is not None
        assert request.caller.addresses is None
