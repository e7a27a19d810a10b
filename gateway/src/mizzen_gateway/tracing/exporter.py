"""How do spans leave? In batches, by a task beside the requests, as OTLP over HTTP.

What a collector does not take in time is dropped and counted: spans never hold up a request, and never grow in memory.
"""

import asyncio
import gzip
import random
import ssl
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import structlog

from mizzen_gateway.tracing.otlp import Batch, rejected_in
from mizzen_gateway.tracing.span import Span

MOST_WAITING = 8192
"""Spans that wait; more are dropped."""
BATCH_SPANS = 512
SLICE_SPANS = 16
"""Made into messages at once: under a millisecond in which no request is served."""
SEND_SECONDS = 1.0
"""Between two batches where little happens."""
ANSWER_SECONDS = 10.0
CLOSE_SECONDS = 3.0
TRIES = 4
RETRY_STATUSES = frozenset({429, 502, 503, 504})
"""By which OTLP's collectors ask to be tried again."""
FIRST_WAIT_SECONDS = 1.0
"""Before another try; twice as long each time."""
LONGEST_WAIT_SECONDS = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where spans go."""

    url: str
    """With its path, `/v1/traces` by custom."""
    headers: Mapping[str, str]
    """Such as `authorization`."""
    trusted: ssl.SSLContext | bool = True
    """Whom its certificate must come from; True for whom the system trusts."""


async def _happens(event: asyncio.Event, seconds: float) -> None:
    """Wait for it, no longer than that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _packed(batch: Batch) -> bytes:
    return gzip.compress(batch.encoded(), 1)


class Exporter:
    """Takes spans, sends them."""

    def __init__(self, destination: Destination, resource: Mapping[str, str], version: str) -> None:
        self._destination = destination
        self._resource = resource
        self._version = version
        self._waiting: deque[Span] = deque()
        self._enough = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said = ""
        """Why the collector did not answer, the last time."""
        self.sent = 0
        """Spans that the collector took."""
        self.dropped: Counter[str] = Counter()
        """Spans that nobody gets, by reason."""

    def put(self, span: Span) -> None:
        """Take one; returns at once."""
        waiting = self._waiting
        if len(waiting) >= MOST_WAITING:
            self.dropped["queue_full"] += 1
            return
        waiting.append(span)
        if len(waiting) == BATCH_SPANS:
            self._enough.set()

    def start(self) -> None:
        """Send from now on."""
        self._task = asyncio.create_task(self._run(), name="spans")

    async def close(self) -> None:
        """Send what waits, without another try, within a time."""
        self._closing.set()
        self._enough.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(ssl=self._destination.trusted)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            while not self._closing.is_set() or self._waiting:
                if len(self._waiting) < BATCH_SPANS and not self._closing.is_set():
                    self._enough.clear()
                    await _happens(self._enough, SEND_SECONDS)
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_SPANS))]
                if batch:
                    await self._deliver(session, batch)

    async def _deliver(self, session: aiohttp.ClientSession, spans: list[Span]) -> None:
        try:
            reason = await self._sent(session, await self._body(spans), len(spans))
            said = self._said
        except Exception:  # outermost guard: no batch ends the sending of those that follow
            log.exception("spans could not be sent", spans=len(spans))
            reason, said = "failed", "an error of the gateway's own"
        if reason:
            self.dropped[reason] += len(spans)
            log.warning("spans were not taken", reason=reason, spans=len(spans), collector=said)

    async def _body(self, spans: list[Span]) -> bytes:
        batch = Batch(self._resource, self._version)
        for first in range(0, len(spans), SLICE_SPANS):
            batch.add(spans[first : first + SLICE_SPANS])
            await asyncio.sleep(0)
        return await asyncio.to_thread(_packed, batch)

    async def _sent(self, session: aiohttp.ClientSession, body: bytes, count: int) -> str:
        """Empty, or why nobody took them."""
        wait_seconds = FIRST_WAIT_SECONDS
        for attempt in range(1, TRIES + 1):
            reason, asked_seconds = await self._post(session, body, count)
            if not reason or asked_seconds is None or attempt == TRIES or self._closing.is_set():
                break
            own_seconds = wait_seconds * random.uniform(0.5, 1)  # noqa: S311  # jitter
            await _happens(self._closing, min(LONGEST_WAIT_SECONDS, asked_seconds or own_seconds))
            wait_seconds *= 2
        return reason

    async def _post(self, session: aiohttp.ClientSession, body: bytes, count: int) -> tuple[str, float | None]:
        """Why they were not taken, empty where they were; seconds until another try, 0 as we like, None for never."""
        headers = {
            **self._destination.headers,
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        }
        try:
            async with session.post(self._destination.url, data=body, headers=headers, allow_redirects=False) as answer:
                said = await answer.content.read(65536)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._said = str(error) or type(error).__name__
            return "unreachable", 0.0
        self._said = f"status {answer.status}"
        if answer.status == 200:
            rejected = min(count, rejected_in(said))
            self.sent += count - rejected
            self.dropped["rejected"] += rejected
            return "", None
        if answer.status in RETRY_STATUSES:
            after = answer.headers.get("retry-after", "")
            return "unavailable", float(after) if after.isascii() and after.isdigit() else 0.0
        return "refused", None
