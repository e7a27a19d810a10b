"""A gateway in the test's own event loop with a simulated engine, or any application, behind it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from mizzen_engines.simulated.server import SimulatedEngine
from mizzen_engines.simulated.settings import Settings
from support.gateway import (
    Key,
    RunningGateway,
    endpoint_set,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)

FAST = Settings(decode_ms=0.0, prefill_tokens_per_second=1e9)


class Caller:
    """Asks the gateway for model `m`, which the engine knows as `inner`."""

    def __init__(self, running: RunningGateway, session: aiohttp.ClientSession, key: Key) -> None:
        self.running = running
        self.session = session
        self.key = key

    async def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """JSON."""
        whole = {"model": "m", **body}
        async with self.session.post(self.running.url + path, json=whole, headers=self.key.headers) as answer:
            return answer.status, await answer.json()

    async def send(self, path: str, data: Any, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Anything: status, text and headers of the answer."""
        all_headers = {**self.key.headers, **headers}
        async with self.session.post(self.running.url + path, data=data, headers=all_headers) as answer:
            return answer.status, await answer.text(), {name.lower(): value for name, value in answer.headers.items()}


@contextlib.asynccontextmanager
async def caller(
    folder: Path, behind: Settings | web.Application = FAST, snapshot: dict[str, Any] | None = None, **environment: str
) -> AsyncIterator[Caller]:
    """Start both; `snapshot` holds limits, budgets and prices."""
    key = make_key()
    application = behind if isinstance(behind, web.Application) else SimulatedEngine(behind, "inner").application()
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = ("127.0.0.1", runner.addresses[0][1])
    objects = [model_deployment("m"), endpoint_set("m", address, model_name="inner")]
    try:
        async with (
            running_gateway(folder, make_snapshot([key], **(snapshot or {})), *objects, **environment) as running,
            aiohttp.ClientSession() as session,
        ):
            yield Caller(running, session, key)
    finally:
        await runner.cleanup()
