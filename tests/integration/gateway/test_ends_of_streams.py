"""A stream whose engine has told its end is whole, however the engine's connection ends behind that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.openai.answer import StreamAnswer
from mizzen_gateway.protocols.openai.tail import CHUNKS
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, chunk, completion, scripted_engine
from support.until import until

KEY = make_key()
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
RESPONSES = {"model": "m", "input": "hi", "stream": True}
WORD, USED = chunk("m", "one"), chunk("m", None)
DELTA = {"type": "response.output_text.delta", "delta": "one"}
COMPLETED = {"type": "response.completed", "response": {"usage": {"input_tokens": 7, "output_tokens": 3}}}
FAILED = {"type": "response.failed", "response": {"error": {"code": "server_error"}}}
PATHS = {"messages": "/v1/chat/completions", "input": "/v1/responses"}
TOLD: dict[str, tuple[dict[str, Any], tuple[object, ...]]] = {
    "usage": (CHAT, (WORD, USED, b"[DONE]")),
    "no-usage": (CHAT, (WORD, WORD, WORD, b"[DONE]")),
    "responses": (RESPONSES, (DELTA, COMPLETED)),
}
NOT_TOLD: dict[str, tuple[dict[str, Any], tuple[object, ...]]] = {
    "no-last-words": (CHAT, (WORD, USED)),
    "words-in-a-text": (CHAT, (chunk("m", "data: [DONE]"),)),
    "responses": (RESPONSES, (DELTA,)),
    "failed": (RESPONSES, (DELTA, FAILED)),
}
IDLE_SECONDS = 1


def ends(events: dict[str, tuple[object, ...]]) -> Behaviour:
    """Those events of a model, and then what only an engine does that is in a hurry."""

    async def behave(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.send(404, b"")
            return
        name, _, how = str(exchange.document["model"]).partition("_")
        if not exchange.document.get("stream"):
            await exchange.send_json(completion(name))
            return
        await exchange.start_events()
        for event in events[name]:
            await exchange.event(event)
        if how == "reset":
            exchange.cut()
        elif how == "closed":
            exchange.writer.close()
        elif how == "nonsense":
            exchange.writer.write(b"what?\r\n")
        else:
            await asyncio.Event().wait()

    return behave


async def asked(running: RunningGateway, body: dict[str, Any]) -> bytes:
    [path] = [path for field, path in PATHS.items() if field in body]
    async with (
        aiohttp.ClientSession(headers=KEY.headers) as session,
        session.post(running.url + path, json=body) as answer,
    ):
        assert answer.status == 200
        return await answer.read()


@asynccontextmanager
async def served(folder: Path, models: dict[str, str], events: dict[str, tuple[object, ...]]) -> AsyncIterator[Any]:
    """Models by the names that the engine knows them by."""
    async with scripted_engine(ends(events)) as engine:
        objects = [
            one
            for name, inner in models.items()
            for one in (
                model_deployment(name),
                endpoint_set(name, engine.address, model_name=inner),
                route(name),
            )
        ]
        async with running_gateway(folder, make_snapshot([KEY]), *objects) as running:
            yield running


def route(name: str) -> dict[str, Any]:
    """Under another name than the model, with a short time between two parts of an answer."""
    rule = {"name": "all", "backends": [{"deployment": name}], "timeouts": {"idleSeconds": IDLE_SECONDS}}
    return {
        "kind": "ModelRoute",
        "metadata": {"name": f"{name}-soon", "namespace": "default"},
        "spec": {"rules": [rule]},
        "status": {"project": "default"},
    }


async def test_a_stream_that_told_its_end_is_whole_without_its_last_chunk(tmp_path: Path) -> None:
    cases = {f"{name}-{how}": (name, how) for name in TOLD for how in ("closed", "reset", "nonsense", "silent")}
    models = {case: "_".join(told) for case, told in cases.items()}
    async with served(tmp_path, models, {name: events for name, (_, events) in TOLD.items()}) as running:
        streams = dict(
            zip(
                cases,
                await asyncio.gather(
                    *(asked(running, {**TOLD[name][0], "model": f"{case}-soon"}) for case, (name, _) in cases.items())
                ),
                strict=True,
            )
        )
        await until(lambda: len(running.rows()) == len(cases))
        rows = {row["deployment"]: row for row in running.rows()}
        for case, (name, _) in cases.items():
            last = TOLD[name][1][-1]
            words = last if isinstance(last, bytes) else orjson.dumps(last)
            assert streams[case].endswith(b"data: " + words + b"\n\n"), case
            assert b'"error"' not in streams[case]
            assert [tried["outcome"] for tried in rows[case]["attempts"]] == ["ok"], case
            assert rows[case]["status"] == 200
            assert rows[case]["estimated"] == (name == "no-usage"), case
        assert {endpoint.ejected_until for *_, endpoint in running.gateway.book.places()} == {0.0}
        assert b'"chat.completion"' in await asked(running, {**CHAT, "model": "usage-closed", "stream": False})


async def test_a_stream_that_did_not_tell_its_end_is_broken_off(tmp_path: Path) -> None:
    models = {name: f"{name}_closed" for name in NOT_TOLD}
    async with served(tmp_path, models, {name: events for name, (_, events) in NOT_TOLD.items()}) as running:
        for name, (body, _) in NOT_TOLD.items():
            stream = await asked(running, {**body, "model": name})
            assert b'"code":"upstream_error"' in stream, name
        await until(lambda: len(running.rows()) == len(NOT_TOLD))
        for row in running.rows():
            assert [tried["outcome"] for tried in row["attempts"]] == ["broken"], row["deployment"]


def test_what_a_caller_does_not_read_is_not_held_for_its_end_as_well() -> None:
    answer = StreamAnswer(HeldResponder(), (), "m", "m", 10, True, CHUNKS)
    answer.on_head(200, {b"content-type": b"text/event-stream"})
    answer.on_body(b"data: {}\n\n" * 20_000)
    assert len(answer._last) <= len(b"data: [DONE]\r\n\r\n")
