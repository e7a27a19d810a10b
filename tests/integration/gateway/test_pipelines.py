"""What goes from model to model in a pipeline, what does the caller get, and what does it cost? By a real gateway."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, ScriptedEngine, chunk, completion, scripted_engine
from support.until import until

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


async def finds_it_wrong(exchange: Exchange) -> None:
    await exchange.send_json({"error": {"message": "too long"}}, 404 if exchange.method == "GET" else 400)


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
    folder: Path,
    engines: dict[str, Behaviour],
    *steps: dict[str, Any],
    inner: dict[str, Any] | None = None,
    **rule: Any,
) -> AsyncIterator[tuple[RunningGateway, dict[str, ScriptedEngine], aiohttp.ClientSession]]:
    """`inner` is the rule of a second route, for steps that name it; further words are fields of the pipeline's."""
    async with AsyncExitStack() as stack:
        started: dict[str, ScriptedEngine] = {}
        objects = [model_route("piped", pipeline=list(steps), **rule)]
        if inner is not None:
            objects.append(model_route("inner", **inner))
        for name, behaviour in engines.items():
            started[name] = await stack.enter_async_context(scripted_engine(behaviour))
            protocol = "OpenInference" if name in TENSORS else "OpenAI"
            objects += [model_deployment(name), endpoint_set(name, started[name].address, protocol=protocol)]
        running = await stack.enter_async_context(running_gateway(folder, make_snapshot([KEY]), *objects))
        session = await stack.enter_async_context(aiohttp.ClientSession(running.url, headers=KEY.headers))
        yield running, started, session


def model_route(name: str, **rule: Any) -> dict[str, Any]:
    return {
        "kind": "ModelRoute",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"rules": [{"name": "all", **rule}]},
        "status": {"project": "default"},
    }


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


INNER = {"name": "first", "route": "inner"}


async def test_a_step_that_is_a_route_goes_on_to_its_fallback_and_the_pipeline_goes_on(tmp_path: Path) -> None:
    inner = {
        "backends": [{"deployment": "one"}],
        "fallbacks": [{"deployment": "never", "causes": ["Overloaded"]}, {"deployment": "spare", "causes": ["Failed"]}],
    }
    engines = {"one": refuses, "never": shouts, "spare": shouts, "two": shouts}
    async with staged(tmp_path, engines, INNER, step("two"), inner=inner) as (running, asked, session):
        async with session.post(CHAT, json=chat()) as response:
            assert response.status == 200, await response.text()
            assert (await response.json())["choices"][0]["message"]["content"] == "HELLO"
        assert posts(asked["never"]) == []
        assert posts(asked["two"])[0]["messages"][0]["content"] == "HELLO", "the spare one was asked in its place"
        rows = running.rows()
        assert [(row["model"], row.get("output_tokens", 0)) for row in rows] == [("one", 0), ("spare", 3), ("two", 3)]
        stem = rows[0]["request_id"]
        assert [row["request_id"] for row in rows] == [stem, f"{stem}.2", f"{stem}.3"]


async def test_what_a_failed_pipeline_was_asked_goes_whole_to_the_fallback_of_its_rule(tmp_path: Path) -> None:
    fallbacks = [{"deployment": "never", "causes": ["TimedOut"]}, {"deployment": "whole", "causes": ["Failed"]}]
    engines = {"one": shouts, "two": refuses, "never": shouts, "whole": shouts}
    async with staged(tmp_path, engines, step("one"), step("two"), fallbacks=fallbacks) as (running, asked, session):
        async with session.post(CHAT, json=chat(temperature=0.5, stream=True)) as response:
            assert b'"content":"HELLO"' in await response.read()
        (whole,) = posts(asked["whole"])
        assert (whole["messages"], whole["temperature"]) == ([{"role": "user", "content": "hello"}], 0.5)
        assert posts(asked["never"]) == []
        assert [row["model"] for row in running.rows()] == ["one", "two", "whole"]


async def test_no_step_is_asked_where_a_later_one_has_no_endpoint_and_a_fallback_has(tmp_path: Path) -> None:
    fallbacks = [{"deployment": "whole", "causes": ["NotReady"]}]
    engines = {"one": shouts, "two": shouts, "whole": shouts}
    async with staged(tmp_path, engines, step("one"), step("two"), fallbacks=fallbacks) as (running, asked, session):
        running.put(endpoint_set("two"))
        async with session.post(CHAT, json=chat()) as response:
            assert response.status == 200
        assert posts(asked["one"]) == []
        assert [row["model"] for row in running.rows()] == ["whole"]


async def test_what_is_wrong_with_a_request_sends_a_pipeline_nowhere_else(tmp_path: Path) -> None:
    engines = {"one": finds_it_wrong, "whole": shouts}
    async with staged(tmp_path, engines, step("one"), fallbacks=[{"deployment": "whole"}]) as (_, asked, session):
        async with session.post(CHAT, json=chat()) as response:
            assert response.status == 400
        assert posts(asked["whole"]) == []


async def test_the_answer_of_a_whole_pipeline_is_given_again_to_the_same_request(tmp_path: Path) -> None:
    engines = {"one": shouts, "two": shouts}
    async with staged(tmp_path, engines, step("one"), step("two"), cache={}) as (running, asked, session):
        answers = []
        for text, temperature in (("hello", 0), ("hello", 0), ("other", 0), ("hello", 1)):
            async with session.post(CHAT, json=chat(text, temperature=temperature)) as response:
                assert response.status == 200
                answers.append(
                    ((await response.json())["choices"][0]["message"]["content"], response.headers.get("age"))
                )
        assert answers == [("HELLO", None), ("HELLO", "0"), ("OTHER", None), ("HELLO", None)]
        assert [len(posts(asked[name])) for name in ("one", "two")] == [3, 3]
        hits = [row for row in running.rows() if row.get("response_cache_hit")]
        assert [(row["model"], row.get("input_tokens", 0), row["answered"]) for row in hits] == [("two", 0, True)]
        assert len(running.rows()) == 7
        running.put(endpoint_set("one", asked["one"].address, traffic={"r1": 50, "r2": 50}))
        async with session.post(CHAT, json=chat(temperature=0)) as response:
            assert response.headers.get("age") is None, "a change of any of the models begins anew"


async def test_a_mirror_of_a_pipeline_gets_what_the_caller_has_asked(tmp_path: Path) -> None:
    engines = {"one": shouts, "two": shouts, "copy": shouts}
    async with staged(tmp_path, engines, step("one"), step("two"), mirrors=[{"deployment": "copy"}]) as found:
        running, asked, session = found
        async with session.post(CHAT, json=chat(temperature=0.5)) as response:
            assert response.status == 200
        await until(lambda: posts(asked["copy"]))
        (copy,) = posts(asked["copy"])
        assert (copy["messages"], copy["temperature"]) == ([{"role": "user", "content": "hello"}], 0.5)
        assert [row["model"] for row in running.rows()] == ["one", "two"]


async def test_the_session_of_a_caller_keeps_to_one_replica_in_each_step(tmp_path: Path) -> None:
    engines = {"one": shouts, "two": shouts}
    async with staged(tmp_path, engines, step("one"), step("two")) as found, scripted_engine(shouts) as other:
        running, asked, session = found
        affine = {"routing": {"policy": "SessionAffinity"}}
        running.put(model_deployment("one", **affine), endpoint_set("one", asked["one"].address, other.address))
        for _ in range(6):
            async with session.post(CHAT, json=chat(user="me")) as response:
                assert response.status == 200
        assert sorted((len(posts(asked["one"])), len(posts(other)))) == [0, 6]
