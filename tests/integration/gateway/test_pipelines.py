"""What goes from model to model in a pipeline, what does the caller get, and what does it cost? By a real gateway."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, ScriptedEngine, chunk, completion, scripted_engine

KEY = make_key()
CHAT = "/v1/chat/completions"
TENSORS = ("judge",)
"""Deployments that speak the Open Inference Protocol; all others speak OpenAI's."""
SIGNATURE = {
    "name": "judge",
    "versions": ["1"],
    "platform": "test",
    "inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]}],
    "outputs": [{"name": "LABEL", "datatype": "BYTES", "shape": [-1, 1]}],
}


async def shouts(exchange: Exchange) -> None:
    """A language model that says its prompt in capitals; a stream of one piece where it is asked for."""
    if exchange.method == "GET":
        await exchange.send(404, b"")
        return
    model, text = exchange.document["model"], exchange.document["messages"][-1]["content"].upper()
    if not exchange.document.get("stream"):
        await exchange.send_json(completion(model, text))
        return
    await exchange.start_events()
    await exchange.event(chunk(model, text))
    await exchange.event(chunk(model, None))
    await exchange.event(b"[DONE]")
    await exchange.end_events()


async def refuses(exchange: Exchange) -> None:
    await exchange.send_json({"error": {"message": "no"}}, 404 if exchange.method == "GET" else 500)


async def judges(exchange: Exchange) -> None:
    """A classifier: its label is the length of the text."""
    if exchange.path == "/v2/models/judge":
        await exchange.send_json(SIGNATURE)
    elif exchange.method == "GET":
        await exchange.send_json({"max_batch_size": 0})
    else:
        (text,) = exchange.document["inputs"][0]["data"]
        label = {"name": "LABEL", "datatype": "BYTES", "shape": [1, 1], "data": [f"{len(text)} of {text}"]}
        await exchange.send_json({"model_name": "judge", "model_version": "1", "outputs": [label]})


@asynccontextmanager
async def staged(
    folder: Path, engines: dict[str, Behaviour], *steps: dict[str, Any]
) -> AsyncIterator[tuple[RunningGateway, dict[str, ScriptedEngine], aiohttp.ClientSession]]:
    route = {
        "kind": "ModelRoute",
        "metadata": {"name": "piped", "namespace": "default"},
        "spec": {"rules": [{"name": "all", "pipeline": list(steps)}]},
        "status": {"project": "default"},
    }
    async with AsyncExitStack() as stack:
        started: dict[str, ScriptedEngine] = {}
        objects: list[dict[str, Any]] = [route]
        for name, behaviour in engines.items():
            started[name] = await stack.enter_async_context(scripted_engine(behaviour))
            protocol = "OpenInference" if name in TENSORS else "OpenAI"
            objects += [model_deployment(name), endpoint_set(name, started[name].address, protocol=protocol)]
        running = await stack.enter_async_context(running_gateway(folder, make_snapshot([KEY]), *objects))
        session = await stack.enter_async_context(aiohttp.ClientSession(running.url, headers=KEY.headers))
        yield running, started, session


def step(name: str, *inputs: tuple[str, str, str]) -> dict[str, Any]:
    """A step by its deployment's name."""
    listed = [dict(zip(("name", "step", "output"), one, strict=True)) for one in inputs]
    return {"name": name, "deployment": name, "inputs": listed}


def chat(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "piped", "messages": [{"role": "user", "content": text}], **more}


def posts(engine: ScriptedEngine) -> list[dict[str, Any]]:
    return [one.document for one in engine.exchanges if one.method == "POST"]


async def test_a_models_text_is_the_next_ones_prompt_and_each_is_metered_under_one_id(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": shouts, "two": shouts}, step("one"), step("two")) as (
        running,
        engines,
        session,
    ):
        async with session.post(CHAT, json=chat(temperature=0.5)) as response:
            assert response.status == 200, await response.text()
            document = await response.json()
            request_id = response.headers["x-request-id"]
        assert document["choices"][0]["message"]["content"] == "HELLO"
        assert document["model"] == "piped"
        (first,), (second,) = posts(engines["one"]), posts(engines["two"])
        assert first["messages"] == [{"role": "user", "content": "hello"}]
        assert "temperature" not in first, "the caller's parameters are for the answer that it gets"
        assert (second["messages"], second["temperature"]) == ([{"role": "user", "content": "HELLO"}], 0.5)
        rows = running.rows()
        assert [(row["model"], row["output_tokens"], row["answered"]) for row in rows] == [
            ("one", 3, True),
            ("two", 3, True),
        ]
        assert request_id.endswith(".2")
        assert [row["request_id"] for row in rows] == [request_id.removesuffix(".2"), request_id]


async def test_the_last_models_answer_is_streamed(tmp_path: Path) -> None:
    async with (
        staged(tmp_path, {"one": shouts, "two": shouts}, step("one"), step("two")) as (_, _, session),
        session.post(CHAT, json=chat(stream=True)) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert b'"content":"HELLO"' in await response.read()


async def test_a_text_becomes_the_tensor_that_a_classifier_takes(tmp_path: Path) -> None:
    inputs = ("TEXT", "one", "text")
    async with staged(tmp_path, {"one": shouts, "judge": judges}, step("one"), step("judge", inputs)) as found:
        running, engines, session = found
        said = {"name": "said", "datatype": "BYTES", "shape": [1], "data": ["nice"]}
        async with session.post("/v2/models/piped/infer", json={"id": "mine", "inputs": [said]}) as response:
            assert response.status == 200, await response.text()
            document = await response.json()
        assert document["outputs"][0]["data"] == ["4 of NICE"]
        (asked,) = posts(engines["judge"])
        assert asked["inputs"] == [{"name": "TEXT", "datatype": "BYTES", "shape": [1, 1], "data": ["NICE"]}]
        assert asked["id"] == "mine"
        assert [row["model"] for row in running.rows()] == ["one", "judge"]


async def test_a_label_becomes_the_prompt_of_a_language_model(tmp_path: Path) -> None:
    steps = (step("judge", ("TEXT", "request", "text")), step("two", ("prompt", "judge", "LABEL")))
    async with (
        staged(tmp_path, {"judge": judges, "two": shouts}, *steps) as (_, _, session),
        session.post(CHAT, json=chat("nice")) as response,
    ):
        assert response.status == 200, await response.text()
        assert (await response.json())["choices"][0]["message"]["content"] == "4 OF NICE"


async def test_a_step_that_fails_ends_the_request_and_what_was_used_is_paid(tmp_path: Path) -> None:
    async with staged(
        tmp_path, {"one": shouts, "two": refuses, "three": shouts}, *map(step, ("one", "two", "three"))
    ) as (
        running,
        engines,
        session,
    ):
        async with session.post(CHAT, json=chat()) as response:
            assert response.status == 502
            assert (await response.json())["error"]["code"] == "upstream_error"
        assert posts(engines["three"]) == []
        assert [(row["model"], row.get("output_tokens", 0)) for row in running.rows()] == [("one", 3), ("two", 0)]


async def test_a_pipeline_is_called_by_what_its_last_model_speaks(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": shouts, "judge": judges}, step("one"), step("judge")) as (running, _, session):
        async with session.post(CHAT, json=chat()) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (400, "wrong_protocol")
        async with session.post("/v1/embeddings", json={"model": "piped", "input": "x"}) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (400, "not_offered")
        async with session.get("/v2/models/piped") as response:
            assert response.status == 400
            assert "is a pipeline" in orjson.loads(await response.read())["error"]
        assert running.rows() == []
