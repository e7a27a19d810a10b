"""An answer too long to be held goes on as it comes: exact, metered, without a burden for anybody else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mizzen_gateway.metering.frames import frames
from mizzen_gateway.protocols.held_bytes import HELD
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, ScriptedEngine, completion, scripted_engine
from support.until import until

KEY = make_key()
CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 64}
LONG = 'a word, "quoted" {and} [more] \\ ' * 20_000
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": n, "embedding": [n / 7] * 64} for n in range(500)],
    "model": "inner",
    "usage": {"prompt_tokens": 500, "total_tokens": 500},
}


@asynccontextmanager
async def asking(
    folder: Path, behaviour: Behaviour, **body: Any
) -> AsyncIterator[tuple[RunningGateway, ScriptedEngine, aiohttp.ClientResponse]]:
    path = CHAT if "messages" in body else "/v1/embeddings"
    async with scripted_engine(behaviour) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address, model_name="inner")]
        async with (
            running_gateway(folder, make_snapshot([KEY]), *objects) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
            session.post(running.url + path, json=body) as answer,
        ):
            yield running, engine, answer


async def the_row(running: RunningGateway) -> dict[str, Any]:
    await until(running.rows)
    (row,) = running.rows()
    return row


async def test_a_long_answer_is_exact_and_its_row_says_what_the_engine_said(tmp_path: Path) -> None:
    async def writes(exchange: Exchange) -> None:
        await exchange.send_json(completion("inner", LONG))

    async with asking(tmp_path, writes, **ASK) as (running, _, answer):
        assert answer.status == 200
        assert await answer.json() == completion("chat", LONG)
        row = await the_row(running)
    assert (row["status"], row["input_tokens"], row["output_tokens"], row["estimated"]) == (200, 7, 3, False)
    assert HELD.bytes == 0


async def test_long_embeddings_are_exact(tmp_path: Path) -> None:
    async def embeds(exchange: Exchange) -> None:
        await exchange.send_json(VECTORS)

    async with asking(tmp_path, embeds, model="chat", input=["x"] * 500) as (running, _, answer):
        assert await answer.json() == {**VECTORS, "model": "chat"}
        row = await the_row(running)
    assert (row["input_tokens"], row["output_tokens"], row["estimated"]) == (500, 0, False)


async def test_its_intent_is_there_before_its_first_byte(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    whole = json.dumps(completion("inner", LONG)).encode()

    async def waits(exchange: Exchange) -> None:
        exchange.writer.write(HEAD % len(whole) + whole[:300_000])
        await go_on.wait()
        exchange.writer.write(whole[300_000:])

    async with asking(tmp_path, waits, **ASK) as (running, _, answer):
        begun = await answer.content.readexactly(100_000)
        folder = running.gateway.accounting.spool.folder
        written = b"".join(folder.read(number) for number in folder.numbers())
        assert answer.headers["x-request-id"].encode() in written
        assert not running.rows()
        go_on.set()
        assert json.loads(begun + await answer.content.read()) == completion("chat", LONG)
        assert (await the_row(running))["output_tokens"] == 3
        found = [record for number in folder.numbers() for record in frames(folder.read(number))]
    assert len(found) == 2  # its intent, and its row


async def test_a_caller_that_does_not_read_holds_the_engine_back(tmp_path: Path) -> None:
    held_back: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def writes_much(exchange: Exchange) -> None:
        size, sent = 256 * 1024 * 1024, 0
        exchange.writer.write(HEAD % size + b'{"model":"inner","choices":["')
        while not held_back.done():
            exchange.writer.write(b"x" * 1024 * 1024)
            sent += 1
            try:
                await asyncio.wait_for(exchange.writer.drain(), 0.5)
            except TimeoutError:
                held_back.set_result(sent)
            if sent == 200 and not held_back.done():
                held_back.set_result(sent)

    async with asking(tmp_path, writes_much, **ASK) as (_, engine, answer):
        assert answer.status == 200
        assert await asyncio.wait_for(held_back, 60) < 100  # what two sockets hold
        assert HELD.bytes == 0
        answer.close()
        await asyncio.wait_for(asyncio.gather(*engine.tasks, return_exceptions=True), 60)


async def test_an_engine_that_breaks_off_in_the_middle_breaks_the_answer_off(tmp_path: Path) -> None:
    async def breaks_off(exchange: Exchange) -> None:
        exchange.writer.write(HEAD % 5_000_000 + json.dumps(completion("inner", LONG)).encode()[:400_000])
        await exchange.writer.drain()
        exchange.writer.close()

    async with asking(tmp_path, breaks_off, **ASK) as (running, _, answer):
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        row = await the_row(running)
    assert (row["status"], row["estimated"]) == (200, True)
    assert 0 < row["output_tokens"] <= 64  # of which the caller asked no more


@pytest.mark.parametrize("begin", [b"", b'{"data":["' + b"x" * 400_000 + b'"],'])
async def test_an_error_within_a_long_answer_stays_inside(tmp_path: Path, begin: bytes) -> None:
    body = (begin or b"{") + b'"error":{"message":"SECRET","more":"' + b"y" * 400_000 + b'"}}'

    async def fails(exchange: Exchange) -> None:
        await exchange.send(200, body, content_type="application/json")

    async with asking(tmp_path, fails, **ASK) as (running, _, answer):
        assert answer.status == (200 if begin else 502)
        got, broken = b"", False
        try:
            async for piece in answer.content.iter_any():
                got += piece
        except aiohttp.ClientPayloadError:
            broken = True
        assert broken == bool(begin)
        assert b"SECRET" not in got
        assert (await the_row(running))["status"] == answer.status


async def test_an_endpoint_is_not_blamed_for_how_long_its_answers_are(tmp_path: Path) -> None:
    async def says_no_at_length(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": "x" * 3_000_000}}, 400)

    async with asking(tmp_path, says_no_at_length, **ASK) as (_, engine, answer):
        assert answer.status == 400
        assert len([one for one in engine.exchanges if one.path == CHAT]) == 1
