"""What is metered where an engine did not tell, and where none was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from mizzen_gateway.telemetry.counts import RequestCounts
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, ScriptedEngine, chunk, completion, scripted_engine
from support.until import until

KEY = make_key()
PRICE = {"rate_card_id": "rcv_a", "model": "*", "pico_per_input_token": 7}
ASK = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def serving(
    folder: Path, answers: Any, engine: str = "vLLM"
) -> AsyncIterator[tuple[RunningGateway, ScriptedEngine]]:
    """A deployment whose engine hangs, but for its tokenizer."""

    async def behave(exchange: Exchange) -> None:
        if exchange.path == "/tokenize":
            await answers(exchange)
            return
        if exchange.document.get("stream"):
            await exchange.start_events()
            await exchange.event(chunk("chat", "one"))
        await asyncio.Event().wait()

    async with scripted_engine(behave) as running:
        objects = [model_deployment("chat"), endpoint_set("chat", running.address, engine=engine)]
        snapshot = make_snapshot([KEY], prices=[PRICE])
        async with running_gateway(folder, snapshot, *objects) as gateway:
            yield gateway, running


async def leave(gateway: RunningGateway, engine: ScriptedEngine, *, stream: bool) -> None:
    """Ask, and hang up once the engine is at work."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.gateway.port)
    body = orjson.dumps({**ASK, "stream": stream})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY.text}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    if stream:
        await reader.readuntil(b"one")
    await until(lambda: engine.exchanges)
    writer.close()


async def counts_to_four(exchange: Exchange) -> None:
    await exchange.send_json({"count": 4, "max_model_len": 100, "tokens": [1, 2, 3, 4]})


@pytest.mark.parametrize("stream", [False, True])
async def test_the_prompt_of_a_caller_who_left_is_counted_by_the_engines_tokenizer(
    tmp_path: Path, stream: bool
) -> None:
    async with serving(tmp_path, counts_to_four) as (gateway, engine):
        await leave(gateway, engine, stream=stream)
        await until(gateway.rows)
        (row,) = gateway.rows()
        question = engine.exchanges[-1].document
    assert question == {"model": "chat", "messages": ASK["messages"]}
    assert (row["input_tokens"], row["output_tokens"], row["cost_pico"]) == (4, 1 if stream else 0, 28)
    assert row["estimated"] is True


async def test_where_the_tokenizer_is_not_lent_the_estimate_by_bytes_stands(tmp_path: Path) -> None:
    async def refuses(exchange: Exchange) -> None:
        await exchange.send_json({"detail": "Not Found"}, 404)

    async with serving(tmp_path, refuses) as (gateway, engine):
        await leave(gateway, engine, stream=False)
        await until(gateway.rows)
        (row,) = gateway.rows()
    body = orjson.dumps({**ASK, "stream": False})
    assert (row["input_tokens"], row["estimated"]) == (len(body) // 4 + 1, True)


async def test_a_gateway_that_stops_settles_what_is_being_counted_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    release = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        asked.set()
        await release.wait()
        await counts_to_four(exchange)

    async def done_already(*_: object) -> bool:
        return True

    async with serving(tmp_path, slow) as (gateway, engine):
        await leave(gateway, engine, stream=False)
        await asked.wait()
        running, folder = gateway.gateway, gateway.gateway.accounting.spool.folder
        monkeypatch.setattr(running.accounting.shipper, "drain", done_already)
        stopping = asyncio.create_task(running.stop())
        await until(lambda: running.server.draining)
        await asyncio.wait({stopping}, timeout=0.3)
        assert not stopping.done()
        release.set()
        await stopping
        monkeypatch.setattr(running, "stop", done_already)
        assert sum(folder.read(number).count(b'"input_tokens":4') for number in folder.numbers()) == 1


async def test_what_no_engine_was_asked_for_has_no_row_and_is_counted(tmp_path: Path) -> None:
    scaling = {"minReplicas": 0, "maxReplicas": 1, "coldStart": {"holdSeconds": 0.05, "queueLimit": 5}}
    objects = [model_deployment("chat", autoscaling=scaling), endpoint_set("chat")]
    async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as gateway:
        async with aiohttp.ClientSession(headers=KEY.headers) as session:
            async with session.post(gateway.url + "/v1/chat/completions", json=ASK) as answer:
                assert answer.status == 503
            async with session.get(gateway.admin_url + "/metrics") as page:
                metrics = await page.text()
        assert not gateway.rows()
        assert gateway.gateway.accounting.spool.open_intents == 0
    [refused] = [line for line in metrics.splitlines() if line.startswith("mizzen_gateway_refused_total{")]
    assert 'code="model_not_ready"' in refused


@pytest.mark.parametrize(("status", "code"), [(500, "upstream_error"), (400, "invalid_request")])
async def test_what_an_engine_was_asked_for_in_vain_is_an_error_and_no_refusal(
    tmp_path: Path, status: int, code: str
) -> None:
    async def fails(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": "no"}}, 404 if exchange.method == "GET" else status)

    async with scripted_engine(fails) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as gateway:
            async with (
                aiohttp.ClientSession(headers=KEY.headers) as session,
                session.post(gateway.url + "/v1/chat/completions", json=ASK) as answer,
            ):
                assert (await answer.json())["error"]["code"] == code
            counts = gateway.gateway.accounting.observer
            assert isinstance(counts, RequestCounts)
            assert not counts.refusals
            assert counts.series["chat.completions", "chat", "default"].errors == {code: 1}
            [row] = gateway.rows()
            assert row["status"] == answer.status


async def test_the_time_of_accelerators_is_shared_out_and_none_of_it_lost_or_twice(tmp_path: Path) -> None:
    async def answers_two_at_once(exchange: Exchange) -> None:
        await until(lambda: len(engine.exchanges) % 2 == 0)
        await exchange.send_json(completion("chat"))

    async with scripted_engine(answers_two_at_once) as engine:
        objects = [model_deployment("chat", resources={"acceleratorsPerPod": 4}), endpoint_set("chat", engine.address)]
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as gateway:
            [endpoint] = gateway.gateway.table.target(("default", "chat")).endpoints()
            async with aiohttp.ClientSession(headers=KEY.headers) as session:

                async def ask() -> None:
                    async with session.post(gateway.url + "/v1/chat/completions", json=ASK) as answer:
                        assert answer.status == 200

                for _ in range(20):
                    await asyncio.gather(ask(), ask())
            await until(lambda: len(gateway.rows()) == 40)
            told = sum(row.get("accelerator_ms", 0) for row in gateway.rows())
            busy = 4000 * endpoint.time.busy_seconds
    assert busy - 1 < told <= busy + 1e-6
