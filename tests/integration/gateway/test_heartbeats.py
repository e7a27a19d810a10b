"""What does the caller of a stream get while no replica is ready? Heartbeats, then an answer or one error event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from multidict import CIMultiDictProxy
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, chunk, scripted_engine
from support.until import until

CHAT = "/v1/chat/completions"
HEARTBEAT = b": waiting for a replica\n\n"
KEY = make_key()


async def streams_well(exchange: Exchange) -> None:
    if exchange.method == "GET":
        await exchange.send(404, b"")
        return
    model = exchange.document["model"]
    await exchange.start_events()
    await exchange.event(chunk(model, "one"))
    await exchange.event(chunk(model, None))
    await exchange.event(b"[DONE]")
    await exchange.end_events()


@asynccontextmanager
async def parked(
    folder: Path, hold_seconds: int, stream: bool = True
) -> AsyncIterator[tuple[RunningGateway, "asyncio.Task[tuple[int, bytes, CIMultiDictProxy[str]]]"]]:
    """A request for a model without a replica, which a request would wake."""
    scaling = {"minReplicas": 0, "maxReplicas": 1, "coldStart": {"queueLimit": 5, "holdSeconds": hold_seconds}}
    body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    objects = [model_deployment("chat", autoscaling=scaling), endpoint_set("chat")]
    async with (
        running_gateway(folder, make_snapshot([KEY]), *objects) as running,
        aiohttp.ClientSession(headers=KEY.headers) as session,
    ):

        async def ask() -> tuple[int, bytes, CIMultiDictProxy[str]]:
            async with session.post(running.url + CHAT, json=body) as response:
                return response.status, await response.read(), response.headers

        asking = asyncio.create_task(ask())
        try:
            yield running, asking
        finally:
            asking.cancel()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats come early."""
    monkeypatch.setattr("mizzen_gateway.heartbeats.HEARTBEAT_SECONDS", 0.05)


def waiting(running: RunningGateway) -> bool:
    return running.gateway.table.target(("default", "chat")).parked == 1


@pytest.mark.usefixtures("quick")
async def test_an_answer_follows_heartbeats_in_one_stream_and_is_metered_from_its_own_first_byte(
    tmp_path: Path,
) -> None:
    async with scripted_engine(streams_well) as engine, parked(tmp_path, 30) as (running, asking):
        await until(lambda: waiting(running))
        connection = next(iter(running.gateway.server._connections))
        await until(lambda: (connection._responder.bytes_out if connection._responder else 0) >= 3 * len(HEARTBEAT))
        assert running.rows() == []
        running.put(endpoint_set("chat", engine.address))
        status, body, headers = await asking
        assert status == 200
        assert headers["content-type"].startswith("text/event-stream")
        assert body.startswith(3 * HEARTBEAT)
        assert body.count(b"content-type") == 0, "one head"
        rest = body.replace(HEARTBEAT, b"")
        assert b'"content":"one"' in rest
        assert rest.endswith(b"data: [DONE]\n\n")
        (row,) = running.rows()
        assert (row["answered"], row["status"], row["output_tokens"]) == (True, 200, 3)
        assert row["request_id"] == headers["x-request-id"]
        assert row["ttft_ms"] >= 100, "heartbeats are not the first byte"


@pytest.mark.usefixtures("quick")
async def test_a_refusal_after_heartbeats_is_one_error_event_and_costs_nothing(tmp_path: Path) -> None:
    async with parked(tmp_path, 1) as (running, asking):
        status, body, _ = await asking
        assert status == 200
        last = body.replace(HEARTBEAT, b"")
        assert last.startswith(b"data: ")
        assert last.endswith(b"\n\n")
        assert last.count(b"data: ") == 1
        error: dict[str, Any] = orjson.loads(last.removeprefix(b"data: "))["error"]
        assert error["code"] == "model_not_ready"
        assert not running.rows(), "no engine was asked"
        assert [one.idle for one in running.gateway.server.connections] == [True], "its head told of no end"


async def test_a_refusal_before_the_first_heartbeat_is_503_with_retry_after(tmp_path: Path) -> None:
    async with parked(tmp_path, 1) as (_, asking):
        status, body, headers = await asking
        assert status == 503
        assert headers["retry-after"] == "10"
        assert orjson.loads(body)["error"]["code"] == "model_not_ready"


@pytest.mark.usefixtures("quick")
async def test_an_answer_that_is_no_stream_waits_in_silence(tmp_path: Path) -> None:
    async with parked(tmp_path, 1, stream=False) as (_, asking):
        status, _, headers = await asking
        assert (status, headers["content-type"]) == (503, "application/json")


@pytest.mark.usefixtures("quick")
async def test_a_caller_that_leaves_while_it_waits_is_forgotten(tmp_path: Path) -> None:
    async with parked(tmp_path, 30) as (running, asking):
        await until(lambda: waiting(running))
        asking.cancel()
        await until(lambda: running.gateway.table.target(("default", "chat")).parked == 0)
        counts = running.gateway.accounting.observer.refusals
        await until(lambda: counts["chat.completions", 499, "caller_left"] == 1)
        assert not running.rows(), "no engine was asked"
