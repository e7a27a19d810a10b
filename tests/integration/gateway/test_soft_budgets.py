"""A stream under a soft budget, through a real gateway: it ends with an event that says why, and pays what it got."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from mizzen_crds.access import BudgetUnit, Hardness
from support.access_snapshots import a_budget
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, ScriptedEngine, chunk, completion, scripted_engine
from support.shared_ledger import SharedLedger, ledger_over_http
from support.until import until

KEY = make_key()
ASK = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "stream": True}
TOKENS = 1000


@asynccontextmanager
async def serving(
    folder: Path, behave: Any, amount: int = TOKENS, **budget: Any
) -> AsyncIterator[tuple[RunningGateway, ScriptedEngine]]:
    """A gateway with a soft budget of so much, before an engine."""
    fields = {"unit": BudgetUnit.TOKENS, "hardness": Hardness.SOFT, "scope_id": "prj_default", "name": "small"}
    snapshot = make_snapshot([KEY], further_budgets=[a_budget(amount, **{**fields, **budget})])
    async with scripted_engine(behave) as engine, ledger_over_http(SharedLedger(amount)) as plane:
        objects = [model_deployment("chat", resources={"acceleratorsPerPod": 2}), endpoint_set("chat", engine.address)]
        async with running_gateway(folder, snapshot, *objects, MIZZEN_CONTROLPLANE_URL=plane) as gateway:
            yield gateway, engine


async def asked(gateway: RunningGateway, **body: Any) -> tuple[int, bytes]:
    """Status and body of an answer."""
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{gateway.url}/v1/chat/completions", json={**ASK, **body}, headers=KEY.headers) as response,
    ):
        return response.status, await response.read()


async def endless(exchange: Exchange) -> None:
    await exchange.start_events()
    while True:
        await exchange.event(chunk("chat", "x"))
        await asyncio.sleep(0)


@pytest.mark.parametrize("told", [False, True])
async def test_a_stream_that_uses_a_soft_budget_up_ends_with_one_event_that_says_so(tmp_path: Path, told: bool) -> None:
    async def tells(exchange: Exchange) -> None:
        await exchange.start_events()
        for tokens in range(1, 10**6):
            usage = {"usage": {"prompt_tokens": 5, "completion_tokens": 2 * tokens}}
            await exchange.event({**chunk("chat", "x"), **usage})
            await asyncio.sleep(0)

    async with serving(tmp_path, tells if told else endless) as (gateway, engine):
        status, body = await asked(gateway)
        events = body.split(b"\n\n")
        error = orjson.loads(events[-2].removeprefix(b"data: "))["error"]
        await until(gateway.rows)
        (row,) = gateway.rows()
        await until(lambda: engine.exchanges[-1].writer.is_closing(), 10)
        refused, text = await asked(gateway)
    assert (status, events[-1]) == (200, b"")
    assert (error["code"], error["type"], error["param"]) == ("budget_exceeded", "rate_limit_error", None)
    assert "Budget small of the project is used up: its 1000 tokens" in error["message"]
    assert body.count(b'"error"') == 1
    generated = (2 if told else 1) * body.count(b'"content":"x"')
    print(f"told {told}: {generated} tokens of {TOKENS}")
    assert f"after {generated} tokens" in error["message"]
    assert (row["output_tokens"], row["status"], row["answered"]) == (generated, 200, True)
    assert generated > TOKENS - 110  # but for what was held for its prompt
    assert (refused, b"will probably use" in text) == (429, True)


async def test_a_connection_whose_stream_was_ended_takes_the_next_request(tmp_path: Path) -> None:
    body = orjson.dumps(ASK)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: {KEY.headers['Authorization']}\r\n"
    request = head.encode() + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with serving(tmp_path, endless) as (gateway, _), asyncio.timeout(20):
        host, _, port = gateway.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 24)
        writer.write(request)
        stream = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(request)  # a pool of connections has heard nothing of an end
        refused = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert b"connection: close" not in stream.partition(b"\r\n\r\n")[0]
    assert b'"code":"budget_exceeded"' in stream
    assert refused.startswith(b"HTTP/1.1 429 ")


async def test_a_stream_that_its_engine_ends_in_time_is_whole(tmp_path: Path) -> None:
    async def whole(exchange: Exchange) -> None:
        assert "max_tokens" not in exchange.document
        await exchange.start_events()
        for _ in range(900):
            await exchange.event(chunk("chat", "x"))
        await exchange.event(
            {**chunk("chat", None), "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1400}}
        )
        await exchange.event(b"[DONE]")
        await exchange.end_events()

    async with serving(tmp_path, whole) as (gateway, _):
        _, body = await asked(gateway)
        await until(gateway.rows)
        (row,) = gateway.rows()
        async with aiohttp.ClientSession() as session, session.get(f"{gateway.admin_url}/metrics") as metrics:
            told = await metrics.text()
    assert body.endswith(b"data: [DONE]\n\n")
    assert b'"error"' not in body
    assert row["output_tokens"] == 1400
    assert 'mizzen_gateway_soft_budget_beyond_total{name="small",unit="tokens"}' in told
    [credit] = [line for line in told.splitlines() if line.startswith("mizzen_gateway_credit_in_use{")]
    assert credit.endswith('unit="tokens"} 1405.0'), credit


async def test_a_stream_ends_when_the_accelerator_seconds_of_its_budget_are_used_up(tmp_path: Path) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.start_events()
        while True:
            await exchange.event(chunk("chat", "x"))
            await asyncio.sleep(0.02)

    async with serving(tmp_path, slow, 1200, unit=BudgetUnit.ACCELERATOR_SECONDS) as (gateway, _):
        status, body = await asked(gateway)
        await until(gateway.rows)
        (row,) = gateway.rows()
    error = orjson.loads(body.split(b"\n\n")[-2].removeprefix(b"data: "))["error"]
    assert (status, error["code"]) == (200, "budget_exceeded")
    assert "its 1.2 accelerator-seconds" in error["message"]
    assert row["time_budget_ids"] == ["bud_a"]
    assert row["accelerator_ms"] >= 1100


async def test_an_image_is_taken_where_only_soft_budgets_apply(tmp_path: Path) -> None:
    async def answers(exchange: Exchange) -> None:
        await exchange.send_json(completion("chat"))

    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    picture = {"messages": [{"role": "user", "content": [image]}], "stream": False}
    async with serving(tmp_path / "soft", answers) as (gateway, _):
        soft, _ = await asked(gateway, **picture)
    async with serving(tmp_path / "hard", answers, hardness=Hardness.HARD) as (gateway, _):
        hard, body = await asked(gateway, **picture)
    assert (soft, hard, b"unbounded_input" in body) == (200, 400, True)
