"""A request that takes too long: a stream ends with an event that says so, and the row says which time was over."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mizzen_gateway.standalone.ledger import events
from support.alone import a_file, a_key, alone, ask
from support.scripted_engine import Exchange, chunk, scripted_engine


async def begins_and_hangs(exchange: Exchange) -> None:
    await exchange.start_events()
    await exchange.event(chunk("inner", "one"))
    await asyncio.Event().wait()


async def hangs(exchange: Exchange) -> None:
    await asyncio.Event().wait()


def only_row(folder: Path) -> dict[str, Any]:
    [row] = events(folder / "data" / "usage.db", None, None)
    return row


@pytest.mark.parametrize(
    ("field", "words"), [("request_seconds", "request time-out"), ("idle_seconds", "idle time-out")]
)
async def test_a_stream_that_takes_too_long_ends_with_an_event_that_says_so(
    tmp_path: Path, field: str, words: str
) -> None:
    key, entry = a_key()
    models = [{"name": "small", "upstreams": ["local"], field: 0.3}]
    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with scripted_engine(begins_and_hangs) as engine:
        document = a_file(f"http://127.0.0.1:{engine.port}/v1", entry, models=models)
        async with (
            alone(tmp_path, document) as running,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key.text}"}) as session,
            session.post(f"{running.url}/v1/chat/completions", json=body) as answer,
        ):
            text = (await answer.read()).decode()
    last = json.loads(text.rstrip().splitlines()[-1].removeprefix("data: "))
    assert last["error"]["code"] == "upstream_timeout"
    assert words in last["error"]["message"]
    row = only_row(tmp_path)
    assert (row["status"], row["output_tokens"], row["attempts"][-1]["outcome"]) == (200, 1, "timeout")


async def test_a_whole_answer_that_takes_too_long_is_told_and_kept_as_a_time_out(tmp_path: Path) -> None:
    key, entry = a_key()
    models = [{"name": "small", "upstreams": ["local"], "idle_seconds": 20, "request_seconds": 0.3}]
    async with (
        scripted_engine(hangs) as engine,
        alone(tmp_path, a_file(f"http://127.0.0.1:{engine.port}/v1", entry, models=models)) as running,
    ):
        status, told = await ask(running.url, key)
    assert (status, told["error"]["code"]) == (504, "upstream_timeout")
    assert "request time-out" in told["error"]["message"]
    row = only_row(tmp_path)
    assert (row["status"], row["attempts"][-1]["outcome"]) == (504, "timeout")


async def test_an_answer_that_does_not_begin_in_time_says_so(tmp_path: Path) -> None:
    key, entry = a_key()
    async with scripted_engine(hangs) as engine:
        document = a_file(f"http://127.0.0.1:{engine.port}/v1", entry, timeouts={"drain": 1, "first_byte": 0.3})
        async with alone(tmp_path, document) as running:
            status, told = await ask(running.url, key)
    assert status == 504
    assert "did not begin to answer within 0.3 s" in told["error"]["message"]
