"""rerank, score, classify and responses through a real gateway to a simulated engine, and what an engine lacks."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mizzen_engines.simulated.server import SimulatedEngine
from mizzen_engines.simulated.settings import Settings
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway

KEY = make_key()
FAST = Settings(decode_ms=0.0, prefill_tokens_per_second=1e9)


class Caller:
    """Asks the gateway."""

    def __init__(self, running: RunningGateway, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session

    async def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        whole = {"model": "m", **body}
        async with self.session.post(self.running.url + path, json=whole, headers=KEY.headers) as answer:
            return answer.status, await answer.json()


@contextlib.asynccontextmanager
async def caller(folder: Path, settings: Settings = FAST) -> AsyncIterator[Caller]:
    runner = web.AppRunner(SimulatedEngine(settings, "inner").application(), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = ("127.0.0.1", runner.addresses[0][1])
    objects = [model_deployment("m"), endpoint_set("m", address, model_name="inner")]
    async with (
        running_gateway(folder, make_snapshot([KEY]), *objects) as running,
        aiohttp.ClientSession() as session,
    ):
        yield Caller(running, session)
    await runner.cleanup()


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
        async with asks.session.post(asks.running.url + "/v1/responses", json=body, headers=KEY.headers) as answer:
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
