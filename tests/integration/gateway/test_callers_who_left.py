"""What a caller sent is gone as soon as it has left: nothing of it waits for the garbage collector."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from mizzen_gateway.protocols.open_inference.call import InferCall
from mizzen_gateway.protocols.openai.call import OpenAICall
from mizzen_gateway.protocols.openai.transcription import TranscriptionCall
from mizzen_gateway.under_way import Run
from mizzen_gateway.wire.body import BodyStream
from mizzen_gateway.wire.connection import Connection
from mizzen_gateway.wire.parser import RequestParser
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, chunk, completion, scripted_engine
from support.until import until
from support.what_is_left import left, without_collector

KEY = make_key()
OF_CALLERS = (Connection, RequestParser, Request, BodyStream, Responder, OpenAICall, TranscriptionCall, InferCall, Run)


async def behaves(exchange: Exchange) -> None:
    """Answers some, begins to answer others, leaves the rest without any."""
    if exchange.method == "GET":
        await exchange.send(404, b"")
    elif b'"answered"' in exchange.body:
        await exchange.send_json(completion("one"))
    else:
        if b'"stream":true' in exchange.body:
            await exchange.start_events()
            await exchange.event(chunk("one", "hi"))
        await asyncio.Event().wait()


def sent(path: str, body: bytes, kind: str = "application/json", missing: int = 0) -> bytes:
    """A request, whose body is announced to be larger than what is there."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY.text}\r\nContent-Type: {kind}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % (len(body) + missing) + body


def chat(model: str, *, missing: int = 0, user: str = "somebody", **more: Any) -> bytes:
    asked = {"model": model, "messages": [{"role": "user", "content": "hi" * 50_000}], "user": user, **more}
    return sent("/v1/chat/completions", orjson.dumps(asked), missing=missing)


def form(*parts: str, missing: int = 1_000_000) -> bytes:
    """An upload that is still under way."""
    made = "".join(f"--b\r\nContent-Disposition: form-data; name={part}" for part in parts).encode()
    return sent("/v1/audio/transcriptions", made, "multipart/form-data; boundary=b", missing)


MODEL, SOUND = '"model"\r\n\r\none\r\n', '"file"; filename="a"\r\n\r\n' + "s" * 400_000
TENSOR = {"inputs": [{"name": "x", "shape": [50_000], "datatype": "FP32", "data": [0.5] * 50_000}]}
ASKED: dict[str, bytes] = {
    "an engine works": chat("one"),
    "a stream is under way": chat("one", stream=True),
    "an answer was read": chat("one", user="answered"),
    "two were sent at once": chat("one") * 2,
    "a body is not whole": chat("one", missing=10),
    "it is parked": chat("parked"),
    "it is parked, and hears that it is": chat("parked", stream=True),
    "its route has a limit of time": chat("timed"),
    "its route hedges": chat("hedged"),
    "its route hedges, and knows too little for it": chat("measured"),
    "its route keeps answers": chat("kept"),
    "a model of a pipeline works": chat("piped"),
    "tensors are worked at": sent("/v2/models/tensors/infer", orjson.dumps(TENSOR)),
    "a sound goes to the engine": form(MODEL, SOUND),
    "a sound is held": form(SOUND),
}


REACH_NO_ENGINE = frozenset(
    {"a body is not whole", "it is parked", "it is parked, and hears that it is", "a sound is held"}
)


def route(name: str, **rule: Any) -> dict[str, Any]:
    return {
        "kind": "ModelRoute",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"rules": [{"name": "all", "backends": [{"deployment": "one"}], **rule}]},
        "status": {"project": "default"},
    }


PIPED = route("piped")
PIPED["spec"]["rules"] = [{"name": "all", "pipeline": [{"name": name, "deployment": "one"} for name in ("a", "b")]}]
ROUTES = (
    PIPED,
    route("timed", timeouts={"requestSeconds": 60}),
    route("hedged", hedge={"after": "Delay", "delayMilliseconds": 10}),
    route("measured", hedge={"after": "P95", "delayMilliseconds": 10}),
    route("kept", cache={}),
)


async def calls_and_leaves(running: RunningGateway, data: bytes, reached: Callable[[], bool]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.gateway.port)
    writer.write(data)
    if b"answered" in data or (b'"stream":true' in data and b'"parked"' not in data):
        await reader.readuntil(b"\r\n\r\n")
    await until(reached)
    writer.transport.abort()


async def test_nothing_is_left_of_callers_who_have_left(tmp_path: Path) -> None:
    found: dict[str, dict[str, int]] = {}
    async with scripted_engine(behaves) as first, scripted_engine(behaves) as second:
        objects = [
            model_deployment("one"), endpoint_set("one", first.address, second.address),
            model_deployment("tensors"),
            endpoint_set("tensors", first.address, protocol="OpenInference", engine="Triton"),
            model_deployment("parked"), endpoint_set("parked"), *ROUTES,
        ]  # fmt: skip

        def posted() -> int:
            """Requests that engines have got, beside questions of what they can do."""
            return sum(one.method == "POST" for one in (*first.exchanges, *second.exchanges))

        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as running:
            server = running.gateway.server
            with without_collector():
                for name, asked in ASKED.items():
                    before = posted()
                    asks = name not in REACH_NO_ENGINE

                    def taken(before: int = before, asks: bool = asks) -> bool:
                        return server.connection_count == 1 and (posted() > before) == asks

                    await calls_and_leaves(running, asked, taken)
                    await until(lambda: server.connection_count == 0)
                    with suppress(TimeoutError):
                        await until(lambda: not left(*OF_CALLERS), seconds=5, every=0.05)
                    found[name] = left(*OF_CALLERS)
    assert found == {name: {} for name in ASKED}
