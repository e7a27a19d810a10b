"""The simulated engine over HTTP: OpenAI's bodies, repeatable answers, an engine's queue and cache."""

import asyncio
import base64
import json
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mizzen_engines.simulated.server import SimulatedEngine
from mizzen_engines.simulated.settings import Settings, read
from support.until import until

QUESTION = [{"role": "user", "content": "Which way is the wind?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "forecast",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer"}}},
    },
}
FAST = Settings(decode_ms=0.0, prefill_tokens_per_second=1e9)
Start = Callable[[Settings], Awaitable["Client"]]


class Client:
    """Asks one engine."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def post(self, path: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, dict[str, Any]]:
        async with self.session.post(f"{self.url}{path}", json={"model": "m", **body}, headers=headers) as answer:
            return answer.status, await answer.json()

    async def chat(self, **body: Any) -> dict[str, Any]:
        status, answer = await self.post("/v1/chat/completions", **{"messages": QUESTION, **body})
        assert status == 200, answer
        return answer

    async def stream(self, path: str = "/v1/chat/completions", **body: Any) -> list[dict[str, Any]]:
        whole = {"model": "m", "stream": True, "messages": QUESTION, **body}
        async with self.session.post(f"{self.url}{path}", json=whole) as answer:
            text = (await answer.read()).decode()
        events = [line.removeprefix("data: ") for line in text.splitlines() if line]
        assert events[-1] == "[DONE]"
        return [json.loads(event) for event in events[:-1]]

    async def metric(self, name: str) -> float:
        async with self.session.get(f"{self.url}/metrics") as answer:
            found = re.search(rf"^{name}{{[^}}]*}} (\S+)$", await answer.text(), re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    async def reaches(self, name: str, value: float) -> None:
        """Return once the metric has the value."""
        async with asyncio.timeout(10):
            while await self.metric(name) != value:  # noqa: ASYNC110  # the engine is asked, it does not tell
                await asyncio.sleep(0.01)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    runners: list[web.AppRunner] = []
    async with aiohttp.ClientSession() as session:

        async def begin(settings: Settings) -> Client:
            runner = web.AppRunner(SimulatedEngine(settings, "m").application(), handler_cancellation=True)
            await runner.setup()
            runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            return Client(f"http://127.0.0.1:{runner.addresses[0][1]}", session)

        yield begin
    for runner in runners:
        await runner.cleanup()


async def test_an_answer_depends_on_seed_and_question_alone(start: Start) -> None:
    one, two = await start(FAST), await start(FAST)
    other = await start(Settings(seed=1, decode_ms=0.0))

    async def text(client: Client, **body: Any) -> str:
        return str((await client.chat(**body))["choices"][0]["message"]["content"])

    assert await text(one) == await text(two) == await text(one)
    assert await text(one) != await text(other)
    assert await text(one, seed=5) != await text(one)


async def test_every_answer_says_that_it_is_simulated(start: Start) -> None:
    client = await start(FAST)
    answer = await client.chat()
    assert answer["system_fingerprint"] == "simulated"
    assert answer["choices"][0]["message"]["content"].startswith("This is a simulated answer")
    async with client.session.get(f"{client.url}/v1/models") as listed:
        assert (await listed.json())["data"][0]["owned_by"] == "mizzen-simulated"


async def test_a_stream_holds_the_same_text_and_usage_as_the_whole_answer(start: Start) -> None:
    client = await start(FAST)
    whole = await client.chat(max_tokens=12)
    chunks = await client.stream(max_tokens=12, stream_options={"include_usage": True})
    text = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert whole["usage"]["completion_tokens"] == 12
    assert chunks[-2]["choices"][0]["finish_reason"] == "length" == whole["choices"][0]["finish_reason"]


async def test_a_stream_has_no_usage_unless_asked(start: Start) -> None:
    client = await start(FAST)
    assert all("usage" not in chunk for chunk in await client.stream(max_tokens=3))


async def test_completions_stream_and_stop(start: Start) -> None:
    client = await start(FAST)
    status, whole = await client.post("/v1/completions", prompt="wind", max_tokens=8, stop=" answer")
    assert status == 200
    assert whole["choices"][0]["text"] == "This is a simulated"
    assert whole["choices"][0]["finish_reason"] == "stop"
    chunks = await client.stream("/v1/completions", prompt="wind", max_tokens=5)
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["This", " is", " a", " simulated", " answer"]


async def test_several_choices_are_counted_together(start: Start) -> None:
    answer = await (await start(FAST)).chat(n=3, max_tokens=4)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] == 12


async def test_a_tool_is_called_with_arguments_of_its_schema(start: Start) -> None:
    client = await start(FAST)
    message = (await client.chat(tools=[TOOL]))["choices"][0]
    call = message["message"]["tool_calls"][0]
    assert message["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "forecast"
    arguments = json.loads(call["function"]["arguments"])
    assert isinstance(arguments["place"], str)
    assert isinstance(arguments["days"], int)
    chunks = await client.stream(tools=[TOOL])
    parts = [call for c in chunks for choice in c["choices"] for call in choice["delta"].get("tool_calls", [])]
    assert "".join(part["function"]["arguments"] for part in parts) == call["function"]["arguments"]


async def test_a_tools_answer_is_followed_by_text(start: Start) -> None:
    talk = [*QUESTION, {"role": "tool", "tool_call_id": "x", "content": "north"}]
    answer = await (await start(FAST)).chat(messages=talk, tools=[TOOL])
    assert answer["choices"][0]["message"]["content"]


async def test_embeddings_are_unit_vectors_in_both_encodings(start: Start) -> None:
    client = await start(FAST)
    _, plain = await client.post("/v1/embeddings", input=["a", "b"])
    _, packed = await client.post("/v1/embeddings", input="a", encoding_format="base64")
    vector = plain["data"][0]["embedding"]
    assert len(vector) == 384
    assert sum(value * value for value in vector) == pytest.approx(1.0)
    unpacked = struct.unpack("<384f", base64.b64decode(packed["data"][0]["embedding"]))
    assert list(unpacked) == pytest.approx(vector, abs=1e-6)
    assert plain["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"max_tokens": 9000}, "max_tokens"),
        ({"n": "two"}, "n"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
    ],
)
async def test_a_bad_request_names_its_field(start: Start, body: dict[str, Any], field: str) -> None:
    status, answer = await (await start(FAST)).post("/v1/chat/completions", **{"messages": QUESTION, **body})
    assert status == 400
    assert answer["error"]["param"] == field
    assert field in answer["error"]["message"]


async def test_another_model_is_not_found(start: Start) -> None:
    status, answer = await (await start(FAST)).post("/v1/chat/completions", messages=QUESTION, model="other")
    assert status == 404
    assert answer["error"]["type"] == "NotFoundError"


async def test_the_batch_limit_holds_and_the_rest_waits(start: Start) -> None:
    client = await start(Settings(decode_ms=20.0, batch_limit=2))
    asked = [asyncio.create_task(client.chat(max_tokens=10, ignore_eos=True, seed=i)) for i in range(5)]
    seen: set[tuple[float, float]] = set()
    while not all(task.done() for task in asked):
        seen.add((await client.metric("vllm:num_requests_running"), await client.metric("vllm:num_requests_waiting")))
        await asyncio.sleep(0.01)
    assert (2.0, 3.0) in seen
    assert max(running for running, _ in seen) == 2.0
    assert await client.metric("vllm:num_requests_running") == 0.0
    assert await client.metric("vllm:generation_tokens_total") == 50.0


async def test_a_full_queue_refuses(start: Start) -> None:
    client = await start(Settings(decode_ms=50.0, batch_limit=1, queue_limit=1))
    held = [asyncio.create_task(client.chat(max_tokens=50, ignore_eos=True))]
    await client.reaches("vllm:num_requests_running", 1)
    held.append(asyncio.create_task(client.chat(max_tokens=1)))
    await client.reaches("vllm:num_requests_waiting", 1)
    status, answer = await client.post("/v1/chat/completions", messages=QUESTION)
    assert status == 503
    assert "limit of 1" in answer["error"]["message"]
    for task in held:
        task.cancel()


async def test_the_cache_fills_and_the_youngest_gives_way(start: Start) -> None:
    client = await start(Settings(decode_ms=1.0, kv_tokens=60))
    asked = [client.chat(max_tokens=40, ignore_eos=True, seed=seed) for seed in range(3)]
    answers = await asyncio.gather(*asked)
    assert [answer["usage"]["completion_tokens"] for answer in answers] == [40, 40, 40]
    assert await client.metric("vllm:num_preemptions_total") > 0
    assert await client.metric("vllm:kv_cache_usage_perc") == 0.0


async def test_a_caller_that_leaves_frees_its_place(start: Start) -> None:
    client = await start(Settings(decode_ms=20.0))
    task = asyncio.create_task(client.stream(max_tokens=5000, ignore_eos=True))
    await client.reaches("vllm:num_requests_running", 1)
    task.cancel()
    await client.reaches("vllm:num_requests_running", 0)
    assert await client.metric("vllm:kv_cache_usage_perc") == 0.0


async def test_faults_are_ignored_unless_enabled(start: Start) -> None:
    client = await start(FAST)
    status, _ = await client.post("/v1/chat/completions", {"x-simulate": "error"}, messages=QUESTION)
    assert status == 200


async def test_faults_come_by_header_or_body_when_enabled(start: Start) -> None:
    client = await start(Settings(decode_ms=0.0, faults=True))
    status, _ = await client.post("/v1/chat/completions", {"x-simulate": "error=418"}, messages=QUESTION)
    assert status == 418
    status, _ = await client.post("/v1/embeddings", input="a", x_simulate="error")
    assert status == 500
    hanging = asyncio.create_task(client.chat(x_simulate="hang=2"))
    finished = asyncio.create_task(client.chat())
    await until(finished.done)
    assert not hanging.done()
    hanging.cancel()


async def test_health_waits_for_the_start_up_time(start: Start) -> None:
    client = await start(Settings(startup_seconds=0.3))
    statuses = []
    while not statuses or statuses[-1] != 200:
        async with client.session.get(f"{client.url}/health") as answer:
            statuses.append(answer.status)
        await asyncio.sleep(0.02)
    assert statuses[0] == 503


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_default() -> None:
    environment = {"MIZZEN_SIM_DECODE_MS": "7", "MIZZEN_SIM_SEED": "3", "POD_IP": "127.0.0.9", "MIZZEN_SIM_FAULTS": "1"}
    settings, listener = read(["--decode-ms", "9"], environment)
    assert (settings.decode_ms, settings.seed, settings.faults, listener.host) == (9.0, 3, True, "127.0.0.9")


def test_a_wrong_variable_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read([], {"MIZZEN_SIM_BATCH_LIMIT": "many"})
    assert "--batch-limit" in capsys.readouterr().err
