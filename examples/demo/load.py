"""A constant load of inference requests, counted one by one, while something else happens."""

import asyncio
import threading
import time
from collections import Counter
from types import TracebackType

import aiohttp


class ConstantLoad:
    """Sends `rate` requests a second from a thread of its own until the block ends; nothing is tried twice."""

    def __init__(self, url: str, headers: dict[str, str], body: bytes, rate: float) -> None:
        self._url, self._headers, self._body, self._interval = url, headers, body, 1 / rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()), daemon=True)
        self.outcomes: Counter[str] = Counter()
        """Answers by status, or by the name of the error."""

    def __enter__(self) -> "ConstantLoad":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def failed(self) -> int:
        """Requests that were not answered with 200."""
        return sum(count for outcome, count in self.outcomes.items() if outcome != "200")

    async def _send_all(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        async with session, asyncio.TaskGroup() as group:
            due = time.monotonic()
            while not self._over.is_set():
                group.create_task(self._send_one(session))
                due += self._interval
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _send_one(self, session: aiohttp.ClientSession) -> None:
        try:
            async with session.post(self._url, data=self._body, timeout=aiohttp.ClientTimeout(30)) as response:
                await response.read()
                self.outcomes[str(response.status)] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.outcomes[type(error).__name__] += 1
