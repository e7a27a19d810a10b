"""Does a request reach the endpoint that its deployment's policy means? Through a real gateway."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from support.gateway import (
    RunningGateway,
    endpoint_set,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.scripted_engine import Exchange, ScriptedEngine, completion, scripted_engine

CHAT = "/v1/chat/completions"
KEY = make_key()


async def well(exchange: Exchange) -> None:
    if exchange.method == "GET":  # what can it do? it does not say
        await exchange.send(404, b"")
    else:
        await exchange.send_json(completion(exchange.document["model"]))


@asynccontextmanager
async def served(folder: Path, policy: str, count: int = 4) -> AsyncIterator[tuple[RunningGateway, "Caller"]]:
    """A deployment of some engines, with a policy."""
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(scripted_engine(well)) for _ in range(count)]
        objects = [
            model_deployment("chat", routing={"policy": policy}),
            endpoint_set("chat", *[engine.address for engine in engines]),
        ]
        running = await stack.enter_async_context(running_gateway(folder, make_snapshot([KEY]), *objects))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=KEY.headers))
        yield running, Caller(running.url, session, engines)


class Caller:
    """Asks, and tells which engine was asked."""

    def __init__(self, url: str, session: aiohttp.ClientSession, engines: list[ScriptedEngine]) -> None:
        self._url = url
        self._session = session
        self._engines = engines

    async def ask(self, messages: list[dict[str, str]], headers: dict[str, str] | None = None, **more: Any) -> int:
        """Number of the engine that got the request."""
        before = self._asked()
        body = {"model": "chat", "messages": messages, **more}
        async with self._session.post(self._url + CHAT, json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
        after = self._asked()
        (changed,) = [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        return changed

    def _asked(self) -> list[int]:
        return [sum(one.path == CHAT for one in engine.exchanges) for engine in self._engines]


def says(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


async def test_the_turns_of_a_conversation_reach_the_engine_that_has_read_those_before(tmp_path: Path) -> None:
    async with served(tmp_path, "PrefixAffinity") as (running, caller):
        homes = Counter[int]()
        for talk in range(12):
            messages = [says("system", "You help. " * 100), says("user", f"{talk} " * 1500)]
            found = set()
            for turn in range(4):
                found.add(await caller.ask(messages))
                messages += [says("assistant", f"answer {turn} " * 50), says("user", f"and {turn}? " * 50)]
            assert len(found) == 1, f"talk {talk}"
            homes.update(found)
        assert len(homes) > 1, "not all talks are at one engine"
        (load,) = running.gateway.book.revisions()
        assert sum(one.prefix_blocks for one in load.pods) > 100


async def test_the_requests_of_a_session_reach_one_engine(tmp_path: Path) -> None:
    async with served(tmp_path, "SessionAffinity") as (_, caller):
        named = [{"headers": {"x-session-id": f"s{number}"}} for number in range(8)]
        users: list[dict[str, Any]] = [{"user": f"u{number}"} for number in range(8)]
        homes = set()
        for who in (*named, *users):
            found = {await caller.ask([says("user", f"hi {turn}")], **who) for turn in range(4)}
            assert len(found) == 1, who
            homes |= found
        assert len(homes) > 1
        assert len({await caller.ask([says("user", "hi")]) for _ in range(8)}) == 4, "nobody's requests go everywhere"


async def test_a_prompt_weighs_on_its_engine_only_until_the_answer_begins(tmp_path: Path) -> None:
    async with served(tmp_path, "LeastLoad", 1) as (running, caller):
        await caller.ask([says("user", "word " * 1000)])
        (endpoint,) = running.gateway.table.target(("default", "chat")).endpoints()
        assert (endpoint.in_flight, endpoint.prompt_bytes) == (0, 0)
