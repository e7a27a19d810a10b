"""How calls travel: one httpx client, tries again where that is safe, refusals as errors. Sync and async alike."""

import asyncio
import random
import ssl
import time
from dataclasses import dataclass
from typing import Any

import httpx

from mizzen_client.calls import PASSING, Call, wait_before
from mizzen_client.errors import Unreachable, refusal


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the control plane is, and who asks."""

    url: str
    token: str
    verify: ssl.SSLContext | bool = True
    timeout_seconds: float = 30.0
    retries: int = 3
    """Further tries of a call that may be repeated, after no answer, 429 or 503."""

    def options(self) -> dict[str, Any]:
        """Arguments of httpx's clients; the environment's proxies are not asked."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {
            "base_url": self.url, "headers": headers, "timeout": self.timeout_seconds, "trust_env": False,
            "verify": self.verify,
        }  # fmt: skip


class Transport:
    """Sends calls and waits for their answers. Threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.http = httpx.Client(**connection.options())

    def close(self) -> None:
        """End its connections."""
        self.http.close()

    def send(self, call: Call) -> httpx.Response:
        """The answer; raises ApiError for a status of 400 and above, Unreachable for none."""
        for attempt in range(1, _tries(self.connection, call) + 1):
            last = attempt == _tries(self.connection, call)
            try:
                response = self.http.request(call.method, call.path, **call.options())
            except httpx.HTTPError as error:
                if last:
                    raise Unreachable(self.connection.url, error) from error
                after = None
            else:
                if not response.is_error:
                    return response
                refused = refusal(response)
                if last or response.status_code not in PASSING:
                    raise refused
                after = refused.retry_after
            time.sleep(wait_before(attempt, after, random.random()))  # noqa: S311 -- keeps clients apart
        raise AssertionError("the last try ends the loop")


class AsyncTransport:
    """The same, awaited; of one event loop."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.http = httpx.AsyncClient(**connection.options())

    async def close(self) -> None:
        """End its connections."""
        await self.http.aclose()

    async def send(self, call: Call) -> httpx.Response:
        """The answer; raises ApiError for a status of 400 and above, Unreachable for none."""
        for attempt in range(1, _tries(self.connection, call) + 1):
            last = attempt == _tries(self.connection, call)
            try:
                response = await self.http.request(call.method, call.path, **call.options())
            except httpx.HTTPError as error:
                if last:
                    raise Unreachable(self.connection.url, error) from error
                after = None
            else:
                if not response.is_error:
                    return response
                refused = refusal(response)
                if last or response.status_code not in PASSING:
                    raise refused
                after = refused.retry_after
            await asyncio.sleep(wait_before(attempt, after, random.random()))  # noqa: S311 -- keeps clients apart
        raise AssertionError("the last try ends the loop")


def _tries(connection: Connection, call: Call) -> int:
    return 1 + (connection.retries if call.repeatable else 0)
