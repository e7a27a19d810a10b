"""Version 1, 2 and 1 again on real Triton under 100 requests a second: no request fails."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import aiohttp
import httpx
from support import doubling_model
from support.installation import Installation

RATE = 100.0
SECONDS = 60.0


async def constant_load(url: str, key: str, over: asyncio.Event) -> Counter[str]:
    """Answers by status or error; requests leave at their time, whether or not earlier ones were answered."""
    outcomes: Counter[str] = Counter()
    question = doubling_model.question()

    async def ask(session: aiohttp.ClientSession) -> None:
        try:
            async with session.post(url + question.path, json=question.body) as answer:
                await answer.read()
                outcomes[str(answer.status)] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            outcomes[type(error).__name__] += 1

    headers = {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session,
        asyncio.TaskGroup() as group,
    ):
        due = time.monotonic()
        while not over.is_set():
            group.create_task(ask(session))
            due += 1 / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return outcomes


async def test_two_rollouts_fail_no_request(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    try:
        installation.up()
        first = doubling_model.push_version(installation, "champion", "one")
        doubling_model.deploy(installation, "champion")
        installation.wait(lambda: installation.ready(doubling_model.MODEL), "ready", 240.0)
        key = installation.api("POST", "keys", json={"name": "caller"}).json()["secret"]
        # A key is known to the gateway a moment after it was made.
        models = installation.context.gateway_url + "/v1/models"
        header = {"authorization": f"Bearer {key}"}
        installation.wait(lambda: httpx.get(models, headers=header, trust_env=False).is_success, "key known", 30.0)
        over = asyncio.Event()
        began = time.monotonic()
        load = asyncio.create_task(constant_load(installation.context.gateway_url, key, over))
        second = await asyncio.to_thread(doubling_model.push_version, installation, "champion", "two")
        await until_serving(installation, second)
        doubling_model.point(installation, "champion", first)
        await until_serving(installation, first)
        rolled = time.monotonic() - began
        await asyncio.sleep(max(0.0, SECONDS - rolled))
        over.set()
        outcomes = await load
        print(f"{dict(outcomes)}; versions {first}, {second}, {first} within {rolled:.1f} s")
        assert set(outcomes) == {"200"}
        assert outcomes["200"] >= RATE * SECONDS * 0.9
    finally:
        installation.close()


async def until_serving(installation: Installation, version: int) -> None:
    await asyncio.to_thread(
        installation.wait, lambda: doubling_model.serving_version(installation) == version, f"version {version}", 120.0
    )
