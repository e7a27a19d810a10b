"""rerank, score, classify and responses through a real gateway to a simulated engine, and what an engine lacks."""

import json
from pathlib import Path

import pytest
from mizzen_engines.simulated.settings import Settings
from support.gateway import model_deployment
from support.simulated_behind import caller

BODIES = {
    "/v1/rerank": {"query": "a", "documents": ["b", "c"]},
    "/v1/score": {"text_1": "a", "text_2": ["b", "c"]},
    "/v1/classify": {"input": ["a", "b"]},
    "/v1/embeddings": {"input": "a"},
    "/v1/responses": {"input": "a"},
}


@pytest.mark.parametrize("path", BODIES)
async def test_each_endpoint_answers_and_is_metered(tmp_path: Path, path: str) -> None:
    async with caller(tmp_path) as asks:
        status, answer = await asks.post(path, **BODIES[path])
        assert status == 200, answer
        assert answer["model"] == "m"
        (row,) = asks.running.rows()
    assert row["operation"] == path.rpartition("/")[2]
    assert row["input_tokens"] > 0
    assert (row["output_tokens"] > 0) == (path == "/v1/responses")
    assert row["estimated"] is False


async def test_a_streamed_response_is_renamed_and_metered(tmp_path: Path) -> None:
    async with caller(tmp_path) as asks:
        body = {"model": "m", "input": "hi", "stream": True, "max_output_tokens": 5}
        async with asks.session.post(asks.running.url + "/v1/responses", json=body, headers=asks.key.headers) as answer:
            text = (await answer.read()).decode()
        events = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
        assert [one["sequence_number"] for one in events] == list(range(len(events)))
        assert {one["response"]["model"] for one in events if "response" in one} == {"m"}
        (row,) = asks.running.rows()
    assert (row["output_tokens"], row["estimated"]) == (5, False)


@pytest.mark.parametrize("path", BODIES)
async def test_what_the_engine_lacks_is_a_404_that_names_what_it_has_and_reserves_nothing(
    tmp_path: Path, path: str
) -> None:
    lacks = Settings(lacks={"/v1/classify": "/classify"}.get(path, path))
    async with caller(tmp_path, lacks) as asks:
        status, answer = await asks.post(path, **BODIES[path])
        assert (status, answer["error"]["code"]) == (404, "endpoint_not_available")
        assert path in answer["error"]["message"]
        assert "/v1/chat/completions" in answer["error"]["message"]
        assert asks.running.rows() == []


async def test_the_list_of_models_says_what_each_can_do(tmp_path: Path) -> None:
    async with caller(tmp_path, Settings(lacks="/v1/score,/classify")) as asks:
        asks.running.put(model_deployment("sleeping"))
        async with asks.session.get(asks.running.url + "/v1/models", headers=asks.key.headers) as answer:
            listed = {one["id"]: one for one in (await answer.json())["data"]}
        async with asks.session.get(asks.running.url + "/v1/models/m", headers=asks.key.headers) as answer:
            assert await answer.json() == listed["m"]
    assert listed["m"]["ready"] is True
    assert "/v1/rerank" in listed["m"]["endpoints"]
    assert not {"/v1/score", "/v1/classify"} & set(listed["m"]["endpoints"])
    assert (listed["sleeping"]["ready"], listed["sleeping"]["endpoints"]) == (False, None)
