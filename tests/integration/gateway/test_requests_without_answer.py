"""Requests that end without an answer: what do limits count of them, and what is the operator told?"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from support.access_snapshots import a_limit
from support.gateway import (
    RunningGateway,
    endpoint_set,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.scripted_engine import Behaviour, Exchange, completion, scripted_engine
from support.until import until

CHAT = "/v1/chat/completions"
BODY = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
KEY = make_key()
PER_DAY = a_limit(3, scope_id="prj_default", window_seconds=86_400)


@asynccontextmanager
async def served(folder: Path, behaviour: Behaviour) -> AsyncIterator[tuple[RunningGateway, aiohttp.ClientSession]]:
    """A model whose engine behaves so once it was asked what it can do; three requests a day."""

    async def behaves(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.send(404, b"")
        else:
            await behaviour(exchange)

    async with scripted_engine(behaves) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with (
            running_gateway(folder, make_snapshot([KEY], limits=[PER_DAY]), *objects) as running,
            aiohttp.ClientSession(running.url, headers=KEY.headers) as caller,
        ):
            yield running, caller


async def answers(caller: aiohttp.ClientSession, count: int) -> list[int]:
    """Status of so many requests."""
    found = []
    for _ in range(count):
        async with caller.post(CHAT, json=BODY) as response:
            found.append(response.status)
    return found


async def test_what_an_engine_refuses_counts_as_a_request(tmp_path: Path) -> None:
    async def refuses(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": "a grammar that does not compile"}}, 400)

    async with served(tmp_path, refuses) as (_, caller):
        assert await answers(caller, 5) == [400, 400, 400, 429, 429]


@pytest.mark.parametrize("status", [500, 404])
async def test_what_an_engine_fails_at_counts_as_none(tmp_path: Path, status: int) -> None:
    async def fails_at_first(exchange: Exchange, failed: list[int] = []) -> None:  # noqa: B006 - it remembers
        failed.append(1)
        if len(failed) <= 3:
            await exchange.send(status, b"")
        else:
            await exchange.send_json(completion("chat"))

    async with served(tmp_path, fails_at_first) as (_, caller):
        found = await answers(caller, 7)
        assert found.count(200) == 3, found
        assert found[-1] == 429


async def test_who_leaves_a_stream_pays_for_the_tokens_of_its_events_as_far_as_streams_to_their_end_tell(
    tmp_path: Path,
) -> None:
    events = 10

    async def eight_tokens_an_event(exchange: Exchange) -> None:
        await exchange.start_events()
        for _ in range(events):
            await exchange.event({"model": "chat", "choices": [{"index": 0, "delta": {"content": "eight words"}}]})
        if exchange.document.get("user") == "leaves":
            await asyncio.Event().wait()
        usage = {"prompt_tokens": 5, "completion_tokens": 8 * events, "total_tokens": 5 + 8 * events}
        await exchange.event({"model": "chat", "choices": [], "usage": usage})
        await exchange.event(b"[DONE]")
        await exchange.end_events()

    async with served(tmp_path, eight_tokens_an_event) as (running, caller):
        async with caller.post(CHAT, json={**BODY, "stream": True}) as response:
            assert (await response.read()).count(b"eight words") == events
        async with caller.post(CHAT, json={**BODY, "stream": True, "user": "leaves"}) as response:
            read = b""
            while read.count(b"eight words") < events:
                read += await response.content.readany()
        await until(lambda: len(running.rows()) == 2)
        told, estimated = running.rows()
        assert (told["output_tokens"], told["estimated"]) == (8 * events, False)
        assert (estimated["output_tokens"], estimated["estimated"]) == (8 * events, True)


async def test_a_revision_that_never_answers_is_told_as_slow_and_left_by_its_callers(tmp_path: Path) -> None:
    async def hangs(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    async with served(tmp_path, hangs) as (running, caller):
        for _ in range(3):
            with contextlib.suppress(TimeoutError):
                async with caller.post(CHAT, json=BODY, timeout=aiohttp.ClientTimeout(total=0.2)):
                    raise AssertionError("it was answered")
        await until(lambda: [one.left for one in running.gateway.book.revisions() if one.revision] == [3])
        (load,) = [one for one in running.gateway.book.revisions() if one.revision]
        assert (load.requests, load.errors, load.first_bytes) == (3, 0, 3)
        assert load.ttft_ms_sum > 3 * 100
