"""Callers that ask without pause and remember what each of them got, to be held against the ledger afterwards."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

CONNECTIONS = 64
TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True)
class Question:
    """What a caller sends."""

    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Unanswered:
    """A request of which the caller never received a byte."""

    sent: float
    """Seconds since the epoch."""
    failed: float


@dataclass
class MeteredLoad:
    """`CONNECTIONS` callers on a gateway."""

    url: str
    key: str
    questions: tuple[Question, ...]
    source: random.Random
    connections: int = CONNECTIONS
    pause: float = 0.05
    """Seconds before a caller asks again who got no answer that helps."""
    answered: set[str] = field(default_factory=set)
    """Ids of requests of which the caller received a byte."""
    statuses: Counter[int] = field(default_factory=Counter)
    nameless: list[str] = field(default_factory=list)
    """Answers other than 200 without an id: refused before they were admitted."""
    torn: int = 0
    """Answers that began and did not end."""
    unanswered: list[Unanswered] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Requests that ended, one way or another."""
        return sum(self.statuses.values()) + len(self.unanswered)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load while the block runs; every request has ended when it is left."""
        over = asyncio.Event()
        connector = aiohttp.TCPConnector(limit=self.connections)
        headers = {"authorization": f"Bearer {self.key}"}
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=TIMEOUT) as session:
            callers = [asyncio.create_task(self._call(session, over)) for _ in range(self.connections)]
            try:
                yield
            finally:
                over.set()
                await asyncio.gather(*callers)

    async def _call(self, session: aiohttp.ClientSession, over: asyncio.Event) -> None:
        while not over.is_set():
            if not await self._ask(session, self.source.choice(self.questions)):
                await asyncio.sleep(self.pause)

    async def _ask(self, session: aiohttp.ClientSession, question: Question) -> bool:
        """False where no answer came, or none that helps."""
        sent = time.time()
        began = False
        try:
            async with session.post(self.url + question.path, json=question.body) as response:
                began = True
                self.statuses[response.status] += 1
                request_id = response.headers.get("x-request-id")
                if request_id:
                    self.answered.add(request_id)
                text = await response.text()
                if not request_id:
                    self.nameless.append(f"{response.status} {text[:200]}")
                return response.status == 200
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            if began:
                self.torn += 1
            else:
                self.unanswered.append(Unanswered(sent, time.time()))
            return False


def chat(model: str, *, stream: bool, max_tokens: int = 6) -> Question:
    """A chat of one message."""
    message = {"role": "user", "content": "what is the capital of France?"}
    return Question(
        "/v1/chat/completions", {"model": model, "messages": [message], "max_tokens": max_tokens, "stream": stream}
    )
