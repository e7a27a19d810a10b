"""The simulated engine's other endpoints: ranks, scores, labels, responses, sound and pictures."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mizzen_engines.simulated.server import SimulatedEngine
from mizzen_engines.simulated.settings import Settings

FAST = Settings(decode_ms=0.0, prefill_tokens_per_second=1e9)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async for found in served(FAST):
        yield found


async def served(settings: Settings) -> AsyncIterator[str]:
    runner = web.AppRunner(SimulatedEngine(settings, "m").application(), handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def post(url: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.post(url + path, json={"model": "m", **body}) as answer:
        return answer.status, await answer.json()


async def test_documents_are_ranked_by_their_scores(url: str) -> None:
    status, answer = await post(url, "/v1/rerank", query="a", documents=["b", {"text": "c"}, "d"], top_n=2)
    assert status == 200, answer
    scores = [one["relevance_score"] for one in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 2
    _, again = await post(url, "/v1/rerank", query="a", documents=["b", {"text": "c"}, "d"], top_n=2)
    assert [one["index"] for one in again["results"]] == [one["index"] for one in answer["results"]]


async def test_pairs_are_scored_and_texts_get_labels(url: str) -> None:
    _, scored = await post(url, "/v1/score", text_1="a", text_2=["b", "c"])
    assert [one["index"] for one in scored["data"]] == [0, 1]
    assert (await post(url, "/v1/score", text_1=["a", "b"], text_2=["c"]))[0] == 400
    _, labelled = await post(url, "/classify", input=["a", "b"])
    for one in labelled["data"]:
        assert sum(one["probs"]) == pytest.approx(1.0)
        assert one["label"] == ("calm", "stormy")[one["probs"].index(max(one["probs"]))]


async def test_a_streamed_response_ends_with_the_whole_one(url: str) -> None:
    body = {"model": "m", "input": "hi", "stream": True, "max_output_tokens": 5}
    async with aiohttp.ClientSession() as session, session.post(url + "/v1/responses", json=body) as answer:
        text = (await answer.read()).decode()
    events = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    said = "".join(one["delta"] for one in events if one["type"] == "response.output_text.delta")
    whole = events[-1]["response"]
    assert (events[-1]["type"], whole["status"]) == ("response.incomplete", "incomplete")
    assert whole["output"][0]["content"][0]["text"] == said
    assert whole["usage"]["output_tokens"] == 5


async def test_an_answer_fits_the_schema_that_was_asked_for(url: str) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    messages = [{"role": "user", "content": "hi"}]
    _, answer = await post(url, "/v1/chat/completions", messages=messages, response_format=wanted)
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"])["days"], int)


async def test_a_sound_becomes_words_and_a_picture_a_grey_dot(url: str) -> None:
    form = aiohttp.FormData({"model": "m"})
    form.add_field("file", b"x" * 20_000, filename="a.wav")
    async with aiohttp.ClientSession() as session, session.post(url + "/v1/audio/transcriptions", data=form) as answer:
        heard = await answer.json()
    assert heard["text"].startswith("This is a simulated answer")
    assert heard["usage"] == {"type": "duration", "seconds": 2}
    _, painted = await post(url, "/v1/images/generations", prompt="a dot", n=2)
    assert [base64.b64decode(one["b64_json"])[:4] for one in painted["data"]] == [b"\x89PNG"] * 2


async def test_an_engine_says_what_it_has_and_lacks_what_it_is_told_to_lack() -> None:
    async for url in served(Settings(lacks="/v1/score,/v1/responses")):
        async with aiohttp.ClientSession() as session, session.get(url + "/openapi.json") as answer:
            paths = (await answer.json())["paths"]
        assert "/v1/rerank" in paths
        assert "/v1/score" not in paths
        async with aiohttp.ClientSession() as session, session.post(url + "/v1/score", json={}) as answer:
            assert answer.status == 404
